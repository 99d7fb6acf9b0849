#include "service/sinks/sinks.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/config/config.h"
#include "service/sinks/sink_erasures.h"

enum { STEP_MS = 5 };

struct sinks {
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

unsigned sinks_count_without(struct sinks *sinks, const uint8_t log_id[static CLICK_LOG_ID_LEN],
                             uint64_t position)
{
    unsigned n = 0;

    for (unsigned i = 0; i < sinks->n; i++)
        n += sink_thread_told(sinks->threads[i], log_id, position, INT64_MAX) != SINK_TOLD;
    return n;
}
