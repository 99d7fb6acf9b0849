/* keeper.h - the keeper thread: prepares segments ahead of the workers, syncs them, and deletes
 * them when their retention is over, so that no worker ever waits for the disk. */
#ifndef CLICKLOG_KEEPER_H
#define CLICKLOG_KEEPER_H
#include <stdbool.h>

#include "proto/compiler.h"

struct clickstore;
struct error;

MUST_USE bool keeper_start(struct clickstore *store, struct error *err);
/* Ends the thread after a last sync of all logs; does nothing if it doesn't run. */
void keeper_stop(struct clickstore *store);
/* Wakes the keeper for new work.  Any thread, never waits. */
void keeper_wake(struct clickstore *store);

#endif
