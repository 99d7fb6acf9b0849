#include "service/label/network.h"

#include <string.h>

#include <sodium.h>

#include "proto/bytes.h"
#include "proto/click.h"

void network_salt_init(struct network_salt *salt)
{
    uint64_t key;

    randombytes_buf(&key, sizeof(key));
    atomic_init(&salt->key, key);
}

uint16_t network_number(const struct network_salt *salt, const uint8_t ip[static IP_LEN])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint64_t salt_key = atomic_load_explicit(&salt->key, memory_order_relaxed);
    uint8_t key[crypto_shorthash_KEYBYTES], hash[crypto_shorthash_BYTES], text[7] = {6};
    size_t len = 7;
    unsigned number;

    if (memcmp(ip, mapped, sizeof(mapped)) == 0) {
        text[0] = 4;
        memcpy(text + 1, ip + sizeof(mapped), 3);
        len = 4;
    } else {
        memcpy(text + 1, ip, 6);
    }
    le64_store(key, salt_key);
    le64_store(key + 8, ~salt_key);
    crypto_shorthash(hash, text, len, key);
    number = le16_load(hash) & CLICK_NETWORK_MAX;
    return (uint16_t)(number ? number : 1);
}
