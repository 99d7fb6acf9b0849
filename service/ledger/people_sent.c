#include "service/ledger/people_sent.h"

#include <stdlib.h>

enum { SLOT_BITS = 17 }; /* 1 MiB, touched as it is used: some 50,000 people of two groups */

struct people_sent {
    uint64_t era; /* a slot that was filled in another era is empty */
    uint64_t slots[1 << SLOT_BITS];
};

struct people_sent *people_sent_new(void)
{
    struct people_sent *people = calloc(1, sizeof(*people));

    if (people)
        people->era = 1; /* a slot that was never used is of none */
    return people;
}

void people_sent_free(struct people_sent *people)
{
    free(people);
}

/* The finalizer of MurmurHash3: any bit of `x` changes half of the result's. */
static uint64_t scatter(uint64_t x)
{
    x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

/* A slot holds the whole hash.  Two people with the same 64-bit hash are very unlikely; then one of
 * them is missing in an estimate that has an error of 1 % anyway. */
bool people_sent_add(struct people_sent *people, const struct people_sent_person *person)
{
    uint64_t group = (uint64_t)person->brand << 32 | (uint32_t)person->campaign;
    uint64_t period = (uint64_t)person->day << 1 | person->is_visitor;
    uint64_t hash = scatter(person->id ^ scatter(group ^ scatter(period ^ scatter(people->era))));
    uint64_t *slot = &people->slots[hash >> (64 - SLOT_BITS)];
    bool is_new = *slot != hash;

    *slot = hash;
    return is_new;
}

void people_sent_forget(struct people_sent *people)
{
    people->era++;
}
