/* listen.h - a listening socket of the admin address. */
#ifndef ADMIN_LISTEN_H
#define ADMIN_LISTEN_H
#include <stdint.h>

#include "proto/compiler.h"

struct address;

/* A socket that listens and does not block, IPv6 without IPv4; -1 and errno on failure. */
MUST_USE int listen_socket(const struct address *address);

/* Its port, also when the kernel chose it; 0 = not known. */
uint16_t listen_port(int fd);

#endif
