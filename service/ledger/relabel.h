/* relabel.h - looks for mail gateways among the clicks that come, and relabels theirs.
 *
 * Part of the ledger thread.  Only clicks that this process logs are looked at, each once: never
 * those of earlier starts, nor what is replayed.  A relabelling is a record in a log of its own,
 * which is folded and applied, exactly once, like those of clicks.  A crash between finding a click
 * and appending that record costs the relabelling, never the click.
 */
#ifndef LEDGER_RELABEL_H
#define LEDGER_RELABEL_H
#include <stdint.h>

#include "proto/compiler.h"
#include "service/label/salt.h"

struct gateway_click;
struct ledger;
struct ledger_options;
struct ledger_ticket;
struct redisReply;
struct relabel;

/* NULL: out of memory. */
MUST_USE struct relabel *relabel_new(const struct ledger_options *options);
void relabel_free(struct relabel *relabel);

/* Looks at what was logged since the last time. */
void relabel_serve(struct ledger *ledger, int64_t now_ms);
void relabel_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                      const struct redisReply *reply);

/* --- for siblings.c --- */

/* Another process had this click. */
void relabel_add_sibling(struct ledger *ledger, const struct gateway_click *click);
/* This process, and no other, is to append this relabelling. */
void relabel_append(struct ledger *ledger, const struct gateway_click *click);
/* The pods have agreed on a salt of that day (days since 1970, UTC). */
void relabel_set_salt(struct ledger *ledger, const uint8_t salt[static SALT_LEN], int64_t day);

#endif
