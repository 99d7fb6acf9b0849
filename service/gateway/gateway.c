#include "service/gateway/gateway.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/click_names.h"
#include "service/base/huge.h"
#include "service/gateway/gateway_judge.h"
#include "service/gateway/repeat.h"

enum {
    /* Entries of one hash that are searched for one click.  Bounds the work that a link causes when
     * thousands open it at once. */
    STEPS_MAX = 128,
};

static const uint64_t MIX = UINT64_C(0x9e3779b97f4a7c15); /* multiplies a number to spread it */

/*
 * Where the entries of a hash begin, and a short cut for the most frequent case: while all of a
 * client's entries within reach are human clicks of one link from one network, without a hint, one
 * more such click can't make a sign.  It is only stored.
 */
struct head {
    uint64_t newest; /* the number of the newest entry plus 1; 0 = none */
    /* The short cut, for one client: all its clicks from `since_ms` on are like the one that
     * `alike` is the hash of. */
    uint64_t alike;
    int64_t since_ms;
    uint16_t n_places; /* places in the ring that the client's clicks take */
    bool is_uniform;   /* whether the fields of the short cut are valid */
};

/* Every click waits for its head, so a head must not lie across two lines of the cache. */
static_assert(64 % sizeof(struct head) == 0, "");

struct gateway {
    struct gateway_options options;
    bool has_short_cut; /* with these options no single click is found by its own weight */
    struct repeat *repeat;
    struct gateway_entry *ring;
    struct head *heads; /* indexed by hash */
    uint64_t n_added;   /* entries ever added; entry n is at ring[n & mask] */
    uint64_t mask;
    unsigned shift; /* from a 64-bit hash to an index of `heads` */
};

struct gateway *gateway_new(const struct gateway_options *options)
{
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    size_t max = options->clicks_max ? options->clicks_max : GATEWAY_CLICKS;

    if (!gateway)
        return NULL;
    gateway->options = *options;
    gateway->has_short_cut = options->weight_early < options->threshold;
    gateway->mask = max - 1;
    gateway->shift = 64 - (unsigned)__builtin_ctzll(max);
    gateway->repeat = repeat_new((unsigned)options->repeat_max);
    gateway->ring = huge_new(max * sizeof(*gateway->ring));
    gateway->heads = huge_new(max * sizeof(*gateway->heads));
    if (!gateway->repeat || !gateway->ring || !gateway->heads) {
        gateway_free(gateway);
        return NULL;
    }
    return gateway;
}

void gateway_free(struct gateway *gateway)
{
    if (!gateway)
        return;
    repeat_free(gateway->repeat);
    huge_free(gateway->ring, (gateway->mask + 1) * sizeof(*gateway->ring));
    huge_free(gateway->heads, (gateway->mask + 1) * sizeof(*gateway->heads));
    free(gateway);
}

void gateway_forget_networks(struct gateway *gateway)
{
    /* Writing to an unused table would only take memory. */
    if (gateway->n_added == 0)
        return;
    for (uint64_t i = 0; i <= gateway->mask && i < gateway->n_added; i++)
        gateway->ring[i].click.click.network = 0;
    for (uint64_t i = 0; i <= gateway->mask; i++)
        gateway->heads[i].is_uniform = false;
}

int64_t gateway_window_ms(const struct gateway *gateway)
{
    const struct gateway_options *o = &gateway->options;
    int64_t links_ms = o->two_links_ms * 3 / 2; /* so far apart they still weigh something */

    if (links_ms < o->links_ms)
        links_ms = o->links_ms;
    return links_ms > o->networks_ms ? links_ms : o->networks_ms;
}

/* Declared bots and prefetches are labelled already, and no gateway sends them. */
bool gateway_wants(const struct click *click)
{
    return click->type == CLICK_TYPE_CLICK &&
           (click->label == CLICK_HUMAN || (click->label == CLICK_PROBE && click->client != 0));
}

/* --- the table --- */

static struct head *find_head(struct gateway *gateway, const struct click *click)
{
    uint64_t key = (uint64_t)click->brand << 32 | click->client;

