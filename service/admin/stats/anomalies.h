/* anomalies.h - campaigns whose clicks of the last 24 hours are unlike those of the week before:
 * people stopped clicking, machines took over, or the pages that its links lead to are down.
 *
 * Every process looks once a minute, brand by brand, at what Redis counts; so all have the same
 * metrics, but for the time between two looks. */
#ifndef ADMIN_ANOMALIES_H
#define ADMIN_ANOMALIES_H
#include <jansson.h>

#include "proto/compiler.h"

struct anomalies;
struct evbuffer;
struct event_base;
struct server;

/* A brand's beyond that are not told: with so many the cause is not one campaign's. */
enum { ANOMALIES_PER_BRAND_MAX = 100 };

/* NULL: no memory.  Borrows `server`. */
MUST_USE struct anomalies *anomalies_new(struct server *server, struct event_base *base);
/* After the server's fetches have ended. */
void anomalies_free(struct anomalies *anomalies);

/* [{brand, campaign, what}], of the brands that a key is for (brandlist.h). */
json_t *anomalies_json(struct anomalies *anomalies, const char *brands);

/* Adds a sample of the metric for each campaign and anomaly.  From any thread. */
void anomalies_write(struct anomalies *anomalies, struct evbuffer *out, const char *metric);

#endif
