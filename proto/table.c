#include "proto/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bytes.h"

/* The first byte of a record says what it is; FORMATS.md "Table" is this list. */
enum {
    TAG_CLICKS = 1,    /* link: id 7, time u32, human i16, automated i16 */
    TAG_SPAN = 2,      /* link: id 7, first u32, seconds to last u24, human u4 | automated u4 */
    TAG_HUMAN = 3,     /* link: id 7, human i64 */
    TAG_AUTOMATED = 4, /* link: id 7, automated i64 */
    TAG_ITEM = 5,      /* number u32, brand u32, kind << 1 | automated, count i48 */
    TAG_BASE = 'H',    /* first record of a compacted table: "HCT1", zero u32, its length u64 */
};

enum { SPAN_MAX = 0xffffff, SMALL_MAX = 15, ID_LEN = 7 };

#define ITEM_COUNT_LIMIT (INT64_C(1) << 47)

static int64_t saturate(int64_t n)
{
    return n > TABLE_COUNT_MAX ? TABLE_COUNT_MAX : n < -TABLE_COUNT_MAX ? -TABLE_COUNT_MAX : n;
}

/* Both are within ±2^53, so the sum can't overflow. */
static int64_t add(int64_t a, int64_t b)
{
    return saturate(a + saturate(b));
}

static void put_id(uint8_t *out, uint8_t tag, uint64_t link_id)
{
    be64_store(out, link_id);
    out[0] = tag;
}

static bool fits16(int64_t n)
{
    return n >= INT16_MIN && n <= INT16_MAX;
}

static size_t put_clicks(uint8_t *out, uint64_t link_id, uint32_t time_s, int64_t human,
                         int64_t automated)
{
    put_id(out, TAG_CLICKS, link_id);
    be32_store(out + 8, time_s);
    be16_store(out + 12, (uint16_t)human);
    be16_store(out + 14, (uint16_t)automated);
    return TABLE_RECORD_LEN;
}

static size_t put_count(uint8_t *out, uint8_t tag, uint64_t link_id, int64_t count)
{
    put_id(out, tag, link_id);
    be64_store(out + 8, (uint64_t)count);
    return TABLE_RECORD_LEN;
}

size_t table_put_link(uint8_t out[static TABLE_LINK_MAX], uint64_t link_id,
                      const struct table_link *link)
{
    uint32_t span = link->last_s - link->first_s;
    int64_t human = saturate(link->human), automated = saturate(link->automated);
    size_t len = 0;

    if (span > 0 && span <= SPAN_MAX && human >= 0 && human <= SMALL_MAX && automated >= 0 &&
        automated <= SMALL_MAX) {
        put_id(out, TAG_SPAN, link_id);
        be32_store(out + 8, link->first_s);
        be24_store(out + 12, span);
        out[15] = (uint8_t)(human << 4 | automated);
        return TABLE_RECORD_LEN;
    }
    if (!fits16(human))
        len += put_count(out + len, TAG_HUMAN, link_id, human);
    if (!fits16(automated))
        len += put_count(out + len, TAG_AUTOMATED, link_id, automated);
    len += put_clicks(out + len, link_id, link->first_s, fits16(human) ? human : 0,
                      fits16(automated) ? automated : 0);
    if (span > 0)
        len += put_clicks(out + len, link_id, link->last_s, 0, 0);
    return len;
}

void table_put_item(uint8_t out[static TABLE_RECORD_LEN], const struct table_increment *increment)
{
    uint64_t count = (uint64_t)increment->count;

    assert(increment->count > -ITEM_COUNT_LIMIT && increment->count < ITEM_COUNT_LIMIT);
    out[0] = TAG_ITEM;
    be32_store(out + 1, increment->number);
    be32_store(out + 5, increment->brand);
    out[9] = (uint8_t)((increment->kind & 15) << 1 | increment->automated);
    be16_store(out + 10, (uint16_t)(count >> 32));
    be32_store(out + 12, (uint32_t)count);
}

static int64_t item_count(const uint8_t *record)
{
    uint64_t n = (uint64_t)be16_load(record + 10) << 32 | be32_load(record + 12);

    return (int64_t)(n ^ UINT64_C(0x800000000000)) - INT64_C(0x800000000000);
}

static void widen(struct table_link *link, uint32_t first_s, uint32_t last_s)
{
    if (first_s < link->first_s)
        link->first_s = first_s;
    if (last_s > link->last_s)
        link->last_s = last_s;
}

