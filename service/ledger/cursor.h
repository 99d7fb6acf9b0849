/* cursor.h - up to where Redis has applied each log in each shard (FORMATS.md "Cursor").
 *
 * What we know of a cursor holds for one connection.  After a new connection, an error, a refused
 * batch or a long silence the cursor is in doubt, and Redis is asked for it.  A cursor that has
 * gone back (a failover, a cut append-only file) makes the sender replay from there.
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

/* Each turn, first: notices connections that are new or lost and puts the shard's cursors in
 * doubt.  Says in ledger->now.connected whether all shards have a connection. */
void cursor_notice_connections(struct ledger *ledger);
/* Each turn: asks the shard for the cursors that are in doubt. */
void cursor_serve(struct ledger *ledger, unsigned shard);
/* Each turn: once an hour renews the time to live of all cursors in Redis. */
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
