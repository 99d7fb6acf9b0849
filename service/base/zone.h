/* zone.h - time zones from the system's database (tzdata), through GLib; unlike tzset() it needs no
 * process-wide state. */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/rfc3339.h"
#include "proto/slice.h"

struct zone;

/* Loads a zone by name, "Europe/Berlin"; an absent name and "UTC" mean UTC.  NULL: no such zone, or
 * out of memory.  Only names of letters, digits, `_`, `-`, `+` and `/` are accepted. */
MUST_USE struct zone *zone_load(struct slice name);
void zone_free(struct zone *zone);

/* The offset of local time from UTC, in seconds, at a Unix time. */
int zone_offset_s(const struct zone *zone, int64_t time_s);

/* The Unix time at which local clocks show `local`.  If they show it twice, the first time; if they
 * skip it, the moment of the change. */
int64_t zone_to_s(const struct zone *zone, const struct civil *local);

/* Converts a Unix time to local time. */
void zone_from_s(const struct zone *zone, int64_t time_s, struct civil *local);

#endif
