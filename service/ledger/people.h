/* people.h - counts the distinct clients and visitors of clicks (FORMATS.md "Waiting people").
 *
 * A HyperLogLog lets nobody be taken out.  So a click by a person first waits in Redis, under the
 * key of its slot; if it turns out to be a mail gateway's, its relabelling is added to the same key
 * and takes it back.  When a slot has not changed for so long that no relabelling can follow, any
 * process at this Redis sums it up, adds who is left to the HyperLogLogs, and takes the slot out of
 * the set.  Click, relabelling and cursor change together in a batch, so that whatever happens to
 * a server or process the sum is right; people may be added twice, which counts them once.
 *
 * Of a day on which few people click, the hours are one string in place of HyperLogLogs (FORMATS.md
 * "People by the hour"); people_add.lua decides that.
 *
 * A look goes through the set of slots by pages, so that no command is longer after an outage of
 * weeks, which leaves 8640 slots a day:
 *
 *   IDLE ──▶ LOOKING (a page) ──▶ LOADING (its slots that are due) ──▶ ADDING ──▶ ENDING
 *             ▲                                                                     │
 *             └──────────────────────────── the next page ──────────────────────────┘
 *
 * ADDING sends a few commands at a time: thousands of campaigns in a slot need a hundred, and all
 * at once would not be answered within the time that a command may take.  If nothing is due of a
 * page, the next one follows at once; behind the last page, and after an error, IDLE.
 */
#ifndef LEDGER_PEOPLE_H
#define LEDGER_PEOPLE_H
#include <stdint.h>

#include "proto/compiler.h"

struct ledger;
struct ledger_ticket;
struct people;
struct redisReply;

/* `hold_ms`: how long a slot must have been as it is.  NULL: out of memory. */
MUST_USE struct people *people_new(unsigned n_shards, int64_t hold_ms);
void people_free(struct people *people);

/* In each turn: looks at shards whose time has come. */
void people_serve(struct ledger *ledger);
void people_on_answer(struct ledger *ledger, const struct ledger_ticket *ticket,
                      const struct redisReply *answer);

/* Unix time up to which everybody is counted, of all processes, as far as their clicks are in
 * Redis; 0 = not known yet. */
int64_t people_as_of_ms(const struct people *people);

#endif
