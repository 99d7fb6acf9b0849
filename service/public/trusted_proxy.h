/* trusted_proxy.h - what trusted proxies say about a request: whose it is, and for which host. */
#ifndef PUBLIC_TRUSTED_PROXY_H
#define PUBLIC_TRUSTED_PROXY_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/ip.h"
#include "proto/slice.h"

struct config_public;
struct http1_request;

/* Whether `ip` lies in trusted_proxies. */
bool trusted_proxy_is(const struct config_public *config, const uint8_t ip[static IP_LEN]);

/*
 * With client_address: forwarded and a trusted `peer`: the client's address, as X-Forwarded-For or
 * Forwarded name it.  Each is walked from the right to the first address that is not trusted
 * itself, the client's; an element without a readable address ends the walk at the one before.
 *
 * When both are there, forwarded_header says which one the proxies set.  With `auto`, the one that
 * reaches a client counts, if the other ends at one of our proxies; if both end at proxies, the one
 * that leads through more of them counts.  If they reach two different clients, the client has
 * written one of them and we can't tell which.  Then, and in every other case, the address is
 * `peer`.
 */
void trusted_proxy_find_client(const struct config_public *config,
                               const struct http1_request *request,
                               const uint8_t peer[static IP_LEN], uint8_t out[static IP_LEN]);

/* Whether the address that trusted_proxy_find_client() tells is one of a client: with
 * client_address: forwarded it is, for the configuration says which proxies there are.  Otherwise
 * it is that of `peer`, which may be a proxy of many people if it is trusted or private. */
bool trusted_proxy_knows_client(const struct config_public *config,
                                const uint8_t peer[static IP_LEN]);

enum { TRUSTED_PROXY_HOSTS_MAX = 3 };

/*
 * The hosts that the request may be for, the likeliest first, without their ports: with
 * client_address: forwarded and a trusted `peer` those of X-Forwarded-Host and Forwarded (by
 * forwarded_header), as proxies put a name of their own into Host; then always that of the request.
 * Returns how many.  They borrow the request.
 */
unsigned trusted_proxy_find_hosts(const struct config_public *config,
                                  const struct http1_request *request,
                                  const uint8_t peer[static IP_LEN],
                                  struct slice hosts[static TRUSTED_PROXY_HOSTS_MAX]);

#endif
