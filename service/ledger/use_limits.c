#include "service/ledger/use_limits.h"

#include <stdlib.h>

#include "proto/click.h"
#include "proto/token.h"
#include "service/config/brand_targets.h"
#include "service/config/config.h"

enum { KINDS = 16 };

struct brand_limits {
    uint32_t brand;
    uint32_t of_kind[KINDS]; /* 0 = none */
};

struct use_limits {
    unsigned n;
    struct brand_limits brands[]; /* brands that limit a kind, in ascending order */
};

static int by_brand(const void *a, const void *b)
{
    uint32_t left = ((const struct brand_limits *)a)->brand;
    uint32_t right = ((const struct brand_limits *)b)->brand;

    return (left > right) - (left < right);
}

/* Adds the limits of a brand, if one of its kinds has a limit. */
static void add_brand(struct use_limits *limits, const struct config_brand *from)
{
    struct brand_limits *out = &limits->brands[limits->n];

    for (unsigned i = 0; i < from->n_targets; i++) {
        const struct config_target *target = &from->targets[i];

        if (target->max_uses == 0)
            continue;
        out->of_kind[brand_targets_kind(target->kind) % KINDS] = (uint32_t)target->max_uses;
        out->brand = click_brand_id(slice_of(from->name));
        limits->n = (unsigned)(out - limits->brands) + 1;
    }
}

struct use_limits *use_limits_new(const struct config *config)
{
    size_t size = sizeof(struct use_limits) + config->n_brands * sizeof(struct brand_limits);
    struct use_limits *limits = calloc(1, size);

    if (!limits)
        return NULL;
    for (unsigned i = 0; i < config->n_brands; i++)
        add_brand(limits, &config->brands[i]);
    if (limits->n == 0) {
        free(limits);
        return NULL;
    }
    qsort(limits->brands, limits->n, sizeof(limits->brands[0]), by_brand);
    return limits;
}

void use_limits_free(struct use_limits *limits)
{
    free(limits);
}

uint32_t use_limits_find(const struct use_limits *limits, const struct click *click)
{
    const struct brand_limits wanted = {.brand = click->brand}, *found;

    if (!limits)
        return 0;
    found = bsearch(&wanted, limits->brands, limits->n, sizeof(wanted), by_brand);
    return found ? found->of_kind[click->kind % KINDS] : 0;
}
