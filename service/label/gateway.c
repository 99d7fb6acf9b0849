#include "service/label/gateway.h"

#include <stdlib.h>
#include <string.h>

#include "proto/click_names.h"

/* When link tokens count from: 2024-01-01T00:00Z (FORMATS.md "Token"). */
#define ISSUED_EPOCH_MS INT64_C(1704067200000)

enum {
    MINUTE_MS = 60000,
    /* Entries of one hash that are looked at for one click: bounds the work that a link which
     * thousands open at a time can cause. */
    STEPS_MAX = 128,
};

/* A click in the ring.  `before`: the number + 1 of the next older one of the same hash. */
struct entry {
    struct gateway_click click;
    uint64_t before;
    uint8_t reason; /* why it is a scanner's; 0 = it isn't */
};

struct gateway {
    struct gateway_options options;
    struct entry *ring;
    uint64_t *heads;  /* by hash: the number + 1 of the newest entry */
    uint64_t n_added; /* entries ever; number n is ring[n & mask] */
    uint64_t mask;
};

struct gateway *gateway_new(const struct gateway_options *options)
{
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    size_t max = options->clicks_max ? options->clicks_max : GATEWAY_CLICKS;

    if (!gateway)
        return NULL;
    gateway->options = *options;
    gateway->mask = max - 1;
    gateway->ring = calloc(max, sizeof(*gateway->ring));
    gateway->heads = calloc(max, sizeof(*gateway->heads));
    if (!gateway->ring || !gateway->heads) {
        gateway_free(gateway);
        return NULL;
    }
    return gateway;
}

void gateway_free(struct gateway *gateway)
{
    if (!gateway)
        return;
    free(gateway->ring);
    free(gateway->heads);
    free(gateway);
}

void gateway_forget_networks(struct gateway *gateway)
{
    for (uint64_t i = 0; i <= gateway->mask && i < gateway->n_added; i++)
        gateway->ring[i].click.click.network = 0;
}

int64_t gateway_window_ms(const struct gateway *gateway)
{
    const struct gateway_options *o = &gateway->options;

    return o->links_ms > o->networks_ms ? o->links_ms : o->networks_ms;
}

/* Declared bots and prefetches say what they are, and open no links in a gateway's stead. */
bool gateway_wants(const struct click *click)
{
    return click->type == CLICK_TYPE_CLICK &&
           (click->label == CLICK_HUMAN || click->label == CLICK_PROBE) &&
           (click->client != 0 || click->hints != 0);
}

/* --- the table --- */

