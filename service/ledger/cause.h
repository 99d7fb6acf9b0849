/* cause.h - why the ledger doesn't go on: said once when it changes, shown as long as it lasts. */
#ifndef LEDGER_CAUSE_H
#define LEDGER_CAUSE_H

struct ledger;
struct redis_cause;

/* An answer of Redis; `text` in its words. */
void cause_set(struct ledger *ledger, const struct redis_cause *cause, const char *text,
               unsigned shard);
/* There is no connection; `text` is the link's "address: reason".  Passed over when it was us who
 * left, because of an answer. */
void cause_set_down(struct ledger *ledger, const char *text);
void cause_clear(struct ledger *ledger);

/* An error reply of `shard`: waits, or reconnects; says a new cause once. */
void shard_failed(struct ledger *ledger, unsigned shard, const char *error);

#endif
