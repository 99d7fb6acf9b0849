#include "service/sinks/sink_thread.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/base/wake.h"
#include "service/clicklog/clicklog.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/sinks/sink.h"
#include "service/sinks/sink_batch.h"
#include "service/sinks/sink_erasures.h"
#include "service/sinks/sink_hold.h"
#include "service/sinks/sink_key.h"
#include "service/sinks/sink_names.h"

enum {
    TICK_MS = 200,  /* between two looks at the logs */
    SAVE_MS = 1000, /* cursors that have moved are written down so often */
    RETRY_MS = 500, /* the first back-off; it doubles */
    RETRY_MAX_MS = 60000,
    ASK_MS = 10000, /* a sink that may lose its cursors is asked for them so often */
    DOWN_FAILURES = 2,
    READ_AHEAD = 64, /* positions looked at for the time of the oldest record */
};

/* A log, and how far the sink is in it. */
struct sink_log {
    struct clicklog *log;
    uint64_t at;
    uint64_t looked_to; /* relabellings below were noted */
    int64_t since_ms;   /* monotonic: since when there is something behind `at`; 0 = there isn't */
    int64_t oldest_ms;  /* Unix: the time of the record at `at`; 0 = not known */
    /* What failed, or is sent again after that, lies in between; from >= to: there is nothing. */
    uint64_t failed_from, failed_to;
    uint64_t first; /* of the log, when it was last looked at */
    bool is_there;  /* not deleted */
    bool is_listed; /* in the state, too */
};

struct sink_thread {
    struct sink_thread_options options;
    const struct sink_type *type;
    void *self; /* the type's */
    struct sink_filter filter;
    struct sink_names *names;
    struct sink_batch *batch;
    struct sink_hold *hold; /* NULL: clicks don't wait */
    struct sink_state state;
    pthread_t thread;
    bool has_thread;
    int wake_fd;
    atomic_bool stopping, draining, drained, is_down, has_looked;

    /* The thread's. */
    bool is_dirty;    /* the state is not as it is on disk */
    bool is_idle;     /* at the last look there was nothing to send */
    bool is_new;      /* no state was there: the sink begins with what the logs hold */
    int64_t saved_ms; /* monotonic */
    int64_t retry_ms; /* not before, monotonic */
    int64_t asked_ms; /* monotonic */
    unsigned n_failures;
    unsigned turn;  /* the log that is looked at first, so that none starves */
    size_t n_again; /* so many of the failed ranges, from the first on, are to be sent again */

    pthread_mutex_t mutex; /* for what follows, and the state's lost ranges; the thread writes */
    struct sink_log *logs;
    size_t n_logs, logs_max;
    uint64_t n_sent, n_lost;
    size_t n_failed;
    bool is_off;
    char why[SINK_WHY_MAX];
    struct site *new_site; /* NULL: none */
};

void sink_result_why(struct sink_result *result, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(result->why, sizeof(result->why), format, args);
    va_end(args);
}

/* --- what others may know --- */

static void publish(struct sink_thread *t)
{
    pthread_mutex_lock(&t->mutex);
    t->n_sent = t->state.n_sent;
    t->n_lost = t->state.n_lost;
    t->n_failed = t->state.n_failed;
    t->is_off = t->state.off_why[0] != '\0';
    pthread_mutex_unlock(&t->mutex);
}

static void set_why(struct sink_thread *t, const char *why)
{
    pthread_mutex_lock(&t->mutex);
    snprintf(t->why, sizeof(t->why), "%s", why);
    pthread_mutex_unlock(&t->mutex);
}

static struct sink_log *find_log(struct sink_thread *t, const uint8_t *log_id)
{
    for (size_t i = 0; i < t->n_logs; i++) {
        if (memcmp(clicklog_id(t->logs[i].log), log_id, CLICK_LOG_ID_LEN) == 0)
            return &t->logs[i];
    }
    return NULL;
}

