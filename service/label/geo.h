/* geo.h - the country, or the autonomous system, of an address for the workers, from an MMDB file
 * that may change or be absent.
 *
 * A thread watches the file.  A changed file is loaded, checked and swapped in by one pointer.  A
 * bad file is logged, and the old content stays in use. */
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

/* Loads the file and starts the thread.  An absent or bad file is no failure: it is logged, and a
 * later good one is loaded.  NULL and `*err` without a thread or memory. */
MUST_USE struct geo *geo_new(const struct geo_options *options, struct error *err);
/* All readers must have been freed before.  NULL is allowed. */
void geo_free(struct geo *geo);

/* A reader for one thread.  If `geo` is NULL, the reader knows no country.  NULL: out of memory, or
 * more than GEO_READERS_MAX readers. */
MUST_USE struct geo_reader *geo_reader_new(struct geo *geo);
void geo_reader_free(struct geo_reader *reader);

/* The country of `ip`, two capital letters (ISO 3166-1), or two NULs when not known.  Never waits.
 */
void geo_country(struct geo_reader *reader, const uint8_t ip[static IP_LEN], char out[static 2]);
/* The autonomous system of `ip`, when `geo` was made from a file of them; 0 = not known. */
uint32_t geo_asn(struct geo_reader *reader, const uint8_t ip[static IP_LEN]);

#endif
