#include "service/daemon/reload.h"

#include <stdio.h>
#include <string.h>

#include "service/admin/admin.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/config/apikeys.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/daemon/parts.h"
#include "service/public/worker.h"

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_texts(char *const *a, unsigned n_a, char *const *b, unsigned n_b)
{
    for (unsigned i = 0; n_a == n_b && i < n_a; i++) {
        if (strcmp(a[i], b[i]) != 0)
            return false;
    }
    return n_a == n_b;
}

static bool same_public(const struct config_public *a, const struct config_public *b)
{
    return same_texts(a->listen, a->n_listen, b->listen, b->n_listen) &&
           same_texts(a->trusted_proxies, a->n_trusted_proxies, b->trusted_proxies,
                      b->n_trusted_proxies) &&
           a->workers == b->workers && a->client_address == b->client_address &&
           a->connections_max == b->connections_max && a->requests_max == b->requests_max &&
           a->idle_s == b->idle_s && a->head_s == b->head_s && a->drain_delay_s == b->drain_delay_s;
}

static bool same_ledger(const struct config_ledger *a, const struct config_ledger *b)
{
    return a->durability == b->durability && a->sync_ms == b->sync_ms &&
           a->segment_bytes == b->segment_bytes && a->disk_max_bytes == b->disk_max_bytes &&
           a->memory_max_bytes == b->memory_max_bytes && a->retain_s == b->retain_s &&
           a->retain_max_bytes == b->retain_max_bytes;
}

static bool same_redis(const struct config_redis *a, const struct config_redis *b)
{
    return same_text(a->url, b->url) && same_text(a->username, b->username) &&
           same_text(a->password_file, b->password_file) &&
           same_text(a->sentinel_username, b->sentinel_username) &&
           same_text(a->sentinel_password_file, b->sentinel_password_file) &&
           same_text(a->tls_ca, b->tls_ca) && same_text(a->tls_cert, b->tls_cert) &&
           same_text(a->tls_key, b->tls_key) && same_text(a->server, b->server) &&
           a->shards == b->shards && a->timeout_ms == b->timeout_ms && a->flush_ms == b->flush_ms &&
           a->batch_max == b->batch_max;
}

static bool same_geo(const struct config_geo *a, const struct config_geo *b)
{
    return same_text(a->country, b->country) && same_text(a->asn, b->asn);
}

static bool same_labels(const struct config_labels *a, const struct config_labels *b)
{
    return same_texts(a->ranges, a->n_ranges, b->ranges, b->n_ranges) &&
           same_texts(a->asns, a->n_asns, b->asns, b->n_asns) &&
           a->gateway_links == b->gateway_links && a->gateway_links_s == b->gateway_links_s &&
           a->gateway_networks == b->gateway_networks &&
           a->gateway_networks_s == b->gateway_networks_s && a->early_s == b->early_s &&
           a->weight_links == b->weight_links && a->weight_networks == b->weight_networks &&
           a->weight_early == b->weight_early && a->weight_head == b->weight_head &&
           a->weight_asn == b->weight_asn && a->weight_range == b->weight_range &&
           a->threshold == b->threshold;
}

/* What is read at the start only; a change of it must not go unnoticed. */
static void warn_of_restart_keys(const struct config *old, const struct config *new)
{
    const struct {
        const char *key;
        bool is_same;
    } keys[] = {
        {"public", same_public(&old->public, &new->public)},
        {"admin.listen", same_texts(old->admin.listen, old->admin.n_listen, new->admin.listen,
                                    new->admin.n_listen)},
        {"admin.rate_per_min", old->admin.rate_per_min == new->admin.rate_per_min},
        {"state_dir", same_text(old->state_dir, new->state_dir)},
        {"redis", same_redis(&old->redis, &new->redis)},
        {"ledger", same_ledger(&old->ledger, &new->ledger)},
        {"retention", old->retention.hours_days == new->retention.hours_days &&
                          old->retention.days_days == new->retention.days_days},
        {"geo", same_geo(&old->geo, &new->geo)},
        {"labels", same_labels(&old->labels, &new->labels)},
        {"log_level", old->log_level == new->log_level},
    };
    char text[256];
    size_t len = 0;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!keys[i].is_same)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? "," : "",
                                    keys[i].key);
    }
    if (len > 0)
        log_warn("reload.ignored", "keys=%s remedy=restart", text);
}

/* Takes over `site` and `keys`. */
static void use_site(struct parts *p, struct site *site, struct apikeys *keys)
{
    for (unsigned i = 0; i < p->n_workers; i++)
        worker_reload(p->workers[i], site);
    admin_reload(p->admin, site, keys);
    site_unref(p->site);
    p->site = site;
}

void reload(struct parts *p, const char *config_path)
{
    struct error err = {0};
    struct config *config;
    struct apikeys *keys;
    struct site *site;
    char quoted[LOG_QUOTE_MAX];

    if (parts_load(config_path, &config, &site, &keys, &err)) {
        warn_of_restart_keys(p->config, config);
        use_site(p, site, keys);
        log_info("reload.done", "brands=%u", site_n_brands(site));
    } else {
        log_error("reload.failed", "err=%s kept=old", log_quote(quoted, err.text));
        admin_note_reload_failure(p->admin);
        site_unref(site);
    }
    config_free(config);
}
