/* zone.h - time zones of the system's database (tzdata), through GLib, which, unlike tzset(), needs
 * no process-wide state. */
#ifndef ADMIN_ZONE_H
#define ADMIN_ZONE_H
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/rfc3339.h"
#include "proto/slice.h"

struct zone;

/* Loads "Europe/Berlin"; an absent name and "UTC" are UTC.  NULL: there is no such zone (or no
 * memory).  Only names made of letters, digits, `_`, `-`, `+` and `/` are looked up. */
MUST_USE struct zone *zone_load(struct slice name);
void zone_free(struct zone *zone);

/* Seconds that local time is ahead of UTC at a Unix second. */
int zone_offset_s(const struct zone *zone, int64_t time_s);

/* The Unix second at which local clocks show `local`.  Shown twice: the first; never shown, because
 * clocks go forward over it: the moment they do. */
int64_t zone_to_s(const struct zone *zone, const struct civil *local);

/* What local clocks show at a Unix second. */
void zone_from_s(const struct zone *zone, int64_t time_s, struct civil *local);

#endif
