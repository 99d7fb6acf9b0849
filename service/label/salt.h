/* salt.h - the salt of the day, and the two hashes keyed with it: of a client's network, to tell
 * networks apart, and of a visitor, to count distinct visitors (FORMATS.md "Click record").
 *
 * The pods agree through Redis on a new salt every UTC day.  Old salts are deleted, so that nobody
 * can recover an address by hashing all addresses. */
#ifndef LABEL_SALT_H
#define LABEL_SALT_H
#include <stdatomic.h>
#include <stdint.h>

#include "proto/ip.h"

enum { SALT_LEN = 16 };

/* A key of SipHash, as two words that are read one by one. */
struct salt_key {
    _Atomic uint64_t word[2];
};

/* Shared by all workers; only the ledger thread changes it.  Caller's memory. */
struct salt {
    _Atomic unsigned current; /* index into `keys` */
    /* keys[0] belongs to this process alone.  keys[1] and keys[2] hold agreed salts alternately, so
     * that no worker reads one that is being written. */
    struct salt_key keys[3];
};

/* Starts with a random salt of this process, used until the pods agree on one. */
void salt_init(struct salt *salt);
/* Sets the salt that the pods agreed on. */
void salt_set(struct salt *salt, const uint8_t key[static SALT_LEN]);
/* Call when the agreed salt of today is not known: replaces the salt by a new random one of this
 * process. */
void salt_forget(struct salt *salt);

/* The number, 1…CLICK_NETWORK_MAX, of the /24 (IPv4) or /48 (IPv6) network of `ip`.  Any thread. */
uint16_t salt_network(const struct salt *salt, const uint8_t ip[static IP_LEN]);
/* A number for a visitor: this address with this agent, of which `agent` is a hash.  It changes
 * every day.  0 while the pods have agreed on no salt, because each pod would count its own
 * visitors.  Any thread. */
uint64_t salt_visitor(const struct salt *salt, const uint8_t ip[static IP_LEN], uint32_t agent);

#endif
