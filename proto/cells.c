#include "proto/cells.h"

#include <string.h>

#include "proto/radix.h"

static const char head_magic[4] = {'H', 'C', 'X', '1'};

enum cells_field cells_field_of(enum counter_dim dim)
{
    static const uint8_t fields[COUNTER_DIMS] = {
        [COUNTER_DIM_LABEL] = CELLS_LABEL,       [COUNTER_DIM_COUNTRY] = CELLS_COUNTRY,
        [COUNTER_DIM_DEVICE] = CELLS_DEVICE,     [COUNTER_DIM_VARIANT] = CELLS_VARIANT,
        [COUNTER_DIM_CHANNEL] = CELLS_CHANNEL,   [COUNTER_DIM_REASON] = CELLS_REASON,
        [COUNTER_DIM_BROWSER] = CELLS_BROWSER,   [COUNTER_DIM_SYSTEM] = CELLS_SYSTEM,
        [COUNTER_DIM_REFERRER] = CELLS_REFERRER, [COUNTER_DIM_DELAY] = CELLS_DELAY,
        [COUNTER_DIM_CAMPAIGN] = CELLS_FIELDS,   [COUNTER_DIM_PAGE] = CELLS_FIELDS,
    };

    return (enum cells_field)fields[dim];
}

static bool is_head(const uint8_t *record)
{
    return memcmp(record, head_magic, sizeof(head_magic)) == 0;
}

static bool has_head(struct slice cells)
{
    return cells.len >= CELLS_RECORD_LEN && is_head((const uint8_t *)cells.ptr);
}

bool cells_are_sound(struct slice cells)
{
    if (cells.len % CELLS_RECORD_LEN != 0)
        return false;
    for (size_t at = 0; at < cells.len; at += CELLS_RECORD_LEN) {
        const uint8_t *record = (const uint8_t *)cells.ptr + at;

        if (!(at == 0 && is_head(record)) && record[0] >> 6 != CELLS_TAG)
            return false;
    }
    return true;
}

size_t cells_base_len(struct slice cells)
{
    size_t len;

    if (!has_head(cells))
        return 0;
    len = be32_load((const uint8_t *)cells.ptr + 4);
    return len <= cells.len ? len : 0;
}

/* Writes a sum as one record, or as several when it is greater than one holds: never more than were
 * summed up. */
static size_t put_sum(uint8_t *out, uint64_t record, int64_t sum)
{
    uint64_t cell = record >> CELLS_COUNT_BITS << CELLS_COUNT_BITS;
    size_t len = 0;

    while (sum != 0) {
        int64_t part = sum;

        if (part > CELLS_COUNT_MAX)
            part = CELLS_COUNT_MAX;
        else if (part < CELLS_COUNT_MIN)
            part = CELLS_COUNT_MIN;

        cells_put(out + len, cell | ((uint64_t)part & ((1U << CELLS_COUNT_BITS) - 1)));
        len += CELLS_RECORD_LEN;
        sum -= part;
    }
    return len;
}

size_t cells_compact(struct slice cells, uint64_t *work, uint8_t *out)
{
    /* Whatever the head says: a new one takes its place. */
    size_t start = has_head(cells) ? CELLS_RECORD_LEN : 0, len = CELLS_RECORD_LEN;
    size_t n = (cells.len - start) / CELLS_RECORD_LEN;
    const uint64_t *sorted;
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        work[i] = be64_load((const uint8_t *)cells.ptr + start + i * CELLS_RECORD_LEN);
    sorted = radix_sort(work, work + n, n, CELLS_COUNT_BITS);
    for (size_t i = 0; i < n; i++) {
        sum += cells_count(sorted[i]);
        if (i + 1 < n && (sorted[i] ^ sorted[i + 1]) >> CELLS_COUNT_BITS == 0)
            continue;
        len += put_sum(out + len, sorted[i], sum);
        sum = 0;
    }
    memcpy(out, head_magic, sizeof(head_magic));
    be32_store(out + 4, (uint32_t)len);
    return len;
}
