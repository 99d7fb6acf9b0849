/* geo_db.h - the country, or the autonomous system, of an address, from an MMDB file (MaxMind DB
 * file format 2.0).
 *
 * The file is copied into memory and touched, so that no look-up waits for a disk, and a file that
 * is truncated or written over later does no harm.  Read-only after load: any thread may look up.
 */
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
    GEO_DB_ABSENT, /* no such file */
    GEO_DB_BAD,    /* unreadable, damaged, or without what it is for */
};

/* Loads `path`; `*db` on GEO_DB_OK, else `*err`. */
MUST_USE enum geo_db_status geo_db_load(const char *path, enum geo_db_what what, struct geo_db **db,
                                        struct error *err);
void geo_db_free(struct geo_db *db);

/* A number for the record of `ip`, below 2^32, which stays the same as long as `db`; 0 if there is
 * none.  Two addresses of one record have one number. */
uint32_t geo_db_find(const struct geo_db *db, const uint8_t ip[static IP_LEN]);

/* The country, `country.iso_code` or `country_code`, of the record `number` from geo_db_find();
 * two NULs if it has none. */
void geo_db_country(const struct geo_db *db, uint32_t number, char out[static 2]);

/* The autonomous system, `autonomous_system_number` or `asn` ("AS64496"), of the record `number`;
 * 0 if it has none. */
uint32_t geo_db_asn(const struct geo_db *db, uint32_t number);

#endif
