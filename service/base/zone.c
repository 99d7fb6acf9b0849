#include "service/base/zone.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

enum { NAME_MAX_LEN = 64, DAY_S = 86400 };

struct zone {
    GTimeZone *tz; /* NULL = UTC */
};

static bool is_name(struct slice name)
{
    if (name.len == 0 || name.len >= NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = slice_lower(name.ptr[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("_-+/", c))
            return false;
    }
    /* Refuses a path (leading slash), right/ (counts leap seconds, which Unix time doesn't), posix/
     * (the same zones again), and files of the database that are not zones. */
    return name.ptr[0] != '/' && !slice_starts_with(name, slice_of("right/")) &&
           !slice_starts_with(name, slice_of("posix/")) &&
           !slice_equal(name, slice_of("posixrules")) &&
           !slice_equal(name, slice_of("localtime")) && !slice_equal(name, slice_of("Factory"));
}

struct zone *zone_load(struct slice name)
{
    struct zone *zone = calloc(1, sizeof(*zone));
    char text[NAME_MAX_LEN];

    if (!zone || !name.ptr || slice_equal(name, slice_of("UTC")))
        return zone;
    if (is_name(name)) {
        memcpy(text, name.ptr, name.len);
        text[name.len] = '\0';
        zone->tz = g_time_zone_new_identifier(text);
    }
    if (!zone->tz) {
        free(zone);
        zone = NULL;
    }
    return zone;
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    if (zone->tz)
        g_time_zone_unref(zone->tz);
    free(zone);
}

int zone_offset_s(const struct zone *zone, int64_t time_s)
{
    if (!zone->tz)
        return 0;
    return g_time_zone_get_offset(
        zone->tz, g_time_zone_find_interval(zone->tz, G_TIME_TYPE_UNIVERSAL, time_s));
}

int64_t zone_to_s(const struct zone *zone, const struct civil *local)
{
    int64_t as_utc = civil_to_s(local);
    /* Clocks change at most once in two days, so one of the two results is right unless the time is
     * skipped. */
    int before = zone_offset_s(zone, as_utc - DAY_S);
    int after = zone_offset_s(zone, as_utc + DAY_S);

    if (before == after || zone_offset_s(zone, as_utc - before) == before)
        return as_utc - before;
    if (zone_offset_s(zone, as_utc - after) == after)
        return as_utc - after;
    /* The time is skipped: the change lies between the two results, on a whole minute. */
    for (int64_t t = (as_utc - after) / 60 * 60; t < as_utc - before; t += 60) {
        if (zone_offset_s(zone, t) == after)
            return t;
    }
    return as_utc - before;
}

void zone_from_s(const struct zone *zone, int64_t time_s, struct civil *local)
{
    civil_from_s(time_s + zone_offset_s(zone, time_s), local);
}
