#include "service/label/known.h"

#include <stdlib.h>
#include <string.h>

#include "service/base/address.h"
#include "service/base/error.h"

/* All addresses from `first` to `last`, both included. */
struct range {
    uint8_t first[IP_LEN], last[IP_LEN];
};

struct known {
    struct range *ranges; /* sorted by address; no range lies within another */
    uint32_t *asns;       /* sorted */
    unsigned n_ranges, n_asns;
};

/* Sorts by first address; of two ranges with the same first address the wider comes first. */
static int compare_ranges(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    int order = memcmp(x->first, y->first, IP_LEN);

    return order ? order : memcmp(y->last, x->last, IP_LEN);
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static struct range range_of(const struct network *network)
{
    struct range range;

    for (unsigned i = 0; i < IP_LEN; i++) {
        unsigned bits = network->bits >= 8 * (i + 1) ? 8
                        : network->bits <= 8 * i     ? 0
                                                     : network->bits - 8 * i;
        uint8_t rest = (uint8_t)(0xff >> bits);

        range.first[i] = (uint8_t)(network->prefix[i] & ~rest);
        range.last[i] = network->prefix[i] | rest;
    }
    return range;
}

struct known *known_new(const struct known_options *options, struct error *err)
{
    struct known *known = calloc(1, sizeof(*known));
    bool ok = false;

    if (!known)
        goto out;
    known->ranges = calloc(options->n_networks + 1, sizeof(*known->ranges));
    known->asns = calloc(options->n_asns + 1, sizeof(*known->asns));
    if (!known->ranges || !known->asns)
        goto out;
    for (unsigned i = 0; i < options->n_networks; i++)
        known->ranges[i] = range_of(&options->networks[i]);
    qsort(known->ranges, options->n_networks, sizeof(*known->ranges), compare_ranges);
    /* Two networks either are disjoint or one contains the other; contained ones are left out. */
    for (unsigned i = 0; i < options->n_networks; i++) {
        const struct range *last = known->n_ranges ? &known->ranges[known->n_ranges - 1] : NULL;

        if (!last || memcmp(known->ranges[i].last, last->last, IP_LEN) > 0)
            known->ranges[known->n_ranges++] = known->ranges[i];
    }
    known->n_asns = options->n_asns;
    for (unsigned i = 0; i < known->n_asns; i++)
        known->asns[i] = options->asns[i];
    qsort(known->asns, known->n_asns, sizeof(*known->asns), compare_numbers);
    ok = true;
out:
    if (!ok) {
        error_set(err, "label: out of memory");
        known_free(known);
        known = NULL;
    }
    return known;
}

void known_free(struct known *known)
{
    if (!known)
        return;
    free(known->ranges);
    free(known->asns);
    free(known);
}

bool known_has_address(const struct known *known, const uint8_t ip[static IP_LEN])
{
    unsigned from = 0,
             to =
                 known
                     ->n_ranges; /* narrowed down to the last range that begins at or before `ip` */

    while (from < to) {
        unsigned middle = from + (to - from) / 2;

        if (memcmp(known->ranges[middle].first, ip, IP_LEN) <= 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from > 0 && memcmp(ip, known->ranges[from - 1].last, IP_LEN) <= 0;
}

bool known_has_asn(const struct known *known, uint32_t asn)
{
    return known->n_asns > 0 &&
           bsearch(&asn, known->asns, known->n_asns, sizeof(asn), compare_numbers) != NULL;
}

bool known_has_asns(const struct known *known)
{
    return known->n_asns > 0;
}
