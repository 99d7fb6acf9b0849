/* invoices.h - adds what clicks and events say of invoices to what Redis keeps of them, and to the
 * sums made of that (FORMATS.md "Queue of facts", "Invoices", "Funnel").
 *
 * A batch only queues facts (batch.lua).  In each shard one process at a time takes them: it reads
 * some entries of the queue (facts.lua) and the blocks of their invoices, works out the new blocks
 * and the differences of sums (funnel_weigh.h), and writes all of it and shortens the queue in one
 * script (invoices.lua).  The script writes nothing if blocks were changed meanwhile.  So each fact
 * is added once, whichever process dies when; an answer that is lost only means that the process
 * looks again.
 */
#ifndef LEDGER_INVOICES_H
#define LEDGER_INVOICES_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct invoices;
struct ledger;
struct ledger_ticket;
struct redisReply;

/* NULL: out of memory. */
MUST_USE struct invoices *invoices_new(unsigned n_shards);
void invoices_free(struct invoices *invoices);

/* In each turn: looks for facts where some may wait. */
void invoices_serve(struct ledger *ledger);
/* A batch of this process was applied; so many entries wait in the queue now. */
void invoices_on_batch(struct ledger *ledger, unsigned shard, int64_t n_waiting);
/* The answer to LEDGER_FACTS, LEDGER_BLOCKS or LEDGER_INVOICES; NULL as of redis_link.h.  Returns
 * sums that have grown, for compact_note(); NULL: none. */
const struct redisReply *invoices_on_answer(struct ledger *ledger,
                                            const struct ledger_ticket *ticket,
                                            const struct redisReply *answer);
/* Entries of all queues; -1: not known yet. */
int64_t invoices_n_waiting(const struct invoices *invoices);
/* Nothing waits, or what waits can't be added now. */
bool invoices_is_idle(const struct invoices *invoices);

#endif
