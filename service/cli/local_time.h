/* local_time.h - times and days as the person at the terminal counts them: in the zone of the
 * variable TZ or of /etc/localtime. */
#ifndef CLI_LOCAL_TIME_H
#define CLI_LOCAL_TIME_H
#include <stdint.h>

#include "proto/rfc3339.h"

/* "2026-11-22T13:00:00+01:00", or with a Z where local time is UTC; returns `out`. */
const char *local_time_format(int64_t time_s, char out[static RFC3339_TEXT_MAX]);

/* The same of a time in RFC 3339, as the API tells it; any other text, such as a date, stays as it
 * is.  Returns `out` or `text`. */
const char *local_time_of(const char *text, char out[static RFC3339_TEXT_MAX]);

enum { LOCAL_ZONE_MAX = 64 };

/* The name of the zone, "Europe/Berlin"; NULL: it is UTC, or has none, as with TZ=CET-1CEST.
 * Returns `out`. */
const char *local_zone_name(char out[static LOCAL_ZONE_MAX]);

#endif