enum sink_told sink_thread_told(struct sink_thread *t,
                                const uint8_t log_id[static CLICK_LOG_ID_LEN], uint64_t position,
                                int64_t at_ms)
{
    enum sink_told told = SINK_WAITS;
    const struct sink_log *log;
    bool is_open;

    pthread_mutex_lock(&t->mutex);
    log = find_log(t, log_id);
    is_open =
        log && (position >= log->at || (position >= log->failed_from && position < log->failed_to));
    if (sink_state_has_lost(&t->state, log_id, position) ||
        (t->has_looked && !log && at_ms < t->state.known_since_ms))
        told = SINK_LOST;
    else if (t->has_looked && !is_open)
        told = SINK_TOLD;
    /* A log of an earlier start has nothing behind its tail: the disk has lost it. */
    else if (log && (position < clicklog_first(log->log) ||
                     (!clicklog_is_live(log->log) && position >= clicklog_tail(log->log))))
        told = SINK_LOST;
    pthread_mutex_unlock(&t->mutex);
    return told;
}

void sink_thread_stats(struct sink_thread *t, struct sink_stats *out)
{
    int64_t now_ms = clock_wall_ms();

    *out = (struct sink_stats){.name = t->options.config->name,
                               .type = config_sink_type_name(t->options.config)};
    pthread_mutex_lock(&t->mutex);
    for (size_t i = 0; i < t->n_logs; i++) {
        const struct sink_log *log = &t->logs[i];
        uint64_t tail = clicklog_tail(log->log);

        if (tail <= log->at)
            continue;
        out->lag += tail - log->at;
        if (log->oldest_ms && now_ms - log->oldest_ms > out->oldest_ms)
            out->oldest_ms = now_ms - log->oldest_ms;
    }
    out->n_sent = t->n_sent;
    out->n_lost = t->n_lost;
    out->n_failed = t->n_failed;
    out->is_off = t->is_off;
    memcpy(out->why, t->why, sizeof(out->why));
    pthread_mutex_unlock(&t->mutex);
}

/* --- the logs --- */

/* Call it with the mutex held. */
static void note_failed(const struct sink_thread *t, struct sink_log *log)
{
    log->failed_from = UINT64_MAX;
    log->failed_to = 0;
    for (size_t i = 0; i < t->state.n_failed + t->state.has_intent; i++) {
        const struct sink_range *range =
            i < t->state.n_failed ? &t->state.failed[i] : &t->state.intent;

        /* A range that begins at the cursor is sent for the first time. */
        if (range->from >= log->at ||
            memcmp(range->log_id, clicklog_id(log->log), CLICK_LOG_ID_LEN) != 0)
            continue;
        if (range->from < log->failed_from)
            log->failed_from = range->from;
        if (range->to > log->failed_to)
            log->failed_to = range->to;
    }
}

/* What failed is noted in the same step: else a range that was given up would seem sent, for a
 * moment. */
static void move_to(struct sink_thread *t, struct sink_log *log, uint64_t at)
{
    pthread_mutex_lock(&t->mutex);
    log->at = at;
    log->oldest_ms = log->since_ms = 0;
    note_failed(t, log);
    pthread_mutex_unlock(&t->mutex);
    t->is_dirty = true;
}

static void count_lost(struct sink_thread *t, uint64_t n, const char *why)
{
    if (n == 0)
        return;
    t->state.n_lost += n;
    t->is_dirty = true;
    log_error("sink.lost", "sink=%s n=%" PRIu64 " err=\"%s\"", t->options.config->name, n, why);
}

/* Lists positions as lost, if an erasure may be among them. */
static void list_lost(struct sink_thread *t, const uint8_t *log_id, uint64_t from, uint64_t to)
{
    const struct sink_log *log = find_log(t, log_id);
    const struct sink_cursor *cursor = sink_state_find(&t->state, log_id);
    struct sink_range range = {.from = from, .to = to, .at_ms = clock_wall_ms()};

    if (log ? !clicklog_holds_relabels(log->log) : !cursor || !cursor->holds_events)
        return;
    memcpy(range.log_id, log_id, CLICK_LOG_ID_LEN);
    pthread_mutex_lock(&t->mutex);
    sink_state_add_lost(&t->state, &range);
    pthread_mutex_unlock(&t->mutex);
    t->is_dirty = true;
}

