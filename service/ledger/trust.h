/* trust.h - whether a batch may be sent to a Redis server, and if not, why not.
 *
 * Three conditions must hold before the first batch on a connection is sent to a shard:
 *
 * 1. All processes spread their counts over the same number of shards.  The first process that
 *    counts in a Redis stores the number there (FORMATS.md "Redis keyspace").  A process with
 *    another number counts nothing: its cursors would have other keys, and clicks would count
 *    twice.  Each shard holds the number, and the batch's script looks at it: so nothing is counted
 *    any more from the moment at which `hopcount reshard` has changed it.
 * 2. The append-only file ends with a whole transaction.  When the file ends within a transaction
 *    (power cut, kill during a write), Redis 7.0 truncates it after the last whole command of that
 *    transaction, not before its MULTI.  The next start ignores the truncated transaction; the
 *    start after that applies it, together with what was appended since.  So clicks that we
 *    replayed meanwhile would count twice.  A rewritten file holds no truncated transaction.  So
 *    we ask a server that has not rewritten its file since its start to do so (BGREWRITEAOF), and
 *    send no batch until that is done.  If the server is killed meanwhile, nothing follows the
 *    truncated transaction.
 * 3. The server has not just answered with an error: after an error we wait, twice as long each
 *    time.
 *
 * We log a warning when the server evicts keys, because evicted counts are lost for good.
 */
#ifndef LEDGER_TRUST_H
#define LEDGER_TRUST_H
#include <stdbool.h>

#include "proto/compiler.h"

struct ledger;
struct ledger_ticket;
struct redisReply;

/* In each turn: asks each shard for the number of shards, until it has answered on this connection.
 */
void trust_serve_layout(struct ledger *ledger);
/* In each turn, for each connected shard: takes the next step towards AOF_SOUND. */
void trust_serve_aof(struct ledger *ledger, unsigned shard);
void trust_on_layout(struct ledger *ledger, unsigned shard, const struct redisReply *answer);
void trust_on_aof(struct ledger *ledger, const struct ledger_ticket *ticket,
                  const struct redisReply *answer);

/* Whether a batch, or any other command, may be sent to the shard now. */
MUST_USE bool trust_is_ready(const struct ledger *ledger, unsigned shard);

/* Asks a private server to rewrite its append-only file, because the file holds old commands and
 * with them the salts of past days.  For a Redis of the user's own this is the user's decision.
 * Nothing waits for the answer: if it fails, the next day's rewrite follows. */
void trust_rewrite_private_aof(struct ledger *ledger);

/* The shard has answered with an error, or `error` says what is wrong with its answer.  Depending
 * on the error we wait, send the text of the script the next time, or reconnect.  A new cause is
 * logged once. */
void trust_on_error(struct ledger *ledger, unsigned shard, const char *error);
/* The connection is lost; `text` is the link's "address: reason".  Does nothing when we closed the
 * connection ourselves because of an answer: that answer is the cause. */
void trust_on_down(struct ledger *ledger, const char *text);
/* Redis has executed a command: clears the cause. */
void trust_on_success(struct ledger *ledger);
/* It has written what it had refused before, or a batch: the next error is a first one. */
void trust_on_write(struct ledger *ledger, unsigned shard);

#endif
