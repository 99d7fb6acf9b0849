/* proxy_header.h - the PROXY protocol, versions 1 and 2: the header that a TCP proxy sends before
 * the client's bytes.  Pure.
 *
 * Source: "The PROXY protocol", HAProxy, proxy-protocol.txt, sections 2.1 and 2.2. */
#ifndef PROTO_PROXY_HEADER_H
#define PROTO_PROXY_HEADER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/ip.h"
#include "proto/slice.h"

/* Version 2 may carry extensions; no known proxy sends more than this. */
enum { PROXY_HEADER_MAX = 2048 };

struct proxy_header {
    size_t len;         /* bytes of the header */
    bool has_ip;        /* false: the connection is the proxy's own (LOCAL, UNKNOWN) */
    uint8_t ip[IP_LEN]; /* the client's address */
};

enum proxy_status {
    PROXY_OK,
    PROXY_INCOMPLETE, /* valid so far; more bytes are needed */
    PROXY_BAD,
};

/* Reads the header at the start of `in`; fills `*out` only on PROXY_OK. */
MUST_USE enum proxy_status proxy_header_parse(struct slice in, struct proxy_header *out);

#endif
