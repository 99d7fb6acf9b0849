/* siblings.h - what the pods on one Redis tell one another about mail gateways, whose clicks on one
 * mail may come to different pods (FORMATS.md "Siblings").
 *
 * Only while more than one process is alive.  Each click of a person is added to a short list of
 * its client's; who sees a burst in that list claims its clicks before it relabels them.  Nothing
 * waits for this: it has queues of fixed length, one command per shard under way, and what finds no
 * room is looked at by its own process only.
 */
#ifndef LEDGER_SIBLINGS_H
#define LEDGER_SIBLINGS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/label/gateway.h"

struct ledger;
struct ledger_ticket;
struct redisReply;
struct siblings;

/* `origin` is copied.  NULL: out of memory. */
MUST_USE struct siblings *siblings_new(const uint8_t origin[static GATEWAY_ORIGIN_LEN],
                                       unsigned n_shards, int64_t window_ms);
void siblings_free(struct siblings *siblings);

/* Lets the others know of a click; false: there are none, or there is no room. */
MUST_USE bool siblings_offer(struct siblings *siblings, const struct gateway_click *click);
/* Asks for the right to relabel; relabel_append() follows if this process gets it. */
void siblings_claim(struct siblings *siblings, const struct gateway_click *click, int64_t now_ms);

/* Sends what is waiting; says that this process is alive. */
void siblings_serve(struct ledger *ledger, struct siblings *siblings, int64_t now_ms);
void siblings_on_reply(struct ledger *ledger, struct siblings *siblings,
                       const struct ledger_ticket *ticket, const struct redisReply *reply);

#endif
