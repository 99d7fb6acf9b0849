/* funnel_rows.h - the rows of a funnel: mails, clicks and payments by one or two values. */
#ifndef ADMIN_FUNNEL_ROWS_H
#define ADMIN_FUNNEL_ROWS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/funnel.h"
#include "service/admin/stats/stats_query.h"

/* A row takes a kilobyte, most of it for the two histograms. */
enum { FUNNEL_ROWS_MAX = 16384, FUNNEL_CURRENCIES_MAX = 12 };

struct funnel_amount {
    uint32_t currency; /* its three letters, the first in the highest byte; 0 = none */
    int64_t amount;    /* smallest units */
};

/* Amounts of different currencies are never added.  There is room for twelve currencies; amounts of
 * others are left out, and `is_full` says so. */
struct funnel_amounts {
    struct funnel_amount of[FUNNEL_CURRENCIES_MAX];
    bool is_full;
};
void funnel_amounts_add(struct funnel_amounts *amounts, uint32_t currency, int64_t amount);

struct funnel_row {
    uint32_t key[2]; /* as of struct stats_row */
    int64_t sent, clicked, paid;
    struct funnel_amounts amounts;
    int32_t click_delays[FUNNEL_DELAYS], pay_delays[FUNNEL_DELAYS];
};

struct funnel_rows {
    size_t n, room;
    size_t last; /* the row that was found last */
    struct funnel_row *rows;
    uint32_t *slots; /* hash table of indices into `rows`, plus 1; twice as large as its room */
    bool failed;     /* out of memory, or over FUNNEL_ROWS_MAX */
};

void funnel_rows_clear(struct funnel_rows *rows);
/* The row of that key, made if absent; NULL: failed. */
MUST_USE struct funnel_row *funnel_rows_find(struct funnel_rows *rows,
                                             const uint32_t key[static 2]);
/* Adds what a cell counts of mails, clicks and credited payments, `sign` (1, -1) times. */
void funnel_row_add(struct funnel_row *row, const struct funnel_cell *cell, int sign);
/* Leaves out rows in which all is zero. */
void funnel_rows_drop_empty(struct funnel_rows *rows);
/* Sorts by key.  Rows can't be added afterwards. */
void funnel_rows_sort(struct funnel_rows *rows, enum stats_sort sort);

/* The quartile number `quarters` (1, 2 = the median, 3) of a histogram, in seconds: the middle of
 * the step that it lies in.  -1: the histogram is empty. */
int64_t funnel_quantile(const int32_t delays[static FUNNEL_DELAYS], unsigned quarters);

#endif
