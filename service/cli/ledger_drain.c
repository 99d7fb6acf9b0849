#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/cli/command.h"
#include "service/cli/ledger.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/ledger/ledger.h"
#include "service/ledger/ledger_settings.h"
#include "service/sinks/sinks.h"

enum { STEP_MS = 500, FLUSH_MS = 50 };

static struct ledger_options options_of(const struct ledger_place *place)
{
    struct ledger_options options = ledger_settings(place->config);

    options.redis_url = place->redis_url;
    options.n_shards = place->n_shards;
    options.timeout_ms = place->timeout_ms;
    options.flush_ms = FLUSH_MS;
    return options;
}

/* True when nothing is left; false when there was no progress for `patience_s`. */
static bool drain(struct ledger *ledger, int64_t patience_s, struct ledger_stats *stats)
{
    int64_t progress_ms = clock_mono_ms();
    uint64_t n_batches = 0, n_refused = 0;
    bool done;

    do {
        done = ledger_drain(ledger, STEP_MS);
        log_flush();
        ledger_stats(ledger, stats);
        if (stats->n_batches != n_batches || stats->refused != n_refused) {
            progress_ms = clock_mono_ms();
            n_batches = stats->n_batches;
            n_refused = stats->refused;
            if (!done && isatty(STDERR_FILENO))
                fprintf(stderr, "\r%" PRIu64 " %s left  ", stats->pending,
                        cli_noun(stats->pending, "record", "records"));
        }
    } while (!done && clock_mono_ms() - progress_ms < patience_s * 1000);
    return done;
}

/* The sinks of the configuration get what they haven't got.  CLI_OK, or CLI_FAILED after saying
 * what is left. */
static int drain_sinks(const struct ledger_place *place, struct clickstore *store,
                       int64_t patience_s)
{
    struct sinks_options options = {.config = place->config,
                                    .store = store,
                                    .state_dir = place->state_dir,
                                    .redis_url = place->redis_url};
    struct error err = {0};
    struct sinks *sinks = NULL;
    int status = CLI_OK;
    bool done = false;

    options.site = site_new(place->config, &err);
    if (options.site)
        sinks = sinks_new(&options, &err);
    if (!sinks)
        status = cli_fail_error(&err);
    else
        done = sinks_drain(sinks, patience_s * 1000);
    for (unsigned i = 0; sinks && i < sinks_count(sinks); i++) {
        struct sink_stats stats;

        sinks_stats(sinks, i, &stats);
        if (!done && stats.lag > 0)
            status = cli_fail("sink %s: %" PRIu64 " %s left in %s: %s", stats.name, stats.lag,
                              cli_noun(stats.lag, "record is", "records are"), place->state_dir,
                              stats.why[0] ? stats.why : "it took too long");
        else if (stats.lag > 0)
            status =
                cli_fail("sink %s: %" PRIu64 " %s younger than its hold_s; call it again later",
                         stats.name, stats.lag, cli_noun(stats.lag, "record is", "records are"));
        else
            printf("sink %s has got all\n", stats.name);
    }
    sinks_free(sinks);
    site_unref(options.site);
    return status;
}

static int report(const struct ledger_place *place, const struct ledger_stats *stats, bool done,
                  uint64_t n_lost)
{
    if (n_lost > 0)
        printf("%" PRIu64 " %s can't be counted any more: damaged, or deleted after Redis had "
               "had them\n",
               n_lost, cli_noun(n_lost, "click", "clicks"));
    if (stats->rejected > 0)
        printf("%" PRIu64 " %s set aside; Redis' keys hc:*:rejected name the counters\n",
               stats->rejected, cli_noun(stats->rejected, "increment was", "increments were"));
    if (!done)
        return cli_fail("%" PRIu64 " %s left in %s: %s; run the command again when that is fixed",
                        stats->pending, cli_noun(stats->pending, "record is", "records are"),
                        place->state_dir,
                        stats->last_error[0] ? stats->last_error : "Redis does not answer");
    printf("nothing is left in %s: Redis has all %" PRIu64 " %s of its logs\n", place->state_dir,
           stats->applied, cli_noun(stats->applied, "record", "records"));
    if (!place->config)
        fputs("without -c FILE no uses of links with max_uses were counted, and no sink got "
              "anything\n",
              stderr);
    return CLI_OK;
}

int ledger_drain_dir(const struct ledger_place *place, int64_t patience_s)
{
    struct ledger_options options = options_of(place);
    struct ledger_stats stats = {0};
    struct clickstore_stats disk;
    struct error err = {0};
    struct clickstore *store;
    struct ledger *ledger;
    struct stat st;
    int status;

    /* The store would make a missing directory; here it is a mistake. */
    if (stat(place->state_dir, &st) != 0)
        return cli_fail("%s: %s; name the state_dir of a hopcountd", place->state_dir,
                        strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return cli_fail("%s is no directory; name the state_dir of a hopcountd", place->state_dir);
    store = ledger_place_open(place, CLICKSTORE_DRAIN, &err);
    if (!store)
        return cli_fail_error(&err);
    ledger = ledger_new(store, &options, &err);
    if (ledger) {
        bool done = drain(ledger, patience_s, &stats);

        clickstore_stats(store, &disk);
        status = report(place, &stats, done, disk.dropped[CLICKLOG_DROP_DAMAGED] + stats.lost_gap);
        if (place->config && place->config->n_sinks > 0 &&
            drain_sinks(place, store, patience_s) != CLI_OK)
            status = CLI_FAILED;
    } else {
        status = cli_fail_error(&err);
    }
    ledger_free(ledger);
    clickstore_close(store);
    return status;
}
