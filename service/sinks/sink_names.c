#include "service/sinks/sink_names.h"

#include <stdlib.h>

#include "service/config/brand.h"
#include "service/config/site.h"

struct sink_names {
    struct site *site;
    unsigned n;
    const struct brand *by_id[]; /* sorted */
};

static int compare(const void *a, const void *b)
{
    uint32_t left = (*(const struct brand *const *)a)->id;
    uint32_t right = (*(const struct brand *const *)b)->id;

    return left < right ? -1 : left > right;
}

struct sink_names *sink_names_new(struct site *site)
{
    unsigned n = site_n_brands(site);
    struct sink_names *names = malloc(sizeof(*names) + n * sizeof(names->by_id[0]));

    if (!names)
        return NULL;
    names->site = site_ref(site);
    names->n = n;
    for (unsigned i = 0; i < n; i++)
        names->by_id[i] = site_brand_at(site, i);
    qsort(names->by_id, n, sizeof(names->by_id[0]), compare);
    return names;
}

void sink_names_free(struct sink_names *names)
{
    if (!names)
        return;
    site_unref(names->site);
    free(names);
}

const struct brand *sink_names_find(const struct sink_names *names, uint32_t brand_id)
{
    unsigned low = 0, high = names->n;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (names->by_id[middle]->id == brand_id)
            return names->by_id[middle];
        if (names->by_id[middle]->id < brand_id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
