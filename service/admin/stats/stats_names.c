/* What the values of a statistic are called. */
#include <stdio.h>
#include <string.h>

#include "proto/click.h"
#include "proto/click_names.h"
#include "proto/counter.h"
#include "proto/token.h"
#include "service/admin/stats/stats.h"
#include "service/config/site.h"

/* The brand's name of a kind; of all brands together, the name that those who have the kind agree
 * on, or NULL. */
static const char *kind_name(const struct stats *stats, uint8_t kind)
{
    const char *found = NULL;

    if (stats->query.brand)
        return brand_kind_name(stats->query.brand, kind);
    for (unsigned i = 0; i < site_n_brands(stats->site); i++) {
        const char *name = brand_kind_name(site_brand_at(stats->site, i), kind);

        if (found && name && strcmp(found, name) != 0)
            return NULL;
        found = name ? name : found;
    }
    return found;
}

static const char *fixed_name(const struct stats *stats, enum stats_group group, uint32_t value)
{
    static const char *const variants[] = {"none", "A", "B", "C", "D", "E", "F", "G"};

    switch (group) {
    case STATS_KIND:
        return kind_name(stats, (uint8_t)value);
    case STATS_LABEL:
        return click_label_name(value);
    case STATS_DEVICE:
        return click_device_name(value);
    case STATS_REFERRER:
        return click_referrer_name(value);
    case STATS_DELAY:
        return counter_delay_name(value);
    case STATS_CHANNEL:
        return value < 8 ? token_channel_name((uint8_t)value) : NULL;
    case STATS_VARIANT:
        return value < 8 ? variants[value] : NULL;
    case STATS_COUNTRY:
        return value == 0 ? "unknown" : NULL;
    case STATS_REASON:
        return click_reason_name(value);
    case STATS_BROWSER:
        return click_browser_name(value);
    case STATS_SYSTEM:
        return click_system_name(value);
    case STATS_TIME:
    case STATS_CAMPAIGN:
    case STATS_GROUPS:
        break;
    }
    return NULL;
}

const char *stats_value_name(const struct stats *stats, const struct buckets *buckets, size_t group,
                             uint32_t value, char out[static STATS_NAME_MAX])
{
    enum stats_group what = stats->query.groups[group];
    const char *name = fixed_name(stats, what, value);

    if (what == STATS_TIME)
        return buckets_key(buckets, value, stats->query.zone, out);
    if (name)
        snprintf(out, STATS_NAME_MAX, "%s", name);
    else if (what == STATS_COUNTRY)
        snprintf(out, STATS_NAME_MAX, "%c%c", (int)(value >> 8 & 0x7f), (int)(value & 0x7f));
    else
        snprintf(out, STATS_NAME_MAX, "%u", value);
    return out;
}

struct slice stats_campaign_name(const struct stats *stats, const struct stats_row *row)
{
    for (size_t i = 0; i < stats->query.n_groups; i++) {
        char number[16];
        const json_t *name;

        if (stats->query.groups[i] != STATS_CAMPAIGN)
            continue;
        snprintf(number, sizeof(number), "%u", row->key[i]);
        name = json_object_get(stats->names, number);
        return slice_make(json_string_value(name), json_string_length(name));
    }
    return (struct slice){0};
}
