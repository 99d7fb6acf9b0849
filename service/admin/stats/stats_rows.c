#include "service/admin/stats/stats_rows.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROOM_MIN = 64,
    SECOND_MAX = 65535, /* the largest second value: a campaign, or two letters */
};

void stats_rows_init(struct stats_rows *rows)
{
    *rows = (struct stats_rows){.people = STATS_NO_PEOPLE};
}

void stats_rows_clear(struct stats_rows *rows)
{
    free(rows->rows);
    free(rows->slots);
    stats_rows_init(rows);
}

/* The slot that holds `key`, or the free slot where it is to be put. */
static uint32_t *find_slot(const struct stats_rows *rows, const uint32_t key[static 2])
{
    /* Fibonacci hashing, because keys are small numbers. */
    uint64_t hash = ((uint64_t)key[0] << 32 | key[1]) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 32) & (rows->room * 2 - 1);

    while (rows->slots[at] != 0 &&
           memcmp(rows->rows[rows->slots[at] - 1].key, key, sizeof(rows->rows[0].key)) != 0)
        at = (at + 1) & (rows->room * 2 - 1);
    return &rows->slots[at];
}

static bool grow(struct stats_rows *rows)
{
    size_t room = rows->room ? rows->room * 2 : ROOM_MIN;
    struct stats_row *grown = realloc(rows->rows, room * sizeof(*grown));

    if (grown)
        rows->rows = grown;
    free(rows->slots);
    rows->slots = calloc(room * 2, sizeof(*rows->slots));
    rows->failed = !grown || !rows->slots;
    if (rows->failed)
        return false;
    rows->room = room;
    for (size_t i = 0; i < rows->n; i++)
        *find_slot(rows, rows->rows[i].key) = (uint32_t)i + 1;
    return true;
}

static struct stats_row *find_or_make(struct stats_rows *rows, const uint32_t key[static 2])
{
    uint32_t *slot;

    if (rows->failed || (rows->n == rows->room && !grow(rows)))
        return NULL;
    slot = find_slot(rows, key);
    if (*slot == 0) {
        if (rows->n == STATS_ROWS_MAX) {
            rows->failed = true;
            return NULL;
        }
        rows->rows[rows->n] =
            (struct stats_row){.key = {key[0], key[1]}, .people = STATS_NO_PEOPLE};
        *slot = (uint32_t)++rows->n;
    }
    return &rows->rows[*slot - 1];
}

static bool has_key(const struct stats_rows *rows, size_t at, const uint32_t key[static 2])
{
    return at < rows->n && rows->rows[at].key[0] == key[0] && rows->rows[at].key[1] == key[1];
}

void stats_rows_add(struct stats_rows *rows, const uint32_t key[static 2], int64_t n,
                    bool automated)
{
    struct stats_row *row;

    /* Looks near the last row first: compacted series have their records in the same order, so the
     * row wanted is mostly the last one or the next. */
    if (has_key(rows, rows->last + 1, key))
        row = &rows->rows[++rows->last];
    else if (has_key(rows, rows->last, key))
        row = &rows->rows[rows->last];
    else if ((row = find_or_make(rows, key)))
        rows->last = (size_t)(row - rows->rows);
    if (row)
        clicks_add(&row->clicks, n, automated);
    clicks_add(&rows->total, n, automated);
}

void stats_rows_fill(struct stats_rows *rows, uint32_t n_first, bool has_second)
{
    uint8_t seen[SECOND_MAX / 8 + 1] = {0};
    size_t n_seconds = 0;

    seen[0] = !has_second;
    for (size_t i = 0; i < rows->n && has_second; i++) {
        uint32_t second = rows->rows[i].key[1];

        if (second <= SECOND_MAX)
            seen[second / 8] |= (uint8_t)(1U << second % 8);
    }
    for (uint32_t second = 0; second <= SECOND_MAX; second++)
        n_seconds += seen[second / 8] >> second % 8 & 1;
    if (n_first > 0 && n_seconds > STATS_ROWS_MAX / n_first)
        return;
    for (uint32_t second = 0; second <= SECOND_MAX; second++) {
        for (uint32_t k = 0; k < n_first && (seen[second / 8] >> second % 8 & 1); k++)
            find_or_make(rows, (const uint32_t[2]){k, second});
    }
}

static int by_number(const struct stats_row *a, const struct stats_row *b)
{
    for (int i = 0; i < 2; i++) {
        if (a->key[i] != b->key[i])
            return a->key[i] < b->key[i] ? -1 : 1;
    }
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    return by_number(a, b);
}

static int compare_clicks(const void *a, const void *b)
{
    int64_t na = clicks_total(&((const struct stats_row *)a)->clicks);
    int64_t nb = clicks_total(&((const struct stats_row *)b)->clicks);

    if (na != nb)
        return na > nb ? -1 : 1;
    return by_number(a, b);
}

void stats_rows_sort(struct stats_rows *rows, bool by_key)
{
    if (rows->n > 1)
        qsort(rows->rows, rows->n, sizeof(rows->rows[0]), by_key ? compare_keys : compare_clicks);
    /* the slots are not valid after sorting */
    free(rows->slots);
    rows->slots = NULL;
    rows->room = 0;
}
