/* sinks: how far the sinks of a configuration are, and sending again what failed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <sodium.h>

#include "proto/rfc3339.h"
#include "service/base/error.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/cli/local_time.h"
#include "service/config/config.h"
#include "service/sinks/sink_state.h"

enum { SINKS_CONFIG, SINKS_JSON };

static const struct cli_option options[] = {
    [SINKS_CONFIG] = CONFIG_OPTION,
    [SINKS_JSON] = {"json", NULL, "a JSON object per sink and line", NULL, 0},
};

static void print_state(const char *name, const char *type, const struct sink_state *state)
{
    printf("%-16s %-10s %" PRIu64 " sent, %" PRIu64 " lost%s%s\n", name, type, state->n_sent,
           state->n_lost, state->off_why[0] ? ", off: " : "", state->off_why);
    for (size_t i = 0; i < state->n_failed; i++) {
        const struct sink_range *range = &state->failed[i];
        char hex[2 * CLICK_LOG_ID_LEN + 1], time[RFC3339_TEXT_MAX];

        sodium_bin2hex(hex, sizeof(hex), range->log_id, CLICK_LOG_ID_LEN);
        printf("  failed: log %s positions %" PRIu64 " to %" PRIu64 ", first tried %s\n", hex,
               range->from, range->to - 1, local_time_format(range->at_ms / 1000, time));
    }
}

static bool print_state_json(const char *name, const char *type, const struct sink_state *state)
{
    json_t *failed = json_array();
    json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:s?, s:o}", "sink", name, "type", type, "sent",
                             (json_int_t)state->n_sent, "lost", (json_int_t)state->n_lost, "off",
                             state->off_why[0] ? state->off_why : NULL, "failed", failed);
    bool ok;

    for (size_t i = 0; i < state->n_failed; i++) {
        const struct sink_range *range = &state->failed[i];
        char hex[2 * CLICK_LOG_ID_LEN + 1], time[RFC3339_TEXT_MAX];

        sodium_bin2hex(hex, sizeof(hex), range->log_id, CLICK_LOG_ID_LEN);
        json_array_append_new(failed,
                              json_pack("{s:s, s:I, s:I, s:s}", "log", hex, "from",
                                        (json_int_t)range->from, "to", (json_int_t)range->to, "at",
                                        rfc3339_format(range->at_ms / 1000, 0, time)));
    }
    ok = json && json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER) == 0;
    json_decref(json);
    putchar('\n');
    return ok;
}

static int show(const struct config *config, bool as_json)
{
    for (unsigned i = 0; i < config->n_sinks; i++) {
        const char *name = config->sinks[i].name, *type = config_sink_type_name(&config->sinks[i]);
        struct sink_state state = {.n_cursors = 0};
        struct error err = {0};
        bool ok = sink_state_load(config->state_dir, name, &state, &err);

        if (ok && as_json && !print_state_json(name, type, &state)) {
            error_set(&err, "out of memory");
            ok = false;
        } else if (ok && !as_json) {
            print_state(name, type, &state);
        }
        sink_state_clear(&state);
        if (!ok)
            return cli_fail_error(&err);
    }
    if (config->n_sinks == 0 && !as_json)
        puts("the configuration has no sinks");
    return CLI_OK;
}

/* hopcountd looks for this file several times a second. */
static int retry(const struct config *config, const char *name)
{
    char path[SINK_PATH_MAX];
    unsigned i = 0;
    int fd;

    while (i < config->n_sinks && strcmp(config->sinks[i].name, name) != 0)
        i++;
    if (i == config->n_sinks)
        return cli_fail("the configuration has no sink '%s'", name);
    sink_state_path(config->state_dir, name, "retry", path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return cli_fail("cannot make %s: %s; run it as the user of hopcountd", path,
                        strerror(errno));
    close(fd);
    printf("sink %s: what failed is sent again as soon as hopcountd runs\n", name);
    return CLI_OK;
}

static int run_sinks(const struct cli_args *args)
{
    struct config *config;
    struct error err = {0};
    int status;

    if (args->n_words > 0 && (strcmp(args->words[0], "retry") != 0 || args->n_words != 2))
        return cli_usage(&cli_sinks, "write: hopcount sinks, or hopcount sinks retry NAME");
    if (!args->value[SINKS_CONFIG])
        return cli_usage(&cli_sinks, "name the configuration with -c FILE");
    if (args->n_words > 0 && args->value[SINKS_JSON])
        return cli_usage(&cli_sinks, "--json is not for retry");
    config = config_load(args->value[SINKS_CONFIG], &err);
    if (!config)
        return cli_fail_error(&err);
    if (args->n_words > 0)
        status = retry(config, args->words[1]);
    else
        status = show(config, args->value[SINKS_JSON] != NULL);
    config_free(config);
    return status;
}

const struct cli_command cli_sinks = {
    .name = "sinks",
    .usage = "[retry NAME] -c FILE [OPTION…]",
    .summary = "shows how far the sinks are and what failed, or sends that again",
    .notes =
        "hopcount sinks -c FILE              what each sink was sent, and the ranges that failed\n"
        "hopcount sinks retry NAME -c FILE   has a running hopcountd send them again; a sink\n"
        "                                    that is off is on again\n",
    .words = "retry",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_sinks,
};
