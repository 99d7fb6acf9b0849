#include "proto/funnel.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAILS_LEN = 11,
    OPTED_OUT = 8,           /* in the tag of money, beside the event */
    INVOICE_HEAD = 3,        /* number u8, length of the facts u16 */
    TAG_BASE = 0xff,         /* in the metric's place: the first record of what was summed up */
    BASE_MAGIC = 0x48434631, /* "HCF1" */
};

static const char *const outcome_names[FUNNEL_OUTCOMES] = {
    "credited", "no_click", "before_click", "too_late", "opted_out", "replaced", "taken_back",
};

const char *funnel_outcome_name(unsigned outcome)
{
    return outcome < FUNNEL_OUTCOMES ? outcome_names[outcome] : NULL;
}

/* --- facts --- */

static size_t put_money(uint8_t *out, const struct event *event)
{
    bool is_payment = event->type == EVENT_PAID || event->type == EVENT_PARTLY_PAID;
    const uint8_t *c = (const uint8_t *)event->currency;

    out[0] = (uint8_t)(FUNNEL_MONEY << 4 | event->type |
                       (is_payment && event->value != 0 ? OPTED_OUT : 0));
    be32_store(out + 1, funnel_seconds(event->at_ms));
    memcpy(out + 5, c, EVENT_CURRENCY_LEN);
    be24_store(out + 8, (uint32_t)((uint64_t)event->amount >> 32));
    be32_store(out + 11, (uint32_t)event->amount);
    return FUNNEL_MONEY_LEN;
}

size_t funnel_put_event(uint8_t out[static FUNNEL_RECORD_MAX], const struct event *event)
{
    uint8_t *facts = out + FUNNEL_RECORD_HEAD;
    size_t len = funnel_put_client(facts, event->object, event->client);

    switch (event->type) {
    case EVENT_MAIL_SENT:
        facts += len;
        facts[0] = FUNNEL_MAILS << 4;
        be16_store(facts + 1, event->campaign);
        facts[3] = (uint8_t)(event->variant << 3 | event->channel);
        be24_store(facts + 4, funnel_seconds(event->at_ms) / 60);
        be32_store(facts + 7, event->value);
        len += MAILS_LEN;
        break;
    case EVENT_PAID:
    case EVENT_PARTLY_PAID:
    case EVENT_UNPAID:
    case EVENT_REFUNDED:
    case EVENT_CREDITED:
        if (event->object == 0)
            return 0;
        len += put_money(facts + len, event);
        break;
    default:
        return 0;
    }
    funnel_put_head(out, event->brand, event->object, len);
    return FUNNEL_RECORD_HEAD + len;
}

bool funnel_next_record(struct slice records, size_t *at, struct funnel_record *out)
{
    const uint8_t *head = (const uint8_t *)records.ptr + *at;

    if (*at + FUNNEL_RECORD_HEAD > records.len || *at + FUNNEL_RECORD_HEAD + head[8] > records.len)
        return false;
    out->brand = be32_load(head);
    out->object = be32_load(head + 4);
    out->facts = slice_make((const char *)head + FUNNEL_RECORD_HEAD, head[8]);
    *at += FUNNEL_RECORD_HEAD + head[8];
    return true;
}

bool funnel_next_invoice(struct slice block, size_t *at, unsigned *number, struct slice *facts)
{
    const uint8_t *bytes = (const uint8_t *)block.ptr + *at;
    size_t len;

    if (*at + INVOICE_HEAD > block.len)
        return false;
    len = be16_load(bytes + 1);
    if (bytes[0] >= FUNNEL_BLOCK || *at + INVOICE_HEAD + len > block.len)
        return false;
    *number = bytes[0];
    *facts = slice_make((const char *)bytes + INVOICE_HEAD, len);
    *at += INVOICE_HEAD + len;
    return true;
}

size_t funnel_put_invoice(uint8_t *out, unsigned number, struct slice facts)
{
    out[0] = (uint8_t)number;
    be16_store(out + 1, (uint16_t)facts.len);
    memcpy(out + INVOICE_HEAD, facts.ptr, facts.len);
    return INVOICE_HEAD + facts.len;
}

static int64_t unix_s(uint32_t since_epoch)
{
    return TOKEN_EPOCH_S + (int64_t)since_epoch;
}