static const char was_deleted[] =
    "the disk budget was spent before the sink took these records; raise ledger.disk_max_bytes or "
    "mend the sink";

static bool add_log(struct sink_thread *t, struct clicklog *log)
{
    const struct sink_cursor *cursor = sink_state_find(&t->state, clicklog_id(log));
    struct sink_log *logs = t->logs;
    uint64_t at = cursor ? cursor->at : t->is_new ? clicklog_first(log) : 0;

    pthread_mutex_lock(&t->mutex);
    if (t->n_logs == t->logs_max) {
        size_t max = t->logs_max ? 2 * t->logs_max : 16;

        logs = realloc(t->logs, max * sizeof(*logs));
        if (logs) {
            t->logs = logs;
            t->logs_max = max;
        }
    }
    if (logs) {
        logs[t->n_logs] =
            (struct sink_log){.log = log, .at = at, .looked_to = at, .is_there = true};
        note_failed(t, &logs[t->n_logs++]);
    }
    pthread_mutex_unlock(&t->mutex);
    return logs != NULL;
}

/* What failed, and what was being sent, is lost where that part of its log is deleted. */
static void lose_deleted(struct sink_thread *t)
{
    struct sink_state *state = &t->state;
    const struct sink_log *log;
    size_t n = 0, n_again = 0;

    for (size_t i = 0; i < state->n_failed; i++) {
        struct sink_range range = state->failed[i];
        uint64_t first, to;

        log = find_log(t, range.log_id);
        first = log && log->is_there ? clicklog_first(log->log) : UINT64_MAX;
        to = range.to < first ? range.to : first;
        if (range.from < to) {
            count_lost(t, to - range.from, was_deleted);
            list_lost(t, range.log_id, range.from, to);
            range.from = to;
        }
        if (range.from < range.to) {
            n_again += i < t->n_again;
            state->failed[n++] = range;
        }
    }
    state->n_failed = n;
    t->n_again = n_again;
    log = state->has_intent ? find_log(t, state->intent.log_id) : NULL;
    if (!state->has_intent || (log && log->is_there))
        return;
    state->has_intent = false;
    if (log && state->intent.from >= log->at)
        return; /* drop_logs() counts it */
    count_lost(t, state->intent.to - state->intent.from, was_deleted);
    list_lost(t, state->intent.log_id, state->intent.from, state->intent.to);
}

/* Forgets the logs that are deleted; what the sink had not got of them is lost. */
static void drop_logs(struct sink_thread *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n_logs; i++) {
        const struct sink_log *log = &t->logs[i];
        uint64_t tail = clicklog_tail(log->log);

        if (log->is_there)
            continue;
        if (log->at < tail)
            count_lost(t, tail - log->at, was_deleted);
        list_lost(t, clicklog_id(log->log), log->at, INT64_MAX);
        t->is_dirty = true;
    }
    pthread_mutex_lock(&t->mutex);
    for (size_t i = 0; i < t->n_logs; i++) {
        if (!t->logs[i].is_there)
            continue;
        t->logs[n] = t->logs[i];
        note_failed(t, &t->logs[n++]);
    }
    t->n_logs = n;
    pthread_mutex_unlock(&t->mutex);
}

