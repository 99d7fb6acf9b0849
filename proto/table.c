#include "proto/table.h"

#include <assert.h>
#include <string.h>

#include "proto/bytes.h"
#include "proto/counter.h"
#include "proto/table_private.h"

static int64_t saturate(int64_t n)
{
    return n > TABLE_COUNT_MAX ? TABLE_COUNT_MAX : n < -TABLE_COUNT_MAX ? -TABLE_COUNT_MAX : n;
}

int64_t table_add(int64_t a, int64_t b)
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

    assert(increment->count > -TABLE_ITEM_LIMIT && increment->count < TABLE_ITEM_LIMIT);
    out[0] = TAG_ITEM;
    be32_store(out + 1, increment->number);
    be32_store(out + 5, increment->brand);
    out[9] = (uint8_t)((increment->kind & 15) << 1 | increment->automated);
    be16_store(out + 10, (uint16_t)(count >> 32));
    be32_store(out + 12, (uint32_t)count);
}

int64_t table_item_count(const uint8_t *record)
{
    uint64_t n = (uint64_t)be16_load(record + 10) << 32 | be32_load(record + 12);

    return (int64_t)(n ^ UINT64_C(0x800000000000)) - INT64_C(0x800000000000);
}

void table_put_head(uint8_t *table, uint32_t generation, size_t len)
{
    memcpy(table, "HCT1", 4);
    be32_store(table + 4, generation ? generation : 1);
    be64_store(table + 8, len);
}

static void widen(struct table_link *link, uint32_t first_s, uint32_t last_s)
{
    if (first_s < link->first_s)
        link->first_s = first_s;
    if (last_s > link->last_s)
        link->last_s = last_s;
}

void table_add_record(struct table_link *link, const uint8_t *record)
{
    uint32_t time_s = be32_load(record + 8);

    switch (record[0]) {
    case TAG_CLICKS:
        widen(link, time_s, time_s);
        link->human = table_add(link->human, (int16_t)be16_load(record + 12));
        link->automated = table_add(link->automated, (int16_t)be16_load(record + 14));
        break;
    case TAG_SPAN:
        widen(link, time_s, time_s + be24_load(record + 12));
        link->human = table_add(link->human, record[15] >> 4);
        link->automated = table_add(link->automated, record[15] & 15);
        break;
    case TAG_HUMAN:
        link->human = table_add(link->human, (int64_t)be64_load(record + 8));
        break;
    case TAG_AUTOMATED:
        link->automated = table_add(link->automated, (int64_t)be64_load(record + 8));
        break;
    default:
        break;
    }
}

static bool is_link_tag(uint8_t tag)
{
    return tag >= TAG_CLICKS && tag <= TAG_AUTOMATED;
}

/* True: there are some. */
static bool add_link(struct slice table, uint64_t link_id, struct table_link *sum)
{
    uint8_t id[8];
    bool found = false;

    be64_store(id, link_id);
    for (size_t at = 0; at + TABLE_RECORD_LEN <= table.len; at += TABLE_RECORD_LEN) {
        const uint8_t *record = (const uint8_t *)table.ptr + at;

        if (memcmp(record + 1, id + 1, ID_LEN) == 0 && is_link_tag(record[0])) {
            table_add_record(sum, record);
            found = true;
        }
    }
    return found;
}

bool table_find_link(struct slice table, struct slice added, uint64_t link_id,
                     struct table_link *out)
{
    struct table_link sum = {.first_s = UINT32_MAX};
    bool is_in_table = add_link(table, link_id, &sum), is_added = add_link(added, link_id, &sum);

    *out = is_in_table || is_added ? sum : (struct table_link){0};
    return is_in_table || is_added;
}

static bool add_item(struct slice table, uint32_t brand, uint32_t number, struct table_item *sum)
{
    uint8_t id[8];
    bool found = false;

    be32_store(id, number);
    be32_store(id + 4, brand);
    for (size_t at = 0; at + TABLE_RECORD_LEN <= table.len; at += TABLE_RECORD_LEN) {
        const uint8_t *record = (const uint8_t *)table.ptr + at;
        int64_t *counts = record[9] & 1 ? sum->automated : sum->human;

        if (record[0] == TAG_ITEM && memcmp(record + 1, id, 8) == 0) {
            unsigned kind = record[9] >> 1 & 15;

            counts[kind] = table_add(counts[kind], table_item_count(record));
            found = true;
        }
    }
    return found;
}

bool table_find_item(struct slice table, struct slice added, uint32_t brand, uint32_t number,
                     struct table_item *out)
{
    bool is_in_table, is_added;

    *out = (struct table_item){0};
    is_in_table = add_item(table, brand, number, out);
    is_added = add_item(added, brand, number, out);
    return is_in_table || is_added;
}

bool table_next_link(struct slice table, size_t *at, uint64_t *id_low, struct table_link *out)
{
    while (*at + TABLE_RECORD_LEN <= table.len) {
        const uint8_t *record = (const uint8_t *)table.ptr + *at;

        *at += TABLE_RECORD_LEN;
        if (!is_link_tag(record[0]))
            continue;
        *out = (struct table_link){.first_s = UINT32_MAX};
        table_add_record(out, record);
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
            .count = table_item_count(record),
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

uint32_t table_generation(struct slice table)
{
    const uint8_t *head = (const uint8_t *)table.ptr;

    return table_has_head(table) && be64_load(head + 8) == table.len ? be32_load(head + 4) : 0;
}

size_t table_take_added(struct slice added, unsigned of_four, uint8_t *out, size_t len)
{
    for (size_t at = 0; at + TABLE_RECORD_LEN <= added.len; at += TABLE_RECORD_LEN) {
        const uint8_t *record = (const uint8_t *)added.ptr + at;
        /* The two highest of a link's 56 bits are the lowest of its bucket. */
        unsigned bucket = record[0] == TAG_ITEM
                              ? counter_bucket_of_item(be32_load(record + 5), be32_load(record + 1))
                              : record[1] >> 6;

        if (bucket % COUNTER_QUAD != of_four || (record[0] != TAG_ITEM && !is_link_tag(record[0])))
            continue;
        memcpy(out + len, record, TABLE_RECORD_LEN);
        len += TABLE_RECORD_LEN;
    }
    return len;
}

size_t table_erase_item(uint8_t *table, size_t len, uint32_t brand, uint32_t number)
{
    /* Of a table that an older build has added to as well: its head, which is no longer right,
     * would be again when as many records go. */
    bool has_head = table_has_head(slice_make((const char *)table, len));
    uint32_t generation = has_head ? be32_load(table + 4) : 0;
    size_t used = 0;
    uint8_t id[8];

    assert(len % TABLE_RECORD_LEN == 0);
    be32_store(id, number);
    be32_store(id + 4, brand);
    for (size_t at = 0; at < len; at += TABLE_RECORD_LEN) {
        if (table[at] == TAG_ITEM && memcmp(table + at + 1, id, sizeof(id)) == 0)
            continue;
        memmove(table + used, table + at, TABLE_RECORD_LEN);
        used += TABLE_RECORD_LEN;
    }
    if (generation != 0 && used < len)
        table_put_head(table, generation + 1, used);
    return used;
}
