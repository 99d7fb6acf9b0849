#include "service/gateway/gateway_judge.h"

#include <string.h>

#include "proto/click_names.h"

/* The time that link tokens count minutes from: 2024-01-01T00:00Z (FORMATS.md "Token"). */
#define ISSUED_EPOCH_MS INT64_C(1704067200000)

enum {
    MINUTE_MS = 60000,
    /* The order of clicks this near to each other is not known: workers read clocks that tick every
     * 1…10 ms, and the clocks of two pods differ by some tens of ms. */
    TOGETHER_MS = 50,
};

/* Channels (FORMATS.md "Token") where a person sees the link when it is made, and may follow it at
 * once. */
enum { CHANNEL_QR = 4, CHANNEL_PORTAL = 5, CHANNEL_CHAT = 6 };

static int64_t time_of(const struct gateway_group *group, unsigned i)
{
    return group->entries[i]->click.click.time_ms;
}

void gateway_group_remove(struct gateway_group *group, const struct gateway_entry *entry)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < group->n; i++) {
        if (group->entries[i] != entry)
            group->entries[kept++] = group->entries[i];
    }
    group->n = kept;
}

unsigned gateway_group_insert(struct gateway_group *group, struct gateway_entry *entry)
{
    unsigned i = group->n++;

    for (; i > 0 && time_of(group, i - 1) > entry->click.click.time_ms; i--)
        group->entries[i] = group->entries[i - 1];
    group->entries[i] = entry;
    return i;
}

/* --- signs --- */

/* A property of a click whose distinct values within a window are counted; 0 = the click doesn't
 * count. */
typedef uint64_t property(const struct gateway_entry *entry);

static uint64_t link_of(const struct gateway_entry *entry)
{
    return entry->click.click.link_id + 1;
}

static bool is_read_later(const struct click *click)
{
    return click->channel < CHANNEL_QR || click->channel > CHANNEL_CHAT;
}

/* Links on a page don't count: people open several tabs, and gateways don't scan pages. */
static uint64_t link_of_mail(const struct gateway_entry *entry)
{
    return is_read_later(&entry->click.click) ? link_of(entry) : 0;
}

static uint64_t link_of_listed_asn(const struct gateway_entry *entry)
{
    return entry->click.click.hints & CLICK_HINT_ASN ? link_of(entry) : 0;
}

/* A click that already belongs to a burst is no evidence against others. */
static uint64_t network_of(const struct gateway_entry *entry)
{
    return entry->reason ? 0 : entry->click.click.network;
}

static bool is_first(const struct gateway_group *group, property *of, unsigned from, unsigned i)
{
    uint64_t value = of(group->entries[i]);

    for (unsigned j = from; j < i; j++) {
        if (of(group->entries[j]) == value)
            return false;
    }
    return value != 0;
}

/* If the `window_ms` before the last click hold at least `least` distinct values of the property,
 * marks the clicks that have one. */
static void mark_window(const struct gateway_group *group, property *of, int64_t window_ms,
                        int64_t least, bool marks[GATEWAY_FOUND_MAX])
{
    unsigned last = group->n - 1, from = last;
    int64_t n = 0;

    memset(marks, 0, GATEWAY_FOUND_MAX * sizeof(*marks));
    while (from > 0 && time_of(group, last) - time_of(group, from - 1) <= window_ms)
        from--;
    for (unsigned i = from; i <= last; i++)
        n += is_first(group, of, from, i);
    for (unsigned i = from; n >= least && i <= last; i++)
        marks[i] = of(group->entries[i]) != 0;
}

static bool has_head_before(const struct gateway_options *options,
                            const struct gateway_group *group, unsigned i)
{
    const struct click *click = &group->entries[i]->click.click;

    for (unsigned j = 0; j < group->n; j++) {
        const struct click *other = &group->entries[j]->click.click;
        int64_t before_ms = click->time_ms - other->time_ms;

        if (other->label == CLICK_PROBE && other->network == click->network &&
            other->network != 0 && before_ms <= options->links_ms && before_ms >= -TOGETHER_MS)
            return true;
    }
    return false;
}