static uint64_t *find_head(struct gateway *gateway, const struct click *click)
{
    uint64_t key = (uint64_t)click->brand << 32 | click->client;

    return &gateway->heads[(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & gateway->mask];
}

static struct entry *entry_of(struct gateway *gateway, uint64_t ref)
{
    /* Older ones have been written over, or are by the next. */
    if (ref == 0 || ref + gateway->mask <= gateway->n_added)
        return NULL;
    return &gateway->ring[(ref - 1) & gateway->mask];
}

static bool is_same_click(const struct gateway_click *a, const struct gateway_click *b)
{
    return a->number == b->number && memcmp(a->origin, b->origin, GATEWAY_ORIGIN_LEN) == 0;
}

static void put(struct gateway *gateway, const struct gateway_click *click)
{
    uint64_t *head = find_head(gateway, &click->click);

    gateway->ring[gateway->n_added & gateway->mask] =
        (struct entry){.click = *click, .before = *head};
    *head = ++gateway->n_added;
}

/* --- a client's clicks --- */

struct group {
    struct entry *entries[GATEWAY_FOUND_MAX]; /* by time */
    bool of_links[GATEWAY_FOUND_MAX], of_few_links[GATEWAY_FOUND_MAX],
        of_networks[GATEWAY_FOUND_MAX];
    unsigned n, newest; /* how many, and which is the one just added */
};

static int64_t time_of(const struct group *group, unsigned i)
{
    return group->entries[i]->click.click.time_ms;
}

static unsigned insert(struct group *group, struct entry *entry)
{
    unsigned i = group->n++;

    for (; i > 0 && time_of(group, i - 1) > entry->click.click.time_ms; i--)
        group->entries[i] = group->entries[i - 1];
    group->entries[i] = entry;
    return i;
}

/* Gathers the client's clicks around this one; false when this one is among them already. */
static bool gather(struct gateway *gateway, const struct gateway_click *click, struct group *group)
{
    int64_t reach_ms = 2 * gateway_window_ms(gateway);
    uint64_t ref = *find_head(gateway, &click->click);
    struct entry *entry;

    group->n = 0;
    for (unsigned steps = 0; steps < STEPS_MAX && group->n < GATEWAY_FOUND_MAX - 1; steps++) {
        const struct click *other;
        int64_t apart_ms;

        if (!(entry = entry_of(gateway, ref)))
            break;
        other = &entry->click.click;
        apart_ms = other->time_ms - click->click.time_ms;
        if (is_same_click(&entry->click, click))
            return false;
        if (other->client == click->click.client && other->brand == click->click.brand &&
            apart_ms <= reach_ms && -apart_ms <= reach_ms)
            (void)insert(group, entry);
        ref = entry->before;
    }
    return true;
}

/* --- signs --- */

/* Something of which there may be several within a window. */
typedef uint64_t property(const struct entry *entry);

static uint64_t link_of(const struct entry *entry)
{
    return entry->click.click.link_id + 1;
}

/* A burst that is known already speaks against nobody else. */
static uint64_t network_of(const struct entry *entry)
{
    return entry->reason ? 0 : entry->click.click.network;
}

static bool is_first(const struct group *group, property *of, unsigned from, unsigned i)
{
    uint64_t value = of(group->entries[i]);

    for (unsigned j = from; j < i; j++) {
        if (of(group->entries[j]) == value)
            return false;
    }
    return value != 0;
}

/* Marks all clicks of each window of `window_ms` around the newest click that has at least `least`
 * distinct properties. */
static void mark_windows(const struct group *group, property *of, int64_t window_ms, int64_t least,
                         bool marks[GATEWAY_FOUND_MAX])
{
    unsigned from = 0;

    memset(marks, 0, GATEWAY_FOUND_MAX * sizeof(*marks));
    for (unsigned last = group->newest; last < group->n; last++) {
        int64_t n = 0;

        while (time_of(group, last) - time_of(group, from) > window_ms)
            from++;
        if (from > group->newest)
            break;
        for (unsigned i = from; i <= last; i++)
            n += is_first(group, of, from, i);
        for (unsigned i = from; n >= least && i <= last; i++)
            marks[i] = marks[i] || of(group->entries[i]) != 0;
    }
}

static bool has_head_before(const struct gateway *gateway, const struct group *group, unsigned i)
{
    const struct click *click = &group->entries[i]->click.click;

    for (unsigned j = 0; j < i; j++) {
        const struct click *other = &group->entries[j]->click.click;

        if (other->label == CLICK_PROBE && other->network == click->network &&
            other->network != 0 && click->time_ms - other->time_ms <= gateway->options.links_ms)
            return true;
    }
    return false;
}

/* Tokens know the minute that they were made in, not the second: it may have been its last. */
static bool is_early(const struct gateway *gateway, const struct click *click)
{
    int64_t issued_ms = ISSUED_EPOCH_MS + (int64_t)click->issued_min * MINUTE_MS;

    return gateway->options.early_ms > 0 &&
           click->time_ms - issued_ms < gateway->options.early_ms + MINUTE_MS;
}

/* One link less than a burst, and yet not only one: mails of two links are opened, too. */
static int64_t few_links(const struct gateway_options *options)
{
    return options->links > 2 ? options->links - 1 : options->links;
}

static int64_t weight_of_links(const struct gateway_options *options, const struct group *group,
                               unsigned i)
{
    if (group->of_links[i])
        return options->weight_links;
    return group->of_few_links[i] ? options->weight_links * few_links(options) / options->links : 0;
}

static enum click_reason weigh(const struct gateway *gateway, const struct group *group, unsigned i)
{
    const struct gateway_options *o = &gateway->options;
    const struct click *click = &group->entries[i]->click.click;
    int64_t sum = weight_of_links(o, group, i) + (group->of_networks[i] ? o->weight_networks : 0) +
                  (has_head_before(gateway, group, i) ? o->weight_head : 0) +
                  (is_early(gateway, click) ? o->weight_early : 0) +
                  (click->hints & CLICK_HINT_ASN ? o->weight_asn : 0) +
                  (click->hints & CLICK_HINT_RANGE ? o->weight_range : 0);

    if (sum < o->threshold)
        return CLICK_REASON_NONE;
    if (group->of_links[i])
        return CLICK_REASON_MANY_LINKS;
    return group->of_networks[i] ? CLICK_REASON_MANY_NETWORKS : CLICK_REASON_SIGNS;
}

/* The reason of a burst that the click comes amid, or whose networks it comes from. */
static enum click_reason find_burst(const struct gateway *gateway, const struct group *group,
                                    unsigned i)
{
    const struct click *click = &group->entries[i]->click.click;

    for (unsigned j = 0; j < group->n; j++) {
        const struct entry *other = group->entries[j];
        int64_t apart_ms = other->click.click.time_ms - click->time_ms;
        bool is_near =
            apart_ms <= gateway->options.links_ms / 2 && -apart_ms <= gateway->options.links_ms / 2;
        bool is_neighbour = other->click.click.network == click->network && click->network != 0 &&
                            apart_ms <= gateway->options.networks_ms &&
                            -apart_ms <= gateway->options.networks_ms;

        if ((other->reason == CLICK_REASON_MANY_LINKS ||
             other->reason == CLICK_REASON_MANY_NETWORKS) &&
            (is_near || is_neighbour))
            return (enum click_reason)other->reason;
    }
    return CLICK_REASON_NONE;
}

/* --- outcome --- */

static void report(struct entry *entry, enum click_reason reason, struct gateway_click *out)
{
    entry->reason = (uint8_t)reason;
    *out = entry->click;
    out->click.type = CLICK_TYPE_RELABEL;
    out->click.old_label = entry->click.click.label;
    out->click.old_reason = entry->click.click.reason;
    out->click.label = (uint8_t)click_reason_label(reason);
    out->click.reason = (uint8_t)reason;
    out->click.network = 0;
    out->click.hints = 0;
}

static bool may_change(const struct entry *entry)
{
    return entry->reason == CLICK_REASON_NONE && entry->click.click.label == CLICK_HUMAN;
}

static unsigned judge(struct gateway *gateway, struct group *group, struct gateway_click *found)
{
    const struct gateway_options *o = &gateway->options;
    unsigned n_found = 0;
    enum click_reason reasons[GATEWAY_FOUND_MAX];

    mark_windows(group, link_of, o->links_ms, o->links, group->of_links);
    mark_windows(group, link_of, o->links_ms, few_links(o), group->of_few_links);
    mark_windows(group, network_of, o->networks_ms, o->networks, group->of_networks);
    for (unsigned i = 0; i < group->n; i++)
        reasons[i] = weigh(gateway, group, i);
    for (unsigned i = 0; i < group->n; i++) {
        if (reasons[i] && may_change(group->entries[i]))
            report(group->entries[i], reasons[i], &found[n_found++]);
    }
    for (unsigned i = 0; i < group->n; i++) {
        enum click_reason reason;

        if (may_change(group->entries[i]) && (reason = find_burst(gateway, group, i)))
            report(group->entries[i], reason, &found[n_found++]);
    }
    return n_found;
}

unsigned gateway_add(struct gateway *gateway, const struct gateway_click *click,
                     struct gateway_click found[static GATEWAY_FOUND_MAX])
{
    struct entry alone = {.click = *click};
    struct group group;

    if (!gateway_wants(&click->click))
        return 0;
    /* Of nobody in particular: it has nothing to do with others. */
    if (click->click.client == 0) {
        group.n = 0;
        group.newest = insert(&group, &alone);
        return judge(gateway, &group, found);
    }
    if (!gather(gateway, click, &group))
        return 0;
    put(gateway, click);
    group.newest = insert(&group, entry_of(gateway, gateway->n_added));
    return judge(gateway, &group, found);
}
