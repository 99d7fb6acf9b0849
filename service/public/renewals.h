/* renewals.h - how often links and networks of clients may ask for a fresh link, in one worker.
 *
 * A billing system sends a mail for each: nobody may make it send many.  A network (/24, /48) has
 * RENEWALS_OF_NETWORK wishes in an hour, and a link one.  The table has one place for several
 * networks or links by chance; then the later one takes it over, with nothing counted yet.
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

/* Whether the link may have a fresh one sent for a client at `ip`; if so it is counted. */
MUST_USE bool renewals_take(struct renewals *renewals, const uint8_t ip[static IP_LEN],
                            uint64_t link_id, int64_t now_s);

#endif
