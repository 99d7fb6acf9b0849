/* salt.h - the salt of the day, and what is hashed with it: a client's network, to tell networks
 * apart for a while, and a visitor, to count distinct ones (FORMATS.md "Click record").
 *
 * The pods agree on a salt through Redis, a new one every UTC day, and forget it: then nobody can
 * find the address again by hashing all there are.
 */
#ifndef LABEL_SALT_H
#define LABEL_SALT_H
#include <stdatomic.h>
#include <stdint.h>

#include "proto/ip.h"

enum { SALT_LEN = 16 };

/* A key of SipHash, in two words that are read one by one. */
struct salt_key {
    _Atomic uint64_t word[2];
};

/* Shared by all workers; one thread, the ledger's, changes it.  Caller's memory. */
struct salt {
    _Atomic unsigned current; /* of `keys` */
    /* 0: of this process alone.  1 and 2: agreed on, in turns, so that a worker never reads one
     * that is being written. */
    struct salt_key keys[3];
};

/* Until the pods agree on another: a random salt of this process. */
void salt_init(struct salt *salt);
/* The pods have agreed. */
void salt_set(struct salt *salt, const uint8_t key[static SALT_LEN]);
/* Nobody knows the salt of today: a random one of this process again, and not the one of before. */
void salt_forget(struct salt *salt);

/* The number, 1…CLICK_NETWORK_MAX, of the network of `ip`, /24 or /48.  Any thread. */
uint16_t salt_network(const struct salt *salt, const uint8_t ip[static IP_LEN]);
/* A number for who has this address and agent, of which `agent` is a hash; another one every day.
 * 0 when the pods have agreed on no salt: each would count its own visitors.  Any thread. */
uint64_t salt_visitor(const struct salt *salt, const uint8_t ip[static IP_LEN], uint32_t agent);

#endif
