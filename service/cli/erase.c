/* erase: takes a client's counters out of Redis, and tells the sinks. */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>

#include "proto/click.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/log.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/cli/local_time.h"
#include "service/config/config.h"
#include "service/daemon/redis_settings.h"
#include "service/sinks/sink_erasures.h"
#include "service/state/audit_entry.h"
#include "service/state/eraser.h"

enum { ERASE_CONFIG, ERASE_BRAND, ERASE_CLIENT };

static const struct cli_option options[] = {
    [ERASE_CONFIG] = CONFIG_OPTION,
    [ERASE_BRAND] = {"brand", "NAME", "whose client; needed when there are several", CLI_BRANDS, 0},
    [ERASE_CLIENT] = {"client", "N", "the client's number", NULL, 0},
};

/* --- the command --- */

/* What is asked for, and how it ended. */
struct task {
    struct event_base *base;
    uint32_t client;
    const char *brand; /* borrowed from the configuration */
    struct eraser_counts counts;
    bool is_done;
    struct error *err;
};

static void on_end(void *owner, const struct eraser_counts *counts, const char *why)
{
    struct task *task = owner;

    task->counts = *counts;
    task->is_done = why == NULL;
    if (why)
        error_set(task->err, "%s", why);
    event_base_loopbreak(task->base);
}

static bool erase(struct task *task, const struct config *config, const struct audit_entry *own)
{
    const struct eraser_options what = {
        .redis_url = redis_settings_find_url(config),
        .name = "hopcount-cli",
        .timeout_ms = config->redis.timeout_ms,
        .n_shards = (unsigned)config->redis.shards,
        .brand = task->brand,
        .client = task->client,
        .own = config->admin.audit_days > 0 ? own : NULL,
        .on_end = on_end,
        .owner = task,
    };
    struct eraser *eraser = NULL;

    task->base = event_base_new();
    if (!what.redis_url || !task->base)
        error_set(task->err, "out of memory");
    else if ((eraser = eraser_new(task->base, &what, task->err)) != NULL)
        event_base_dispatch(task->base);
    eraser_free(eraser);
    event_loop_free(task->base);
    free((char *)what.redis_url);
    return task->is_done;
}

/* NULL and `*err`: there is no such brand. */
static const char *find_brand(const struct config *config, const char *name, struct error *err)
{
    if (!name && config->n_brands != 1) {
        error_set(err, "--brand: which one? The configuration has several");
        return NULL;
    }
    for (unsigned i = 0; i < config->n_brands; i++) {
        if (!name || strcmp(config->brands[i].name, name) == 0)
            return config->brands[i].name;
    }
    error_set(err, "--brand: the configuration has no brand '%s'", name);
    return NULL;
}

/* The entry of the audit log: without the client's number, of course. */
static void describe_erasure(struct audit_entry *own, const char *brand)
{
    const struct passwd *user = getpwuid(getuid());
    char host[256] = "", who[2 * AUDIT_WHO_MAX];

    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    snprintf(who, sizeof(who), "%.60s@%.64s", user ? user->pw_name : "-", host);
    *own = (struct audit_entry){.action = AUDIT_ERASE, .n = 1};
    randombytes_buf(&own->id, sizeof(own->id));
    audit_set_text(own->who, sizeof(own->who), slice_of(who));
    audit_set_text(own->brand, sizeof(own->brand), slice_of(brand));
    audit_entry_erase_client(own);
}

/* What Redis has nothing of the sinks may have. */
static bool tell_sinks(const struct task *task, const struct config *config)
{
    const struct sink_erasure erasure = {
        .brand = click_brand_id(slice_of(task->brand)),
        .client = task->client,
        .at_ms = clock_wall_ms(),
    };

    if (config->n_sinks == 0)
        return true;
    if (!sink_erasures_leave(config->state_dir, &erasure, task->err))
        return false;
    printf("client %" PRIu32 ": the sinks are told as soon as hopcountd runs\n", task->client);
    return true;
}

