/* table.h - packed tables with the counts of links, objects and clients (FORMATS.md "Table").
 *
 * A table is a Redis string of records of 16 bytes.  Those of one link (object, client) add up:
 * counts are summed, times widen first … last.  A batch only ever appends records, to a second
 * string that four tables share: what is added to them.  So a writer need not read, and one call
 * writes many links.  Now and then the ledger moves what was added into the tables
 * (table_compact()).
 *
 * Pure: no I/O, no clock, no allocation. */
#ifndef PROTO_TABLE_H
#define PROTO_TABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum {
    TABLE_RECORD_LEN = 16,
    TABLE_LINK_MAX = 4 * TABLE_RECORD_LEN, /* bytes that one link can take */
    TABLE_KINDS = 16,
};

/* Counts saturate here, so that they are exact in a double too. */
#define TABLE_COUNT_MAX INT64_C(9007199254740991)

/* The counts of a link.  They may be negative for a moment, because a relabelling can arrive before
 * its click.  They may stay negative if the client was erased between the two. */
struct table_link {
    int64_t human, automated;
    uint32_t first_s, last_s; /* Unix seconds of the first and the last click */
};

/* The counts of an object or a client, by kind. */
struct table_item {
    int64_t human[TABLE_KINDS], automated[TABLE_KINDS];
};

/* Sums up the records of a link in a table and in what is added to it, two whole Redis strings,
 * either of which may be empty; false, and all zero, when there are none. */
bool table_find_link(struct slice table, struct slice added, uint64_t link_id,
                     struct table_link *out);

/* The same for an object or a client of a brand. */
bool table_find_item(struct slice table, struct slice added, uint32_t brand, uint32_t number,
                     struct table_item *out);

/* Writes the records that add `*link` to a table; returns their length, at most TABLE_LINK_MAX. */
size_t table_put_link(uint8_t out[static TABLE_LINK_MAX], uint64_t link_id,
                      const struct table_link *link);

/* An addition to an object or client. */
struct table_increment {
    uint32_t brand, number;
    uint8_t kind; /* 0…15 */
    bool automated;
    int64_t count; /* |count| < 2^47 */
};

/* Writes the one record that adds it. */
void table_put_item(uint8_t out[static TABLE_RECORD_LEN], const struct table_increment *increment);

/*
 * Walk through all there is in either string, for sums over whole tables: reads the next record
 * from `*at` (first 0) on and moves behind it; false at the end.  One link or item may come many
 * times.  Of a link's id a record holds the low 56 bits; the others are the number of its quad
 * (counter.h).
 */
bool table_next_link(struct slice table, size_t *at, uint64_t *id_low, struct table_link *out);
bool table_next_item(struct slice table, size_t *at, struct table_increment *out);

/* Whether either string has this format: whole records, none of an unknown kind. */
bool table_is_sound(struct slice table);

/* Which contents of the table this is: each time that it is written it has another generation.
 * 0: an older build has written it, or nobody has yet. */
uint32_t table_generation(struct slice table);

/* Appends to `out`, of `len` bytes, those records of `added` that belong to that table of the four,
 * 0…3; returns the new length. */
size_t table_take_added(struct slice added, unsigned of_four, uint8_t *out, size_t len);

/*
 * Writes what sound records sum up to into `out`, as a table of that generation, which is not 0;
 * `out` has room for TABLE_RECORD_LEN more than they take.  Returns its length.  `scratch` has
 * table_scratch_len() entries.
 */
size_t table_compact(struct slice records, uint32_t generation, uint8_t *out, uint32_t *scratch);
size_t table_scratch_len(size_t records_len);

/*
 * Removes all records of an object or a client of a brand from a sound string of `len` bytes, in
 * place.  Returns the new length; `len` when there were none.  A table gets another generation.
 */
size_t table_erase_item(uint8_t *table, size_t len, uint32_t brand, uint32_t number);

#endif