/* A token holds the minute of its issue, not the second, so a minute is added to the window. */
static bool is_early(const struct gateway_options *options, const struct click *click)
{
    int64_t issued_ms = ISSUED_EPOCH_MS + (int64_t)click->issued_min * MINUTE_MS;

    return is_read_later(click) && options->early_ms > 0 &&
           click->time_ms - issued_ms < options->early_ms + MINUTE_MS;
}

/* A link scanner of a listed system requests a link just before the person is let through. */
static bool is_look_ahead(const struct gateway_options *options, const struct gateway_group *group,
                          unsigned i)
{
    const struct click *click = &group->entries[i]->click.click;

    for (unsigned j = i + 1; j < group->n && click->hints & CLICK_HINT_ASN; j++) {
        const struct click *other = &group->entries[j]->click.click;

        if (other->link_id == click->link_id && other->network != click->network &&
            !(other->hints & CLICK_HINT_ASN) && other->label == CLICK_HUMAN &&
            other->time_ms - click->time_ms <= options->links_ms / 2)
            return true;
    }
    return false;
}

/* Which clicks of a group show which sign, up to its last one. */
struct marks {
    bool links[GATEWAY_FOUND_MAX];     /* part of a burst of links */
    bool few_links[GATEWAY_FOUND_MAX]; /* part of one link less than a burst, and more than two */
    bool two_links[GATEWAY_FOUND_MAX]; /* part of two links opened faster than anyone reads */
    bool two_near[GATEWAY_FOUND_MAX];  /* part of two links opened at up to twice that distance */
    bool networks[GATEWAY_FOUND_MAX];
    bool listed_two[GATEWAY_FOUND_MAX],
        listed_three[GATEWAY_FOUND_MAX]; /* opened by a listed system */
};

/* The weight of the strongest sign made by several links. */
static int64_t weight_of_links(const struct gateway_options *options, const struct marks *marks,
                               unsigned i)
{
    if (marks->links[i] || marks->two_links[i])
        return options->weight_links;
    if (marks->few_links[i])
        return options->weight_links * (options->links - 1) / options->links;
    if (marks->two_near[i] || marks->listed_three[i])
        return options->weight_links * 2 / 3;
    return marks->listed_two[i] ? options->weight_links / 3 : 0;
}

static enum click_reason weigh(const struct gateway_options *options,
                               const struct gateway_group *group, const struct marks *marks,
                               unsigned i)
{
    const struct click *click = &group->entries[i]->click.click;
    int64_t sum = weight_of_links(options, marks, i) +
                  (marks->networks[i] ? options->weight_networks : 0) +
                  (is_look_ahead(options, group, i) ? options->weight_networks * 2 / 3 : 0) +
                  (has_head_before(options, group, i) ? options->weight_head : 0) +
                  (is_early(options, click) ? options->weight_early : 0) +
                  (click->hints & CLICK_HINT_ASN ? options->weight_asn : 0) +
                  (click->hints & CLICK_HINT_RANGE ? options->weight_range : 0);

    if (sum < options->threshold)
        return CLICK_REASON_NONE;
    if (marks->links[i] || marks->two_links[i])
        return CLICK_REASON_MANY_LINKS;
    return marks->networks[i] ? CLICK_REASON_MANY_NETWORKS : CLICK_REASON_SIGNS;
}

/* The reason of the burst that the click falls into, or whose network it comes from. */
static enum click_reason find_burst(const struct gateway_options *options,
                                    const struct gateway_group *group, unsigned i)
{
    const struct click *click = &group->entries[i]->click.click;

    for (unsigned j = 0; j < group->n; j++) {
        const struct gateway_entry *other = group->entries[j];
        int64_t apart_ms = other->click.click.time_ms - click->time_ms;
        bool is_near = apart_ms <= options->links_ms / 2 && -apart_ms <= options->links_ms / 2;
        bool is_neighbour = other->click.click.network == click->network && click->network != 0 &&
                            apart_ms <= options->networks_ms && -apart_ms <= options->networks_ms;

        if ((other->reason == CLICK_REASON_MANY_LINKS ||
             other->reason == CLICK_REASON_MANY_NETWORKS) &&
            (is_near || is_neighbour))
            return (enum click_reason)other->reason;
    }
    return CLICK_REASON_NONE;
}

/* --- verdict --- */

