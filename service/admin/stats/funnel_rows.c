#include "service/admin/stats/funnel_rows.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_MIN = 64 };

void funnel_amounts_add(struct funnel_amounts *amounts, uint32_t currency, int64_t amount)
{
    for (size_t i = 0; i < FUNNEL_CURRENCIES_MAX; i++) {
        struct funnel_amount *of = &amounts->of[i];

        if (of->currency != currency && of->currency != 0)
            continue;
        of->currency = currency;
        of->amount += amount;
        return;
    }
    amounts->is_full = true;
}

void funnel_rows_clear(struct funnel_rows *rows)
{
    free(rows->rows);
    free(rows->slots);
    *rows = (struct funnel_rows){0};
}

static uint32_t *find_slot(const struct funnel_rows *rows, const uint32_t key[static 2])
{
    uint64_t hash = ((uint64_t)key[0] << 32 | key[1]) * UINT64_C(0x9e3779b97f4a7c15);
    size_t mask = 2 * rows->room - 1, at = (size_t)(hash >> 32) & mask;

    while (rows->slots[at] != 0) {
        const struct funnel_row *row = &rows->rows[rows->slots[at] - 1];

        if (row->key[0] == key[0] && row->key[1] == key[1])
            break;
        at = (at + 1) & mask;
    }
    return &rows->slots[at];
}

static bool grow(struct funnel_rows *rows)
{
    size_t room = rows->room ? 2 * rows->room : (size_t)ROWS_MIN;
    struct funnel_row *larger = realloc(rows->rows, room * sizeof(*larger));

    if (!larger)
        return false;
    rows->rows = larger;
    free(rows->slots);
    rows->slots = calloc(2 * room, sizeof(*rows->slots));
    if (!rows->slots)
        return false;
    rows->room = room;
    for (size_t i = 0; i < rows->n; i++)
        *find_slot(rows, rows->rows[i].key) = (uint32_t)i + 1;
    return true;
}

struct funnel_row *funnel_rows_find(struct funnel_rows *rows, const uint32_t key[static 2])
{
    uint32_t *slot;

    if (rows->failed || (rows->n == rows->room && (rows->n >= FUNNEL_ROWS_MAX || !grow(rows)))) {
        rows->failed = true;
        return NULL;
    }
    /* Cells that were summed up come campaign by campaign. */
    if (rows->last < rows->n && rows->rows[rows->last].key[0] == key[0] &&
        rows->rows[rows->last].key[1] == key[1])
        return &rows->rows[rows->last];
    slot = find_slot(rows, key);
    if (*slot == 0) {
        struct funnel_row *row = &rows->rows[rows->n++];

        memset(row, 0, sizeof(*row));
        row->key[0] = key[0];
        row->key[1] = key[1];
        *slot = (uint32_t)rows->n;
    }
    rows->last = *slot - 1;
    return &rows->rows[rows->last];
}

/* A delay beyond the last step is none that a writer makes. */
static void add_delays(int32_t delays[static FUNNEL_DELAYS], const struct funnel_cell *cell,
                       int sign)
{
    if (!cell->steps) {
        delays[cell->value % FUNNEL_DELAYS] += sign * (int32_t)cell->count;
        return;
    }
    for (unsigned i = 0; i < FUNNEL_STEPS; i++)
        delays[(cell->value + i) % FUNNEL_DELAYS] += sign * cell->steps[i];
}

void funnel_row_add(struct funnel_row *row, const struct funnel_cell *cell, int sign)
{
    switch (cell->metric) {
    case FUNNEL_N_SENT:
        row->sent += sign * cell->count;
        break;
    case FUNNEL_N_CLICKED:
        row->clicked += sign * cell->count;
        break;
    case FUNNEL_N_PAID:
        row->paid += sign * cell->count;
        break;
    case FUNNEL_AMOUNT:
        funnel_amounts_add(&row->amounts, cell->value, sign * cell->count);
        break;
    case FUNNEL_CLICK_DELAY:
        add_delays(row->click_delays, cell, sign);
        break;
    case FUNNEL_PAY_DELAY:
        add_delays(row->pay_delays, cell, sign);
        break;
    default:
        break;
    }
}

static bool is_empty(const struct funnel_row *row)
{
    bool is_zero = row->sent == 0 && row->clicked == 0 && row->paid == 0;

    for (size_t i = 0; i < FUNNEL_CURRENCIES_MAX && is_zero; i++)
        is_zero = row->amounts.of[i].amount == 0;
    return is_zero;
}

void funnel_rows_drop_empty(struct funnel_rows *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++) {
        if (is_empty(&rows->rows[i]))
            continue;
        if (n != i)
            rows->rows[n] = rows->rows[i];
        n++;
    }
    rows->n = n;
}

static int by_key(const void *left, const void *right)
{
    const struct funnel_row *a = left, *b = right;
    size_t i = a->key[0] != b->key[0] ? 0 : 1;

    return (a->key[i] > b->key[i]) - (a->key[i] < b->key[i]);
}

void funnel_rows_sort(struct funnel_rows *rows)
{
    if (rows->n > 1)
        qsort(rows->rows, rows->n, sizeof(*rows->rows), by_key);
}

int64_t funnel_quantile(const int32_t delays[static FUNNEL_DELAYS], unsigned quarters)
{
    int64_t total = 0, below = 0;

    for (unsigned i = 0; i < FUNNEL_DELAYS; i++)
        total += delays[i];
    for (unsigned i = 0; i < FUNNEL_DELAYS && total > 0; i++) {
        below += delays[i];
        if (4 * below >= (int64_t)quarters * total)
            return (funnel_delay_begin(i) + funnel_delay_begin(i + 1)) / 2;
    }
    return -1;
}
