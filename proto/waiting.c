#include "proto/waiting.h"

#include <stdlib.h>

#include "proto/bytes.h"

bool waiting_next(struct slice text, size_t *at, struct waiting *out)
{
    const uint8_t *in;
    unsigned change;
    int n;

    if (text.len - *at < WAITING_LEN)
        return false;
    in = (const uint8_t *)text.ptr + *at;
    change = be16_load(in + WAITING_AT_CHANGE);
    n = (int)(change >> 3) - WAITING_ZERO;
    *out = (struct waiting){
        .id = be64_load(in),
        .brand = be32_load(in + WAITING_AT_BRAND),
        .campaign = be16_load(in + WAITING_AT_CAMPAIGN),
        .is_visitor = change & 1,
        .n_campaign = change >> 1 & WAITING_CAMPAIGN ? n : 0,
        .n_all = change >> 1 & WAITING_ALL ? n : 0,
    };
    *at += WAITING_LEN;
    return true;
}

static int by_person(const void *left, const void *right)
{
    const struct waiting *a = left, *b = right;

    if (a->brand != b->brand)
        return a->brand < b->brand ? -1 : 1;
    if (a->campaign != b->campaign)
        return a->campaign < b->campaign ? -1 : 1;
    if (a->is_visitor != b->is_visitor)
        return a->is_visitor ? 1 : -1;
    return (a->id > b->id) - (a->id < b->id);
}

size_t waiting_sum(struct waiting *all, size_t n)
{
    size_t n_left = 0;

    if (n > 0)
        qsort(all, n, sizeof(*all), by_person);
    for (size_t i = 0; i < n;) {
        struct waiting sum = all[i];

        for (i++; i < n && by_person(&all[i], &sum) == 0; i++) {
            sum.n_campaign += all[i].n_campaign;
            sum.n_all += all[i].n_all;
        }
        if (sum.n_campaign != 0 || sum.n_all != 0)
            all[n_left++] = sum;
    }
    return n_left;
}

size_t waiting_keep_shard(uint8_t *records, size_t len, unsigned shard, unsigned n_shards)
{
    struct slice text = slice_make((const char *)records, len);
    struct waiting waiting;
    size_t kept = 0;

    for (size_t at = 0; waiting_next(text, &at, &waiting);) {
        unsigned scope = waiting_scope(waiting.brand, waiting.campaign, shard, n_shards);
        int n = waiting.n_campaign ? waiting.n_campaign : waiting.n_all;

        scope &= (waiting.n_campaign ? WAITING_CAMPAIGN : 0U) | (waiting.n_all ? WAITING_ALL : 0U);
        if (scope == 0)
            continue;
        waiting_put(records + kept, &waiting, scope, n);
        kept += WAITING_LEN;
    }
    return kept;
}
