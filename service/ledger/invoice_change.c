#include "service/ledger/invoice_change.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/bytes.h"
#include "proto/rfc3339.h"
#include "service/base/background.h"

enum { YIELD_RECORDS = 32 }; /* some 100 µs */

int invoice_by_number(const void *left, const void *right)
{
    const struct invoice_record *a = left, *b = right;

    if (a->is.brand != b->is.brand)
        return a->is.brand < b->is.brand ? -1 : 1;
    if (a->is.object != b->is.object)
        return a->is.object < b->is.object ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static bool same_block(const struct funnel_record *a, const struct funnel_record *b)
{
    return a->brand == b->brand && funnel_block(a->object) == funnel_block(b->object);
}

size_t invoice_block_end(const struct invoice_record *records, size_t n, size_t first)
{
    const struct funnel_record *record = &records[first].is;
    size_t end = first + 1;

    while (end < n && same_block(record, &records[end].is) &&
           (record->object == 0) == (records[end].is.object == 0))
        end++;
    return end;
}

/* Makes room for `n` more; false, and the outcome has failed: out of memory. */
static bool make_room(struct invoice_change *out, void *array, size_t n_used, size_t n, size_t *max,
                      size_t size)
{
    void **at = array, *larger;
    size_t larger_max = *max ? *max : 256;

    if (n_used + n <= *max)
        return true;
    while (larger_max < n_used + n)
        larger_max *= 2;
    larger = realloc(*at, larger_max * size);
    if (!larger) {
        out->has_failed = true;
        return false;
    }
    *at = larger;
    *max = larger_max;
    return true;
}

/* The month of a time; most are of the same day. */
static uint32_t month_of(struct invoice_change *out, int64_t time_s)
{
    struct civil civil;

    if (out->month == 0 || out->day != time_s / 86400) {
        civil_from_s(time_s, &civil);
        out->day = time_s / 86400;
        out->month = (uint32_t)(civil.year * 12) + civil.month;
    }
    return out->month;
}

/* Where a difference with this key is, or could be.  A client can't choose keys that collide: what
 * they are made of comes from sealed tokens and from the billing system. */
static size_t slot_of(const struct invoice_change *out, const uint8_t key[static INVOICE_SUM_KEY])
{
    size_t mask = 2 * out->differences_max - 1, at;
    uint64_t head = be64_load(key), cell = be64_load(key + INVOICE_SUM_KEY - 8);
    uint32_t entry;

    head = (head ^ cell * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    for (at = (head ^ head >> 32) & mask; (entry = out->slots[at]); at = (at + 1) & mask) {
        if (memcmp(out->differences[entry - 1].key, key, INVOICE_SUM_KEY) == 0)
            break;
    }
    return at;
}

static bool make_room_for_differences(struct invoice_change *out, size_t n)
{
    size_t before = out->differences_max;
    uint32_t *slots;

    if (!make_room(out, &out->differences, out->n_differences, n, &out->differences_max,
                   sizeof(*out->differences)))
        return false;
    if (out->differences_max == before)
        return true;
    slots = calloc(2 * out->differences_max, sizeof(*slots));
    if (!slots) {
        out->differences_max = before;
        out->has_failed = true;
        return false;
    }
    free(out->slots);
    out->slots = slots;
    for (uint32_t i = 0; i < out->n_differences; i++)
        slots[slot_of(out, out->differences[i].key)] = i + 1;
    return true;
}

/* Adds to the sums of the day and of the month. */
static void add_sums(struct invoice_change *out, uint32_t brand, const struct funnel_sum *sums,
                     size_t n)
{
    if (n == 0 || !make_room_for_differences(out, 2 * n) || !out->slots)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct funnel_sum *sum = &sums[i];
        int64_t time_s = TOKEN_EPOCH_S + (int64_t)sum->hour * 3600;
        uint8_t packed[FUNNEL_CELL_LEN], key[INVOICE_SUM_KEY];
        struct funnel_cell cell = {
            .campaign = sum->campaign,
            .metric = sum->metric,
            .kind = sum->kind,
            .variant = sum->variant,
            .channel = sum->channel,
            .value = sum->value,
        };

        be32_store(key, brand);
        for (unsigned of_month = 0; of_month < 2; of_month++) {
            size_t at;

            /* By kind there are as many again, which few ask for. */
            key[4] =
                (uint8_t)((sum->kind != 0 && sum->metric != FUNNEL_AMOUNT ? 2u : 0u) | of_month);
            be32_store(key + 5, of_month ? month_of(out, time_s) : sum->hour / 24);
            cell.hour = of_month ? 0 : (uint8_t)(sum->hour % 24);
            funnel_put_cell(packed, &cell);
            memcpy(key + 9, packed, 8);
            at = slot_of(out, key);
            if (!out->slots[at]) {
                struct invoice_difference *new = &out->differences[out->n_differences++];

                out->slots[at] = (uint32_t)out->n_differences;
                memcpy(new->key, key, sizeof(key));
                new->time_s = time_s;
                new->count = 0;
            }
            out->differences[out->slots[at] - 1].count += sum->count;
        }
        if (sum->metric >= FUNNEL_N_OUTCOME && sum->metric < FUNNEL_OUTCOME_AMOUNT)
            out->payments[sum->metric - FUNNEL_N_OUTCOME] += sum->count;
    }
}

static struct slice slice_of_invoice(const struct funnel_invoice *invoice)
{
    return slice_make((const char *)invoice->facts, invoice->len);
}

static void add_weight(struct invoice_change *out, uint32_t brand, struct slice facts,
                       int64_t window_s, int sign)
{
    add_sums(out, brand, out->sums, funnel_weigh(facts, window_s, sign, out->sums));
}

static uint8_t *add_listing(struct invoice_change *out, uint32_t brand, uint32_t block,
                            int64_t time_s)
{
    struct invoice_listing *listing;

    if (!make_room(out, &out->listings, out->n_listings, 1, &out->listings_max,
                   sizeof(*out->listings)))
        return NULL;
    listing = &out->listings[out->n_listings++];
    *listing = (struct invoice_listing){.time_s = time_s};
    be32_store(listing->key, brand);
    be32_store(listing->key + INVOICE_LIST_KEY, block);
    return listing->key;
}

/* The block holds an invoice of which a mail of the campaign is known. */
static void list_mailed(struct invoice_change *out, uint32_t brand, const struct funnel_fact *mail,
                        uint32_t block)
{
    uint8_t *key = add_listing(out, brand, block, mail->sent_s);

    if (key) {
        key[4] = 1;
        be16_store(key + 5, mail->campaign);
        be32_store(key + 7, month_of(out, mail->sent_s));
    }
}

static void add_mails(struct invoice_change *out, uint32_t brand, const struct funnel_fact *mails)
{
    const struct funnel_sum sum = {
        .hour = (uint32_t)((mails->sent_s - TOKEN_EPOCH_S) / 3600),
        .campaign = mails->campaign,
        .metric = FUNNEL_N_SENT,
        .variant = mails->variant,
        .channel = mails->channel,
        .count = mails->n,
    };

    add_sums(out, brand, &sum, 1);
}

static void set_aside(struct invoice_change *out, const struct counter_key *block)
{
    if (out->n_aside++ == 0)
        out->aside = *block;
}

/* Adds the facts of one record to its invoice. */
static void add_record(struct invoice_change *out, const struct invoice_record *record,
                       const struct counter_key *block, struct funnel_invoice *invoice)
{
    struct slice facts = record->is.facts;
    struct funnel_fact fact;
    size_t at = 0, begin = 0;

    for (; funnel_next_fact(facts, &at, &fact); begin = at) {
        if (fact.type == FUNNEL_MAILS)
            add_mails(out, record->is.brand, &fact);
        if ((fact.type == FUNNEL_MAILS || (fact.type == FUNNEL_CLICK && !fact.is_taken_back)) &&
            !funnel_is_mailed(slice_of_invoice(invoice), fact.campaign, fact.sent_s))
            list_mailed(out, record->is.brand, &fact, funnel_block(record->is.object));
        if (!funnel_invoice_add(invoice, slice_make(facts.ptr + begin, at - begin)))
            set_aside(out, block);
        else if (fact.type == FUNNEL_MONEY &&
                 (fact.event == EVENT_PAID || fact.event == EVENT_PARTLY_PAID))
            out->payments_in++;
    }
}

static bool find_invoice(struct slice block, unsigned wanted, struct slice *facts)
{
    unsigned number;
    size_t at = 0;

    while (funnel_next_invoice(block, &at, &number, facts)) {
        if (number == wanted)
            return true;
    }
    return false;
}

/* A block is ours if it holds invoices up to its end. */
static bool is_sound(struct slice block)
{
    struct slice facts;
    unsigned number;
    size_t at = 0;

    while (funnel_next_invoice(block, &at, &number, &facts))
        ;
    return at == block.len;
}

/* Appends what is known of an invoice to the new block.  Of one of which nothing but the client is
 * left nothing is kept. */
static void put_invoice(struct invoice_change *out, unsigned number, struct slice facts)
{
    bool is_nothing = facts.len == 0 || (facts.len == FUNNEL_CLIENT_LEN &&
                                         (uint8_t)facts.ptr[0] >> 4 == FUNNEL_CLIENT);

    if (is_nothing || !make_room(out, &out->bytes, out->n_bytes, 3 + facts.len, &out->bytes_max, 1))
        return;
    out->n_bytes += funnel_put_invoice(out->bytes + out->n_bytes, number, facts);
}

/* Adds a text that ends where `bytes` ends now. */
static void put_text(struct invoice_change *out, const struct counter_key *key, size_t at)
{
    if (!make_room(out, &out->texts, out->n_texts, 1, &out->texts_max, sizeof(*out->texts)))
        return;
    out->texts[out->n_texts++] =
        (struct invoice_text){.key = *key, .at = at, .len = out->n_bytes - at};
}

/* The facts of one invoice, the records from `first` on; returns their end. */
static size_t build_invoice(struct invoice_change *out, const struct invoice_input *input,
                            size_t first, const struct counter_key *key, struct slice block)
{
    const struct invoice_record *record = &input->records[first];
    struct slice before = slice_make("", 0);
    struct funnel_invoice invoice;
    size_t end = first;

    while (end < input->n_records && input->records[end].is.brand == record->is.brand &&
           input->records[end].is.object == record->is.object)
        end++;
    if (!find_invoice(block, record->is.object % FUNNEL_BLOCK, &before))
        before = slice_make("", 0);
    if (!funnel_invoice_load(&invoice, before)) {
        for (size_t i = first; i < end; i++)
            set_aside(out, key);
        put_invoice(out, record->is.object % FUNNEL_BLOCK, before);
        return end;
    }
    add_weight(out, record->is.brand, before, input->window_s, -1);
    for (size_t i = first; i < end; i++)
        add_record(out, &input->records[i], key, &invoice);
    add_weight(out, record->is.brand, slice_of_invoice(&invoice), input->window_s, 1);
    put_invoice(out, record->is.object % FUNNEL_BLOCK, slice_of_invoice(&invoice));
    return end;
}

/* The new block: its changed invoices, then those that are as they were. */
static void build_block(struct invoice_change *out, const struct invoice_input *input, size_t first,
                        size_t end, const struct counter_key *key, const struct redisReply *answer)
{
    const struct funnel_record *any = &input->records[first].is;
    bool is_new = answer->type == REDIS_REPLY_NIL;
    struct slice block = slice_make("", 0), facts;
    size_t at = 0, begin = out->n_bytes;
    uint64_t changed = 0;
    unsigned number;

    if (answer->type == REDIS_REPLY_STRING)
        block = slice_make(answer->str, answer->len);
    else if (!is_new)
        block = slice_make("not a string", 1);
    if (!is_sound(block)) {
        for (size_t i = first; i < end; i++)
            set_aside(out, key);
        return;
    }
    for (size_t i = first; i < end;) {
        changed |= UINT64_C(1) << input->records[i].is.object % FUNNEL_BLOCK;
        i = build_invoice(out, input, i, key, block);
    }
    while (funnel_next_invoice(block, &at, &number, &facts)) {
        if (!(changed >> number & 1))
            put_invoice(out, number, facts);
    }
    put_text(out, key, begin);
    out->n_blocks++;
    if (is_new)
        (void)add_listing(out, any->brand, funnel_block(any->object), 0);
}

static int by_list(const void *left, const void *right)
{
    return memcmp(left, right, INVOICE_LISTING);
}

static void put_list(struct invoice_change *out, unsigned shard,
                     const struct invoice_listing *listing, size_t at)
{
    uint32_t brand = be32_load(listing->key);
    struct counter_key key;

    if (listing->key[4] == 0)
        counter_key_blocks(&key, shard, brand);
    else
        counter_key_mailed(&key, shard, brand, be16_load(listing->key + 5), listing->time_s);
    put_text(out, &key, at);
    out->n_lists++;
}

/* Each list once, and each block once in it. */
static void build_lists(struct invoice_change *out, unsigned shard)
{
    size_t end;

    if (out->n_listings > 0) /* qsort() takes no NULL */
        qsort(out->listings, out->n_listings, sizeof(*out->listings), by_list);
    for (size_t first = 0; first < out->n_listings; first = end) {
        const struct invoice_listing *of = &out->listings[first];
        size_t at = out->n_bytes;

        for (end = first; end < out->n_listings &&
                          memcmp(of->key, out->listings[end].key, INVOICE_LIST_KEY) == 0;
             end++) {
            if (end > first && by_list(&out->listings[end - 1], &out->listings[end]) == 0)
                continue;
            if (!make_room(out, &out->bytes, out->n_bytes, 4, &out->bytes_max, 1))
                return;
            memcpy(out->bytes + out->n_bytes, out->listings[end].key + INVOICE_LIST_KEY, 4);
            out->n_bytes += 4;
        }
        put_list(out, shard, of, at);
    }
}

static int by_key(const void *left, const void *right)
{
    return memcmp(left, right, INVOICE_SUM_KEY);
}

/* The differences from `first` on that belong under one key; returns their end. */
static size_t build_sums(struct invoice_change *out, unsigned shard, size_t first)
{
    const struct invoice_difference *of = &out->differences[first];
    struct counter_funnel series = {
        .brand = be32_load(of->key),
        .interval = of->key[4] & 1 ? COUNTER_MONTHS : COUNTER_DAYS,
        .of_kinds = of->key[4] >> 1,
    };
    size_t end = first, at = out->n_bytes;
    struct counter_key key;

    while (end < out->n_differences && memcmp(of->key, out->differences[end].key, 9) == 0) {
        const struct invoice_difference *cell = &out->differences[end++];

        if (cell->count == 0 ||
            !make_room(out, &out->bytes, out->n_bytes, FUNNEL_CELL_LEN, &out->bytes_max, 1))
            continue;
        memcpy(out->bytes + out->n_bytes, cell->key + 9, 8);
        be64_store(out->bytes + out->n_bytes + 8, (uint64_t)cell->count);
        out->n_bytes += FUNNEL_CELL_LEN;
    }
    if (out->n_bytes > at) {
        counter_key_funnel(&key, shard, &series, of->time_s);
        put_text(out, &key, at);
    }
    return end;
}

bool invoice_change_build(struct invoice_change *out, const struct invoice_input *input)
{
    size_t block = 0, end, unyielded = 0;

    if (out->slots)
        memset(out->slots, 0, 2 * out->differences_max * sizeof(*out->slots));
    out->n_differences = out->n_listings = out->n_texts = out->n_bytes = 0;
    out->n_blocks = out->n_lists = 0;
    out->n_aside = out->payments_in = 0;
    out->has_failed = false;
    memset(out->payments, 0, sizeof(out->payments));
    for (size_t first = 0; first < input->n_records; first = end) {
        end = invoice_block_end(input->records, input->n_records, first);
        if (input->records[first].is.object == 0) {
            struct funnel_fact fact;

            for (size_t i = first; i < end; i++) {
                size_t at = 0;

                while (funnel_next_fact(input->records[i].is.facts, &at, &fact)) {
                    if (fact.type == FUNNEL_MAILS)
                        add_mails(out, input->records[i].is.brand, &fact);
                }
            }
            continue;
        }
        build_block(out, input, first, end, &input->keys[block], input->blocks->element[block]);
        block++;
        unyielded += end - first;
        if (unyielded >= YIELD_RECORDS) {
            background_yield();
            unyielded = 0;
        }
    }
    build_lists(out, input->shard);
    if (out->n_differences > 0) /* qsort() takes no NULL */
        qsort(out->differences, out->n_differences, sizeof(*out->differences), by_key);
    for (size_t first = 0; first < out->n_differences;)
        first = build_sums(out, input->shard, first);
    background_yield();
    return !out->has_failed;
}

void invoice_change_clear(struct invoice_change *change)
{
    free(change->differences);
    free(change->slots);
    free(change->listings);
    free(change->texts);
    free(change->bytes);
}
