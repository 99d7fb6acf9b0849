/* series.h - packed time series: how many clicks by hour, day or month (FORMATS.md "Series").
 *
 * A series is a Redis string of records of 8 bytes, each "so many more clicks in this hour (day),
 * of this kind, with this value in this dimension".  A batch only ever appends records; those of
 * one cell add up.  Now and then the ledger replaces the older part by its sums (series_compact()).
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef PROTO_SERIES_H
#define PROTO_SERIES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"
#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/slice.h"

enum { SERIES_RECORD_LEN = 8 };

/* The content of a record. */
struct series_point {
    enum counter_dim dim;
    unsigned bucket; /* hour 0…23, day of the month 1…31; 0 of a whole month */
    unsigned kind;   /* 1…15 */
    unsigned value;  /* by dimension, see enum counter_dim */
    bool automated;
    int32_t count; /* may be negative: a relabelling takes away */
};

/* Writes the record. */
void series_put(uint8_t out[static SERIES_RECORD_LEN], const struct series_point *point);

/* Reads the next record from `*at` (first 0) on and moves behind it; false at the end.  What is no
 * record of a count is skipped.  In the header, as a year of campaigns has some 100,000. */
static inline bool series_next(struct slice series, size_t *at, struct series_point *out)
{
    while (*at + SERIES_RECORD_LEN <= series.len) {
        const uint8_t *record = (const uint8_t *)series.ptr + *at;
        unsigned cell = be16_load(record);

        *at += SERIES_RECORD_LEN;
        if (cell >> 14 != 2 || (cell >> 10 & 15) >= COUNTER_DIMS)
            continue;
        out->dim = (enum counter_dim)(cell >> 10 & 15);
        out->bucket = cell >> 5 & 31;
        out->kind = cell >> 1 & 15;
        out->automated = cell & 1;
        out->value = be16_load(record + 2);
        out->count = (int32_t)be32_load(record + 4);
        return true;
    }
    return false;
}

/* Whether the series has this format: whole records, none of an unknown kind. */
bool series_is_sound(struct slice series);

/* The length of the part that has been summed up; 0 = none. */
size_t series_base_len(struct slice series);

/*
 * Sums up a sound series into `out`, which has room for SERIES_RECORD_LEN more than it; `work` has
 * room for twice as many numbers as it has records.  Returns the length of what is in `out`. To
 * replace the series in Redis, test in the same script that its first bytes are still those that
 * were read.
 */
size_t series_compact(struct slice series, uint64_t *work, uint8_t *out);

#endif
