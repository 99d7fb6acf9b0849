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

/* Compares parts of mails without a division: a / b and c / d; of no mails there is none. */
static int by_part(int64_t a, int64_t b, int64_t c, int64_t d)
{
    if (b <= 0 || d <= 0)
        return (d > 0) - (b > 0);
    return (a * d < c * b) - (a * d > c * b);
}

static int by_number(int64_t a, int64_t b)
{
    return (a < b) - (a > b);
}

/* Of equals first those with more mails. */
static int then_by_mails(const struct funnel_row *a, const struct funnel_row *b, int order)
{
    if (order == 0)
        order = by_number(a->sent, b->sent);
    return order != 0 ? order : by_key(a, b);
}

static int by_click_rate(const void *left, const void *right)
{
    const struct funnel_row *a = left, *b = right;

    return then_by_mails(a, b, by_part(a->clicked, a->sent, b->clicked, b->sent));
}

static int by_conversion_rate(const void *left, const void *right)
{
    const struct funnel_row *a = left, *b = right;

    return then_by_mails(a, b, by_part(a->paid, a->sent, b->paid, b->sent));
}

static int by_sent(const void *left, const void *right)
{
    return then_by_mails(left, right, 0);
}

static int by_clicked(const void *left, const void *right)
{
    const struct funnel_row *a = left, *b = right;

    return then_by_mails(a, b, by_number(a->clicked, b->clicked));
}

static int by_paid(const void *left, const void *right)
{
    const struct funnel_row *a = left, *b = right;

    return then_by_mails(a, b, by_number(a->paid, b->paid));
}

void funnel_rows_sort(struct funnel_rows *rows, enum stats_sort sort)
{
    static int (*const orders[STATS_SORTS])(const void *, const void *) = {
        [STATS_SORT_KEY] = by_key,
        [STATS_SORT_CLICK_RATE] = by_click_rate,
        [STATS_SORT_CONVERSION_RATE] = by_conversion_rate,
        [STATS_SORT_SENT] = by_sent,
        [STATS_SORT_CLICKED] = by_clicked,
        [STATS_SORT_PAID] = by_paid,
    };

    if (rows->n > 1)
        qsort(rows->rows, rows->n, sizeof(*rows->rows), orders[sort]);
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
