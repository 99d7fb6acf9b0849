/* redis_url.h - parses the URL of a Redis: hosts, topology, credentials, TLS.
 *
 *     redis://[user[:password]@]host[:port][/db][?options]        one server; rediss:// with TLS
 *     valkey://…, valkeys://…                                     the same
 *     unix:///path/of/socket[?db=0&options]
 *     sentinel://[user[:password]@]host[:port],host…/master[/db][?options]   ports 26379
 *     cluster://[user[:password]@]host[:port],host…[?options]
 *
 * A password without a user is written `:secret@`, as in all Redis clients; `redis://secret@host`
 * names a user.  Hosts are names, IPv4 addresses, or IPv6 addresses in brackets.  Everything may be
 * %-encoded.  Options:
 *
 *     password_file=PATH           the password is the first line of the file
 *     user=NAME, db=N              where the URL has no place for them (unix://)
 *     tls=yes                      for sentinel:// and cluster:// (the sentinels too)
 *     ca=PATH, server_name=NAME    trusted certificates (default: the system's), expected name
 *     cert=PATH, key=PATH          client certificate
 *     sentinel_user=NAME, sentinel_password_file=PATH */
#ifndef REDIS_REDIS_URL_H
#define REDIS_REDIS_URL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"

struct error;

enum { REDIS_URL_HOSTS_MAX = 16, REDIS_URL_TEXT_MAX = 256 };

enum redis_topology { REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_address {
    char host[REDIS_URL_TEXT_MAX]; /* name or address; if port is 0, the path of a socket */
    uint16_t port;
};

enum { REDIS_ADDRESS_TEXT_MAX = 64 };

/* Writes "10.0.0.7:6379", "[::1]:6379" or "/run/redis.sock", cut to fit. */
void redis_address_describe(const struct redis_address *address,
                            char out[static REDIS_ADDRESS_TEXT_MAX]);

/* All texts end with NUL; "" = not given. */
struct redis_url {
    enum redis_topology topology;
    bool tls;
    struct redis_address hosts[REDIS_URL_HOSTS_MAX];
    size_t n_hosts; /* at least 1; exactly 1 for REDIS_SINGLE */
    unsigned db;
    char master[REDIS_URL_TEXT_MAX]; /* the master's name at the sentinels */
    char user[REDIS_URL_TEXT_MAX], password[REDIS_URL_TEXT_MAX];
    char sentinel_user[REDIS_URL_TEXT_MAX], sentinel_password[REDIS_URL_TEXT_MAX];
    char ca[REDIS_URL_TEXT_MAX], server_name[REDIS_URL_TEXT_MAX];
    char cert[REDIS_URL_TEXT_MAX], key[REDIS_URL_TEXT_MAX];
};

/* Whether the text starts like one of these URLs. */
bool redis_url_has_scheme(const char *text);

/* Parses the URL and reads the password files.  The result is in sodium_malloc() memory, read-only.
 * NULL and `*err` (never with a password in it) on failure. */
MUST_USE struct redis_url *redis_url_parse(const char *text, struct error *err);
void redis_url_free(struct redis_url *url);

/* The first host that is on another machine and used without TLS, so that the password and the
 * counts can be read on the network; NULL: none. */
const struct redis_address *redis_url_find_exposed(const struct redis_url *url);

#endif
