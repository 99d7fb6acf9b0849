/* cells.h - packed cells: how many clicks of a campaign's day had the same hour, kind, country,
 * device … (FORMATS.md "Cells").  Series count by one dimension, cells by all of them at once.
 *
 * A Redis string of records of 8 bytes, which works as a series does (series.h): a batch appends
 * records, those of one cell add up, and now and then the ledger replaces the older part by its
 * sums.  A cell says nothing of whose click it was: no client, object or link.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef PROTO_CELLS_H
#define PROTO_CELLS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"
#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/lone.h"
#include "proto/slice.h"

enum {
    CELLS_RECORD_LEN = 8,
    CELLS_TAG = 2,         /* the highest two bits of a record */
    CELLS_VALUE_BITS = 10, /* of the widest field: a country */
    CELLS_COUNT_BITS = 11,
    CELLS_COUNT_MAX =
        (1 << (CELLS_COUNT_BITS - 1)) - 1, /* of one record; a cell may have several */
    CELLS_COUNT_MIN = -(1 << (CELLS_COUNT_BITS - 1)),
    CELLS_REASON_MAX = 63, /* stands for this reason and all later ones */
};

/* The parts of a cell that are looked at by themselves. */
enum cells_field {
    CELLS_HOUR,
    CELLS_KIND,
    CELLS_COUNTRY, /* cells_country() */
    CELLS_DEVICE,
    CELLS_BROWSER,
    CELLS_SYSTEM,
    CELLS_CHANNEL,
    CELLS_VARIANT,
    CELLS_REFERRER,
    CELLS_LABEL,
    CELLS_REASON,
    CELLS_DELAY,
    CELLS_FIELDS
};

/* A country's value in a series (counter_country_value()) as a field holds it, and back: 0 =
 * unknown, then AA … ZZ. */
static inline unsigned cells_country(unsigned series_value)
{
    return series_value == 0 ? 0
                             : 1 + ((series_value >> 8) - 'A') * 26 + ((series_value & 0xff) - 'A');
}

static inline unsigned cells_country_of_series(unsigned field)
{
    return field == 0 ? 0 : ('A' + (field - 1) / 26) << 8 | ('A' + (field - 1) % 26);
}

/* The record of clicks that are all like this one but for its campaign and day; `count` is
 * CELLS_COUNT_MIN … CELLS_COUNT_MAX.  As a number, for cells_put().  In the header, as is all that
 * the batch of a click needs.  FORMATS.md "Cells" is this layout. */
static inline uint64_t cells_of_lone(const struct lone *lone)
{
    unsigned reason = lone->reason < CELLS_REASON_MAX ? lone->reason : CELLS_REASON_MAX;

    return (uint64_t)CELLS_TAG << 62 | (uint64_t)(lone->hour & 31) << 57 |
           (uint64_t)(lone->kind & 15) << 53 | (uint64_t)cells_country(lone->country) << 43 |
           (uint64_t)(lone->device & 3) << 41 | (uint64_t)(lone->browser & 15) << 37 |
           (uint64_t)(lone->system & 15) << 33 | (uint64_t)(lone->channel & 7) << 30 |
           (uint64_t)(lone->variant & 7) << 27 | (uint64_t)(lone->referrer & 7) << 24 |
           (uint64_t)(lone->label & 7) << 21 | (uint64_t)reason << 15 |
           (uint64_t)(lone->delay & 15) << CELLS_COUNT_BITS |
           ((unsigned)lone->count & ((1U << CELLS_COUNT_BITS) - 1));
}

static inline void cells_put(uint8_t out[static CELLS_RECORD_LEN], uint64_t record)
{
    be64_store(out, record);
}

/* Reads the next record from `*at` (first 0) on and moves behind it; false at the end.  What is no
 * record of a count is skipped.  In the header, as a filter may read ten million. */
static inline bool cells_next(struct slice cells, size_t *at, uint64_t *record)
{
    while (*at + CELLS_RECORD_LEN <= cells.len) {
        *record = be64_load((const uint8_t *)cells.ptr + *at);
        *at += CELLS_RECORD_LEN;
        if (*record >> 62 == CELLS_TAG)
            return true;
    }
    return false;
}

static inline int cells_count(uint64_t record)
{
    unsigned sign = 1U << (CELLS_COUNT_BITS - 1);

    return (int)((unsigned)(record & (2 * sign - 1)) ^ sign) - (int)sign;
}

static inline unsigned cells_value(uint64_t record, enum cells_field field)
{
    static const struct {
        uint8_t shift, bits;
    } layout[CELLS_FIELDS] = {
        [CELLS_HOUR] = {57, 5},    [CELLS_KIND] = {53, 4},    [CELLS_COUNTRY] = {43, 10},
        [CELLS_DEVICE] = {41, 2},  [CELLS_BROWSER] = {37, 4}, [CELLS_SYSTEM] = {33, 4},
        [CELLS_CHANNEL] = {30, 3}, [CELLS_VARIANT] = {27, 3}, [CELLS_REFERRER] = {24, 3},
        [CELLS_LABEL] = {21, 3},   [CELLS_REASON] = {15, 6},  [CELLS_DELAY] = {11, 4},
    };

    return (unsigned)(record >> layout[field].shift) & ((1U << layout[field].bits) - 1);
}

/* The field that holds a dimension of the series; CELLS_FIELDS: none does, that of pages, as a page
 * is no click, and that of campaigns, which have a key each. */
enum cells_field cells_field_of(enum counter_dim dim);

/* Whether the string has this format: whole records, none of an unknown kind. */
bool cells_are_sound(struct slice cells);

/* The length of the part that has been summed up; 0 = none. */
size_t cells_base_len(struct slice cells);

/* Sums up sound cells into `out`, which has room for CELLS_RECORD_LEN more than they take; `work`
 * has room for twice as many numbers as there are records.  Returns the length of what is in `out`.
 * To replace the cells in Redis, see series_compact(). */
size_t cells_compact(struct slice cells, uint64_t *work, uint8_t *out);

#endif
