/* attempts.h - failed attempts to sign in, so that they can be slowed down.
 *
 * API keys hold 256 bits of chance, so guessing is hopeless anyway; this keeps it from being cheap,
 * too.  A bounded table by address; no I/O and no clock.
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

/* How long `address` has to wait until it may try again; 0 = it may now. */
int64_t attempts_wait_ms(const struct attempts *attempts, struct slice address, int64_t now_ms);

void attempts_note_failure(struct attempts *attempts, struct slice address, int64_t now_ms);

#endif
