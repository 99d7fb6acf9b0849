/* stats_rows.h - the rows of a statistic: counts of clicks by one or two values. */
#ifndef ADMIN_STATS_ROWS_H
#define ADMIN_STATS_ROWS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/admin/clicks.h"

/* Enough for all campaigns of a brand by all kinds.  A row takes 50 bytes. */
enum { STATS_ROWS_MAX = 1 << 20 };

/* Distinct clients or visitors with a human click; -1 = not counted. */
struct stats_people {
    int64_t clients, visitors;
};
#define STATS_NO_PEOPLE ((struct stats_people){-1, -1})

/* `key` holds one value per group: the number of the bucket, the kind, the campaign …; 0 for a
 * group that isn't used. */
struct stats_row {
    uint32_t key[2];
    struct clicks clicks;
    struct stats_people people;
};

struct stats_rows {
    size_t n, room;
    size_t last; /* the row that was added to last */
    struct stats_row *rows;
    uint32_t *slots; /* hash table of indices into `rows`, plus 1; twice as large as `rows` */
    struct clicks total;
    struct stats_people people;
    bool failed; /* out of memory, or over STATS_ROWS_MAX */
};

void stats_rows_init(struct stats_rows *rows);
void stats_rows_clear(struct stats_rows *rows);

/* Adds to the row of `key`, which is made if absent, and to the total. */
void stats_rows_add(struct stats_rows *rows, const uint32_t key[static 2], int64_t n,
                    bool automated);

/* Adds rows without clicks, so that each second value has all first values 0…n_first - 1; without a
 * second group the second value is 0.  Adds none if that would exceed STATS_ROWS_MAX, to keep room
 * for rows with clicks. */
void stats_rows_fill(struct stats_rows *rows, uint32_t n_first, bool has_second);

/* Sorts by key, or by clicks, most first.  Rows can't be added afterwards. */
void stats_rows_sort(struct stats_rows *rows, bool by_key);

#endif
