/* sender.h - folds what is new in a log and sends it to Redis, a batch for each shard.
 *
 * All shards that stand at one position are sent that range together, so that a click is read and
 * folded once.  A shard that is behind is caught up first, to where the next one stands.
 */
#ifndef LEDGER_SENDER_H
#define LEDGER_SENDER_H

struct ledger;
struct ledger_log;

/* Each turn, for each log: sends what may be sent of it now. */
void sender_serve(struct ledger *ledger, struct ledger_log *log);

#endif
