/* aof.h - makes sure that Redis goes on writing to a sound append-only file.
 *
 * When the file ends within a transaction (a power cut, a kill in the middle of a write), Redis 7.0
 * cuts it after the last whole command of that transaction, not before its MULTI.  It doesn't
 * apply it then; but at its next start it does, together with what was appended since: counts
 * that we have replayed meanwhile would come twice.  A file written anew has no such stump.  So on
 * every new connection a server that has written none since its start is asked to, and no batch is
 * sent before it is done: if it is killed meanwhile, nothing has come behind the stump.
 *
 * The same look warns of a server that evicts keys: no file brings those back.
 *
 * The file holds the commands of the past, so also salts that Redis itself has forgotten.  A
 * private server's is written anew every day; who else runs Redis decides that himself.
 */
#ifndef LEDGER_AOF_H
#define LEDGER_AOF_H
#include <stdint.h>

struct ledger;
struct ledger_ticket;
struct redisReply;

/* Each turn, for each shard that has a connection: brings its state to AOF_SOUND. */
void aof_serve(struct ledger *ledger, unsigned shard, int64_t now_ms);
/* A day is over, and its salt will be. */
void aof_forget(struct ledger *ledger);
void aof_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                  const struct redisReply *reply);

#endif
