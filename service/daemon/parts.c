#include "service/daemon/parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/thread.h>
#include <sodium.h>

#include "service/admin/admin.h"
#include "service/base/address.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/checks/checks.h"
#include "service/checks/places.h"
#include "service/clicklog/clickstore.h"
#include "service/config/access.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/daemon/cores.h"
#include "service/daemon/descriptors.h"
#include "service/daemon/redis_settings.h"
#include "service/gateway/gateway.h"
#include "service/label/known.h"
#include "service/label/label.h"
#include "service/ledger/ledger.h"
#include "service/ledger/ledger_settings.h"
#include "service/public/access_log.h"
#include "service/public/listener.h"
#include "service/public/worker.h"
#include "service/redis/private_redis.h"
#include "service/reports/reports.h"
#include "service/sinks/sinks.h"
#include "service/state/event_log.h"
#include "service/state/state_feed.h"
#include "service/state/state_table.h"

enum { DAY_S = 86400, STATES_WAIT_MS = 500, STATES_STEP_MS = 5 };

bool parts_init_libraries(struct error *err)
{
    if (sodium_init() < 0 || evthread_use_pthreads() != 0) {
        error_set(err,
                  "cannot initialise libsodium or libevent; is there a source of random numbers?");
        return false;
    }
    return true;
}

bool parts_load(const char *config_path, struct config **config, struct site **site,
                struct access **access, struct error *err)
{
    *access = NULL;
    *config = config_load(config_path, err);
    *site = *config ? site_new(*config, err) : NULL;
    if (!*site || !redis_settings_check(*config, err) || !sinks_check(*config, err) ||
        !places_check(*config, *site, err) || !reports_check(*config, err))
        return false;
    *access = access_load(*config, *site, err);
    return *access != NULL;
}

static bool start_store(struct parts *p, struct error *err)
{
    const struct config_ledger *ledger = &p->config->ledger;
    struct clickstore_options options = {
        .state_dir = p->config->state_dir,
        .segment_bytes = (size_t)ledger->segment_bytes,
        .disk_max = (uint64_t)ledger->disk_max_bytes,
        .memory_max = (uint64_t)ledger->memory_max_bytes,
        .retain_ms = ledger->retain_s * 1000,
        .retain_max = (uint64_t)ledger->retain_max_bytes,
        .sync_ms = ledger->sync_ms,
        .durability = ledger->durability,
        .n_sinks = p->config->n_sinks,
    };

    p->store = clickstore_open(&options, err);
    if (!p->store)
        config_fail_prefix(p->config, err, "state_dir");
    return p->store != NULL;
}

static bool start_redis(struct parts *p, struct error *err)
{
    const struct config_redis *redis = &p->config->redis;
    struct private_redis_options options = {.state_dir = p->config->state_dir,
                                            .program = redis->server};

    if (!redis->url) {
        p->private_redis = private_redis_start(&options, err);
        if (!p->private_redis)
            return false;
    }
    p->redis_url =
        redis_settings_url(redis, p->private_redis ? private_redis_url(p->private_redis) : NULL);
    if (!p->redis_url) {
        error_set(err, "redis: out of memory");
        return false;
    }
    redis_settings_warn(p->redis_url);
    return true;
}

_Static_assert((int)CONFIG_GATEWAY_MAX == (int)GATEWAY_FOUND_MAX, "what is asked for can be found");

static struct gateway_options gateway_options(const struct config_labels *labels)
{
    return (struct gateway_options){
        .links = labels->gateway_links,
        .links_ms = labels->gateway_links_s * 1000,
        .two_links_ms = labels->gateway_two_links_ms,
        .networks = labels->gateway_networks,
        .networks_ms = labels->gateway_networks_s * 1000,
        .early_ms = labels->early_s * 1000,
        .weight_links = labels->weight_links,
        .weight_networks = labels->weight_networks,
        .weight_early = labels->weight_early,
        .weight_head = labels->weight_head,
        .weight_asn = labels->weight_asn,
        .weight_range = labels->weight_range,
        .threshold = labels->threshold,
        .repeat_max = labels->repeat_max,
    };
}

static bool start_ledger(struct parts *p, struct error *err)
{
    const struct config *c = p->config;
    const struct gateway_options gateway = gateway_options(&c->labels);
    struct ledger_options options = ledger_settings(c);

    options.redis_url = p->redis_url;
    options.gateway = &gateway;
    options.state_dir = c->state_dir;
    options.salt = &p->salt;
    options.has_private_redis = p->private_redis != NULL;
    salt_init(&p->salt);
    p->ledger = ledger_new(p->store, &options, err);
    if (!p->ledger && c->redis.url)
        config_fail_prefix(c, err, "redis.url");
    if (p->ledger)
        ledger_use_site(p->ledger, p->site);
    return p->ledger != NULL;
}