static void print_part(int64_t n, const char *one, const char *many)
{
    if (n > 0)
        printf(", %" PRId64 " %s", n, n == 1 ? one : many);
}

static void print_counts(const struct task *task)
{
    const struct eraser_counts *n = &task->counts;

    if (n->clicks == 0 && n->invoices == 0 && n->requests == 0 && n->uses == 0 && n->entries == 0 &&
        n->waiting == 0) {
        printf("client %" PRIu32 ": nothing is counted\n", task->client);
        return;
    }
    printf("client %" PRIu32 ": %" PRId64 " click%s", task->client, n->clicks,
           n->clicks == 1 ? "" : "s");
    print_part(n->invoices, "invoice", "invoices");
    print_part(n->requests, "request", "requests");
    print_part(n->uses, "used link", "used links");
    print_part(n->entries, "entry of the audit log", "entries of the audit log");
    printf(" erased\n");
}

/* On stderr, as it is no result. */
static void print_rest(const struct task *task, const struct config *config)
{
    char until[RFC3339_TEXT_MAX];
    int64_t until_s = clock_wall_ms() / 1000 + 2 * config->ledger.retain_s;

    fprintf(stderr,
            "client %" PRIu32 ": erased from Redis. Click logs still name the client until %s, or "
            "longer while Redis or a sink is away or no click comes. Call this again after that: "
            "clicks that were not yet in Redis are counted until then.\n",
            task->client, local_time_format(until_s, until));
}

static int run_erase(const struct cli_args *args)
{
    const char *path = args->value[ERASE_CONFIG], *client = args->value[ERASE_CLIENT];
    struct error err = {0};
    struct task task = {.err = &err};
    struct audit_entry own;
    struct config *config;
    int status = CLI_OK;

    if (args->n_words > 0)
        return cli_usage(&cli_erase, "'%s' is one word too many", args->words[0]);
    if (!number_parse_u32(slice_of(client), UINT32_MAX, &task.client) || task.client == 0)
        return cli_usage(&cli_erase, "--client: a number from 1 to %u is needed", UINT32_MAX);
    config = config_load(path ? path : CONFIG_OPTION_DEFAULT, &err);
    if (!config)
        return cli_fail_error(&err);
    log_set_level(LOG_LEVEL_ERROR); /* a link that is down is told once, by us */
    if (!(task.brand = find_brand(config, args->value[ERASE_BRAND], &err)) ||
        (config->n_sinks > 0 && !sink_erasures_check(config->state_dir, &err))) {
        status = cli_fail_error(&err);
        goto out;
    }
    describe_erasure(&own, task.brand);
    if (!erase(&task, config, &own)) {
        status = cli_fail_error(&err);
        goto out;
    }
    print_counts(&task);
    print_rest(&task, config);
    if (!tell_sinks(&task, config))
        status = cli_fail_error(&err);
out:
    config_free(config);
    return status;
}

const struct cli_command cli_erase = {
    .name = "erase",
    .usage = "-c FILE --client N [--brand NAME]",
    .summary = "takes a client's counters out of Redis, and tells the sinks",
    .notes =
        "Erases what is counted of the client, what is kept of its invoices (mails, clicks,\n"
        "payments), what it asked for on pages of ours, which links it used up, what waits to be\n"
        "counted of it, and what the pods have told one another of its clicks; afterwards\n"
        "nothing in Redis names it but an opt-out and a revocation of all its links, which stay,\n"
        "and the records of a sink of type stream. DELETE /v1/clients/{id} does the same.\n"
        "The audit log keeps that somebody was erased, by whom and when, without the number.\n"
        "Sums over clients (campaigns, objects, links, distinct clients) stay, and so do the\n"
        "client's links: nothing is revoked. Click logs name the client until they are deleted,\n"
        "about twice ledger.retain_s later, if clicks come. A click that is not yet in Redis is\n"
        "counted after the erasure, so call this again after the time that it prints. With\n"
        "sinks: in the configuration each sink gets a record client.erased; for that, run it as\n"
        "the user of hopcountd where its state_dir is.\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_erase,
};
