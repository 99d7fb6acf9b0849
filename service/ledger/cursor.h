/* cursor.h - up to where Redis has applied each log in each shard (FORMATS.md "Cursor").
 *
 * A cursor that was read is valid for one connection.  After a new connection, an error, a refused
 * batch, or 10 seconds without a confirmation the cursor is unknown, and we ask Redis for it.  When
 * a cursor has gone back (failover, truncated append-only file), the sender replays from there.
 */
#ifndef LEDGER_CURSOR_H
#define LEDGER_CURSOR_H
#include <stdbool.h>

#include "proto/compiler.h"

struct ledger;
struct ledger_ticket;
struct redisReply;

/* Makes ledger->shards; false: out of memory. */
MUST_USE bool cursor_init_shards(struct ledger *ledger);

/* At the start of each turn: when a connection is new or lost, makes the cursors of its shard
 * unknown. Sets ledger->now.connected, whether all shards have a connection. */
void cursor_notice_connections(struct ledger *ledger);
/* In each turn: asks the shard for its unknown cursors. */
void cursor_serve(struct ledger *ledger, unsigned shard);
/* In each turn: once an hour, and on each new connection, renews the time to live of all cursors in
 * Redis.  So Redis tells, by when a cursor ends, of which logs a process has been heard since it
 * started. */
void cursor_renew(struct ledger *ledger);

void cursor_on_asked(struct ledger *ledger, const struct ledger_ticket *ticket,
                     const struct redisReply *answer);
void cursor_on_renewed(struct ledger *ledger, const struct ledger_ticket *ticket,
                       const struct redisReply *answer);
/* The answer to a batch.  Returns the list of keys and lengths that compact.h is to look at, which
 * lives as long as `answer`; NULL: nothing was applied. */
MUST_USE const struct redisReply *cursor_on_batch(struct ledger *ledger,
                                                  const struct ledger_ticket *ticket,
                                                  const struct redisReply *answer);

#endif
