/* clicklog_recover.h - finds the logs of earlier starts (FORMATS.md "Click log", recovery). */
#ifndef CLICKLOG_RECOVER_H
#define CLICKLOG_RECOVER_H
#include <stdbool.h>

#include "proto/compiler.h"

struct clickstore;
struct error;

/*
 * Adds the logs found in logs/ to the store, oldest first, before the keeper starts.  What is no
 * good is set aside and reported; what holds nothing (spares, what a start left half made) is
 * deleted, unless the store only inspects.  False and `*err` when out of memory.
 */
MUST_USE bool clickstore_recover(struct clickstore *store, struct error *err);

#endif
