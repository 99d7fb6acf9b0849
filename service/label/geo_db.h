/* geo_db.h - the country, or the autonomous system, of an address, from an MMDB file (MaxMind DB
 * file format 2.0).
 *
 * Countries are those of `country.iso_code` (MaxMind, DB-IP), of `country_code` or of `country` as
 * text (IPinfo): two capital letters; `ZZ` and `XX` stand for none.  Numbers are those of
 * `autonomous_system_number` or `asn`, as a number or as text ("AS64496").  Everything is read at
 * load, from a copy in memory.  So no look-up waits for a disk, and a file that is truncated or
 * overwritten later does no harm.  Read-only after load: any thread may look up. */
#ifndef LABEL_GEO_DB_H
#define LABEL_GEO_DB_H
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/ip.h"

struct error;
struct geo_db;

enum geo_db_what { GEO_DB_COUNTRIES, GEO_DB_ASNS };

enum geo_db_status {
    GEO_DB_OK,
    GEO_DB_ABSENT, /* the file does not exist */
    GEO_DB_BAD,    /* unreadable, damaged, or without the expected fields */
};

/* Loads `path`; `*db` on GEO_DB_OK, else `*err`. */
MUST_USE enum geo_db_status geo_db_load(const char *path, enum geo_db_what what, struct geo_db **db,
                                        struct error *err);
void geo_db_free(struct geo_db *db);

/* The entry of `ip`: a country's two letters, the first one in bits 8 to 15, or the number of an
 * autonomous system; 0 if the file has none. */
uint32_t geo_db_find(const struct geo_db *db, const uint8_t ip[static IP_LEN]);

#endif
