/* recover.h - finds the logs of earlier starts (FORMATS.md "Click log", recovery). */
#ifndef CLICKLOG_RECOVER_H
#define CLICKLOG_RECOVER_H
#include <stdbool.h>

#include "proto/compiler.h"

struct clickstore;
struct error;

/*
 * Adds the logs found in logs/ to the store, oldest first, before the keeper starts.  What has
 * wrong content is moved to set-aside/ and reported; what holds no click (spares, files half made)
 * is deleted; a store that only inspects changes nothing.
 *
 * False and `*err`, which names the file, when something can't be read for a reason that isn't its
 * content: no memory or descriptors left, a disk or permission that refuses.  It stays where it is,
 * for a later start to read.
 */
MUST_USE bool clickstore_recover(struct clickstore *store, struct error *err);

#endif