bool funnel_next_fact(struct slice facts, size_t *at, struct funnel_fact *out)
{
    static const uint8_t lens[16] = {
        [FUNNEL_CLIENT] = FUNNEL_CLIENT_LEN, [FUNNEL_SENT] = FUNNEL_SENT_LEN,
        [FUNNEL_CLICK] = FUNNEL_CLICK_LEN,   [FUNNEL_MONEY] = FUNNEL_MONEY_LEN,
        [FUNNEL_MAILS] = MAILS_LEN,
    };
    const uint8_t *fact = (const uint8_t *)facts.ptr + *at;
    size_t len;

    if (*at >= facts.len || (len = lens[fact[0] >> 4]) == 0 || *at + len > facts.len)
        return false;
    *at += len;
    *out = (struct funnel_fact){.type = (enum funnel_type)(fact[0] >> 4)};
    switch (out->type) {
    case FUNNEL_CLIENT:
        out->client = be32_load(fact + 1);
        break;
    case FUNNEL_CLICK:
    case FUNNEL_MAILS:
    case FUNNEL_SENT:
        if (out->type == FUNNEL_CLICK) {
            out->kind = fact[0] & 15;
            out->is_taken_back = (fact[3] & FUNNEL_TAKEN_BACK_BIT) != 0;
            out->time_s = unix_s(be32_load(fact + 7));
        } else if (out->type == FUNNEL_MAILS) {
            out->n = be32_load(fact + 7);
        }
        out->campaign = be16_load(fact + 1);
        out->variant = fact[3] >> 3 & 7;
        out->channel = fact[3] & 7;
        out->sent_s = TOKEN_EPOCH_S + (int64_t)be24_load(fact + 4) * 60;
        break;
    case FUNNEL_MONEY:
        out->event = (enum event_type)(fact[0] & 7);
        out->is_opted_out = (fact[0] & OPTED_OUT) != 0;
        out->time_s = unix_s(be32_load(fact + 1));
        memcpy(out->currency, fact + 5, EVENT_CURRENCY_LEN);
        out->amount = (int64_t)((uint64_t)be24_load(fact + 8) << 32 | be32_load(fact + 11));
        break;
    }
    return true;
}

int funnel_rank(enum event_type event)
{
    switch (event) {
    case EVENT_UNPAID:
        return 0;
    case EVENT_PARTLY_PAID:
        return 1;
    case EVENT_PAID:
        return 2;
    case EVENT_CREDITED:
        return 3;
    default:
        return 4;
    }
}

/* The newest event of money decides, as it does for states; a credit note over a part of the sum
 * leaves an invoice paid. */
bool funnel_is_paid(struct slice facts)
{
    struct funnel_fact fact, newest = {.time_s = INT64_MIN};
    size_t at = 0;

    while (funnel_next_fact(facts, &at, &fact)) {
        if (fact.type != FUNNEL_MONEY)
            continue;
        if ((fact.event == EVENT_REFUNDED || fact.event == EVENT_CREDITED) && fact.currency[0])
            continue;
        if (fact.time_s > newest.time_s ||
            (fact.time_s == newest.time_s && funnel_rank(fact.event) >= funnel_rank(newest.event)))
            newest = fact;
    }
    return newest.event == EVENT_PAID;
}

static bool is_of_client(struct slice facts, uint32_t client)
{
    struct funnel_fact fact;
    size_t at = 0;

    while (funnel_next_fact(facts, &at, &fact)) {
        if (fact.type == FUNNEL_CLIENT && fact.client == client)
            return true;
    }
    return false;
}

unsigned funnel_count_client(struct slice block, uint32_t client)
{
    struct slice facts;
    unsigned number, n = 0;
    size_t at = 0;

    while (funnel_next_invoice(block, &at, &number, &facts))
        n += is_of_client(facts, client);
    return n;
}

size_t funnel_erase_client(uint8_t *block, size_t len, uint32_t client)
{
    struct slice all = slice_make((const char *)block, len), facts;
    size_t at = 0, from = 0, out = 0;
    unsigned number;

    while (funnel_next_invoice(all, &at, &number, &facts)) {
        if (!is_of_client(facts, client)) {
            memmove(block + out, block + from, at - from);
            out += at - from;
        }
        from = at;
    }
    return out;
}

/* --- sums --- */

void funnel_put_cell(uint8_t out[static FUNNEL_CELL_LEN], const struct funnel_cell *cell)
{
    be16_store(out, cell->campaign);
    out[2] = cell->metric;
    be16_store(out + 3,
               (uint16_t)(cell->kind << 11 | cell->variant << 8 | cell->channel << 5 | cell->hour));
    be24_store(out + 5, cell->value);
    be64_store(out + 8, (uint64_t)cell->count);
}

bool funnel_is_sound(struct slice series)
{
    if (series.len % FUNNEL_CELL_LEN != 0)
        return false;
    for (size_t at = 0; at < series.len; at += FUNNEL_CELL_LEN) {
        uint8_t metric = (uint8_t)series.ptr[at + 2];

        if (metric == 0 || (metric == TAG_BASE && at > 0))
            return false;
    }
    return true;
}

size_t funnel_base_len(struct slice series)
{
    const uint8_t *head = (const uint8_t *)series.ptr;

    if (series.len < FUNNEL_CELL_LEN || head[2] != TAG_BASE || be32_load(head + 4) != BASE_MAGIC)
        return 0;
    return (size_t)be64_load(head + 8);
}

static int by_cell(const void *left, const void *right)
{
    return memcmp(left, right, FUNNEL_CELL_LEN / 2);
}

static bool has_steps(const uint8_t *record)
{
    return record[2] == FUNNEL_STEPS_OF + FUNNEL_CLICK_DELAY ||
           record[2] == FUNNEL_STEPS_OF + FUNNEL_PAY_DELAY;
}

