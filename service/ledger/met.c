#include "service/ledger/met.h"

#include <stdlib.h>

enum { SLOT_BITS = 17 }; /* 1 MiB, touched as it is used: some 50,000 people of two groups */

struct met {
    uint64_t era; /* what was remembered in another one is forgotten */
    uint64_t slots[1 << SLOT_BITS];
};

struct met *met_new(void)
{
    struct met *met = calloc(1, sizeof(*met));

    if (met)
        met->era = 1; /* a slot that was never used is of none */
    return met;
}

void met_free(struct met *met)
{
    free(met);
}

/* The finalizer of MurmurHash3: any bit of `x` changes half of the result's. */
static uint64_t scatter(uint64_t x)
{
    x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

/* All 64 bits are compared, so two people of one hash are not to be expected in a lifetime; if
 * there are, one of them is missing in an estimate that is 1 % off anyway. */
bool met_before(struct met *met, const struct met_person *person)
{
    uint64_t group = (uint64_t)person->brand << 32 | (uint32_t)person->campaign;
    uint64_t period = (uint64_t)person->day << 1 | person->is_visitor;
    uint64_t hash = scatter(person->id ^ scatter(group ^ scatter(period ^ scatter(met->era))));
    uint64_t *slot = &met->slots[hash >> (64 - SLOT_BITS)];
    bool is_met = *slot == hash;

    *slot = hash;
    return is_met;
}

void met_forget(struct met *met)
{
    met->era++;
}
