/* lone.h - clicks that are counted one by one until there are enough of them to be summed up
 * (FORMATS.md "Lone clicks").
 *
 * In the series (series.h) a click that is the only one of its campaign and hour takes a record in
 * each dimension of each interval: up to 36 keys and 300 bytes.  Here it takes one record of 12
 * bytes that has all dimensions.  Records of the same content add up.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef PROTO_LONE_H
#define PROTO_LONE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"
#include "proto/click.h"
#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/series.h"
#include "proto/slice.h"

enum { LONE_LEN = 12, LONE_TAG = 3 };

struct lone {
    uint8_t day;  /* of the month, 1…31 */
    uint8_t hour; /* 0…23 */
    uint8_t kind; /* 1…15 */
    int8_t count; /* -1: a relabelling takes the click away */
    uint8_t label, device, variant, channel, reason, browser, system, referrer, delay;
    uint16_t country; /* counter_country_value() */
    uint16_t campaign;
};

/* What series count of the click (`count` 1, or -1: no longer) under that label, for that reason;
 * but for its day, which is 0.  In the header, as is all that the batch of a click needs. */
static inline struct lone lone_of_click(const struct click *click, unsigned label, unsigned reason,
                                        int count)
{
    return (struct lone){
        .hour = click->time_ms < 0 ? 0 : (uint8_t)(click->time_ms / 3600000 % 24),
        .kind = click->kind,
        .count = (int8_t)count,
        .label = (uint8_t)label,
        .device = click->device,
        .variant = click->variant,
        .channel = click->channel,
        .reason = (uint8_t)reason,
        .browser = click->browser & 15,
        .system = click->system & 15,
        .referrer = click->referrer,
        .delay = (uint8_t)counter_delay_value(click),
        .country = click->country[0] ? (uint16_t)counter_country_value(click->country) : 0,
        .campaign = click->campaign,
    };
}

/* Writes the record; FORMATS.md "Lone clicks" is this layout. */
static inline void lone_put(uint8_t out[static LONE_LEN], const struct lone *lone)
{
    out[0] = (uint8_t)(LONE_TAG << 6 | (lone->day & 31));
    out[1] = (uint8_t)(lone->hour << 3 | (lone->label & 7));
    out[2] = (uint8_t)(lone->kind << 4 | (lone->device & 15));
    out[3] = (uint8_t)((lone->variant & 7) << 3 | (lone->channel & 7));
    be16_store(out + 4, lone->campaign);
    be16_store(out + 6, lone->country);
    out[8] = lone->reason;
    out[9] = (uint8_t)(lone->browser << 4 | (lone->system & 15));
    out[10] = (uint8_t)(lone->referrer << 4 | (lone->delay & 15));
    out[11] = (uint8_t)lone->count;
}

/* Reads the next record from `*at` (first 0) on and moves behind it; false at the end.  What is no
 * such record is skipped. */
MUST_USE bool lone_next(struct slice records, size_t *at, struct lone *out);

/* The value in a dimension of clicks: any but COUNTER_DIM_PAGE. */
unsigned lone_value(const struct lone *lone, enum counter_dim dim);

/* The record that series of the interval would have in that dimension; false: none. */
MUST_USE bool lone_point(const struct lone *lone, enum counter_interval interval,
                         enum counter_dim dim, struct series_point *out);

/* Whether the text has this format: a head or none, and whole records. */
bool lone_is_sound(struct slice records);

/* Sorts records by day, then hour, adds up those of the same content, and leaves out what comes to
 * 0.  Returns how many records are left. */
size_t lone_sum_up(uint8_t *records, size_t n);

/* A head says up to which length the records were summed up, as in a series: series_base_len(). */
void lone_put_head(uint8_t out[static LONE_LEN], size_t len);
/* How many bytes of the text are its head. */
size_t lone_head_len(struct slice records);

#endif
