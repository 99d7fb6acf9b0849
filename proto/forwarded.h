/* forwarded.h - the lists of addresses that HTTP proxies pass on: X-Forwarded-For, and Forwarded
 * (RFC 7239).  Pure.
 *
 * Each proxy appends the address that it saw.  Only what trusted proxies appended can be believed,
 * so a list is read from its right end.
 */
#ifndef PROTO_FORWARDED_H
#define PROTO_FORWARDED_H
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/ip.h"
#include "proto/slice.h"

enum forwarded_form { FORWARDED_X, FORWARDED_RFC7239 };

enum forwarded_status {
    FORWARDED_OK,
    FORWARDED_END,        /* the list is empty */
    FORWARDED_UNREADABLE, /* no address: unknown, hidden ("_gate") or malformed */
};

/* Cuts the last element off `*list`, a field value; its address goes to `ip` on FORWARDED_OK. */
MUST_USE enum forwarded_status forwarded_take_last(enum forwarded_form form, struct slice *list,
                                                   uint8_t ip[static IP_LEN]);

#endif
