/* recover.h - finds the logs of earlier starts (FORMATS.md "Click log"). */
#ifndef CLICKLOG_RECOVER_H
#define CLICKLOG_RECOVER_H
#include <stdbool.h>

#include "proto/compiler.h"

struct clickstore;
struct error;

/*
 * Adds the logs found in logs/ to the store, oldest first; call it before the keeper starts.  Files
 * with wrong content are moved to set-aside/ and reported.  Files without clicks (spares,
 * unfinished files) are deleted.  A store that only inspects changes nothing.
 *
 * False and `*err`, which names the file, when something can't be read for a reason other than its
 * content: out of memory or descriptors, a disk error, no permission.  The file stays where it is,
 * for a later start to read.
 */
MUST_USE bool clickstore_recover(struct clickstore *store, struct error *err);

#endif
