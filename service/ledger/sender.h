/* sender.h - folds what is new in a log and sends it to Redis, a batch for each shard.
 *
 * Shards whose cursors are equal get the same range, so that each click is read and folded once.  A
 * shard that is behind is served first, up to the cursor of the next shard.
 */
#ifndef LEDGER_SENDER_H
#define LEDGER_SENDER_H

struct ledger;
struct ledger_log;

/* In each turn, for each log: sends the batches that may be sent now. */
void sender_serve(struct ledger *ledger, struct ledger_log *log);

#endif
