/* spread.h - sums lone clicks up, and moves those of busy days to series and cells (FORMATS.md
 * "Lone clicks").
 */
#ifndef LEDGER_SPREAD_H
#define LEDGER_SPREAD_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/slice.h"

struct ledger;
struct ledger_ticket;
struct redisReply;

/* Sends the command that does so, if `old`, which is sound, is still what is there.  `of` and
 * `month_s` are what counter_series_parse() says of `key`.  False: nothing was sent, as there is
 * nothing to be done, or the connection is lost. */
MUST_USE bool spread_send(struct ledger *ledger, const struct ledger_ticket *ticket,
                          struct slice key, const struct counter_series *of, int64_t month_s,
                          struct slice old);

/* Handles the answer to it; returns what is for compact_note(), or NULL: nothing was moved. */
MUST_USE const struct redisReply *spread_take_answer(struct ledger *ledger, unsigned shard,
                                                     const struct redisReply *answer);

#endif