static bool find_logs(struct sink_thread *t)
{
    bool has_less = !t->has_looked;

    for (size_t i = 0; i < t->n_logs; i++)
        t->logs[i].is_there = false;
    for (struct clicklog *log = clicklog_next(t->options.store, NULL); log;
         log = clicklog_next(t->options.store, log)) {
        struct sink_log *known = find_log(t, clicklog_id(log));

        if (known)
            known->is_there = true;
        else if (!add_log(t, log))
            return false; /* next time */
    }
    for (size_t i = 0; i < t->n_logs; i++) {
        struct sink_log *log = &t->logs[i];
        uint64_t first = clicklog_first(log->log);

        has_less = has_less || !log->is_there || log->first != first;
        log->first = first;
        /* A log that is missing at the next start must be known by then. */
        t->is_dirty = t->is_dirty || (!log->is_listed && clicklog_tail(log->log) > 0);
    }
    /* How long a log was that is missing at the start, nobody knows. */
    for (size_t i = 0; !t->has_looked && i < t->state.n_cursors; i++) {
        const struct sink_cursor *cursor = &t->state.cursors[i];

        if (!find_log(t, cursor->log_id))
            list_lost(t, cursor->log_id, cursor->at, INT64_MAX);
    }
    if (has_less) {
        lose_deleted(t);
        drop_logs(t);
    }
    atomic_store(&t->has_looked, true);
    return true;
}

/* Notes since when records wait, and skips those that are deleted. */
static void look_at(struct sink_thread *t, struct sink_log *log, int64_t now_ms)
{
    uint64_t first = clicklog_first(log->log), tail = clicklog_tail(log->log);
    struct clicklog_row rows[READ_AHEAD];
    size_t n_rows = 0;

    if (log->at < first) {
        count_lost(t, first - log->at, was_deleted);
        list_lost(t, clicklog_id(log->log), log->at, first);
        move_to(t, log, first);
    }
    if (log->at >= tail || log->since_ms)
        return;
    (void)clicklog_read_rows(log->log, t->options.number, log->at, log->at + READ_AHEAD, rows,
                             &n_rows);
    pthread_mutex_lock(&t->mutex);
    log->since_ms = now_ms;
    log->oldest_ms = n_rows ? rows[0].click.time_ms : clock_wall_ms();
    pthread_mutex_unlock(&t->mutex);
}

/* --- writing down --- */

/* Below this the sink needs nothing of the log: neither what it hasn't got nor what failed. */
static uint64_t needed_from(const struct sink_thread *t, const struct sink_log *log)
{
    const uint8_t *id = clicklog_id(log->log);
    uint64_t from = log->at;

    if (t->state.off_why[0])
        return UINT64_MAX; /* nobody knows whether it will ever be on again */
    for (size_t i = 0; i < t->state.n_failed; i++) {
        const struct sink_range *range = &t->state.failed[i];

        if (memcmp(range->log_id, id, CLICK_LOG_ID_LEN) == 0 && range->from < from)
            from = range->from;
    }
    if (t->state.has_intent && memcmp(t->state.intent.log_id, id, CLICK_LOG_ID_LEN) == 0 &&
        t->state.intent.from < from)
        from = t->state.intent.from;
    return from;
}

/* True when all that the sink knows is on disk. */
static bool save(struct sink_thread *t, int64_t now_ms)
{
    char why[SINK_WHY_MAX];
    int errnum = 0;

    t->state.n_cursors = 0;
    for (size_t i = 0; i < t->n_logs && errnum == 0; i++) {
        struct sink_log *log = &t->logs[i];
        struct sink_cursor cursor = {.at = log->at,
                                     .holds_events = clicklog_holds_relabels(log->log)};

        memcpy(cursor.log_id, clicklog_id(log->log), CLICK_LOG_ID_LEN);
        /* A log without a record isn't there at the next start, and nothing of it is lost. */
        log->is_listed = clicklog_tail(log->log) > 0;
        if (log->is_listed && !sink_state_add(&t->state, &cursor))
            errnum = ENOMEM;
    }
    if (errnum == 0)
        errnum = sink_state_save(t->options.state_dir, t->options.config->name, &t->state);
    t->saved_ms = now_ms;
    if (errnum) {
        snprintf(why, sizeof(why), "cannot write %s/sinks/%s: %s", t->options.state_dir,
                 t->options.config->name, strerror(errnum));
        set_why(t, why);
        log_warn("sink.state", "sink=%s err=\"%s\"", t->options.config->name, strerror(errnum));
        return false;
    }
    t->is_dirty = false;
    for (size_t i = 0; i < t->n_logs; i++)
        clicklog_set_passed(t->logs[i].log, t->options.number, needed_from(t, &t->logs[i]));
    return true;
}

