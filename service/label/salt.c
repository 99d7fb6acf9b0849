#include "service/label/salt.h"

#include <string.h>

#include <sodium.h>

#include "proto/bytes.h"
#include "proto/click.h"

_Static_assert((int)SALT_LEN == (int)crypto_shorthash_KEYBYTES, "a salt is a key of SipHash");

static void write_key(struct salt_key *out, const uint8_t key[static SALT_LEN])
{
    for (unsigned i = 0; i < 2; i++)
        atomic_store_explicit(&out->word[i], le64_load(key + i * sizeof(uint64_t)),
                              memory_order_relaxed);
}

static void read_key(const struct salt_key *key, uint8_t out[static SALT_LEN])
{
    for (unsigned i = 0; i < 2; i++)
        le64_store(out + i * sizeof(uint64_t),
                   atomic_load_explicit(&key->word[i], memory_order_relaxed));
}

/* A worker that reads the key during this write gets a mix of both keys, which is random as well.
 */
static void write_own(struct salt *salt)
{
    uint8_t key[SALT_LEN];

    randombytes_buf(key, sizeof(key));
    write_key(&salt->keys[0], key);
    sodium_memzero(key, sizeof(key));
}

void salt_init(struct salt *salt)
{
    memset(salt, 0, sizeof(*salt));
    write_own(salt);
}

void salt_set(struct salt *salt, const uint8_t key[static SALT_LEN])
{
    unsigned next = atomic_load_explicit(&salt->current, memory_order_relaxed) == 1 ? 2 : 1;

    write_key(&salt->keys[next], key);
    atomic_store_explicit(&salt->current, next, memory_order_release);
}

void salt_forget(struct salt *salt)
{
    write_own(salt);
    atomic_store_explicit(&salt->current, 0, memory_order_release);
}

uint16_t salt_network(const struct salt *salt, const uint8_t ip[static IP_LEN])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    unsigned current = atomic_load_explicit(&salt->current, memory_order_acquire);
    uint8_t key[SALT_LEN], hash[crypto_shorthash_BYTES], text[7] = {6};
    size_t len = 7;
    unsigned number;

    if (memcmp(ip, mapped, sizeof(mapped)) == 0) {
        text[0] = 4;
        memcpy(text + 1, ip + sizeof(mapped), 3);
        len = 4;
    } else {
        memcpy(text + 1, ip, 6);
    }
    read_key(&salt->keys[current], key);
    crypto_shorthash(hash, text, len, key);
    number = le16_load(hash) & CLICK_NETWORK_MAX;
    return (uint16_t)(number ? number : 1);
}

uint64_t salt_visitor(const struct salt *salt, const uint8_t ip[static IP_LEN], uint32_t agent)
{
    unsigned current = atomic_load_explicit(&salt->current, memory_order_acquire);
    uint8_t key[SALT_LEN], hash[crypto_shorthash_BYTES], text[IP_LEN + sizeof(agent)];
    uint64_t visitor;

    if (current == 0)
        return 0;
    memcpy(text, ip, IP_LEN);
    le32_store(text + IP_LEN, agent);
    read_key(&salt->keys[current], key);
    crypto_shorthash(hash, text, sizeof(text), key);
    visitor = le64_load(hash);
    return visitor ? visitor : 1;
}
