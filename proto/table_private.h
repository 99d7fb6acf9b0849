/* table_private.h - the records of a table, for table.c and table_compact.c. */
#ifndef PROTO_TABLE_PRIVATE_H
#define PROTO_TABLE_PRIVATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/table.h"

/* The first byte of a record says what it is; FORMATS.md "Table" is this list. */
enum {
    TAG_CLICKS = 1,    /* link: id 7, time u32, human i16, automated i16 */
    TAG_SPAN = 2,      /* link: id 7, first u32, seconds to last u24, human u4 | automated u4 */
    TAG_HUMAN = 3,     /* link: id 7, human i64 */
    TAG_AUTOMATED = 4, /* link: id 7, automated i64 */
    TAG_ITEM = 5,      /* number u32, brand u32, kind << 1 | automated, count i48 */
    TAG_BASE = 'H',    /* first record of a table: "HCT1", generation u32, its length u64 */
};

enum { SPAN_MAX = 0xffffff, SMALL_MAX = 15, ID_LEN = 7 };

#define TABLE_ITEM_LIMIT (INT64_C(1) << 47)

/* Both are within ±2^53, so the sum can't overflow; it saturates. */
int64_t table_add(int64_t a, int64_t b);
/* Adds a record of the link to its sums, which start at {.first_s = UINT32_MAX}. */
void table_add_record(struct table_link *link, const uint8_t *record);
/* The count that a TAG_ITEM holds. */
int64_t table_item_count(const uint8_t *record);

/* Writes the head of a table of `len` bytes.  In place of generation 0 it gets 1. */
void table_put_head(uint8_t *table, uint32_t generation, size_t len);

static inline bool table_has_head(struct slice table)
{
    return table.len >= TABLE_RECORD_LEN && memcmp(table.ptr, "HCT1", 4) == 0;
}

#endif
