/* ledger: the click logs of a state_dir, and how much of them Redis has. */
#include "service/cli/ledger.h"
#include "proto/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/counter.h"
#include "proto/rfc3339.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/cli/command.h"
#include "service/clicklog/clickstore.h"
#include "service/config/config.h"
#include "service/daemon/redis_settings.h"

enum { TIMEOUT_MS = 5000, PATIENCE_S = 30, PATIENCE_MAX_S = 86400 };

/* Of a state_dir without configuration; what is in its files says the rest. */
enum { SEGMENT_BYTES = 4 << 20, MEMORY_MAX = 64 << 20, RETAIN_S = 900, SYNC_MS = 200 };

enum { LEDGER_CONFIG, LEDGER_REDIS, LEDGER_SHARDS, LEDGER_PATIENCE, LEDGER_COPIED, LEDGER_JSON };

static const struct cli_option options[] = {
    [LEDGER_CONFIG] = {"config", "FILE", "take redis, and the default of DIR, from here", CLI_FILES,
                       'c'},
    [LEDGER_REDIS] = {"redis", "URL", "redis://, valkey://, unix://, sentinel:// or cluster://",
                      NULL, 0},
    [LEDGER_SHARDS] = {"shards", "N", "redis.shards of the configuration that made it (1)", NULL,
                       0},
    [LEDGER_PATIENCE] = {"patience", "SECONDS",
                         "drain: give up after so long without progress (30)", NULL, 0},
    [LEDGER_COPIED] = {"copied", "TIME",
                       "restored: when the copy of Redis was made, 2026-11-28T02:00:00Z", NULL, 0},
    [LEDGER_JSON] = {"json", NULL, "as JSON", NULL, 0},
};

static bool read_number(const char *text, int64_t max, int64_t *out)
{
    uint64_t n;

    if (!number_parse(slice_of(text), (uint64_t)max, &n) || n == 0)
        return false;
    *out = (int64_t)n;
    return true;
}

static bool find_redis(struct ledger_place *place, const char *url, struct error *err)
{
    if (!url && !place->config)
        return true;
    place->redis_url = url ? strdup(url) : redis_settings_find_url(place->config);
    if (!place->redis_url)
        error_set(err, "out of memory");
    return place->redis_url != NULL;
}

static bool place_init(struct ledger_place *place, const struct cli_args *args, const char *dir,
                       struct error *err)
{
    const char *shards = args->value[LEDGER_SHARDS];
    int64_t n_shards = 1;

    if (args->value[LEDGER_CONFIG]) {
        place->config = config_load(args->value[LEDGER_CONFIG], err);
        if (!place->config)
            return false;
        n_shards = place->config->redis.shards;
        place->timeout_ms = place->config->redis.timeout_ms;
    }
    if (shards && (!read_number(shards, COUNTER_SHARDS_MAX, &n_shards) ||
                   !counter_n_shards_ok((unsigned)n_shards))) {
        error_set(err, "--shards %s: a power of two from 1 to %d is needed", shards,
                  COUNTER_SHARDS_MAX);
        return false;
    }
    place->n_shards = (unsigned)n_shards;
    place->state_dir = dir || !place->config ? dir : place->config->state_dir;
    return find_redis(place, args->value[LEDGER_REDIS], err);
}

static void place_clear(struct ledger_place *place)
{
    free(place->redis_url);
    config_free(place->config);
}

struct clickstore *ledger_place_open(const struct ledger_place *place, int mode, struct error *err)
{
    const struct config_ledger *ledger = place->config ? &place->config->ledger : NULL;
    struct clickstore_options store = {
        .state_dir = place->state_dir,
        .mode = (enum clickstore_mode)mode,
        .segment_bytes = ledger ? (size_t)ledger->segment_bytes : SEGMENT_BYTES,
        .disk_max = ledger ? (uint64_t)ledger->disk_max_bytes : UINT64_MAX / 2,
        .memory_max = ledger ? (uint64_t)ledger->memory_max_bytes : MEMORY_MAX,
        .retain_ms = (ledger ? ledger->retain_s : RETAIN_S) * 1000,
        .retain_max = ledger ? (uint64_t)ledger->retain_max_bytes : UINT64_MAX / 2,
        .sync_ms = SYNC_MS,
        .durability = DURABILITY_PROCESS,
        .n_sinks = place->config ? place->config->n_sinks : 0,
    };

    return clickstore_open(&store, err);
}

