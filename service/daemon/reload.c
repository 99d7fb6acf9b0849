#include "service/daemon/reload.h"

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

/* What is read at the start only; a change of it must not go unnoticed. */
static void warn_of_restart_keys(const struct config *old, const struct config *new)
{
    if (!same_public(&old->public, &new->public))
        log_warn("reload.ignored", "key=public remedy=restart");
    if (!same_texts(old->admin.listen, old->admin.n_listen, new->admin.listen, new->admin.n_listen))
        log_warn("reload.ignored", "key=admin.listen remedy=restart");
    if (!same_text(old->state_dir, new->state_dir))
        log_warn("reload.ignored", "key=state_dir remedy=restart");
    if (!same_text(old->redis.url, new->redis.url) || old->redis.shards != new->redis.shards ||
        !same_text(old->redis.password_file, new->redis.password_file))
        log_warn("reload.ignored", "key=redis remedy=restart");
    if (!same_ledger(&old->ledger, &new->ledger))
        log_warn("reload.ignored", "key=ledger remedy=restart");
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
