/* funnel.h - what is kept of an invoice (was it mailed, clicked, paid), and the sums made of it
 * (FORMATS.md "Invoices", "Funnel").
 *
 * All of one invoice is a list of facts.  A fact is only ever added, or taken back by its opposite,
 * so their order doesn't matter.  Facts travel through a queue in Redis as records.  The process
 * that takes them from it (ledger/invoices.c) works out what each invoice adds to the sums before
 * and after its change (funnel_weigh.h), and adds the difference: so sums are right whatever comes
 * late, twice or is taken back.
 *
 * Pure: no I/O, no clock, no allocation. */
#ifndef PROTO_FUNNEL_H
#define PROTO_FUNNEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"
#include "proto/click.h"
#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/event.h"
#include "proto/slice.h"
#include "proto/token.h"

enum {
    FUNNEL_BLOCK = 64,              /* invoices with consecutive numbers in one Redis key */
    FUNNEL_RECORD_HEAD = 4 + 4 + 1, /* brand, object, length of the facts */
    FUNNEL_RECORD_MAX = FUNNEL_RECORD_HEAD + 5 + 15,
    FUNNEL_CELL_LEN = 16,
};

/* The number of the block that holds an invoice. */
static inline uint32_t funnel_block(uint32_t object)
{
    return object / FUNNEL_BLOCK;
}

/* The numbers are stored: never change one, only add. */
enum funnel_type {
    FUNNEL_CLIENT = 1, /* whose invoice it is */
    FUNNEL_SENT,       /* a mail was sent */
    FUNNEL_CLICK,      /* a person clicked */
    FUNNEL_MONEY,      /* paid, or a payment was taken back */
    FUNNEL_MAILS,      /* n mails were sent; only in a record of the queue */
};

struct funnel_fact {
    enum funnel_type type;
    uint32_t client;          /* CLIENT */
    uint16_t campaign;        /* SENT, CLICK, MAILS */
    uint8_t variant, channel; /* the same */
    uint32_t n;               /* MAILS */
    uint8_t kind;             /* CLICK */
    bool is_taken_back;       /* CLICK: the opposite of one that has not come yet */
    int64_t sent_s;           /* SENT, CLICK, MAILS: when the mail (the link) was made, Unix */
    int64_t time_s;           /* CLICK, MONEY: when, Unix */
    enum event_type event;    /* MONEY */
    bool is_opted_out;        /* MONEY: of a client who must not be tracked */
    int64_t amount;           /* MONEY; minor units */
    char currency[EVENT_CURRENCY_LEN]; /* MONEY; NULs: no amount was given */
};

/* Bytes of a fact, by type. */
enum { FUNNEL_CLIENT_LEN = 5, FUNNEL_SENT_LEN = 7, FUNNEL_CLICK_LEN = 11, FUNNEL_MONEY_LEN = 15 };
enum { FUNNEL_TAKEN_BACK_BIT = 0x80 };

