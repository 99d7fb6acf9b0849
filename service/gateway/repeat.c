#include "service/gateway/repeat.h"

#include <stdlib.h>

#include "proto/bytes.h"
#include "service/base/huge.h"

enum {
    SETS = 8192,
    WAYS = 4, /* slots per set; in all 32768 pairs of link and network */
    PODS = 3, /* each slot has room for the clicks of so many pods */
    TAG_BITS = 16,
};

/* A minute, as a difference of two ranks. */
#define WINDOW ((int64_t)REPEAT_WINDOW_MS << TAG_BITS)

struct slot {
    uint64_t key; /* 0 = free */
    int64_t newest_ms;
    unsigned n;
};

/* Ranks are stored apart from the slots, because only slots are searched. */
struct repeat {
    unsigned max, ranks_max;
    struct slot *slots;
    int64_t *ranks; /* ranks_max per slot; see rank_of() */
};

static size_t slots_bytes(void)
{
    return (size_t)SETS * WAYS * sizeof(struct slot);
}

static size_t ranks_bytes(const struct repeat *repeat)
{
    return (size_t)SETS * WAYS * repeat->ranks_max * sizeof(int64_t);
}

struct repeat *repeat_new(unsigned max)
{
    struct repeat *repeat = calloc(1, sizeof(*repeat));

    if (!repeat)
        return NULL;
    repeat->max = max;
    repeat->ranks_max = PODS * max;
    if (max == 0)
        return repeat;
    repeat->slots = huge_new(slots_bytes());
    repeat->ranks = huge_new(ranks_bytes(repeat));
    if (!repeat->slots || !repeat->ranks) {
        repeat_free(repeat);
        return NULL;
    }
    return repeat;
}

void repeat_free(struct repeat *repeat)
{
    if (!repeat)
        return;
    huge_free(repeat->slots, slots_bytes());
    huge_free(repeat->ranks, ranks_bytes(repeat));
    free(repeat);
}

static struct slot *set_of(const struct repeat *repeat, uint64_t key)
{
    return &repeat->slots[(key >> 32) % SETS * WAYS];
}

static struct slot *find_slot(const struct repeat *repeat, uint64_t key)
{
    struct slot *set = set_of(repeat, key);

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
    }
    return NULL;
}

/* The key's slot.  If it has none, the slot of its set that was silent longest is emptied and given
 * to it. */
static struct slot *take_slot(struct repeat *repeat, uint64_t key)
{
    struct slot *slot = find_slot(repeat, key), *set = set_of(repeat, key);

    if (slot)
        return slot;
    slot = set;
    for (unsigned i = 1; i < WAYS; i++) {
        if (set[i].newest_ms < slot->newest_ms)
            slot = &set[i];
    }
    *slot = (struct slot){.key = key};
    return slot;
}

static int64_t *ranks_of(const struct repeat *repeat, const struct slot *slot)
{
    return &repeat->ranks[(size_t)(slot - repeat->slots) * repeat->ranks_max];
}

/* The order in which clicks are counted, the same in every pod: by time, then by bits of a hash,
 * for several clicks may have the same millisecond. */
static int64_t rank_of(const struct gateway_click *click)
{
    uint64_t tag = (click->number ^ le64_load(click->origin)) * UINT64_C(0x9e3779b97f4a7c15);

    return click->click.time_ms << TAG_BITS | (int64_t)(tag >> (64 - TAG_BITS));
}

/* The number of the slot's clicks whose rank is in [from, to). */
static unsigned count_between(const struct repeat *repeat, const struct slot *slot, int64_t from,
                              int64_t to)
{
    const int64_t *ranks = ranks_of(repeat, slot);
    unsigned n = 0;

    for (unsigned i = 0; i < slot->n; i++)
        n += ranks[i] >= from && ranks[i] < to;
    return n;
}

/* If the slot is full, more clicks came in a minute than any limit needs. */
static void remember(const struct repeat *repeat, struct slot *slot,
                     const struct gateway_click *click)
{
    int64_t rank = rank_of(click), *ranks = ranks_of(repeat, slot);

    if (click->click.time_ms > slot->newest_ms)
        slot->newest_ms = click->click.time_ms;
    if (slot->n == repeat->ranks_max) {
        unsigned kept = 0;

        /* Those go that are more than a minute older than the newest. */
        for (unsigned i = 0; i < slot->n; i++) {
            if (ranks[i] > (slot->newest_ms << TAG_BITS) - WINDOW)
                ranks[kept++] = ranks[i];
        }
        slot->n = kept;
    }
    if (slot->n < repeat->ranks_max && count_between(repeat, slot, rank, rank + 1) == 0)
        ranks[slot->n++] = rank;
}

/* A key for one visitor and one link; 0: the click is not counted as a person's, or the visitor
 * can't be told from others. */
static uint64_t key_if_counted(const struct repeat *repeat, const struct click *click)
{
    uint64_t who = click->client == 0 ? click->visitor : click->network;
    uint64_t key;

    if (repeat->max == 0 || click->label != CLICK_HUMAN || who == 0)
        return 0;
    key = (click->link_id ^ who * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    return key ? key : 1;
}

void repeat_expect(const struct repeat *repeat, const struct click *click, bool has_slot)
{
    uint64_t key = key_if_counted(repeat, click);
    const struct slot *slot;

    if (key == 0)
        return;
    if (!has_slot) {
        __builtin_prefetch(set_of(repeat, key), 1);
        __builtin_prefetch(set_of(repeat, key) + WAYS - 1, 1);
        return;
    }
    slot = find_slot(repeat, key);
    if (slot)
        __builtin_prefetch(ranks_of(repeat, slot), 1);
}

bool repeat_add_own(struct repeat *repeat, const struct gateway_click *click)
{
    uint64_t key = key_if_counted(repeat, &click->click);
    int64_t rank = rank_of(click);
    struct slot *slot;

    if (key == 0)
        return false;
    slot = take_slot(repeat, key);
    if (click->click.time_ms > slot->newest_ms)
        slot->newest_ms = click->click.time_ms;
    /* Looks a minute back and ahead, because the logs of several workers are read one after the
     * other. */
    if (count_between(repeat, slot, rank - WINDOW + 1, rank + WINDOW) >= repeat->max)
        return true;
    remember(repeat, slot, click);
    return false;
}

void repeat_add_other(struct repeat *repeat, const struct gateway_click *click)
{
    uint64_t key = key_if_counted(repeat, &click->click);

    if (key != 0)
        remember(repeat, take_slot(repeat, key), click);
}

bool repeat_is(const struct repeat *repeat, const struct gateway_click *click)
{
    uint64_t key = key_if_counted(repeat, &click->click);
    const struct slot *slot = key ? find_slot(repeat, key) : NULL;
    int64_t rank = rank_of(click);

    return slot && count_between(repeat, slot, rank - WINDOW + 1, rank) >= repeat->max;
}