static int run_show(const struct cli_args *args)
{
    struct ledger_place place = {.timeout_ms = TIMEOUT_MS};
    struct error err = {0};
    int status;

    if (args->n_words > 1)
        return cli_usage(&cli_ledger, "'%s' is one word too many", args->words[1]);
    if (args->value[LEDGER_PATIENCE])
        return cli_usage(&cli_ledger, "--patience is for drain");
    if (args->value[LEDGER_COPIED])
        return cli_usage(&cli_ledger, "--copied is for restored");
    if (args->n_words == 0 && !args->value[LEDGER_CONFIG])
        return cli_usage(&cli_ledger, "name a state_dir, or a configuration with -c FILE");
    if (!place_init(&place, args, args->n_words ? args->words[0] : NULL, &err))
        status = cli_fail_error(&err);
    else
        status = ledger_show(&place, args->value[LEDGER_JSON] != NULL);
    place_clear(&place);
    return status;
}

static int run_drain(const struct cli_args *args)
{
    struct ledger_place place = {.timeout_ms = TIMEOUT_MS};
    const char *patience = args->value[LEDGER_PATIENCE];
    struct error err = {0};
    int64_t patience_s = PATIENCE_S;
    int status;

    if (args->n_words != 2)
        return cli_usage(&cli_ledger, "drain takes one state_dir: hopcount ledger drain DIR …");
    if (!args->value[LEDGER_CONFIG] && !args->value[LEDGER_REDIS])
        return cli_usage(&cli_ledger, "which Redis? Name it with --redis URL or -c FILE");
    if (args->value[LEDGER_JSON])
        return cli_usage(&cli_ledger, "--json is not for drain");
    if (args->value[LEDGER_COPIED])
        return cli_usage(&cli_ledger, "--copied is for restored");
    if (patience && !read_number(patience, PATIENCE_MAX_S, &patience_s))
        return cli_usage(&cli_ledger, "--patience %s: seconds from 1 to %d are needed", patience,
                         PATIENCE_MAX_S);
    if (!place_init(&place, args, args->words[1], &err))
        status = cli_fail_error(&err);
    else
        status = ledger_drain_dir(&place, patience_s);
    place_clear(&place);
    return status;
}

static int run_restored(const struct cli_args *args)
{
    struct ledger_place place = {.timeout_ms = TIMEOUT_MS};
    const char *copied = args->value[LEDGER_COPIED];
    struct error err = {0};
    int64_t copied_s;
    int status;

    if (args->n_words > 1)
        return cli_usage(&cli_ledger, "'%s' is one word too many", args->words[1]);
    if (!args->value[LEDGER_CONFIG] && !args->value[LEDGER_REDIS])
        return cli_usage(&cli_ledger, "which Redis? Name it with --redis URL or -c FILE");
    if (args->value[LEDGER_PATIENCE])
        return cli_usage(&cli_ledger, "--patience is for drain");
    if (!copied)
        return cli_usage(&cli_ledger, "when was the copy of Redis made? --copied TIME");
    if (!rfc3339_parse(slice_of(copied), &copied_s))
        return cli_usage(&cli_ledger, "--copied %s: a time such as 2026-11-28T02:00:00Z is needed",
                         copied);
    if (!place_init(&place, args, NULL, &err))
        status = cli_fail_error(&err);
    else
        status = ledger_restored(&place, copied_s, args->value[LEDGER_JSON] != NULL);
    place_clear(&place);
    return status;
}

static int run_ledger(const struct cli_args *args)
{
    log_set_level(LOG_LEVEL_WARN);
    if (args->n_words > 0 && strcmp(args->words[0], "drain") == 0)
        return run_drain(args);
    if (args->n_words > 0 && strcmp(args->words[0], "restored") == 0)
        return run_restored(args);
    return run_show(args);
}

const struct cli_command cli_ledger = {
    .name = "ledger",
    .usage = "[drain] DIR | restored [-c FILE | --redis URL] [OPTION…]",
    .summary = "shows the click logs of a state_dir, applies what is left there",
    .notes =
        "hopcount ledger DIR           shows logs and clicks; with -c or --redis, what Redis has\n"
        "                              of them. Changes nothing, also beside a running hopcountd.\n"
        "hopcount ledger drain DIR     applies to Redis the clicks of a hopcountd that will not\n"
        "                              start again, each once, however often it is called.\n"
        "                              Without -c not as uses of links with max_uses, and not to\n"
        "                              sinks: only the configuration tells of them.\n"
        "hopcount ledger restored      after Redis was restored from a copy, and all processes "
        "run\n"
        "                              again: the logs that are missing, for no process has "
        "them.\n",
    .words = "drain restored",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_ledger,
};