/* Seconds since TOKEN_EPOCH_S; a clock that is far off must not wrap around. */
static inline uint32_t funnel_seconds(int64_t time_ms)
{
    int64_t s = time_ms / 1000 - TOKEN_EPOCH_S;

    return s < 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

/* Writes the head of a record: whose invoice the `len` bytes of facts behind it are about. */
static inline void funnel_put_head(uint8_t out[static FUNNEL_RECORD_HEAD], uint32_t brand,
                                   uint32_t object, size_t len)
{
    be32_store(out, brand);
    be32_store(out + 4, object);
    out[8] = (uint8_t)len;
}

static inline size_t funnel_put_client(uint8_t *out, uint32_t object, uint32_t client)
{
    if (object == 0 || client == 0)
        return 0;
    out[0] = FUNNEL_CLIENT << 4;
    be32_store(out + 1, client);
    return FUNNEL_CLIENT_LEN;
}

/* Writes the record of a click by a person, or of one that is taken back; returns the length.  In
 * the header, as the fold does it for each click. */
static inline size_t funnel_put_click(uint8_t out[static FUNNEL_RECORD_MAX],
                                      const struct click *click, bool is_taken_back)
{
    uint8_t *fact = out + FUNNEL_RECORD_HEAD;
    size_t len = is_taken_back ? 0 : funnel_put_client(fact, click->object, click->client);

    fact += len;
    fact[0] = (uint8_t)(FUNNEL_CLICK << 4 | click->kind);
    be16_store(fact + 1, click->campaign);
    fact[3] = (uint8_t)(click->variant << 3 | click->channel |
                        (is_taken_back ? FUNNEL_TAKEN_BACK_BIT : 0));
    be24_store(fact + 4, click->issued_min);
    be32_store(fact + 7, funnel_seconds(click->time_ms));
    len += FUNNEL_CLICK_LEN;
    funnel_put_head(out, click->brand, click->object, len);
    return FUNNEL_RECORD_HEAD + len;
}

/* The same of an event; 0: the event is of no interest here. */
size_t funnel_put_event(uint8_t out[static FUNNEL_RECORD_MAX], const struct event *event);

/* What the queue holds of an invoice, or with object 0 of a campaign's mails. */
struct funnel_record {
    uint32_t brand, object;
    struct slice facts;
};
/* Reads the next record from `*at` (first 0) on; false at the end, or at what is no record. */
bool funnel_next_record(struct slice records, size_t *at, struct funnel_record *out);

/* Reads the next invoice of a block from `*at` (first 0) on: its number in the block, and its
 * facts; false at the end, or where the block is not of this format. */
bool funnel_next_invoice(struct slice block, size_t *at, unsigned *number, struct slice *facts);
/* Appends an invoice to a block; returns the length that was added. */
size_t funnel_put_invoice(uint8_t *out, unsigned number, struct slice facts);
/* Reads the next fact of an invoice; false at the end, or at what is no fact. */
bool funnel_next_fact(struct slice facts, size_t *at, struct funnel_fact *out);
/* The rank of an event of money among those of one second, as of states (state.h). */
int funnel_rank(enum event_type event);
/* The invoice's payments, less what was taken back, leave it paid. */
bool funnel_is_paid(struct slice facts);
/* Removes the invoices of a client from a block, in place; returns the new length. */
size_t funnel_erase_client(uint8_t *block, size_t len, uint32_t client);
/* How many invoices of a client are in a block. */
unsigned funnel_count_client(struct slice block, uint32_t client);

/* --- sums --- */

/* What is summed up.  The numbers are stored: never change one, only add. */
enum funnel_metric {
    FUNNEL_N_SENT = 1,     /* mails */
    FUNNEL_N_CLICKED,      /* invoices with a person's click, once a campaign */
    FUNNEL_N_PAID,         /* invoices with a payment that is credited, once a campaign */
    FUNNEL_AMOUNT,         /* credited; value: currency */
    FUNNEL_CLICK_DELAY,    /* invoices by time from mail to first click; value: funnel_delay() */
    FUNNEL_PAY_DELAY,      /* invoices by time from click to payment; value: the same */
    FUNNEL_N_OUTCOME = 16, /* payments by + enum funnel_outcome */
    FUNNEL_OUTCOME_AMOUNT = 32, /* money by + enum funnel_outcome; value: currency */
};

/* What became of a payment. */
enum funnel_outcome {
    FUNNEL_CREDITED,
    FUNNEL_NO_CLICK,     /* nobody has clicked a link of the invoice */
    FUNNEL_BEFORE_CLICK, /* clicks came after it only */
    FUNNEL_TOO_LATE,     /* the last click before it is older than conversions.window_days */
    FUNNEL_OPTED_OUT,    /* the client must not be tracked */
    FUNNEL_REPLACED,     /* a later "paid" of the same invoice is the one that counts */
    FUNNEL_TAKEN_BACK,   /* by a refund, a credit note, or "unpaid" */
    FUNNEL_OUTCOMES
};
/* "credited", "no_click", "before_click" …; NULL when out of range. */
const char *funnel_outcome_name(unsigned outcome);

/* In a series that was summed up, a record may hold the counts of eight steps of a delay, a byte
 * each: nine in ten records of a month would be such steps otherwise. */
enum { FUNNEL_STEPS = 8, FUNNEL_STEPS_OF = 64 /* + FUNNEL_CLICK_DELAY or FUNNEL_PAY_DELAY */ };

struct funnel_cell {
    uint16_t campaign;
    uint8_t metric; /* without FUNNEL_STEPS_OF */
    uint8_t kind;   /* 0: by no kind in particular */
    uint8_t variant, channel, hour;
    uint32_t value; /* by metric: a currency's three letters, a delay, or 0 */
    int64_t count;
    /* The counts of FUNNEL_STEPS delays, that of `value` first, in place of `count`; NULL: the cell
     * is of one delay, or of something else. */
    const uint8_t *steps;
};

void funnel_put_cell(uint8_t out[static FUNNEL_CELL_LEN], const struct funnel_cell *cell);

/* Reads the next cell of a series of them; what is none is skipped; false at the end.  `out->steps`
 * points into the series. */
static inline bool funnel_next_cell(struct slice series, size_t *at, struct funnel_cell *out)
{
    while (*at + FUNNEL_CELL_LEN <= series.len) {
        const uint8_t *record = (const uint8_t *)series.ptr + *at;
        uint64_t key = be64_load(record);
        unsigned route = (unsigned)(key >> 24 & 0xffff);
        bool has_steps = record[2] == FUNNEL_STEPS_OF + FUNNEL_CLICK_DELAY ||
                         record[2] == FUNNEL_STEPS_OF + FUNNEL_PAY_DELAY;

        *at += FUNNEL_CELL_LEN;
        if (record[2] == 0 || record[2] == 0xff)
            continue;
        *out = (struct funnel_cell){
            .campaign = (uint16_t)(key >> 48),
            .metric = (uint8_t)(has_steps ? record[2] - FUNNEL_STEPS_OF : record[2]),
            .kind = (uint8_t)(route >> 11),
            .variant = route >> 8 & 7,
            .channel = route >> 5 & 7,
            .hour = route & 31,
            .value = (uint32_t)(key & 0xffffff),
            .count = has_steps ? 0 : (int64_t)be64_load(record + 8),
            .steps = has_steps ? record + 8 : NULL,
        };
        return true;
    }
    return false;
}

bool funnel_is_sound(struct slice series);
/* The length of the part that was summed up; 0 = none. */
size_t funnel_base_len(struct slice series);
/* Sums up a sound series into `out`, which has room for funnel_compact_room() bytes; returns the
 * length. */
size_t funnel_compact_room(struct slice series);
size_t funnel_compact(struct slice series, uint8_t *out);

/* A time span in steps that grow by half an octave; and the seconds at which a step begins.
 * Below 0 is 0. */
enum { FUNNEL_DELAYS = 64 };
unsigned funnel_delay(int64_t s);
int64_t funnel_delay_begin(unsigned delay);

#endif