/* Adds a record of the link to its sums, which start at {.first_s = UINT32_MAX}. */
static void add_link_record(struct table_link *link, const uint8_t *record)
{
    uint32_t time_s = be32_load(record + 8);

    switch (record[0]) {
    case TAG_CLICKS:
        widen(link, time_s, time_s);
        link->human = add(link->human, (int16_t)be16_load(record + 12));
        link->automated = add(link->automated, (int16_t)be16_load(record + 14));
        break;
    case TAG_SPAN:
        widen(link, time_s, time_s + be24_load(record + 12));
        link->human = add(link->human, record[15] >> 4);
        link->automated = add(link->automated, record[15] & 15);
        break;
    case TAG_HUMAN:
        link->human = add(link->human, (int64_t)be64_load(record + 8));
        break;
    case TAG_AUTOMATED:
        link->automated = add(link->automated, (int64_t)be64_load(record + 8));
        break;
    default:
        break;
    }
}

static bool is_link_tag(uint8_t tag)
{
    return tag >= TAG_CLICKS && tag <= TAG_AUTOMATED;
}

bool table_find_link(struct slice table, uint64_t link_id, struct table_link *out)
{
    struct table_link sum = {.first_s = UINT32_MAX};
    uint8_t id[8];
    bool found = false;

    be64_store(id, link_id);
    for (size_t at = 0; at + TABLE_RECORD_LEN <= table.len; at += TABLE_RECORD_LEN) {
        const uint8_t *record = (const uint8_t *)table.ptr + at;

        if (memcmp(record + 1, id + 1, ID_LEN) == 0 && is_link_tag(record[0])) {
            add_link_record(&sum, record);
            found = true;
        }
    }
    *out = found ? sum : (struct table_link){0};
    return found;
}

bool table_find_item(struct slice table, uint32_t brand, uint32_t number, struct table_item *out)
{
    uint8_t id[8];
    bool found = false;

    *out = (struct table_item){0};
    be32_store(id, number);
    be32_store(id + 4, brand);
    for (size_t at = 0; at + TABLE_RECORD_LEN <= table.len; at += TABLE_RECORD_LEN) {
        const uint8_t *record = (const uint8_t *)table.ptr + at;
        int64_t *counts = record[9] & 1 ? out->automated : out->human;

        if (record[0] == TAG_ITEM && memcmp(record + 1, id, 8) == 0) {
            unsigned kind = record[9] >> 1 & 15;

            counts[kind] = add(counts[kind], item_count(record));
            found = true;
        }
    }
    return found;
}

bool table_next_link(struct slice table, size_t *at, uint64_t *id_low, struct table_link *out)
{
    while (*at + TABLE_RECORD_LEN <= table.len) {
        const uint8_t *record = (const uint8_t *)table.ptr + *at;

        *at += TABLE_RECORD_LEN;
        if (!is_link_tag(record[0]))
            continue;
        *out = (struct table_link){.first_s = UINT32_MAX};
        add_link_record(out, record);
        *id_low = be64_load(record) & UINT64_C(0xffffffffffffff);
        return true;
    }
    return false;
}

bool table_next_item(struct slice table, size_t *at, struct table_increment *out)
{
    while (*at + TABLE_RECORD_LEN <= table.len) {
        const uint8_t *record = (const uint8_t *)table.ptr + *at;

        *at += TABLE_RECORD_LEN;
        if (record[0] != TAG_ITEM)
            continue;
        *out = (struct table_increment){
            .brand = be32_load(record + 5),
            .number = be32_load(record + 1),
            .kind = record[9] >> 1 & 15,
            .automated = record[9] & 1,
            .count = item_count(record),
        };
        return true;
    }
    return false;
}

bool table_is_sound(struct slice table)
{
    if (table.len % TABLE_RECORD_LEN != 0)
        return false;
    for (size_t at = 0; at < table.len; at += TABLE_RECORD_LEN) {
        const uint8_t *record = (const uint8_t *)table.ptr + at;

        if (!is_link_tag(record[0]) && record[0] != TAG_ITEM &&
            !(at == 0 && memcmp(record, "HCT1", 4) == 0))
            return false;
    }
    return true;
}

size_t table_base_len(struct slice table)
{
    uint64_t len;

    if (table.len < TABLE_RECORD_LEN || memcmp(table.ptr, "HCT1", 4) != 0)
        return 0;
    len = be64_load((const uint8_t *)table.ptr + 8);
    return len <= table.len ? (size_t)len : 0;
}

