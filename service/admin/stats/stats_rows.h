/* stats_rows.h - the rows of a statistic: clicks by one or two values. */
#ifndef ADMIN_STATS_ROWS_H
#define ADMIN_STATS_ROWS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/admin/clicks.h"

/* All campaigns of a brand by all their kinds fit.  A row takes 50 bytes. */
enum { STATS_ROWS_MAX = 1 << 20 };

/* Distinct ones with a human click; -1 = not counted. */
struct stats_people {
    int64_t clients, visitors;
};
#define STATS_NO_PEOPLE ((struct stats_people){-1, -1})

/* `key` holds a value per group: the bucket's number, the kind, the campaign …; 0 when there is no
 * such group. */
struct stats_row {
    uint32_t key[2];
    struct clicks clicks;
    struct stats_people people;
};

struct stats_rows {
    size_t n, room;
    size_t last; /* that was added to */
    struct stats_row *rows;
    uint32_t *slots; /* hash table of indices into `rows`, plus 1; twice the room */
    struct clicks total;
    struct stats_people people;
    bool failed; /* no memory, or over STATS_ROWS_MAX */
};

void stats_rows_init(struct stats_rows *rows);
void stats_rows_clear(struct stats_rows *rows);

/* Adds to the row of `key`, made if absent, and to the total. */
void stats_rows_add(struct stats_rows *rows, const uint32_t key[static 2], int64_t n,
                    bool automated);

/* Makes the rows that are missing so that each second value has all of the first, 0…n_first - 1;
 * without a second group, the one second value is 0.  Makes none when that would be over
 * STATS_ROWS_MAX: rows with clicks are worth more than rows without. */
void stats_rows_fill(struct stats_rows *rows, uint32_t n_first, bool has_second);

/* Sorts: by key, or the most clicks first.  Rows can't be added afterwards. */
void stats_rows_sort(struct stats_rows *rows, bool by_key);

#endif
