/* aof.h - asks Redis to write its append-only file anew after it lost the end of it.
 *
 * When the file ends within a transaction (a power cut, a kill in the middle of a write), Redis 7.0
 * cuts it after the last whole command of that transaction, not before its MULTI.  It doesn't
 * apply it then; but at its next restart it does, together with what was appended since: counts
 * that we have replayed meanwhile would come twice.  A file written anew has no such stump.
 */
#ifndef LEDGER_AOF_H
#define LEDGER_AOF_H

struct ledger;
struct ledger_ticket;
struct redisReply;

/* The shard's server may have lost its newest counts. */
void aof_note_loss(struct ledger *ledger, unsigned shard);
/* Asks the server of the shard, once per connection, if that was noted. */
void aof_serve(struct ledger *ledger, unsigned shard);
void aof_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                  const struct redisReply *reply);

#endif
