/* geo.h - the country, or the autonomous system, of an address for the workers, from a file that
 * may change or be absent.
 *
 * A thread of its own looks after the file: when it has changed, the new one is loaded, checked and
 * then swapped in by one pointer; a bad one is logged, and the old one stays.
 */
#ifndef LABEL_GEO_H
#define LABEL_GEO_H
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/ip.h"
#include "service/label/geo_db.h"

struct error;
struct geo;
struct geo_reader;

enum { GEO_READERS_MAX = 256 };

struct geo_options {
    const char *path; /* copied */
    enum geo_db_what what;
    int64_t interval_ms; /* how often the file is looked at; 0 = every 10 s */
};

/* Loads the file and starts the thread.  A file that is absent or bad is no failure: it is logged,
 * and taken when it is there.  NULL and `*err` when there is no thread or no memory. */
MUST_USE struct geo *geo_new(const struct geo_options *options, struct error *err);
/* All readers must be gone.  NULL is allowed. */
void geo_free(struct geo *geo);

/* For one thread.  `geo` may be NULL: no country is known then.  NULL: out of memory, or more than
 * GEO_READERS_MAX. */
MUST_USE struct geo_reader *geo_reader_new(struct geo *geo);
void geo_reader_free(struct geo_reader *reader);

/* The country of `ip`, two capital letters (ISO 3166-1), or two NULs.  Never waits. */
void geo_country(struct geo_reader *reader, const uint8_t ip[static IP_LEN], char out[static 2]);
/* The same of a file of autonomous systems; 0 = not known. */
uint32_t geo_asn(struct geo_reader *reader, const uint8_t ip[static IP_LEN]);

#endif
