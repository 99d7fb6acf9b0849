/* geo_tree.h - a number for every network, as an MMDB file has them, laid out for look-ups.
 *
 * libmaxminddb reads files and checks them; its look-up unpacks each node of the way from bytes, a
 * few instructions a bit of the address.  Here a node is one load, an IPv4 address takes its first
 * sixteen at once, and what a record says has been read before.  Read-only after it is built: any
 * thread may look up.
 */
#ifndef LABEL_GEO_TREE_H
#define LABEL_GEO_TREE_H
#include <maxminddb.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/ip.h"

struct geo_tree;

/* The number that a record holds for us; 0 = none. */
typedef uint32_t geo_tree_read(MMDB_entry_s record);

/* Takes everything from the open file, which is not needed afterwards.  NULL: out of memory, or the
 * file is damaged. */
MUST_USE struct geo_tree *geo_tree_new(const MMDB_s *mmdb, geo_tree_read *read);
void geo_tree_free(struct geo_tree *tree);

/* Whether any address has a number. */
bool geo_tree_has_any(const struct geo_tree *tree);

/* The number of `ip`, an IPv4 one as ::ffff:a.b.c.d; 0 = none. */
uint32_t geo_tree_find(const struct geo_tree *tree, const uint8_t ip[static IP_LEN]);

#endif
