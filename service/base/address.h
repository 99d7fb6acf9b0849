/* address.h - numeric socket addresses ("0.0.0.0:8080", "[::]:8080") and networks (CIDR). */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/compiler.h"

struct address {
    struct sockaddr_storage addr;
    socklen_t addr_len;
};

/* Parses "IPv4:port" or "[IPv6]:port"; port 0…65535, where 0 means any free one.  False: not an
 * address. */
MUST_USE bool address_parse(const char *text, struct address *out);

/* A network.  IPv4 networks are stored as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2), so that one
 * comparison serves both families and a mapped address equals its IPv4 form. */
struct network {
    uint8_t prefix[16];
    uint8_t bits; /* 0…128 */
};

/* Parses "10.0.0.0/8", "2001:db8::/32" or a single address.  False: not a network, or host bits are
 * set. */
MUST_USE bool network_parse(const char *text, struct network *out);

/* Whether `ip` (16 bytes, IPv4 as IPv4-mapped) lies in the network. */
bool network_contains(const struct network *network, const uint8_t ip[static 16]);

/* Writes the 16-byte form of a socket's address; false for a family other than IPv4 and IPv6. */
MUST_USE bool address_ip(const struct sockaddr *addr, uint8_t out[static 16]);

#endif
