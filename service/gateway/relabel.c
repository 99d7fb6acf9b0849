#include "service/gateway/relabel.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore.h"
#include "service/gateway/beat.h"
#include "service/gateway/clock_gap.h"
#include "service/gateway/finder.h"

enum {
    READ_MAX = 256,
    LOOK_MAX = 65536, /* clicks looked at in one pass, so that batches aren't delayed */
    AHEAD = 6,        /* clicks between two steps of prefetching */
    RETRY_MS = 1000,  /* between two attempts to open a log */
    AGAIN_MS = 60000, /* between two lines about what Redis refuses: several commands a second */
};

struct relabel {
    struct relabel_options options;
    struct finder *finder;
    struct clicklog *log; /* NULL until the first relabelling */
    int64_t retry_ms;
    bool is_told[GATEWAY_COMMANDS];    /* that Redis refuses the command … */
    int64_t told_ms[GATEWAY_COMMANDS]; /* … and when; monotonic */
    uint64_t relabelled[CLICK_REASONS];
    struct click clicks[READ_MAX];
};

/* --- appending --- */

/* Opened late, because most processes of a quiet service never need it. */
static bool open_log(struct relabel *relabel)
{
    int64_t now_ms = clock_mono_ms();
    struct error err = {0};
    char quoted[LOG_QUOTE_MAX];

    if (relabel->log)
        return true;
    if (now_ms < relabel->retry_ms)
        return false;
    relabel->log = clickstore_new_relabel_log(relabel->options.store, &err);
    if (!relabel->log) {
        relabel->retry_ms = now_ms + RETRY_MS;
        log_warn("ledger.relabel", "err=%s", log_quote(quoted, err.text));
    }
    return relabel->log != NULL;
}

static void on_found(void *owner, const struct click *relabelling)
{
    struct relabel *relabel = owner;

    if (!open_log(relabel))
        return;
    clicklog_append(relabel->log, relabelling);
    relabel->relabelled[relabelling->reason]++;
}

/* --- new and free --- */

static void describe(void *owner, struct pod *self)
{
    const struct relabel *relabel = owner;

    relabel->options.describe(relabel->options.redis.owner, self);
}

static void on_day(void *owner)
{
    const struct relabel *relabel = owner;

    relabel->options.on_day(relabel->options.redis.owner);
}

struct relabel *relabel_new(const struct relabel_options *options)
{
    struct relabel *relabel = calloc(1, sizeof(*relabel));
    const struct finder_options finder = {
        .gateway = options->gateway,
        .salt = options->salt,
        .n_shards = options->n_shards,
        .state_dir = options->state_dir,
        .redis = options->redis,
        .owner = relabel,
        .describe = describe,
        .on_found = on_found,
        .on_day = on_day,
    };

    if (!relabel)
        return NULL;
    relabel->options = *options;
    relabel->options.gateway = NULL; /* the caller's, for the call only */
    relabel->options.state_dir = NULL;
    relabel->finder = finder_new(&finder, clock_wall_ms());
    if (!relabel->finder) {
        relabel_free(relabel);
        return NULL;
    }
    return relabel;
}

void relabel_free(struct relabel *relabel)
{
    if (!relabel)
        return;
    finder_free(relabel->finder);
    free(relabel);
}

/* --- each pass of the ledger thread --- */

void relabel_look_at_log(struct relabel *relabel, struct clicklog *log, uint64_t *looked_to)
{
    uint64_t tail = clicklog_tail(log), end = *looked_to + LOOK_MAX;

    if (end > tail)
        end = tail;
    while (*looked_to < end) {
        size_t max = end - *looked_to < READ_MAX ? (size_t)(end - *looked_to) : (size_t)READ_MAX;
        size_t n_clicks, passed = clicklog_read(log, *looked_to, max, relabel->clicks, &n_clicks);

        if (passed == 0)
            return;
        for (size_t i = 0; i < n_clicks + AHEAD * GATEWAY_STEPS; i++) {
            for (size_t step = 0; step < GATEWAY_STEPS; step++) {
                if (i - step * AHEAD < n_clicks) /* also false when the difference wraps */
                    finder_expect(relabel->finder, &relabel->clicks[i - step * AHEAD],
                                  (enum gateway_step)step);
            }
            if (i >= AHEAD * GATEWAY_STEPS)
                finder_look_at(relabel->finder, &relabel->clicks[i - AHEAD * GATEWAY_STEPS]);
        }
        *looked_to += passed;
        background_yield();
    }
}

void relabel_serve(struct relabel *relabel, int64_t now_ms)
{
    finder_serve(relabel->finder, now_ms, clock_wall_ms());
}

/* Of a command, or, as of Redis 7, of a script that calls one. */
static bool lacks_rights(const char *error)
{
    return strncmp(error, "NOPERM", 6) == 0 || strstr(error, "The user executing the script can't");
}

/* The commands are sent again and again, also when the Redis user will never have these rights,
 * which is allowed. */
static void tell_refusal(struct relabel *relabel, enum gateway_command what, const char *error)
{
    int64_t now_ms = clock_mono_ms();
    char quoted[LOG_QUOTE_MAX];

    if (relabel->is_told[what] && now_ms - relabel->told_ms[what] < AGAIN_MS)
        return;
    relabel->is_told[what] = true;
    relabel->told_ms[what] = now_ms;
    log_warn("ledger.siblings", "err=%s effect=\"each pod finds gateways by its own clicks\"%s",
             log_quote(quoted, error),
             lacks_rights(error) ? " remedy=\"give the Redis user the rights of redis-acl.conf\""
                                 : "");
}

void relabel_on_answer(struct relabel *relabel, enum gateway_command what, unsigned shard,
                       const struct redisReply *answer)
{
    if (answer && answer->type == REDIS_REPLY_ERROR)
        tell_refusal(relabel, what, answer->str);
    finder_on_answer(relabel->finder, what, shard, answer);
}

int64_t relabel_window_ms(const struct relabel *relabel)
{
    return finder_window_ms(relabel->finder);
}

struct beat *relabel_beat(const struct relabel *relabel)
{
    return finder_beat(relabel->finder);
}

struct relabel_stats relabel_stats(const struct relabel *relabel)
{
    const struct beat *beat = finder_beat(relabel->finder);
    const struct clock_gap *gap = beat_clock_gap(beat);
    struct relabel_stats stats = {
        .n_pods = beat_n_pods(beat), .knows_clock = gap->is_known, .clock_ahead_ms = gap->ahead_ms};

    memcpy(stats.relabelled, relabel->relabelled, sizeof(stats.relabelled));
    return stats;
}