size_t funnel_compact_room(struct slice series)
{
    size_t room = FUNNEL_CELL_LEN + series.len;

    for (size_t at = 0; at + FUNNEL_CELL_LEN <= series.len; at += FUNNEL_CELL_LEN) {
        if (has_steps((const uint8_t *)series.ptr + at))
            room += (FUNNEL_STEPS - 1) * FUNNEL_CELL_LEN;
    }
    return room;
}

/* Copies the records from `at` on, each that holds steps as one of each; returns the length. */
static size_t spread_steps(struct slice series, size_t at, uint8_t *out)
{
    size_t len = 0;

    for (; at < series.len; at += FUNNEL_CELL_LEN) {
        const uint8_t *record = (const uint8_t *)series.ptr + at;

        if (!has_steps(record)) {
            memcpy(out + len, record, FUNNEL_CELL_LEN);
            len += FUNNEL_CELL_LEN;
            continue;
        }
        for (unsigned i = 0; i < FUNNEL_STEPS; i++) {
            if (record[8 + i] == 0)
                continue;
            memcpy(out + len, record, 5);
            out[len + 2] = (uint8_t)(record[2] - FUNNEL_STEPS_OF);
            be24_store(out + len + 5, be24_load(record + 5) + i);
            be64_store(out + len + 8, record[8 + i]);
            len += FUNNEL_CELL_LEN;
        }
    }
    return len;
}

/* How many of the `n` sorted cells from `cells` on fit into one record of steps. */
static size_t count_steps(const uint8_t *cells, size_t n)
{
    size_t i = 0;

    if (cells[2] != FUNNEL_CLICK_DELAY && cells[2] != FUNNEL_PAY_DELAY)
        return 0;
    while (i < n && memcmp(cells, cells + i * FUNNEL_CELL_LEN, 5) == 0 &&
           be24_load(cells + i * FUNNEL_CELL_LEN + 5) - be24_load(cells + 5) < FUNNEL_STEPS &&
           be64_load(cells + i * FUNNEL_CELL_LEN + 8) <= UINT8_MAX)
        i++;
    return i;
}

/* Puts steps together, in place, of sorted cells; returns the new length. */
static size_t join_steps(uint8_t *cells, size_t len)
{
    size_t out = 0, n;

    for (size_t at = 0; at < len; at += n * FUNNEL_CELL_LEN) {
        uint8_t record[FUNNEL_CELL_LEN];

        memcpy(record, cells + at, FUNNEL_CELL_LEN);
        n = count_steps(cells + at, (len - at) / FUNNEL_CELL_LEN);
        if (n > 1) {
            record[2] = (uint8_t)(record[2] + FUNNEL_STEPS_OF);
            memset(record + 8, 0, FUNNEL_STEPS);
            for (size_t i = 0; i < n; i++) {
                const uint8_t *cell = cells + at + i * FUNNEL_CELL_LEN;

                record[8 + be24_load(cell + 5) - be24_load(record + 5)] = cell[15];
            }
        } else {
            n = 1;
        }
        memcpy(cells + out, record, FUNNEL_CELL_LEN);
        out += FUNNEL_CELL_LEN;
    }
    return out;
}

size_t funnel_compact(struct slice series, uint8_t *out)
{
    uint8_t *cells = out + FUNNEL_CELL_LEN;
    size_t len = spread_steps(series, funnel_base_len(series) ? FUNNEL_CELL_LEN : 0, cells), n = 0;

    qsort(cells, len / FUNNEL_CELL_LEN, FUNNEL_CELL_LEN, by_cell);
    for (size_t at = 0, end; at < len; at = end) {
        uint64_t count = 0;

        for (end = at; end < len && by_cell(cells + at, cells + end) == 0; end += FUNNEL_CELL_LEN)
            count += be64_load(cells + end + 8);
        if (count == 0)
            continue;
        memmove(cells + n, cells + at, FUNNEL_CELL_LEN / 2);
        be64_store(cells + n + 8, count);
        n += FUNNEL_CELL_LEN;
    }
    n = join_steps(cells, n);
    memset(out, 0, 4);
    out[2] = TAG_BASE;
    be32_store(out + 4, BASE_MAGIC);
    be64_store(out + 8, n + FUNNEL_CELL_LEN);
    return n + FUNNEL_CELL_LEN;
}

/* --- delays --- */

/* Two steps an octave, of 2 s and more: the first two are a second each. */
unsigned funnel_delay(int64_t s)
{
    uint64_t n = (s < 0 ? 0 : (uint64_t)s) + 2;
    unsigned octave = 62 - (unsigned)__builtin_clzll(n);
    unsigned delay = octave * 2 + (unsigned)(n >> octave) - 2;

    return delay < FUNNEL_DELAYS ? delay : FUNNEL_DELAYS - 1;
}

int64_t funnel_delay_begin(unsigned delay)
{
    return ((int64_t)(2 + delay % 2) << delay / 2) - 2;
}
