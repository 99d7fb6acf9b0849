/* invoice_change.h - what facts of the queue change: blocks of invoices, lists of blocks, sums
 * (FORMATS.md "Invoices", "Funnel").  No I/O: invoices.h reads and writes.
 */
#ifndef LEDGER_INVOICE_CHANGE_H
#define LEDGER_INVOICE_CHANGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/funnel.h"
#include "proto/funnel_weigh.h"

struct redisReply;

/* Brand, of kinds, day or month, and the cell without its count. */
enum { INVOICE_SUM_KEY = 4 + 1 + 4 + 8 };

/* Brand, 0 and zeros for the list of its blocks, or 1, campaign and month; then the block. */
enum { INVOICE_LIST_KEY = 4 + 1 + 2 + 4, INVOICE_LISTING = INVOICE_LIST_KEY + 4 };

/* What the queue says of one invoice. */
struct invoice_record {
    struct funnel_record is;
    uint32_t order; /* in the queue */
};

/* The order of records for qsort(): by invoice, then as they stand in the queue. */
int invoice_by_number(const void *left, const void *right);
/* The end of the records from `first` on, of `n` in that order, that are of one block.  Those of
 * mails of a campaign (object 0) are of none. */
size_t invoice_block_end(const struct invoice_record *records, size_t n, size_t first);

struct invoice_input {
    unsigned shard;
    int64_t window_s;                     /* a payment is credited to a click that is not older */
    const struct invoice_record *records; /* by invoice_by_number() */
    size_t n_records;
    /* Of each block that the records are of, in their order: its key, and what there is under it:
     * a string, nil, or anything else when it is not ours. */
    const struct counter_key *keys;
    const struct redisReply *blocks;
};

/* To be added to one sum; the key is big-endian, for sorting. */
struct invoice_difference {
    uint8_t key[INVOICE_SUM_KEY];
    int64_t time_s; /* any of its day or month */
    int64_t count;
};

/* A block to be added to a list of blocks; the key is big-endian, for sorting. */
struct invoice_listing {
    uint8_t key[INVOICE_LISTING];
    int64_t time_s; /* any of its month */
};

/* A text that is written, in `bytes`. */
struct invoice_text {
    struct counter_key key;
    size_t at, len;
};

/* All of it.  Zeros at first; used again and again. */
struct invoice_change {
    struct invoice_difference *differences; /* one for each sum */
    size_t n_differences, differences_max;
    uint32_t *slots; /* by hash: number of the difference + 1, 0 = free; twice differences_max */
    int64_t day;     /* whose month was asked for last, since 1970 */
    uint32_t month;
    struct invoice_listing *listings;
    size_t n_listings, listings_max;
    struct invoice_text *texts; /* blocks, then lists, then sums */
    size_t n_texts, texts_max;
    size_t n_blocks, n_lists;
    uint8_t *bytes;
    size_t n_bytes, bytes_max;
    int64_t n_aside;
    struct counter_key aside; /* the first block that is not ours */
    int64_t payments_in, payments[FUNNEL_OUTCOMES];
    bool has_failed;                         /* out of memory */
    struct funnel_sum sums[FUNNEL_SUMS_MAX]; /* of the invoice under way */
};

/* Works out what the records change.  False: out of memory. */
MUST_USE bool invoice_change_build(struct invoice_change *change,
                                   const struct invoice_input *input);
/* Frees what it holds. */
void invoice_change_clear(struct invoice_change *change);

#endif
