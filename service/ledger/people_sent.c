#include "service/ledger/people_sent.h"

#include <stdlib.h>

enum { SLOT_BITS = 17 }; /* 1 MiB, touched as it is used: some 50,000 people of two groups */

struct people_sent {
    uint64_t era;       /* a slot that was filled in another era is empty */
    uint64_t click_era; /* the same of clicks */
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

/* Puts `hash` into the slot that `place`, a hash, stands for; whether it was not there. */
static bool put(struct people_sent *people, uint64_t place, uint64_t hash)
{
    uint64_t *slot = &people->slots[place >> (64 - SLOT_BITS)];
    bool is_new = *slot != hash;

    *slot = hash;
    return is_new;
}

/* A slot holds the whole hash.  Two people with the same 64-bit hash are very unlikely; then one of
 * them is missing in an estimate that has an error of 1 % anyway. */
bool people_sent_add(struct people_sent *people, const struct people_sent_person *person)
{
    uint64_t group = (uint64_t)person->brand << 32 | (uint32_t)person->campaign;
    uint64_t period = (uint64_t)person->day << 1 | person->is_visitor;
    uint64_t hash = scatter(person->id ^ scatter(group ^ scatter(period ^ scatter(people->era))));

    return put(people, hash, hash);
}

/* Clicks have a slot by their invoice. */
static uint64_t place_of(const struct people_sent_click *click)
{
    return scatter((uint64_t)click->brand << 32 | click->object);
}

static uint64_t hash_click(const struct people_sent *people, const struct people_sent_click *click)
{
    uint64_t period = (uint64_t)(click->time_s / PEOPLE_SENT_CLICKS_S);
    uint64_t hash = scatter(period ^ scatter(people->era ^ scatter(people->click_era)));

    /* The complement keeps clicks apart from people. */
    return ~scatter(click->link_id ^ scatter(place_of(click) ^ hash));
}

bool people_sent_is_repetition(struct people_sent *people, const struct people_sent_click *click)
{
    uint64_t *slot = &people->slots[place_of(click) >> (64 - SLOT_BITS)];

    if (*slot == hash_click(people, click))
        return true;
    *slot = 0;
    return false;
}

bool people_sent_add_click(struct people_sent *people, const struct people_sent_click *click)
{
    return put(people, place_of(click), hash_click(people, click));
}

void people_sent_forget_clicks(struct people_sent *people)
{
    people->click_era++;
}

void people_sent_forget(struct people_sent *people)
{
    people->era++;
}
