#include <assert.h>
#include <string.h>

#include "proto/bytes.h"
#include "proto/table.h"
#include "proto/table_private.h"

static bool same_thing(const uint8_t *a, const uint8_t *b)
{
    if (memcmp(a + 1, b + 1, ID_LEN) != 0 || (a[0] == TAG_ITEM) != (b[0] == TAG_ITEM))
        return false;
    return a[0] != TAG_ITEM || memcmp(a + 8, b + 8, 2) == 0;
}

/* The records of a table, put together by what they count. */
struct groups {
    const uint8_t *records;
    uint32_t *slots; /* by hash: the number + 1 of a group's first record, 0 = free */
    uint32_t mask;
    uint32_t *next;  /* by record: the number + 1 of another of its group, 0 = no more */
    uint32_t *heads; /* the first records, in their order */
    uint32_t n_heads;
};

static uint32_t count_slots(size_t n)
{
    uint32_t slots = 16;

    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

size_t table_scratch_len(size_t len)
{
    size_t n = len / TABLE_RECORD_LEN;

    return count_slots(n) + 2 * n;
}

static const uint8_t *record_at(const struct groups *groups, uint32_t number)
{
    return groups->records + (size_t)number * TABLE_RECORD_LEN;
}

static void add_record(struct groups *groups, uint32_t number)
{
    const uint8_t *record = record_at(groups, number);
    uint64_t id = record[0] == TAG_ITEM ? be64_load(record + 1) ^ (uint64_t)record[9] << 56
                                        : be64_load(record) << 8;
    uint32_t at = (uint32_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & groups->mask, head;

    while ((head = groups->slots[at]) && !same_thing(record_at(groups, head - 1), record))
        at = (at + 1) & groups->mask;
    if (head) {
        groups->next[number] = groups->next[head - 1];
        groups->next[head - 1] = number + 1;
    } else {
        groups->slots[at] = number + 1;
        groups->next[number] = 0;
        groups->heads[groups->n_heads++] = number;
    }
}

static void group_records(struct groups *groups, struct slice records, uint32_t *scratch)
{
    size_t n = records.len / TABLE_RECORD_LEN;
    uint32_t n_slots = count_slots(n);

    *groups = (struct groups){
        .records = (const uint8_t *)records.ptr,
        .slots = scratch,
        .mask = n_slots - 1,
        .next = scratch + n_slots,
        .heads = scratch + n_slots + n,
    };
    memset(groups->slots, 0, n_slots * sizeof(*groups->slots));
    for (uint32_t i = 0; i < n; i++)
        add_record(groups, i);
}

/* Sums the records of a link up; 0 when they can't be. */
static size_t sum_link(uint8_t out[static TABLE_LINK_MAX], const struct groups *groups,
                       uint32_t head)
{
    struct table_link sum = {.first_s = UINT32_MAX};

    for (uint32_t i = head + 1; i != 0; i = groups->next[i - 1])
        table_add_record(&sum, record_at(groups, i - 1));
    if (sum.first_s > sum.last_s) /* only TAG_HUMAN and TAG_AUTOMATED: no time is known */
        return 0;
    return table_put_link(out, be64_load(record_at(groups, head)) & UINT64_C(0xffffffffffffff),
                          &sum);
}

static size_t sum_item(uint8_t out[static TABLE_RECORD_LEN], const struct groups *groups,
                       uint32_t head)
{
    int64_t sum = 0;

    for (uint32_t i = head + 1; i != 0; i = groups->next[i - 1])
        sum = table_add(sum, table_item_count(record_at(groups, i - 1)));
    if (sum <= -TABLE_ITEM_LIMIT || sum >= TABLE_ITEM_LIMIT)
        return 0;
    memcpy(out, record_at(groups, head), TABLE_RECORD_LEN);
    be16_store(out + 10, (uint16_t)((uint64_t)sum >> 32));
    be32_store(out + 12, (uint32_t)sum);
    return TABLE_RECORD_LEN;
}

/* Writes the sums of a group; or the records, if the sums would take more. */
static size_t merge_group(uint8_t *out, const struct groups *groups, uint32_t head)
{
    uint8_t merged[TABLE_LINK_MAX];
    size_t len = record_at(groups, head)[0] == TAG_ITEM ? sum_item(merged, groups, head)
                                                        : sum_link(merged, groups, head);
    size_t records_len = 0;

    for (uint32_t i = head + 1; i != 0; i = groups->next[i - 1])
        records_len += TABLE_RECORD_LEN;
    if (len == 0 || len > records_len) {
        len = 0;
        for (uint32_t i = head + 1; i != 0; i = groups->next[i - 1]) {
            memcpy(out + len, record_at(groups, i - 1), TABLE_RECORD_LEN);
            len += TABLE_RECORD_LEN;
        }
        return len;
    }
    memcpy(out, merged, len);
    return len;
}

size_t table_compact(struct slice records, uint32_t generation, uint8_t *out, uint32_t *scratch)
{
    size_t len = TABLE_RECORD_LEN;
    struct groups groups;

    assert(records.len % TABLE_RECORD_LEN == 0 && records.len / TABLE_RECORD_LEN < UINT32_MAX / 4);
    if (table_has_head(records))
        records = slice_make(records.ptr + TABLE_RECORD_LEN, records.len - TABLE_RECORD_LEN);
    group_records(&groups, records, scratch);
    for (uint32_t i = 0; i < groups.n_heads; i++)
        len += merge_group(out + len, &groups, groups.heads[i]);
    table_put_head(out, generation, len);
    return len;
}