static bool start_worker(struct parts *p, unsigned i, unsigned connections_max, int *listen_fds,
                         struct error *err)
{
    struct worker_options options = {
        .index = i,
        .connections_max = connections_max,
        .config = &p->config->public,
        .honours_gpc = p->config->labels.gpc == 1,
        .label_rules = p->label_rules,
        .listen_fds = listen_fds,
        .log = clickstore_new_log(p->store, err),
        .states = p->states,
        .events = p->events,
        .redis_url = p->redis_url,
        .n_shards = (unsigned)p->config->redis.shards,
        .sync_clicks = p->config->ledger.durability == DURABILITY_CLICK,
        .access = access_log_ring(p->access_log, i),
    };

    if (!options.log)
        return false;
    p->workers[i] = worker_new(&options, p->site, err);
    return p->workers[i] != NULL;
}

static bool make_label_rules(struct parts *p, struct error *err)
{
    const struct config *c = p->config;
    const struct known_options known = {.networks = c->labels.range_networks,
                                        .n_networks = c->labels.n_ranges,
                                        .asns = c->labels.asn_list.numbers,
                                        .n_asns = c->labels.asn_list.n};
    struct label_origin origin = {.salt = &p->salt, .asn_file = c->geo.asn};

    p->label_rules = label_rules_new(c->geo.country, err);
    if (!p->label_rules)
        return false;
    origin.known = known_new(&known, err);
    return origin.known && label_rules_set_origin(p->label_rules, &origin, err);
}

static bool start_access_log(struct parts *p, struct error *err)
{
    const struct access_log_options options = {.n_workers = p->n_workers,
                                               .sample = p->config->log.access_sample,
                                               .lines_max_per_s = p->config->log.access_per_s};

    if (p->config->log.access_sample == 0)
        return true;
    p->access_log = access_log_new(&options, err);
    return p->access_log != NULL;
}

/* Starts the workers, which own their listening sockets from then on. */
static bool start_workers(struct parts *p, int *listen_fds, struct error *err)
{
    unsigned n_listen = p->config->public.n_listen;
    unsigned connections_max = descriptors_reserve(&p->config->public, p->n_workers);
    bool ok = true;

    if (!make_label_rules(p, err) || !start_access_log(p, err))
        return false;
    p->workers = calloc(p->n_workers, sizeof(struct worker *));
    if (!p->workers) {
        error_set(err, "out of memory");
        return false;
    }
    for (unsigned i = 0; ok && i < p->n_workers; i++)
        ok = start_worker(p, i, connections_max, listen_fds + (size_t)i * n_listen, err);
    return ok;
}

static bool start_admin(struct parts *p, struct access *access, struct error *err)
{
    struct admin_options options = {
        .config = &p->config->admin,
        .public = &p->config->public,
        .redis_url = p->redis_url,
        .n_shards = (unsigned)p->config->redis.shards,
        .timeout_ms = p->config->redis.timeout_ms,
        .retention_hours_s = p->config->retention.hours_days * DAY_S,
        .retention_days_s = p->config->retention.days_days * DAY_S,
        .retention_cells_s = p->config->retention.cells_days * DAY_S,
        .logs_retain_s = p->config->ledger.retain_s,
        .retention_client_hours_s = p->config->retention.client_hours_days * DAY_S,
    };
    struct admin_sources sources = {
        .workers = p->workers,
        .n_workers = p->n_workers,
        .store = p->store,
        .ledger = p->ledger,
        .events = p->events,
        .states = p->states,
        .state_feed = p->state_feed,
        .sinks = p->sinks,
        .checks = p->checks,
        .reports = p->reports,
        .access_log = p->access_log,
    };

    p->admin = admin_new(&options, &sources, p->site, access, err);
    if (!p->admin)
        config_fail_prefix(p->config, err, "admin.listen[0]");
    return p->admin != NULL;
}

