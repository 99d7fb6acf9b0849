/* funnel_weigh.h - the facts of one invoice: how a new one is added, and what all of them add to
 * the sums (FORMATS.md "Invoices", "Funnel").
 *
 * Pure: no I/O, no clock, no allocation. */
#ifndef PROTO_FUNNEL_WEIGH_H
#define PROTO_FUNNEL_WEIGH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/funnel.h"
#include "proto/slice.h"

enum {
    /* Facts kept of an invoice. */
    FUNNEL_CLICKS_MAX = 16,
    FUNNEL_SENT_MAX = 32,
    FUNNEL_MONEY_MAX = 64,
    /* Bytes of them, and of one click and one mail more. */
    FUNNEL_FACTS_MAX = FUNNEL_CLIENT_LEN + FUNNEL_SENT_LEN * (FUNNEL_SENT_MAX + 1) +
                       FUNNEL_CLICK_LEN * (FUNNEL_CLICKS_MAX + 1) +
                       FUNNEL_MONEY_LEN * FUNNEL_MONEY_MAX,
    FUNNEL_SUMS_MAX = 4 * FUNNEL_CLICKS_MAX + 8 * FUNNEL_MONEY_MAX,
};

struct funnel_invoice {
    size_t len;
    uint8_t facts[FUNNEL_FACTS_MAX];
};

/* Copies the facts as a block holds them.  False: they are none, or more than are ever kept. */
MUST_USE bool funnel_invoice_load(struct funnel_invoice *invoice, struct slice facts);
/* Adds one fact of a record; what is beyond the number kept goes.  False, and nothing was changed:
 * no room for another fact of money, or `fact` is none. */
MUST_USE bool funnel_invoice_add(struct funnel_invoice *invoice, struct slice fact);
/* There is a mail or link of the campaign that was made in the month of `sent_s`, in UTC. */
bool funnel_is_mailed(struct slice facts, uint16_t campaign, int64_t sent_s);

/* What is added to one sum. */
struct funnel_sum {
    uint32_t hour; /* since TOKEN_EPOCH_S */
    uint16_t campaign;
    uint8_t metric; /* enum funnel_metric */
    uint8_t kind;   /* 0: by no kind in particular */
    uint8_t variant, channel;
    uint32_t value;
    int64_t count;
};

/* Writes what the facts add to the sums, times `sign`; the same sum may come several times.
 * Payments are credited to clicks that are at most `window_s` older.  Returns how many. */
size_t funnel_weigh(struct slice facts, int64_t window_s, int sign,
                    struct funnel_sum out[static FUNNEL_SUMS_MAX]);

#endif