void gateway_make_relabelling(const struct gateway_click *click, enum click_reason reason,
                              struct gateway_click *out)
{
    *out = *click;
    out->click.type = CLICK_TYPE_RELABEL;
    out->click.old_label = click->click.label;
    out->click.old_reason = click->click.reason;
    out->click.label = (uint8_t)click_reason_label(reason);
    out->click.reason = (uint8_t)reason;
    out->click.network = 0;
    out->click.hints = 0;
}

static bool is_undecided(const struct gateway_entry *entry)
{
    return entry->reason == CLICK_REASON_NONE && entry->click.click.label == CLICK_HUMAN;
}

/* One person who opens one link, however often, shows no sign that any of several clicks make
 * together.  Most groups are such, and this is one look at each click. */
static bool is_one_link(const struct gateway_options *o, const struct gateway_group *group)
{
    const struct click *first = &group->entries[0]->click.click;

    if (o->links < 3 || o->networks < 2 || o->weight_early >= o->threshold)
        return false;
    for (unsigned i = 0; i < group->n; i++) {
        const struct click *click = &group->entries[i]->click.click;

        if (click->link_id != first->link_id || click->network != first->network ||
            click->label == CLICK_PROBE || click->hints & (CLICK_HINT_ASN | CLICK_HINT_RANGE) ||
            (group->entries[i]->reason && group->entries[i]->reason != CLICK_REASON_REPEAT))
            return false;
    }
    return true;
}

/* Judges all clicks of the group as of its last one. */
static void judge_last(const struct gateway_options *o, const struct gateway_group *group)
{
    int64_t few = o->links > 3 ? o->links - 1 : o->links;
    enum click_reason reasons[GATEWAY_FOUND_MAX];
    struct marks marks;

    if (is_one_link(o, group))
        return;
    mark_window(group, link_of, o->links_ms, o->links, marks.links);
    mark_window(group, link_of, o->links_ms, few, marks.few_links);
    mark_window(group, link_of_mail, o->two_links_ms, 2, marks.two_links);
    mark_window(group, link_of_mail, o->two_links_ms * 3 / 2, 2, marks.two_near);
    mark_window(group, network_of, o->networks_ms, o->networks, marks.networks);
    mark_window(group, link_of_listed_asn, o->networks_ms, 2, marks.listed_two);
    mark_window(group, link_of_listed_asn, o->networks_ms, 3, marks.listed_three);
    for (unsigned i = 0; i < group->n; i++)
        reasons[i] = weigh(o, group, &marks, i);
    for (unsigned i = 0; i < group->n; i++) {
        if (is_undecided(group->entries[i]))
            group->entries[i]->reason = (uint8_t)reasons[i];
    }
    for (unsigned i = 0; i < group->n; i++) {
        if (is_undecided(group->entries[i]))
            group->entries[i]->reason = (uint8_t)find_burst(o, group, i);
    }
}

/* The click just added is earlier than others that were judged without it.  Clears the verdicts of
 * those it may influence, and returns the first of them. */
static unsigned take_back(const struct gateway_options *options, const struct gateway_group *group)
{
    int64_t reach_ms =
        options->links_ms > options->networks_ms ? options->links_ms : options->networks_ms;
    unsigned from = group->newest;

    while (from > 0 && time_of(group, group->newest) - time_of(group, from - 1) <= reach_ms)
        from--;
    for (unsigned i = from; i < group->n; i++) {
        if (group->entries[i]->reason != CLICK_REASON_REPEAT)
            group->entries[i]->reason = CLICK_REASON_NONE;
    }
    return from;
}

unsigned gateway_group_judge(const struct gateway_options *options, struct gateway_group *group,
                             struct gateway_click found[static GATEWAY_FOUND_MAX])
{
    unsigned n = group->n, n_found = 0;
    unsigned from = group->newest == n - 1 ? n - 1 : take_back(options, group);

    for (group->n = from + 1; group->n <= n; group->n++)
        judge_last(options, group);
    group->n = n;
    for (unsigned i = 0; i < n; i++) {
        struct gateway_entry *entry = group->entries[i];

        if (entry->reason && !entry->is_found) {
            entry->is_found = true;
            gateway_make_relabelling(&entry->click, (enum click_reason)entry->reason,
                                     &found[n_found++]);
        }
    }
    return n_found;
}
