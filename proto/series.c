#include "proto/series.h"

#include <string.h>

#include "proto/radix.h"

/* FORMATS.md "Series" is this layout: tag 2 bits, dimension 4, bucket 5, kind 4, automated 1, value
 * 16, count 32.  The tag of a count is 2; a head begins with 'H', whose first two bits are 1. */
enum { TAG_COUNT = 2, COUNT_BITS = 32 };

static const char head_magic[4] = {'H', 'C', 'S', '1'};

void series_put(uint8_t out[static SERIES_RECORD_LEN], const struct series_point *point)
{
    unsigned cell = TAG_COUNT << 14 | (point->dim & 15U) << 10 | (point->bucket & 31) << 5 |
                    (point->kind & 15) << 1 | point->automated;

    be16_store(out, (uint16_t)cell);
    be16_store(out + 2, (uint16_t)point->value);
    be32_store(out + 4, (uint32_t)point->count);
}

static bool is_head(const uint8_t *record)
{
    return memcmp(record, head_magic, sizeof(head_magic)) == 0;
}

static bool has_head(struct slice series)
{
    return series.len >= SERIES_RECORD_LEN && is_head((const uint8_t *)series.ptr);
}

bool series_is_sound(struct slice series)
{
    if (series.len % SERIES_RECORD_LEN != 0)
        return false;
    for (size_t at = 0; at < series.len; at += SERIES_RECORD_LEN) {
        const uint8_t *record = (const uint8_t *)series.ptr + at;

        if (!(at == 0 && is_head(record)) &&
            (record[0] >> 6 != TAG_COUNT || (record[0] >> 2 & 15) >= COUNTER_DIMS))
            return false;
    }
    return true;
}

size_t series_base_len(struct slice series)
{
    const uint8_t *head = (const uint8_t *)series.ptr;
    size_t len;

    if (!has_head(series))
        return 0;
    len = be32_load(head + 4);
    return len <= series.len ? len : 0;
}

static size_t put_sum(uint8_t *out, uint64_t record, int64_t sum)
{
    if (sum == 0)
        return 0;
    be64_store(out, (record >> COUNT_BITS << COUNT_BITS) | (uint32_t)(int32_t)sum);
    return SERIES_RECORD_LEN;
}

/* Sums neighbours of one cell up.  A sum of over 31 bits takes several records. */
static size_t merge(const uint64_t *records, size_t n, uint8_t *out)
{
    size_t len = 0;
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        int64_t more = (int32_t)(uint32_t)records[i];
        bool same = i > 0 && (records[i] ^ records[i - 1]) >> COUNT_BITS == 0;

        if (same && sum + more <= INT32_MAX && sum + more >= INT32_MIN) {
            sum += more;
            continue;
        }
        if (i > 0)
            len += put_sum(out + len, records[i - 1], sum);
        sum = more;
    }
    if (n > 0)
        len += put_sum(out + len, records[n - 1], sum);
    return len;
}

size_t series_compact(struct slice series, uint64_t *work, uint8_t *out)
{
    /* Whatever it says: a new one takes its place. */
    size_t start = has_head(series) ? SERIES_RECORD_LEN : 0;
    size_t n = (series.len - start) / SERIES_RECORD_LEN, len;
    const uint8_t *records = (const uint8_t *)series.ptr + start;

    for (size_t i = 0; i < n; i++)
        work[i] = be64_load(records + i * SERIES_RECORD_LEN);
    len = SERIES_RECORD_LEN +
          merge(radix_sort(work, work + n, n, COUNT_BITS), n, out + SERIES_RECORD_LEN);
    memcpy(out, head_magic, sizeof(head_magic));
    be32_store(out + 4, (uint32_t)len);
    return len;
}
