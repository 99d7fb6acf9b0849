/* report.h - the figures of one brand's week or month, as a JSON object, from answers of the API.
 *
 *     {brand, every: week|month, from, to, tz, before: {from, to}, as_of, is_complete,
 *      clients_by: hours|days,
 *      figures: {people, machines, clients, sent, clicked, paid: {now, before}},
 *      amount: [{currency, now, before}], campaigns: [{campaign, name, people, sent, clicked,
 * paid}], unusual: [{campaign, name, what, now, before}], down: [{target, why}], dashboard}
 *
 * Whatever counts is counted by /v1/stats and /v1/funnel; nothing is added up here.  `clients` is
 * null where none are known; `clients_by` is days where those of either period are by days of UTC.
 * The campaigns are the ten with the most clicked per sent, or, where no mail was told, with the
 * most clicks by people.  Of `unusual`, `what` is `stopped` (clicks by
 * people) or `machines` (their share in per mille). */
#ifndef REPORTS_REPORT_H
#define REPORTS_REPORT_H
#include <jansson.h>

#include "proto/compiler.h"

struct report_period;
struct zone;

struct report_options {
    const char *brand;
    const char *tz; /* name of the zone */
    const struct zone *zone;
    const struct report_period *period;
    const char *dashboard; /* URL that people open hopcount at; or NULL */
    /* Asks the API; a new reference, or NULL when that failed. */
    json_t *(*ask)(void *owner, const char *path);
    void *owner;
};

/* A new reference; NULL: an answer was missing, or out of memory. */
MUST_USE json_t *report_make(const struct report_options *options);

#endif
