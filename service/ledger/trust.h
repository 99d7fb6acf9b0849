/* trust.h - whether a Redis server may be trusted with a batch, and if not, why not.
 *
 * Three things must be so before the first batch of a connection is sent to a shard:
 *
 * 1. All processes spread their counts over the same number of shards.  The first process to count
 *    in a Redis writes the number down (FORMATS.md "Redis keyspace").  A process that is configured
 *    otherwise counts nothing: its cursors would be others, and clicks would be counted again.
 * 2. The append-only file is sound.  When the file ends within a transaction (a power cut, a kill
 *    in the middle of a write), Redis 7.0 cuts it after the last whole command of that transaction,
 *    not before its MULTI.  Redis doesn't apply that stump at the next start, but at the start
 * after it, together with what was appended since: clicks that we have replayed meanwhile would
 * count twice.  A file that is written anew holds no stump.  So a server that has not rewritten its
 *    file since its start is asked to, and no batch is sent until that is done.  If the server is
 *    killed meanwhile, nothing stands behind the stump.
 * 3. The server did not refuse: after an error we wait, twice as long each time.
 *
 * A server that evicts keys is warned of: no file brings those back.
 */
#ifndef LEDGER_TRUST_H
#define LEDGER_TRUST_H
#include <stdbool.h>

#include "proto/compiler.h"

struct ledger;
struct ledger_ticket;
struct redisReply;

/* Each turn: asks for the number of shards, unless this connection has answered. */
void trust_serve_layout(struct ledger *ledger);
/* Each turn, for each shard that has a connection: brings its append-only file to AOF_SOUND. */
void trust_serve_aof(struct ledger *ledger, unsigned shard);
void trust_on_layout(struct ledger *ledger, const struct redisReply *answer);
void trust_on_aof(struct ledger *ledger, const struct ledger_ticket *ticket,
                  const struct redisReply *answer);

/* A batch, or any other command, may be sent to the shard now. */
MUST_USE bool trust_is_ready(const struct ledger *ledger, unsigned shard);

/* The append-only file of a private server is written anew: it holds the commands of the past, so
 * also salts of days that are over.  Who runs Redis himself decides that himself.  Nothing waits
 * for the answer: without one the file is written anew a day later. */
void trust_rewrite_private_aof(struct ledger *ledger);

/* An error answer of the shard, or what makes an answer useless: waits, sends the script's text the
 * next time, or reconnects, as the error demands.  A new cause is logged once. */
void trust_on_error(struct ledger *ledger, unsigned shard, const char *error);
/* There is no connection; `text` is the link's "address: reason".  Does nothing when we left the
 * server ourselves because of an answer: that answer is the cause. */
void trust_on_down(struct ledger *ledger, const char *text);
/* Redis does what it is asked: there is no cause any more. */
void trust_on_success(struct ledger *ledger);

#endif
