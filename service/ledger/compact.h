/* compact.h - compacts time series, and tables of states, that have grown (FORMATS.md "Series",
 * "State"), some at a time, between batches.  Tables of counts: merge.h.
 *
 * Either is compacted when its length has doubled; a series once more when its day or month is
 * over.  Lone clicks are looked at alike, and those of busy days moved to the series (spread.h).
 * Compacting saves memory and time to read, and changes no count: a key that is left out, or that
 * changed between the read and the write, stays as it was.
 */
#ifndef LEDGER_COMPACT_H
#define LEDGER_COMPACT_H
#include "proto/compiler.h"

struct compact;
struct ledger;
struct ledger_ticket;
struct redisReply;

/* NULL: out of memory. */
MUST_USE struct compact *compact_new(void);
void compact_free(struct compact *compact);

/* The batch script's list of keys and lengths: tables of states and series that have grown to that
 * length, and, with length 0, series that have begun. */
void compact_note(struct ledger *ledger, const struct redisReply *grown);
/* In each turn: reads the next keys, unless enough are under way. */
void compact_serve(struct ledger *ledger);
void compact_on_table(struct ledger *ledger, const struct ledger_ticket *ticket,
                      const struct redisReply *answer);
void compact_on_series(struct ledger *ledger, const struct ledger_ticket *ticket,
                       const struct redisReply *answer);

#endif
