/* forwarded.h - the header fields in which HTTP proxies pass on the client's address and host:
 * X-Forwarded-For, X-Forwarded-Host and Forwarded (RFC 7239).  Pure.
 *
 * Each proxy appends the address that it saw.  Only what trusted proxies appended can be believed,
 * so a list of addresses is read from its right end.  The host is that of the first element: the
 * one which the client asked for. */
#ifndef PROTO_FORWARDED_H
#define PROTO_FORWARDED_H
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/ip.h"
#include "proto/slice.h"

/* X: X-Forwarded-For and X-Forwarded-Host.  RFC7239: Forwarded. */
enum forwarded_form { FORWARDED_X, FORWARDED_RFC7239 };

enum forwarded_status {
    FORWARDED_OK,
    FORWARDED_END,        /* the list is empty */
    FORWARDED_UNREADABLE, /* no address: unknown, hidden ("_gate"), absent or malformed */
};

/* Removes the last element from `*list`, a field value; on FORWARDED_OK its address is in `ip`. */
MUST_USE enum forwarded_status forwarded_take_last(enum forwarded_form form, struct slice *list,
                                                   uint8_t ip[static IP_LEN]);

/* The host that the client asked for, in a value of X-Forwarded-Host or Forwarded: "host" or
 * "host:port", without quotes and otherwise as it came; absent if the value names none. */
struct slice forwarded_first_host(enum forwarded_form form, struct slice list);

#endif
