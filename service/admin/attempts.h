/* attempts.h - counts wrong API keys, or codes of an OpenID provider, per address and in total, and
 * tells for how long the next one is delayed or refused.
 *
 * An API key has 256 random bits, so nobody can guess one; the delay limits what guessing costs us.
 * The table has a fixed size.  No I/O and no clock.
 */
#ifndef ADMIN_ATTEMPTS_H
#define ADMIN_ATTEMPTS_H
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum {
    ATTEMPTS_WINDOW_MS = 60000,
    ATTEMPTS_MAX = 10,        /* failures of one address in a window */
    ATTEMPTS_TOTAL_MAX = 100, /* failures of all */
    ATTEMPTS_ADDRESSES_MAX = 256,
};

struct attempts;

/* NULL: no memory. */
MUST_USE struct attempts *attempts_new(void);
void attempts_free(struct attempts *attempts);

/* In how many milliseconds a wrong key from `address` is refused at once again; 0 = now. */
int64_t attempts_wait_ms(const struct attempts *attempts, struct slice address, int64_t now_ms);
/* The same for what this address alone did: nobody can make others wait. */
int64_t attempts_own_wait_ms(const struct attempts *attempts, struct slice address, int64_t now_ms);

void attempts_note_failure(struct attempts *attempts, struct slice address, int64_t now_ms);

#endif
