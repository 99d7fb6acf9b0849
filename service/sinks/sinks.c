#include "service/sinks/sinks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/config/config.h"
#include "service/sinks/sink_erasures.h"
#include "service/sinks/sink_state.h"

enum { STEP_MS = 5 };

struct sinks {
    const struct config *config;
    const char *state_dir;
    struct sink_erasures *erasures; /* NULL: nobody takes them */
    unsigned n;
    struct sink_thread *threads[];
};

/* The type names the key that is wrong: "path: …". */
static void fail(const struct config *config, unsigned index, struct error *err)
{
    char key[64];

    snprintf(key, sizeof(key), "sinks[%u]", index);
    config_fail_prefix(config, err, key);
}

bool sinks_check(const struct config *config, struct error *err)
{
    for (unsigned i = 0; i < config->n_sinks; i++) {
        if (!sink_thread_check(&config->sinks[i], err)) {
            fail(config, i, err);
            return false;
        }
    }
    return true;
}

struct sinks *sinks_new(const struct sinks_options *options, struct error *err)
{
    const struct config *config = options->config;
    struct sinks *sinks = calloc(1, sizeof(*sinks) + config->n_sinks * sizeof(sinks->threads[0]));

    if (!sinks) {
        error_set(err, "sinks: out of memory");
        return NULL;
    }
    sinks->config = config;
    sinks->state_dir = options->state_dir;
    curl_global_init(CURL_GLOBAL_DEFAULT); /* before threads use it */
    if (options->events && config->n_sinks > 0 &&
        !(sinks->erasures = sink_erasures_new(options->state_dir, options->events))) {
        error_set(err, "sinks: out of memory");
        sinks_free(sinks);
        return NULL;
    }
    for (unsigned i = 0; i < config->n_sinks; i++) {
        const struct sink_thread_options thread = {
            .config = &config->sinks[i],
            .store = options->store,
            .states = options->states,
            .erasures = sinks->erasures,
            .state_dir = options->state_dir,
            .redis_url = options->redis_url,
            .redis_timeout_ms = config->redis.timeout_ms,
            .site = options->site,
            .number = i,
        };

        sinks->threads[i] = sink_thread_new(&thread, err);
        if (!sinks->threads[i]) {
            fail(config, i, err);
            sinks_free(sinks);
            return NULL;
        }
        sinks->n++;
    }
    return sinks;
}

void sinks_free(struct sinks *sinks)
{
    if (!sinks)
        return;
    /* All at once, so that they end side by side. */
    for (unsigned i = 0; i < sinks->n; i++)
        sink_thread_stop(sinks->threads[i]);
    for (unsigned i = 0; i < sinks->n; i++)
        sink_thread_free(sinks->threads[i]);
    sink_erasures_free(sinks->erasures);
    curl_global_cleanup();
    free(sinks);
}

void sinks_reload(struct sinks *sinks, struct site *site)
{
    for (unsigned i = 0; i < sinks->n; i++)
        sink_thread_reload(sinks->threads[i], site);
}

bool sinks_drain(struct sinks *sinks, int64_t wait_ms)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000};
    int64_t until_ms = clock_mono_ms() + wait_ms;

    for (unsigned i = 0; i < sinks->n; i++)
        sink_thread_drain(sinks->threads[i]);
    for (unsigned i = 0; i < sinks->n; i++) {
        while (!sink_thread_is_drained(sinks->threads[i])) {
            if (clock_mono_ms() >= until_ms)
                return false;
            nanosleep(&step, NULL);
        }
    }
    return true;
}

bool sinks_are_down(struct sinks *sinks)
{
    for (unsigned i = 0; i < sinks->n; i++) {
        if (!sink_thread_is_drained(sinks->threads[i]) && !sink_thread_is_down(sinks->threads[i]))
            return false;
    }
    return true;
}

unsigned sinks_count(const struct sinks *sinks)
{
    return sinks->n;
}

void sinks_stats(struct sinks *sinks, unsigned index, struct sink_stats *out)
{
    sink_thread_stats(sinks->threads[index], out);
}

const char *sinks_name(const struct sinks *sinks, unsigned index)
{
    return sinks->config->sinks[index].name;
}

/* By the state that the sink has left. */
static enum sink_told ask_removed(const struct sinks *sinks, const char *name,
                                  const uint8_t *log_id, uint64_t position, int64_t at_ms)
{
    struct sink_state state = {.n_cursors = 0};
    enum sink_told told = SINK_LOST;
    char path[SINK_PATH_MAX];
    struct error err;

    sink_state_path(sinks->state_dir, name, "state.json", path);
    if (!strchr(name, '/') && access(path, F_OK) == 0 &&
        sink_state_load(sinks->state_dir, name, &state, &err) &&
        sink_state_told(&state, log_id, position, at_ms) == SINK_TOLD)
        told = SINK_TOLD;
    sink_state_clear(&state);
    return told;
}

enum sink_told sinks_told(struct sinks *sinks, const char *name,
                          const uint8_t log_id[static CLICK_LOG_ID_LEN], uint64_t position,
                          int64_t at_ms)
{
    for (unsigned i = 0; i < sinks->n; i++) {
        if (strcmp(sinks_name(sinks, i), name) == 0)
            return sink_thread_told(sinks->threads[i], log_id, position, at_ms);
    }
    return ask_removed(sinks, name, log_id, position, at_ms);
}