/* --- `hopcount sinks retry` --- */

/* The command leaves a file in the sink's folder. */
static void look_for_retry(struct sink_thread *t)
{
    char path[SINK_PATH_MAX];

    sink_state_path(t->options.state_dir, t->options.config->name, "retry", path);
    if (unlink(path) != 0)
        return;
    log_info("sink.retry", "sink=%s ranges=%zu", t->options.config->name, t->state.n_failed);
    t->n_again = t->state.n_failed;
    t->state.off_why[0] = '\0';
    t->retry_ms = 0;
    t->is_dirty = true;
    set_why(t, "");
}

/* --- sending --- */

static void look_for_relabellings(struct sink_thread *t)
{
    for (size_t i = 0; t->hold && i < t->n_logs; i++)
        t->logs[i].looked_to =
            sink_batch_note_relabellings(t->batch, t->logs[i].log, t->logs[i].looked_to);
}

/* The range that is to be sent next, as an intent; false: there is nothing to send yet. */
static bool choose(struct sink_thread *t, int64_t now_ms)
{
    int64_t linger_ms = config_sink_linger_ms(t->options.config, t->type->linger_ms);
    uint64_t rows_max = config_sink_rows_max(t->options.config, t->type->rows_max);
    uint64_t range_max = rows_max * (t->type->parts_max ? t->type->parts_max : 1);

    if (t->n_again > 0) { /* ranges that failed, after `hopcount sinks retry` */
        struct sink_range *failed = t->state.failed;

        t->state.intent = failed[0];
        t->state.intent.at_ms = clock_wall_ms();
        t->state.has_intent = true;
        t->n_again--;
        memmove(failed, failed + 1, --t->state.n_failed * sizeof(*failed));
        return true;
    }
    for (size_t i = 0; i < t->n_logs; i++) {
        struct sink_log *log = &t->logs[(t->turn + i) % t->n_logs];
        uint64_t tail = clicklog_tail(log->log), n;

        look_at(t, log, now_ms);
        if (log->at >= tail)
            continue;
        n = tail - log->at;
        if (n < rows_max && clicklog_is_live(log->log) && now_ms - log->since_ms < linger_ms &&
            !atomic_load(&t->draining))
            continue;
        n = sink_batch_count_ripe(t->batch, log->log, log->at, n < range_max ? n : range_max);
        if (n == 0)
            continue;
        memcpy(t->state.intent.log_id, clicklog_id(log->log), CLICK_LOG_ID_LEN);
        t->state.intent.from = log->at;
        t->state.intent.to = log->at + n;
        t->state.intent.at_ms = clock_wall_ms();
        t->state.has_intent = true;
        t->turn = (unsigned)((t->turn + i + 1) % t->n_logs);
        return true;
    }
    return false;
}

static void back_off(struct sink_thread *t, const struct sink_result *result, int64_t now_ms)
{
    char quoted[LOG_QUOTE_MAX];
    int64_t wait_ms = result->retry_ms;

    if (wait_ms == 0) {
        wait_ms = t->n_failures < 7 ? (int64_t)RETRY_MS << t->n_failures : RETRY_MAX_MS;
        wait_ms = wait_ms / 2 + randombytes_uniform((uint32_t)wait_ms);
    }
    t->n_failures++;
    t->retry_ms = now_ms + wait_ms;
    set_why(t, result->why);
    log_warn("sink.later", "sink=%s err=%s retry_ms=%" PRId64, t->options.config->name,
             log_quote(quoted, result->why), wait_ms);
}

/* The range at hand is over up to `to`: the cursor of its log is there, unless the range had failed
 * before.  `goes_on`: the rest is the next part of the range, as it is on disk; else the rest is
 * chosen anew, or of a range that had failed, sent again next. */