    /* The highest bits of the product: they spread numbers in a row evenly, which clients mostly
     * are; the bits in the middle put eight of them in one place. */
    return &gateway->heads[key * MIX >> gateway->shift];
}

static struct gateway_entry *entry_of(struct gateway *gateway, uint64_t ref)
{
    /* Older entries have been overwritten, or will be by the next one. */
    if (ref == 0 || ref + gateway->mask <= gateway->n_added)
        return NULL;
    return &gateway->ring[(ref - 1) & gateway->mask];
}

/* --- a client's clicks --- */

/* What gather() found of a client. */
struct places {
    unsigned n;                   /* places in the ring that the client has */
    struct gateway_entry *oldest; /* the oldest of them */
    uint64_t *ref;                /* the reference through which `oldest` is reached */
};

/* Gathers the client's clicks around this one; false when the click is among them already. */
static bool gather(struct gateway *gateway, struct head *head, const struct gateway_click *click,
                   struct gateway_group *group, struct places *places)
{
    int64_t reach_ms = 2 * gateway_window_ms(gateway);
    struct gateway_entry *entry;
    uint64_t *ref = &head->newest;

    *places = (struct places){0};
    group->n = 0;
    group->is_whole = true;
    for (unsigned steps = 0; (entry = entry_of(gateway, *ref)); steps++, ref = &entry->before) {
        const struct click *other = &entry->click.click;
        int64_t apart_ms = other->time_ms - click->click.time_ms;

        if (steps == STEPS_MAX || places->n == GATEWAY_FOUND_MAX) {
            group->is_whole = false;
            break;
        }
        if (entry->click.number == click->number &&
            memcmp(entry->click.origin, click->origin, GATEWAY_ORIGIN_LEN) == 0)
            return false;
        if (other->client != click->click.client || other->brand != click->click.brand)
            continue;
        places->n++;
        places->oldest = entry;
        places->ref = ref;
        if (apart_ms > reach_ms)
            group->is_whole = false;
        else if (-apart_ms <= reach_ms)
            (void)gateway_group_insert(group, entry);
    }
    return true;
}

/* Stores a click in the ring's next place.  A client at GATEWAY_FOUND_MAX gets the place of its own
 * oldest click. */
static struct gateway_entry *put(struct gateway *gateway, struct head *head,
                                 const struct gateway_click *click, const struct places *places,
                                 struct gateway_group *group)
{
    struct gateway_entry *entry = places->oldest;
    uint64_t number;

    if (places->n < GATEWAY_FOUND_MAX) {
        number = ++gateway->n_added;
        entry = &gateway->ring[(number - 1) & gateway->mask];
    } else {
        number = *places->ref;
        *places->ref = entry->before;
        gateway_group_remove(group, entry);
    }
    entry->click = *click; /* part by part: a whole entry would be put together elsewhere first */
    entry->before = head->newest;
    entry->reason = CLICK_REASON_NONE;
    entry->is_found = false;
    head->newest = number;
    return entry;
}

/* --- the short cut --- */

/* A hash of what the clicks of a short cut have in common.  Two others with the same 64 bits are
 * very unlikely, and then one sign is missed. */
static uint64_t likeness(const struct click *click)
{
    uint64_t client = (uint64_t)click->brand << 32 | click->client;

    return ((click->link_id * MIX ^ client) * MIX ^ click->network) * MIX;
}

/* Whether the short cut covers this click.  Only for clicks of this process, because those of
 * others may come twice. */
static bool is_one_more(const struct head *head, const struct gateway_click *own)
{
    const struct click *click = &own->click;

    return head->is_uniform && own->is_own && head->alike == likeness(click) &&
           click->label == CLICK_HUMAN && click->hints == 0 && click->time_ms >= head->since_ms &&
           head->n_places < GATEWAY_FOUND_MAX;
}

