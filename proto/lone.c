#include "proto/lone.h"

#include <stdlib.h>
#include <string.h>

#include "proto/bytes.h"
#include "proto/series.h"

/* A head begins with 'H', whose first two bits are 1; those of a record are the tag. */
enum { AT_COUNT = LONE_LEN - 1 };

static const char head_magic[4] = {'H', 'C', 'S', '1'};

bool lone_next(struct slice records, size_t *at, struct lone *out)
{
    while (*at + LONE_LEN <= records.len) {
        const uint8_t *in = (const uint8_t *)records.ptr + *at;

        *at += LONE_LEN;
        if (in[0] >> 6 != LONE_TAG)
            continue;
        *out = (struct lone){
            .day = in[0] & 31,
            .hour = in[1] >> 3,
            .kind = in[2] >> 4,
            .count = (int8_t)in[AT_COUNT],
            .label = in[1] & 7,
            .device = in[2] & 15,
            .variant = in[3] >> 3 & 7,
            .channel = in[3] & 7,
            .reason = in[8],
            .browser = in[9] >> 4,
            .system = in[9] & 15,
            .referrer = in[10] >> 4,
            .delay = in[10] & 15,
            .country = be16_load(in + 6),
            .campaign = be16_load(in + 4),
        };
        return true;
    }
    return false;
}

unsigned lone_value(const struct lone *lone, enum counter_dim dim)
{
    switch (dim) {
    case COUNTER_DIM_LABEL:
        return lone->label;
    case COUNTER_DIM_COUNTRY:
        return lone->country;
    case COUNTER_DIM_DEVICE:
        return lone->device;
    case COUNTER_DIM_VARIANT:
        return lone->variant;
    case COUNTER_DIM_CHANNEL:
        return lone->channel;
    case COUNTER_DIM_REASON:
        return lone->reason;
    case COUNTER_DIM_BROWSER:
        return lone->browser;
    case COUNTER_DIM_SYSTEM:
        return lone->system;
    case COUNTER_DIM_REFERRER:
        return lone->referrer;
    case COUNTER_DIM_DELAY:
        return lone->delay;
    case COUNTER_DIM_CAMPAIGN:
        return lone->campaign;
    case COUNTER_DIM_PAGE:
    case COUNTER_DIMS:
        break;
    }
    return 0;
}

bool lone_point(const struct lone *lone, enum counter_interval interval, enum counter_dim dim,
                struct series_point *out)
{
    if (dim == COUNTER_DIM_PAGE)
        return false;
    *out = (struct series_point){
        .dim = dim,
        .bucket = interval == COUNTER_HOURS  ? lone->hour
                  : interval == COUNTER_DAYS ? lone->day
                                             : 0,
        .kind = lone->kind,
        .value = lone_value(lone, dim),
        .automated = click_is_automated(lone->label),
        .count = lone->count,
    };
    return true;
}

size_t lone_head_len(struct slice records)
{
    return records.len >= LONE_LEN && memcmp(records.ptr, head_magic, sizeof(head_magic)) == 0
               ? LONE_LEN
               : 0;
}

void lone_put_head(uint8_t out[static LONE_LEN], size_t len)
{
    memset(out, 0, LONE_LEN);
    memcpy(out, head_magic, sizeof(head_magic));
    be32_store(out + sizeof(head_magic), (uint32_t)len);
}

bool lone_is_sound(struct slice records)
{
    if (records.len % LONE_LEN != 0)
        return false;
    for (size_t at = lone_head_len(records); at < records.len; at += LONE_LEN) {
        if ((uint8_t)records.ptr[at] >> 6 != LONE_TAG)
            return false;
    }
    return true;
}

/* All of a record but its count. */
static int compare(const void *a, const void *b)
{
    return memcmp(a, b, AT_COUNT);
}

size_t lone_sum_up(uint8_t *records, size_t n)
{
    size_t n_left = 0;

    qsort(records, n, LONE_LEN, compare);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *next = records + i * LONE_LEN;
        uint8_t *last = records + (n_left - (n_left > 0)) * LONE_LEN;
        int sum = (int8_t)last[AT_COUNT] + (int8_t)next[AT_COUNT];

        if (n_left > 0 && compare(last, next) == 0 && sum >= INT8_MIN && sum <= INT8_MAX) {
            last[AT_COUNT] = (uint8_t)sum;
            n_left -= sum == 0;
        } else if (next[AT_COUNT] != 0) {
            memmove(records + n_left++ * LONE_LEN, next, LONE_LEN);
        }
    }
    return n_left;
}
