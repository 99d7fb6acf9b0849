/* known.h - networks and autonomous systems that mail gateways are known to use, from the
 * configuration.  Read-only after known_new(): any thread may look up. */
#ifndef LABEL_KNOWN_H
#define LABEL_KNOWN_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/ip.h"

struct error;
struct known;
struct network;

struct known_options {
    const struct network *networks; /* labels.ranges */
    unsigned n_networks;
    const uint32_t *asns; /* labels.asns and labels.asn_file */
    unsigned n_asns;
};

/* Copies the lists.  NULL and `*err`: out of memory. */
MUST_USE struct known *known_new(const struct known_options *options, struct error *err);
void known_free(struct known *known);

/* Both use a binary search: a thousand entries cost ten comparisons. */
bool known_has_address(const struct known *known, const uint8_t ip[static IP_LEN]);
bool known_has_asn(const struct known *known, uint32_t asn);
bool known_has_asns(const struct known *known);

#endif
