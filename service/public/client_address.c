#include "service/public/client_address.h"

#include <string.h>

#include "proto/forwarded.h"
#include "proto/http1.h"
#include "service/config/config.h"

/* More proxies than that are not a chain, but an attempt to keep us walking. */
enum { WALK_MAX = 32 };

bool client_address_is_trusted(const struct config_public *config, const uint8_t ip[static IP_LEN])
{
    for (unsigned i = 0; i < config->n_trusted_proxies; i++) {
        if (network_contains(&config->trusted_networks[i], ip))
            return true;
    }
    return false;
}

struct walk {
    const struct config_public *config;
    enum forwarded_form form;
    unsigned n_steps;
    uint8_t ip[IP_LEN]; /* the last address read */
};

/* Walks one field line; false when the walk is over. */
static bool walk_line(struct walk *walk, struct slice line)
{
    while (client_address_is_trusted(walk->config, walk->ip) && walk->n_steps++ < WALK_MAX) {
        switch (forwarded_take_last(walk->form, &line, walk->ip)) {
        case FORWARDED_OK:
            break;
        case FORWARDED_END:
            return true;
        case FORWARDED_UNREADABLE:
            return false;
        }
    }
    return false;
}

/* The lines of a field are one list, in their order (RFC 9110, 5.2). */
static void walk_lines(struct walk *walk, const struct slice *lines, unsigned n)
{
    while (n > 0 && walk_line(walk, lines[n - 1]))
        n--;
}

void client_address_find(const struct config_public *config, const struct http1_request *request,
                         const uint8_t peer[static IP_LEN], uint8_t out[static IP_LEN])
{
    struct walk x = {.config = config, .form = FORWARDED_X};
    struct walk rfc = {.config = config, .form = FORWARDED_RFC7239};

    memcpy(out, peer, IP_LEN);
    if (config->client_address != CONFIG_CLIENT_FORWARDED ||
        !client_address_is_trusted(config, peer))
        return;
    memcpy(x.ip, peer, IP_LEN);
    memcpy(rfc.ip, peer, IP_LEN);
    walk_lines(&x, request->forwarded_for, request->n_forwarded_for);
    walk_lines(&rfc, request->forwarded, request->n_forwarded);
    if (request->n_forwarded == 0)
        memcpy(out, x.ip, IP_LEN);
    else if (request->n_forwarded_for == 0 || memcmp(x.ip, rfc.ip, IP_LEN) == 0)
        memcpy(out, rfc.ip, IP_LEN);
}
