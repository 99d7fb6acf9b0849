/* Any bytes as a series: reading and summing up stay within them, and agree. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A sum that tells cells apart, as each has its own factor. */
static uint64_t digest(struct slice series)
{
    struct series_point p;
    uint64_t sum = 0;
    size_t at = 0;

    while (series_next(series, &at, &p)) {
        uint64_t cell = (uint64_t)p.dim << 40 | p.bucket << 24 | p.kind << 20 | p.value << 1 |
                        (p.automated ? 1U : 0U);

        sum += (cell * UINT64_C(0x9e3779b97f4a7c15) | 1) * (uint64_t)(int64_t)p.count;
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice series = slice_make((const char *)data, size);
    uint64_t before = digest(series);
    size_t len, base_len = series_base_len(series);
    uint64_t *work;
    uint8_t *out;

    if (base_len > size)
        abort();
    if (!series_is_sound(series))
        return 0;
    work = malloc(2 * size + 1);
    out = malloc(size + SERIES_RECORD_LEN);
    if (work && out) {
        len = series_compact(series, work, out);
        if (len > size + SERIES_RECORD_LEN || digest(slice_make((char *)out, len)) != before ||
            !series_is_sound(slice_make((char *)out, len)))
            abort();
    }
    free(work);
    free(out);
    return 0;
}