static void end_intent(struct sink_thread *t, struct sink_log *log, uint64_t to, bool goes_on)
{
    struct sink_range rest = t->state.intent;
    bool is_new = log->at >= rest.from && log->at < to;

    t->is_dirty = true;
    t->state.has_intent = false;
    if (is_new)
        move_to(t, log, to);
    if (to >= rest.to)
        return;
    rest.from = to;
    if (goes_on) {
        t->state.intent = rest;
        t->state.has_intent = true;
        return;
    }
    if (is_new)
        return;
    if (!sink_state_add_failed(&t->state, &rest)) {
        count_lost(t, rest.to - to, "out of memory");
        list_lost(t, rest.log_id, to, rest.to);
        return;
    }
    memmove(t->state.failed + 1, t->state.failed, (t->state.n_failed - 1) * sizeof(rest));
    t->state.failed[0] = rest;
    t->n_again++;
}

static void take_outcome(struct sink_thread *t, struct sink_log *log, enum sink_outcome outcome,
                         const struct sink_result *result)
{
    struct sink_range failed = t->state.intent;
    char quoted[LOG_QUOTE_MAX];
    int64_t now_ms = clock_mono_ms();

    switch (outcome) {
    case SINK_DONE:
        t->state.n_sent += result->n_sent;
        if (t->batch->n_missing > 0) {
            count_lost(t, t->batch->n_missing, "these positions of the log are damaged or deleted");
            list_lost(t, failed.log_id, t->batch->missing_from, t->batch->missing_to);
        }
        /* After failures the rest begins its own time to be given up. */
        end_intent(t, log, result->to, result->goes_on && t->n_failures == 0);
        if (t->n_failures > 0)
            log_info("sink.works", "sink=%s after_failures=%u", t->options.config->name,
                     t->n_failures);
        t->n_failures = 0;
        set_why(t, "");
        break;
    case SINK_LATER:
        if (!atomic_load(&t->stopping))
            back_off(t, result, now_ms);
        if (!t->type->has_intents)
            t->state.has_intent = false;
        break;
    case SINK_FAILED:
        log_error("sink.failed", "sink=%s from=%" PRIu64 " to=%" PRIu64 " err=%s",
                  t->options.config->name, failed.from, result->to, log_quote(quoted, result->why));
        set_why(t, result->why);
        failed.to = result->to;
        if (sink_state_add_failed(&t->state, &failed))
            end_intent(t, log, result->to, false);
        break;
    case SINK_OFF:
        log_error("sink.off", "sink=%s err=%s remedy=\"hopcount sinks retry\"",
                  t->options.config->name, log_quote(quoted, result->why));
        set_why(t, result->why);
        snprintf(t->state.off_why, sizeof(t->state.off_why), "%s",
                 result->why[0] ? result->why : "off");
        t->is_dirty = true;
        break;
    }
    pthread_mutex_lock(&t->mutex);
    note_failed(t, log);
    pthread_mutex_unlock(&t->mutex);
}

static void put(struct sink_thread *t)
{
    struct sink_log *log = find_log(t, t->state.intent.log_id);
    struct sink_result result = {.to = t->state.intent.to};
    enum sink_outcome outcome;

    t->batch->log = log->log;
    t->batch->from = t->state.intent.from;
    t->batch->to = t->state.intent.to;
    t->batch->at_ms = t->state.intent.at_ms;
    t->batch->is_intent = t->type->has_intents;
    t->batch->names = t->names;
    sink_batch_start(t->batch);
    outcome = t->type->put(t->self, t->batch, &result);
    take_outcome(t, log, outcome, &result);
}

/* Goes back to where the sink has lost something, as far as the log still holds it. */
static void ask_for_cursors(struct sink_thread *t, int64_t now_ms)
{
    if (!t->type->ask || now_ms - t->asked_ms < ASK_MS)
        return;
    t->asked_ms = now_ms;
    for (size_t i = 0; i < t->n_logs && !atomic_load(&t->stopping); i++) {
        struct sink_log *log = &t->logs[i];
        uint64_t first = clicklog_first(log->log), cursor;

        if (!t->type->ask(t->self, clicklog_id(log->log), &cursor))
            return;
        if (cursor < first)
            cursor = first;
        if (cursor < log->at) {
            log_warn("sink.back", "sink=%s n=%" PRIu64 " err=\"it has lost its newest records\"",
                     t->options.config->name, log->at - cursor);
            move_to(t, log, cursor);
        }
    }
}

