/* ip.h - addresses as text, as proxies write them.  Pure.
 *
 * An address is 16 bytes, IPv4 as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2).
 */
#ifndef PROTO_IP_H
#define PROTO_IP_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum { IP_LEN = 16 };

/* Writes IPv4 address `v4` in its mapped form. */
void ip_map_v4(const uint8_t v4[static 4], uint8_t out[static IP_LEN]);

/* Whether the address is of no host on the Internet: loopback, private (also that of carriers),
 * link local, unique local, multicast, or of no host at all; and what stands for such an IPv4
 * address. */
bool ip_is_private(const uint8_t ip[static IP_LEN]);

/* Reads "192.0.2.1" or "2001:db8::1", nothing else; `out` is left alone on false. */
MUST_USE bool ip_parse(struct slice text, uint8_t out[static IP_LEN]);

/* Reads also "192.0.2.1:80", "[2001:db8::1]" and "[2001:db8::1]:80", and a hidden port, ":_a". */
MUST_USE bool ip_parse_with_port(struct slice text, uint8_t out[static IP_LEN]);

#endif
