/* client_address.h - whose request it is, behind proxies that are trusted to say so. */
#ifndef PUBLIC_CLIENT_ADDRESS_H
#define PUBLIC_CLIENT_ADDRESS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/ip.h"

struct config_public;
struct http1_request;

/* Whether `ip` lies in trusted_proxies. */
bool client_address_is_trusted(const struct config_public *config, const uint8_t ip[static IP_LEN]);

/*
 * With client_address: forwarded and a trusted `peer`: the address that X-Forwarded-For or
 * Forwarded name, walked from the right to the first one that is not trusted itself.  An unreadable
 * element ends the walk at the last address that could be read.  When both fields are there and
 * disagree, one of them came from the client, and nothing says which: then, and in every other
 * case, it is `peer`.
 */
void client_address_find(const struct config_public *config, const struct http1_request *request,
                         const uint8_t peer[static IP_LEN], uint8_t out[static IP_LEN]);

#endif
