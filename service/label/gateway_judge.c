#include "service/label/gateway_judge.h"

#include <string.h>

#include "proto/click_names.h"

/* When link tokens count from: 2024-01-01T00:00Z (FORMATS.md "Token"). */
#define ISSUED_EPOCH_MS INT64_C(1704067200000)

enum {
    MINUTE_MS = 60000,
    /* Clicks so near to each other may have come either way round: workers read clocks that tick
     * every 1…10 ms, and the clocks of two pods agree within some tens. */
    TOGETHER_MS = 50,
};

/* Of a link in one of these channels (FORMATS.md "Token") a person looks at it when it is made, and
 * may well follow it at once. */
enum { CHANNEL_QR = 4, CHANNEL_PORTAL = 5, CHANNEL_CHAT = 6 };

static int64_t time_of(const struct gateway_group *group, unsigned i)
{
    return group->entries[i]->click.click.time_ms;
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

/* Something of which there may be several within a window. */
typedef uint64_t property(const struct gateway_entry *entry);

static uint64_t link_of(const struct gateway_entry *entry)
{
    return entry->click.click.link_id + 1;
}

/* A burst that is known already speaks against nobody else. */
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

/* Marks all clicks of each window of `window_ms` around the newest click that has at least `least`
 * distinct properties. */
static void mark_windows(const struct gateway_group *group, property *of, int64_t window_ms,
                         int64_t least, bool marks[GATEWAY_FOUND_MAX])
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

/* Tokens know the minute that they were made in, not the second: it may have been its last. */
static bool is_early(const struct gateway_options *options, const struct click *click)
{
    int64_t issued_ms = ISSUED_EPOCH_MS + (int64_t)click->issued_min * MINUTE_MS;

    if (click->channel >= CHANNEL_QR && click->channel <= CHANNEL_CHAT)
        return false;
    return options->early_ms > 0 && click->time_ms - issued_ms < options->early_ms + MINUTE_MS;
}

/* One link less than a burst, and yet not only one: mails of two links are opened, too. */
static int64_t few_links(const struct gateway_options *options)
{
    return options->links > 2 ? options->links - 1 : options->links;
}

static int64_t weight_of_links(const struct gateway_options *options,
                               const struct gateway_group *group, unsigned i)
{
    if (group->of_links[i])
        return options->weight_links;
    return group->of_few_links[i] ? options->weight_links * few_links(options) / options->links : 0;
}

static enum click_reason weigh(const struct gateway_options *options,
                               const struct gateway_group *group, unsigned i)
{
    const struct click *click = &group->entries[i]->click.click;
    int64_t sum = weight_of_links(options, group, i) +
                  (group->of_networks[i] ? options->weight_networks : 0) +
                  (has_head_before(options, group, i) ? options->weight_head : 0) +
                  (is_early(options, click) ? options->weight_early : 0) +
                  (click->hints & CLICK_HINT_ASN ? options->weight_asn : 0) +
                  (click->hints & CLICK_HINT_RANGE ? options->weight_range : 0);

    if (sum < options->threshold)
        return CLICK_REASON_NONE;
    if (group->of_links[i])
        return CLICK_REASON_MANY_LINKS;
    return group->of_networks[i] ? CLICK_REASON_MANY_NETWORKS : CLICK_REASON_SIGNS;
}

/* The reason of a burst that the click comes amid, or whose networks it comes from. */
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

/* --- outcome --- */

static void report(struct gateway_entry *entry, enum click_reason reason, struct gateway_click *out)
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

static bool may_change(const struct gateway_entry *entry)
{
    return entry->reason == CLICK_REASON_NONE && entry->click.click.label == CLICK_HUMAN;
}

unsigned gateway_group_judge(const struct gateway_options *options, struct gateway_group *group,
                             struct gateway_click found[static GATEWAY_FOUND_MAX])
{
    unsigned n_found = 0;
    enum click_reason reasons[GATEWAY_FOUND_MAX];

    mark_windows(group, link_of, options->links_ms, options->links, group->of_links);
    mark_windows(group, link_of, options->links_ms, few_links(options), group->of_few_links);
    mark_windows(group, network_of, options->networks_ms, options->networks, group->of_networks);
    for (unsigned i = 0; i < group->n; i++)
        reasons[i] = weigh(options, group, i);
    for (unsigned i = 0; i < group->n; i++) {
        if (reasons[i] && may_change(group->entries[i]))
            report(group->entries[i], reasons[i], &found[n_found++]);
    }
    for (unsigned i = 0; i < group->n; i++) {
        enum click_reason reason;

        if (may_change(group->entries[i]) && (reason = find_burst(options, group, i)))
            report(group->entries[i], reason, &found[n_found++]);
    }
    return n_found;
}