static int compare_records(const void *a, const void *b)
{
    const uint8_t *left = a, *right = b;
    int by_id = memcmp(left + 1, right + 1, ID_LEN);

    if (by_id != 0)
        return by_id;
    /* Of items all of brand and kind is compared; of links these bytes are values, and any order
     * will do. */
    return memcmp(left + 8, right + 8, 2);
}

static bool same_thing(const uint8_t *a, const uint8_t *b)
{
    if (memcmp(a + 1, b + 1, ID_LEN) != 0 || (a[0] == TAG_ITEM) != (b[0] == TAG_ITEM))
        return false;
    return a[0] != TAG_ITEM || memcmp(a + 8, b + 8, 2) == 0;
}

/* Sums the `n` records of one link up; they don't get more. */
static size_t merge_link(uint8_t *out, const uint8_t *records, size_t n)
{
    struct table_link sum = {.first_s = UINT32_MAX};
    uint8_t merged[TABLE_LINK_MAX];
    size_t len;

    for (size_t i = 0; i < n; i++)
        add_link_record(&sum, records + i * TABLE_RECORD_LEN);
    if (sum.first_s > sum.last_s) /* only TAG_HUMAN and TAG_AUTOMATED: no time is known */
        len = 0;
    else
        len = table_put_link(merged, be64_load(records) & UINT64_C(0xffffffffffffff), &sum);
    if (len == 0 || len > n * TABLE_RECORD_LEN) {
        memmove(out, records, n * TABLE_RECORD_LEN);
        return n * TABLE_RECORD_LEN;
    }
    memcpy(out, merged, len);
    return len;
}

static size_t merge_item(uint8_t *out, const uint8_t *records, size_t n)
{
    int64_t sum = 0;
    uint8_t last[TABLE_RECORD_LEN];

    for (size_t i = 0; i < n; i++)
        sum = add(sum, item_count(records + i * TABLE_RECORD_LEN));
    if (sum <= -ITEM_COUNT_LIMIT || sum >= ITEM_COUNT_LIMIT) {
        memmove(out, records, n * TABLE_RECORD_LEN);
        return n * TABLE_RECORD_LEN;
    }
    memcpy(last, records, sizeof(last));
    be16_store(last + 10, (uint16_t)((uint64_t)sum >> 32));
    be32_store(last + 12, (uint32_t)sum);
    memcpy(out, last, sizeof(last));
    return TABLE_RECORD_LEN;
}

size_t table_compact(uint8_t *table, size_t len)
{
    size_t start = table_base_len(slice_make((const char *)table, len)) ? TABLE_RECORD_LEN : 0;
    size_t n = (len - start) / TABLE_RECORD_LEN, used = 0;
    uint8_t *records = table + start;

    assert(len % TABLE_RECORD_LEN == 0);
    qsort(records, n, TABLE_RECORD_LEN, compare_records);
    for (size_t i = 0, next; i < n; i = next) {
        const uint8_t *first = records + i * TABLE_RECORD_LEN;

        for (next = i + 1; next < n && same_thing(first, records + next * TABLE_RECORD_LEN); next++)
            ;
        used += first[0] == TAG_ITEM ? merge_item(records + used, first, next - i)
                                     : merge_link(records + used, first, next - i);
    }
    memmove(table + TABLE_RECORD_LEN, records, used);
    memcpy(table, "HCT1", 4);
    be32_store(table + 4, 0);
    be64_store(table + 8, used + TABLE_RECORD_LEN);
    return used + TABLE_RECORD_LEN;
}

size_t table_erase_item(uint8_t *table, size_t len, uint32_t brand, uint32_t number)
{
    size_t base_len = table_base_len(slice_make((const char *)table, len)), used = 0;
    size_t erased_of_base = 0;
    uint8_t id[8];

    assert(len % TABLE_RECORD_LEN == 0);
    be32_store(id, number);
    be32_store(id + 4, brand);
    for (size_t at = 0; at < len; at += TABLE_RECORD_LEN) {
        if (table[at] == TAG_ITEM && memcmp(table + at + 1, id, sizeof(id)) == 0) {
            erased_of_base += at < base_len ? TABLE_RECORD_LEN : 0;
            continue;
        }
        memmove(table + used, table + at, TABLE_RECORD_LEN);
        used += TABLE_RECORD_LEN;
    }
    if (base_len > 0)
        be64_store(table + 8, base_len - erased_of_base);
    return used;
}
