#include "service/public/trusted_proxy.h"

#include <string.h>

#include "proto/forwarded.h"
#include "proto/http1.h"
#include "service/config/config.h"

/* More proxies than that are not a chain, but an attempt to keep us walking. */
enum { WALK_MAX = 32 };

bool trusted_proxy_is(const struct config_public *config, const uint8_t ip[static IP_LEN])
{
    for (unsigned i = 0; i < config->n_trusted_proxies; i++) {
        if (network_contains(&config->trusted_networks[i], ip))
            return true;
    }
    return false;
}

static bool is_believed(const struct config_public *config, const uint8_t peer[static IP_LEN])
{
    return config->client_address == CONFIG_CLIENT_FORWARDED && trusted_proxy_is(config, peer);
}

bool trusted_proxy_knows_client(const struct config_public *config,
                                const uint8_t peer[static IP_LEN])
{
    return config->client_address == CONFIG_CLIENT_FORWARDED ||
           !(ip_is_private(peer) || trusted_proxy_is(config, peer));
}

struct walk {
    uint8_t ip[IP_LEN];  /* the last address read */
    unsigned n_steps;    /* addresses read */
    bool reaches_client; /* `ip` is none of our proxies */
};

/* Walks the lines of a field, which are one list in their order (RFC 9110, 5.2). */
static struct walk walk_lines(const struct config_public *config, enum forwarded_form form,
                              const struct slice *lines, unsigned n,
                              const uint8_t peer[static IP_LEN])
{
    enum forwarded_status status = FORWARDED_END;
    struct walk walk = {0};
    struct slice line = {0};

    memcpy(walk.ip, peer, IP_LEN);
    while (walk.n_steps < WALK_MAX && !walk.reaches_client) {
        status = forwarded_take_last(form, &line, walk.ip);
        if (status == FORWARDED_UNREADABLE || (status == FORWARDED_END && n == 0))
            break;
        if (status == FORWARDED_END) {
            line = lines[--n];
            continue;
        }
        walk.n_steps++;
        walk.reaches_client = !trusted_proxy_is(config, walk.ip);
    }
    return walk;
}

/* Which walk is to be believed; NULL: none. */
static const struct walk *choose(const struct walk *a, const struct walk *b)
{
    if (a->reaches_client != b->reaches_client)
        return a->reaches_client ? a : b;
    if (memcmp(a->ip, b->ip, IP_LEN) == 0)
        return a;
    if (a->reaches_client || a->n_steps == b->n_steps)
        return NULL;
    return a->n_steps > b->n_steps ? a : b;
}

void trusted_proxy_find_client(const struct config_public *config,
                               const struct http1_request *request,
                               const uint8_t peer[static IP_LEN], uint8_t out[static IP_LEN])
{
    const struct walk *chosen;
    struct walk x, rfc;

    memcpy(out, peer, IP_LEN);
    if (!is_believed(config, peer))
        return;
    x = walk_lines(config, FORWARDED_X, request->forwarded_for, request->n_forwarded_for, peer);
    rfc = walk_lines(config, FORWARDED_RFC7239, request->forwarded, request->n_forwarded, peer);
    if (config->forwarded_header == CONFIG_FORWARDED_X)
        chosen = &x;
    else if (config->forwarded_header == CONFIG_FORWARDED_RFC7239)
        chosen = &rfc;
    else
        chosen = choose(&x, &rfc);
    if (chosen)
        memcpy(out, chosen->ip, IP_LEN);
}

unsigned trusted_proxy_find_hosts(const struct config_public *config,
                                  const struct http1_request *request,
                                  const uint8_t peer[static IP_LEN],
                                  struct slice hosts[static TRUSTED_PROXY_HOSTS_MAX])
{
    struct slice x = request->field[HTTP1_X_FORWARDED_HOST], rfc = {0};
    unsigned n = 0;

    if (is_believed(config, peer)) {
        x = forwarded_first_host(FORWARDED_X, x);
        for (unsigned i = 0; i < request->n_forwarded && !rfc.len; i++)
            rfc = forwarded_first_host(FORWARDED_RFC7239, request->forwarded[i]);
        if (config->forwarded_header != CONFIG_FORWARDED_RFC7239 && x.len &&
            http1_split_authority(x, &hosts[n]))
            n++;
        if (config->forwarded_header != CONFIG_FORWARDED_X && rfc.len &&
            http1_split_authority(rfc, &hosts[n]))
            n++;
    }
    hosts[n++] = request->host;
    return n;
}
