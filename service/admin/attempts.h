/* attempts.h - counts wrong keys, by address and in all, to tell when answers to them are held
 * back.
 *
 * An API key has 256 random bits, so nobody guesses one; this also keeps a guess from being cheap.
 * A bounded table; no I/O and no clock.
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

/* How long it takes until a wrong key from `address` is answered at once again; 0 = it is now. */
int64_t attempts_wait_ms(const struct attempts *attempts, struct slice address, int64_t now_ms);

void attempts_note_failure(struct attempts *attempts, struct slice address, int64_t now_ms);

#endif
