/* ledger_turn.h - one turn of the ledger over all logs and shards, and where answers go.
 *
 * No thread, no event loop, no clock but for ages: the time comes in, commands go out through
 * redis_link.h.  So a test can be the clock and the server.
 */
#ifndef LEDGER_LEDGER_TURN_H
#define LEDGER_LEDGER_TURN_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct ledger;
struct redisReply;

/* Makes what the turns work with, from ledger->options and ->store.  False: out of memory; the
 * caller clears.  Times are monotonic milliseconds. */
MUST_USE bool ledger_turn_init(struct ledger *ledger, int64_t now_ms);
void ledger_turn_clear(struct ledger *ledger);

/* Does what can be done now without waiting: looks at new clicks, asks for cursors, sends batches.
 */
void ledger_turn(struct ledger *ledger, int64_t now_ms);
/* Gives an answer to the part that asked; a turn should follow.  `answer`: see redis_link.h. */
void ledger_turn_on_answer(struct ledger *ledger, uint64_t ticket, const struct redisReply *answer,
                           int64_t now_ms);

/* Redis is known to hold all that the logs hold. */
MUST_USE bool ledger_turn_is_drained(const struct ledger *ledger);
/* The same, and all shards can take the next batch: until the next click there is nothing to do but
 * what may wait a second. */
MUST_USE bool ledger_turn_is_idle(const struct ledger *ledger);
/* Brings ledger->now up to date: applied, pending, age. */
void ledger_turn_count(struct ledger *ledger);

#endif
