/* Any bytes as a table: reading and summing up stay within them, and agree. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bytes.h"
#include "proto/counter.h"
#include "proto/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_large_counts(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size; at += TABLE_RECORD_LEN) {
        if (data[at] == 3 || data[at] == 4)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice table = slice_make((const char *)data, size);
    uint64_t link_id = size >= 8 ? be64_load(data) : 0;
    struct slice none = {0};
    struct table_link before, after;
    struct table_item item;
    uint32_t *scratch;
    uint8_t *copy;
    size_t len;

    table_find_link(table, none, link_id, &before);
    table_find_item(table, none, (uint32_t)link_id, (uint32_t)(link_id >> 32), &item);
    if (!table_is_sound(table))
        return 0;
    copy = malloc(size + TABLE_RECORD_LEN);
    scratch = calloc(table_scratch_len(size), sizeof(*scratch));
    if (!copy || !scratch)
        goto out;
    /* All that was added goes somewhere. */
    len = 0;
    for (unsigned i = 0; i < COUNTER_QUAD; i++)
        len = table_take_added(table, i, copy, len);
    if (len > size || len + TABLE_RECORD_LEN < size)
        abort();
    len = table_compact(table, (uint32_t)link_id, copy, scratch);
    if (len > size + TABLE_RECORD_LEN || table_generation(slice_make((const char *)copy, len)) == 0)
        abort();
    table_find_link(slice_make((const char *)copy, len), none, link_id, &after);
    /* With counts that saturate, a sum depends on the order. */
    if (!has_large_counts(data, size) && memcmp(&before, &after, sizeof(before)) != 0)
        abort();
out:
    free(scratch);
    free(copy);
    return 0;
}
