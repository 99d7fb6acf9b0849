/* renewals.h - limits how often a link, and a network of clients, may ask for a fresh link in one
 * worker.
 *
 * The billing system sends a mail for each request, so nobody may make it send many.  In an hour a
 * network (/24, /48) has RENEWALS_OF_NETWORK requests, and a link one.  The table is small: two
 * networks or links may share a place by chance; then the later one takes the place over, and its
 * count begins at zero.
 */
#ifndef PUBLIC_RENEWALS_H
#define PUBLIC_RENEWALS_H
#include <stdbool.h>
#include <stdint.h>

#include <sodium.h>

#include "proto/compiler.h"
#include "proto/ip.h"

enum { RENEWALS_PLACES = 1024, RENEWALS_OF_NETWORK = 20 };

struct renewals {
    uint8_t key[crypto_shorthash_KEYBYTES]; /* random: nobody can choose whose place to take */
    struct {
        uint64_t hash; /* of the network or link */
        uint32_t hour; /* since 1970 */
        uint32_t n;
    } places[RENEWALS_PLACES];
};

void renewals_init(struct renewals *renewals);

/* Whether a client at `ip` may ask for a fresh link in place of this one.  Counts the request if
 * so. */
MUST_USE bool renewals_take(struct renewals *renewals, const uint8_t ip[static IP_LEN],
                            uint64_t link_id, int64_t now_s);

#endif