static bool start_states(struct parts *p, struct error *err)
{
    const struct config *c = p->config;
    struct state_feed_options options = {
        .redis_url = p->redis_url,
        .n_shards = (unsigned)c->redis.shards,
        .timeout_ms = c->redis.timeout_ms,
        .state_dir = c->state_dir,
        .retention_s = c->retention.states_days * DAY_S,
    };

    p->events = event_log_new(p->store, c->ledger.durability == DURABILITY_CLICK, err);
    p->states = state_table_new();
    if (!p->events || !p->states) {
        if (p->events)
            error_set(err, "states: out of memory");
        return false;
    }
    p->state_feed = state_feed_new(p->states, &options, err);
    return p->state_feed != NULL;
}

static bool start_sinks(struct parts *p, struct error *err)
{
    const struct sinks_options options = {
        .config = p->config,
        .store = p->store,
        .states = p->states,
        .events = p->events,
        .state_dir = p->config->state_dir,
        .redis_url = p->redis_url,
        .site = p->site,
    };

    p->sinks = sinks_new(&options, err);
    return p->sinks != NULL;
}

static bool start_checks(struct parts *p, struct error *err)
{
    const struct checks_options options = {
        .config = p->config, .site = p->site, .redis_url = p->redis_url};

    if (p->config->checks.every_s == 0)
        return true;
    p->checks = checks_new(&options, err);
    return p->checks != NULL;
}

/* Made before the admin address, which shows what they did, and begun behind it. */
static bool make_reports(struct parts *p, struct error *err)
{
    if (p->config->n_reports == 0)
        return true;
    p->reports = reports_new(p->config, p->redis_url, err);
    return p->reports != NULL;
}

static json_t *ask_admin(void *owner, const char *brand, const char *path)
{
    return admin_ask(owner, brand, path);
}

/* Owns `keys` from now on. */
static bool start_all(struct parts *p, struct access *access, struct error *err)
{
    unsigned n_fds;
    int *listen_fds;
    bool ok = false;

    p->n_workers =
        p->config->public.workers > 0 ? (unsigned)p->config->public.workers : cores_usable();
    if (p->n_workers > CONFIG_WORKERS_MAX)
        p->n_workers = CONFIG_WORKERS_MAX;
    n_fds = p->n_workers * p->config->public.n_listen;
    listen_fds = calloc(n_fds, sizeof(int));
    if (!listen_fds) {
        error_set(err, "out of memory");
        goto out;
    }
    /* Sockets come first, because they are the likeliest to fail, and nothing has to be undone
     * then. */
    if (!listener_open(p->config, p->n_workers, listen_fds, err))
        goto out;
    ok = start_store(p, err) && start_redis(p, err) && start_ledger(p, err) && start_states(p, err);
    /* So that the first click finds the states known, as a rule: Redis is asked for them as soon as
     * it is connected. */
    for (int64_t until_ms = clock_mono_ms() + STATES_WAIT_MS;
         ok && !state_table_is_known(p->states) && clock_mono_ms() < until_ms;)
        usleep(STATES_STEP_MS * 1000);
    ok = ok && start_sinks(p, err) && start_workers(p, listen_fds, err) && start_checks(p, err) &&
         make_reports(p, err);
    listener_close(listen_fds, n_fds);
    if (ok) {
        ok = start_admin(p, access, err) &&
             (!p->reports || reports_start(p->reports, ask_admin, p->admin, err));
        access = NULL;
    }
out:
    access_free(access);
    free(listen_fds);
    return ok;
}

bool parts_start(struct parts *p, const char *config_path, struct error *err)
{
    struct access *access;

    if (!parts_init_libraries(err))
        return false;
    if (!parts_load(config_path, &p->config, &p->site, &access, err))
        return false;
    log_set_level(p->config->log_level);
    log_set_format(p->config->log.format);
    return start_all(p, access, err);
}

void parts_stop(struct parts *p)
{
    reports_stop(p->reports); /* it asks the admin address, which shows what it did */
    admin_free(p->admin);
    reports_free(p->reports);
    checks_free(p->checks);
    for (unsigned i = 0; p->workers && i < p->n_workers; i++) {
        if (p->workers[i])
            worker_stop(p->workers[i]);
        worker_free(p->workers[i]);
    }
    free(p->workers);
    access_log_free(p->access_log);
    label_rules_free(p->label_rules);
    sinks_free(p->sinks);
    state_feed_free(p->state_feed);
    state_table_free(p->states);
    event_log_free(p->events);
    ledger_free(p->ledger);
    private_redis_stop(p->private_redis);
    free(p->redis_url);
    clickstore_close(p->store);
    site_unref(p->site);
    config_free(p->config);
    *p = (struct parts){0};
}
