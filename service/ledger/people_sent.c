#include "service/ledger/people_sent.h"

#include "service/base/huge.h"

enum {
    SLOT_BITS = 17, /* 1 MiB: some 50,000 people of two groups */
    BUCKET_BITS = 15,
    WAYS = 4, /* invoices in a bucket: with one, two that share it would be sent over and over */
};

/* The tables come first: so no bucket lies across two lines of the cache. */
struct people_sent {
    uint64_t slots[1 << SLOT_BITS];
    uint64_t clicks[1 << BUCKET_BITS][WAYS]; /* half a hash of the invoice, half one of the click */
    uint64_t era;       /* a slot that was filled in another era counts as empty */
    uint64_t click_era; /* the same for the slots of clicks */
};

struct people_sent *people_sent_new(void)
{
    struct people_sent *people = huge_new(sizeof(*people));

    if (people)
        people->era = 1; /* a slot that was never used is of none */
    return people;
}

void people_sent_free(struct people_sent *people)
{
    huge_free(people, sizeof(*people));
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
static uint64_t hash_of(const struct people_sent *people, const struct people_sent_person *person)
{
    uint64_t group = (uint64_t)person->brand << 32 | person->campaign;
    uint64_t period =
        (uint64_t)person->hour << 3 | (uint64_t)person->scope << 1 | person->is_visitor;

    return scatter(person->id ^ scatter(group ^ scatter(period ^ people->era << 40)));
}

void people_sent_add(struct people_sent *people, const struct people_sent_person *person)
{
    uint64_t hash = hash_of(people, person);

    people->slots[hash >> (64 - SLOT_BITS)] = hash;
}

bool people_sent_has(const struct people_sent *people, const struct people_sent_person *person)
{
    uint64_t hash = hash_of(people, person);

    return people->slots[hash >> (64 - SLOT_BITS)] == hash;
}

void people_sent_expect(const struct people_sent *people, const struct people_sent_person *person)
{
    __builtin_prefetch(&people->slots[hash_of(people, person) >> (64 - SLOT_BITS)]);
}

static uint64_t invoice_hash(const struct people_sent_click *click)
{
    return scatter((uint64_t)click->brand << 32 | click->object);
}

void people_sent_expect_click(const struct people_sent *people,
                              const struct people_sent_click *click)
{
    __builtin_prefetch(people->clicks[invoice_hash(click) >> (64 - BUCKET_BITS)], 1);
}

/* The bucket of a click's invoice, and what the click writes there. */
struct place {
    uint64_t *bucket;
    uint64_t invoice; /* in the high half */
    uint64_t entry;   /* what stands there after the click */
};

static struct place place_of(struct people_sent *people, const struct people_sent_click *click)
{
    uint64_t invoice = invoice_hash(click);
    uint64_t period = (uint64_t)(click->time_s / PEOPLE_SENT_CLICKS_S);
    uint64_t era = scatter(people->era ^ scatter(people->click_era));
    uint64_t hash = scatter(click->link_id ^ scatter(period ^ era));
    struct place place = {
        .bucket = people->clicks[invoice >> (64 - BUCKET_BITS)],
        .invoice = (invoice << 32) | (uint64_t)1 << 32, /* 0 = a free slot */
    };

    place.entry = place.invoice | (uint32_t)hash;
    return place;
}

static uint64_t *find_invoice(const struct place *place)
{
    for (int i = 0; i < WAYS; i++) {
        if ((place->bucket[i] ^ place->invoice) >> 32 == 0)
            return &place->bucket[i];
    }
    return NULL;
}

bool people_sent_is_repetition(struct people_sent *people, const struct people_sent_click *click)
{
    struct place place = place_of(people, click);
    uint64_t *slot = find_invoice(&place);

    if (slot && *slot == place.entry)
        return true;
    if (slot)
        *slot = 0;
    return false;
}

bool people_sent_add_click(struct people_sent *people, const struct people_sent_click *click)
{
    struct place place = place_of(people, click);
    uint64_t *slot = find_invoice(&place);
    bool is_new = !slot || *slot != place.entry;

    for (int i = 0; i < WAYS && !slot; i++) {
        if (place.bucket[i] == 0)
            slot = &place.bucket[i];
    }
    if (!slot) /* any of them */
        slot = &place.bucket[place.entry % WAYS];
    *slot = place.entry;
    return is_new;
}

void people_sent_forget_clicks(struct people_sent *people)
{
    people->click_era++;
}

void people_sent_forget(struct people_sent *people)
{
    people->era++;
}