/* Sends one range, if it is time.  Returns for how long there is nothing to do. */
static int64_t serve(struct sink_thread *t, int64_t now_ms)
{
    bool had_intent = t->state.has_intent;

    look_for_retry(t);
    if (t->state.off_why[0])
        return TICK_MS;
    if (now_ms < t->retry_ms)
        return t->retry_ms - now_ms < TICK_MS ? t->retry_ms - now_ms : TICK_MS;
    ask_for_cursors(t, now_ms);
    look_for_relabellings(t);
    t->is_idle = !had_intent && !choose(t, now_ms);
    if (t->is_idle)
        return TICK_MS;
    if (!had_intent && t->type->has_intents && !save(t, now_ms)) {
        t->state.has_intent = false; /* nothing is sent that isn't written down */
        t->retry_ms = now_ms + SAVE_MS;
        return TICK_MS;
    }
    put(t);
    return 0;
}

/* --- the thread --- */

static void take_site(struct sink_thread *t)
{
    struct sink_names *names;
    struct site *site;

    pthread_mutex_lock(&t->mutex);
    site = t->new_site;
    t->new_site = NULL;
    pthread_mutex_unlock(&t->mutex);
    if (!site)
        return;
    names = sink_names_new(site);
    site_unref(site);
    if (names) {
        sink_names_free(t->names);
        t->names = names;
    }
}

static void turn(struct sink_thread *t, int64_t *wait_ms)
{
    bool draining = atomic_load(&t->draining);
    int64_t now_ms = clock_mono_ms();

    take_site(t);
    if (t->options.erasures)
        sink_erasures_take(t->options.erasures, now_ms);
    if (!find_logs(t))
        return;
    if (t->is_new && save(t, now_ms))
        t->is_new = false;
    t->is_idle = false;
    *wait_ms = serve(t, now_ms);
    if (t->is_dirty && (now_ms - t->saved_ms >= SAVE_MS || (draining && *wait_ms > 0)))
        (void)save(t, now_ms);
    if (draining && t->is_idle && !t->is_dirty)
        atomic_store(&t->drained, true);
    atomic_store(&t->is_down, t->state.off_why[0] || t->n_failures >= DOWN_FAILURES);
    publish(t);
}

static void *run(void *arg)
{
    struct sink_thread *t = arg;
    char name[16];

    snprintf(name, sizeof(name), "sink-%s", t->options.config->name);
    background_enter(name);
    while (!atomic_load(&t->stopping)) {
        struct pollfd fd = {.fd = t->wake_fd, .events = POLLIN};
        int64_t wait_ms = TICK_MS;

        turn(t, &wait_ms);
        if (wait_ms > 0 && poll(&fd, 1, (int)wait_ms) > 0)
            wake_take(t->wake_fd);
    }
    if (t->is_dirty)
        (void)save(t, clock_mono_ms());
    return NULL;
}

/* --- start and stop --- */

static const struct sink_type *find_type(const struct config_sink *config)
{
    static const struct sink_type *const types[CONFIG_SINK_TYPES] = {
        [CONFIG_SINK_FILE] = &sink_type_file,
        [CONFIG_SINK_WEBHOOK] = &sink_type_webhook,
        [CONFIG_SINK_CLICKHOUSE] = &sink_type_clickhouse,
        [CONFIG_SINK_KAFKA] = &sink_type_kafka,
        [CONFIG_SINK_STREAM] = &sink_type_stream,
    };

    return types[config->type];
}

static bool open_type(struct sink_thread *t, struct error *err)
{
    const struct config_sink *config = t->options.config;
    struct sink_options options = {.config = config,
                                   .redis_url = t->options.redis_url,
                                   .redis_timeout_ms = t->options.redis_timeout_ms,
                                   .stopping = &t->stopping};
    struct record_form *form = &options.form;

    form->fields = (enum record_fields)config->fields;
    if (config->hash_key_file && !sink_key_load(config->hash_key_file, form->key, err))
        return false;
    t->type = find_type(config);
    if (!sink_filter_init(&t->filter, config, t->type->leaves_out_omitted, err))
        return false;
    t->self = t->type->open(&options, err);
    return t->self != NULL;
}