/* Sets up the short cut if all clicks of the group are alike. */
static void summarise(const struct gateway *gateway, struct head *head,
                      const struct gateway_group *group, unsigned n_places)
{
    const struct click *newest = &group->entries[group->newest]->click.click;
    bool is_uniform = gateway->has_short_cut && group->is_whole;

    for (unsigned i = 0; i < group->n && is_uniform; i++) {
        const struct click *click = &group->entries[i]->click.click;

        is_uniform = click->link_id == newest->link_id && click->network == newest->network &&
                     click->label == CLICK_HUMAN && click->hints == 0 &&
                     group->entries[i]->reason == CLICK_REASON_NONE;
    }
    head->is_uniform = is_uniform;
    head->alike = likeness(newest);
    head->since_ms = newest->time_ms;
    head->n_places = (uint16_t)n_places;
}

/* --- adding --- */

static void fetch_entry(const struct gateway_entry *entry)
{
    if (!entry)
        return;
    __builtin_prefetch(&entry->click.click.time_ms);
    __builtin_prefetch(&entry->click.number);
    __builtin_prefetch(&entry->before);
}

void gateway_expect(struct gateway *gateway, const struct click *click, enum gateway_step step)
{
    struct gateway_entry *entry;
    struct head *head;

    if (!gateway_wants(click))
        return;
    repeat_expect(gateway->repeat, click, step != GATEWAY_FETCH_PLACE);
    if (click->client == 0)
        return;
    head = find_head(gateway, click);
    if (step == GATEWAY_FETCH_PLACE) {
        __builtin_prefetch(head, 1);
        return;
    }
    entry = entry_of(gateway, head->newest);
    if (step == GATEWAY_FETCH_NEXT && entry)
        entry = entry_of(gateway, entry->before);
    fetch_entry(entry);
}

bool gateway_find_repeat(struct gateway *gateway, const struct gateway_click *own,
                         struct gateway_click *found)
{
    if (!repeat_add_own(gateway->repeat, own))
        return false;
    gateway_make_relabelling(own, CLICK_REASON_REPEAT, found);
    return true;
}

/* Looks at the click among those of its client around it. */
static unsigned judge_among(struct gateway *gateway, struct head *head,
                            const struct gateway_click *click,
                            struct gateway_click found[static GATEWAY_FOUND_MAX])
{
    struct gateway_group group;
    struct gateway_entry *entry;
    struct places places;
    unsigned n;

    if (!gather(gateway, head, click, &group, &places))
        return 0;
    entry = put(gateway, head, click, &places, &group);
    group.newest = gateway_group_insert(&group, entry);
    if (click->is_shared && !click->is_own)
        repeat_add_other(gateway->repeat, click);
    /* Clicks of the group may have become repeats by this click of another process, which may be
     * earlier than some of them. */
    for (unsigned i = 0; click->is_shared && i < group.n; i++) {
        struct gateway_entry *other = group.entries[i];

        if (other->click.click.link_id == click->click.link_id &&
            other->reason == CLICK_REASON_NONE && repeat_is(gateway->repeat, &other->click))
            other->reason = CLICK_REASON_REPEAT;
    }
    n = gateway_group_judge(&gateway->options, &group, found);
    summarise(gateway, head, &group, places.n + 1);
    return n;
}

/* Judges a click that names no client by its own hints: there is nothing to compare it with.  Apart
 * from gateway_add(), so that other clicks don't pay for its large locals. */
static unsigned judge_alone(struct gateway *gateway, const struct gateway_click *click,
                            struct gateway_click *found)
{
    struct gateway_entry alone = {.click = *click};
    struct gateway_group group = {.n = 0};

    group.newest = gateway_group_insert(&group, &alone);
    return gateway_group_judge(&gateway->options, &group, found);
}

unsigned gateway_add(struct gateway *gateway, const struct gateway_click *click,
                     struct gateway_click found[static GATEWAY_FOUND_MAX])
{
    struct head *head;

    if (!gateway_wants(&click->click))
        return 0;
    if (click->click.client == 0)
        return click->click.hints ? judge_alone(gateway, click, found) : 0;
    head = find_head(gateway, &click->click);
    if (click->is_shared || !is_one_more(head, click))
        return judge_among(gateway, head, click, found);
    (void)put(gateway, head, click, &(struct places){0}, NULL);
    head->n_places++;
    return 0;
}
