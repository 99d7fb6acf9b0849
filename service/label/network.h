/* network.h - a client's network, /24 or /48, as a salted hash that tells networks apart for a
 * while (FORMATS.md "Click record").
 */
#ifndef LABEL_NETWORK_H
#define LABEL_NETWORK_H
#include <stdatomic.h>
#include <stdint.h>

#include "proto/ip.h"

/* Shared by all workers; the ledger thread changes it.  Caller's memory. */
struct network_salt {
    _Atomic uint64_t key;
};

/* Until the pods agree on another: a random salt of this process. */
void network_salt_init(struct network_salt *salt);

/* Any thread. */
static inline void network_salt_set(struct network_salt *salt, uint64_t key)
{
    atomic_store_explicit(&salt->key, key, memory_order_relaxed);
}

/* The number, 1…CLICK_NETWORK_MAX, of the network of `ip`.  Any thread. */
uint16_t network_number(const struct network_salt *salt, const uint8_t ip[static IP_LEN]);

#endif