static bool start(struct sink_thread *t, struct error *err)
{
    const char *name = t->options.config->name;
    char path[SINK_PATH_MAX];
    int errnum;

    if (!open_type(t, err))
        return false;
    t->batch = calloc(1, sizeof(*t->batch));
    t->names = sink_names_new(t->options.site);
    t->wake_fd = wake_new();
    if (!t->batch || !t->names || t->wake_fd < 0) {
        error_set(err, "out of memory or descriptors");
        return false;
    }
    if (t->type->holds_people && t->options.config->hold_s > 0 &&
        !(t->hold = sink_hold_new(t->options.config->hold_s * 1000))) {
        error_set(err, "out of memory");
        return false;
    }
    t->batch->hold = t->hold;
    t->batch->sink = t->options.number;
    t->batch->filter = &t->filter;
    t->batch->states = t->options.states;
    sink_state_path(t->options.state_dir, name, "state.json", path);
    t->is_new = access(path, F_OK) != 0;
    if (!sink_state_make_folder(t->options.state_dir, name, err) ||
        !sink_state_load(t->options.state_dir, name, &t->state, err))
        return false;
    if (t->state.known_since_ms == 0)
        t->state.known_since_ms = clock_wall_ms();
    publish(t);
    set_why(t, t->state.off_why);
    errnum = thread_start(&t->thread, NULL, run, t);
    if (errnum)
        error_set(err, "cannot start a thread: %s", strerror(errnum));
    t->has_thread = errnum == 0;
    return t->has_thread;
}

bool sink_thread_check(const struct config_sink *config, struct error *err)
{
    struct sink_thread *t = calloc(1, sizeof(*t));
    bool ok;

    if (!t) {
        error_set(err, "out of memory");
        return false;
    }
    t->options.config = config;
    t->wake_fd = -1;
    pthread_mutex_init(&t->mutex, NULL);
    ok = open_type(t, err);
    sink_thread_free(t);
    return ok;
}

struct sink_thread *sink_thread_new(const struct sink_thread_options *options, struct error *err)
{
    struct sink_thread *t = calloc(1, sizeof(*t));

    if (!t) {
        error_set(err, "out of memory");
        return NULL;
    }
    t->options = *options;
    t->wake_fd = -1;
    pthread_mutex_init(&t->mutex, NULL);
    if (!start(t, err)) {
        sink_thread_free(t);
        t = NULL;
    }
    return t;
}

void sink_thread_stop(struct sink_thread *t)
{
    atomic_store(&t->stopping, true);
    wake_send(t->wake_fd);
}

void sink_thread_free(struct sink_thread *t)
{
    if (!t)
        return;
    if (t->has_thread) {
        sink_thread_stop(t);
        pthread_join(t->thread, NULL);
    }
    if (t->type)
        t->type->close(t->self);
    site_unref(t->new_site);
    sink_names_free(t->names);
    sink_hold_free(t->hold);
    sink_state_clear(&t->state);
    free(t->batch);
    free(t->logs);
    if (t->wake_fd >= 0)
        close(t->wake_fd);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

void sink_thread_reload(struct sink_thread *t, struct site *site)
{
    struct site *old;

    pthread_mutex_lock(&t->mutex);
    old = t->new_site;
    t->new_site = site_ref(site);
    pthread_mutex_unlock(&t->mutex);
    site_unref(old);
}

void sink_thread_drain(struct sink_thread *t)
{
    atomic_store(&t->draining, true);
    wake_send(t->wake_fd);
}

bool sink_thread_is_drained(struct sink_thread *t)
{
    return atomic_load(&t->drained);
}

bool sink_thread_is_down(struct sink_thread *t)
{
    return atomic_load(&t->is_down);
}
