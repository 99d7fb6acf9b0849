#include "proto/blake2b.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "proto/bytes.h"

/* RFC 7693, 2.6 and 2.7. */
static const uint64_t initial[8] = {
    UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x3c6ef372fe94f82b),
    UINT64_C(0xa54ff53a5f1d36f1), UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
    UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179),
};

static const uint8_t sigma[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

static inline uint64_t rotate_right(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

static inline __attribute__((always_inline)) void mix(uint64_t v[static 16], int a, int b, int c,
                                                      int d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate_right(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotate_right(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotate_right(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate_right(v[b] ^ v[c], 63);
}

/* Inlined into twelve calls with a constant round number, so that sigma becomes register choices:
 * as a loop it costs a third more. */
static inline __attribute__((always_inline)) void round_of(uint64_t v[static 16],
                                                           const uint64_t m[static 16], int r)
{
    const uint8_t *s = sigma[r];

    mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
}

/* RFC 7693, 3.2.  `n_before` is the count of bytes with this block; below 2^64 here. */
static void compress(uint64_t h[static 8], const uint8_t block[static BLAKE2B_BLOCK_LEN],
                     uint64_t n_before, uint64_t is_last)
{
    uint64_t v[16], m[16];

    for (int i = 0; i < 16; i++)
        m[i] = le64_load(block + 8 * i);
    memcpy(v, h, 8 * sizeof(*v));
    memcpy(v + 8, initial, sizeof(initial));
    v[12] ^= n_before;
    v[14] ^= is_last;
    round_of(v, m, 0);
    round_of(v, m, 1);
    round_of(v, m, 2);
    round_of(v, m, 3);
    round_of(v, m, 4);
    round_of(v, m, 5);
    round_of(v, m, 6);
    round_of(v, m, 7);
    round_of(v, m, 8);
    round_of(v, m, 9);
    round_of(v, m, 10);
    round_of(v, m, 11);
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

void blake2b_key_init(struct blake2b_key *key, const uint8_t *secret, size_t key_len,
                      size_t out_len)
{
    uint8_t block[BLAKE2B_BLOCK_LEN] = {0};

    assert(key_len >= 1 && key_len <= BLAKE2B_KEY_MAX && out_len >= 1 &&
           out_len <= BLAKE2B_OUT_MAX);
    memcpy(block, secret, key_len);
    memcpy(key->h, initial, sizeof(initial));
    /* The parameter block: digest length, key length, fanout 1, depth 1. */
    key->h[0] ^= UINT64_C(0x01010000) ^ (uint64_t)key_len << 8 ^ (uint64_t)out_len;
    key->out_len = (uint8_t)out_len;
    compress(key->h, block, BLAKE2B_BLOCK_LEN, 0);
    /* A copy of the key must not stay on the stack; the barrier keeps the compiler from dropping
     * a store that nothing reads. */
    memset(block, 0, sizeof(block));
    __asm__ volatile("" : : "r"(block) : "memory");
}

void blake2b_hash(const struct blake2b_key *key, const uint8_t *message, size_t len, uint8_t *out)
{
    uint8_t block[BLAKE2B_BLOCK_LEN] = {0};
    uint64_t h[8];
    uint64_t n = BLAKE2B_BLOCK_LEN; /* the key block */

    assert(len >= 1);
    memcpy(h, key->h, sizeof(h));
    for (; len > BLAKE2B_BLOCK_LEN; len -= BLAKE2B_BLOCK_LEN, message += BLAKE2B_BLOCK_LEN) {
        n += BLAKE2B_BLOCK_LEN;
        compress(h, message, n, 0);
    }
    memcpy(block, message, len);
    compress(h, block, n + len, UINT64_MAX);
    for (int i = 0; i < 8; i++)
        h[i] = htole64(h[i]);
    memcpy(out, h, key->out_len);
}
