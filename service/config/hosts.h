/* hosts.h - finds a number (of a brand) by host name: a hash table, filled once, then only read. */
#ifndef CONFIG_HOSTS_H
#define CONFIG_HOSTS_H
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum { HOST_MAX = 255, HOST_NONE = -1 };

struct hosts;

/* A table for up to `n` hosts; NULL: out of memory. */
MUST_USE struct hosts *hosts_new(size_t n);
void hosts_free(struct hosts *hosts);

/* Adds `host`, in any case, at most `n` of them and 253 bytes each.  HOST_NONE; or the number that
 * the host has already, which stays. */
MUST_USE int hosts_add(struct hosts *hosts, struct slice host, int number);

/* The number of a Host field value, or HOST_NONE.  Case, a port and a dot at the end of the name
 * make no difference. */
int hosts_find(const struct hosts *hosts, struct slice host);

#endif
