/* token_ring.h - keyrings for the tests of what is sealed with derived keys. */
#ifndef TESTS_UNIT_TOKEN_RING_H
#define TESTS_UNIT_TOKEN_RING_H
#include <stdlib.h>

#include "proto/token.h"

/* A ring with one key, whose secret begins with `first`; kid 0: an empty one.  For free(). */
static inline struct token_keyring *make_ring(uint8_t kid, enum token_key_state state,
                                              uint8_t first)
{
    struct token_keyring *ring = calloc(1, sizeof(*ring));
    const uint8_t secret[TOKEN_KEY_LEN] = {first};

    assert_non_null(ring);
    token_keyring_init(ring);
    if (kid != 0)
        token_keyring_set(ring, kid, state, secret);
    return ring;
}

#endif
