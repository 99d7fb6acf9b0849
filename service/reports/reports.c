#include "service/reports/reports.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "report_keep_lua.h"
#include "report_read_lua.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/counter64.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/base/wake.h"
#include "service/base/zone.h"
#include "service/config/config.h"
#include "service/redis/redis_link.h"
#include "service/reports/report.h"
#include "service/reports/report_send.h"
#include "service/reports/report_when.h"

enum {
    POLL_MS = 5000,
    CONNECT_MS = 500,       /* between two tries while Redis hasn't answered yet */
    CLAIM_MS = 120000,      /* longest that making a report may take, and that sending adds to */
    RETRY_MS = 60000,       /* after the first failure; doubled after each … */
    RETRY_MAX_MS = 3600000, /* … up to this */
    UNCOUNTED_MS = 300000,  /* between two looks whether all clicks are counted … */
    UNCOUNTED_MAX_S = 6 * 3600, /* … for so long after the report was due */
    TRIES_MAX = 78,             /* three days */
    KEPT_S = 400 * 86400,
    GRACE_MS = 1000,    /* so long after reports_end() an answer is waited for in any case */
    NAME_MAX_LEN = 400, /* of a delivery in Redis */
    SHOWN_MAX = 4096,
    NUMBER_MAX = 24,
    STATE_MAX = 16,
    KEY_MAX = 64,
    RECEIVER_MAX = 48,
};

/* What is known of a delivery, as its record has it. */
struct known {
    char state[STATE_MAX], period[REPORT_DATE_MAX], why[REPORT_WHY_MAX];
    int64_t tries, at_ms, next_ms;
};

struct delivery {
    const struct config_report *report;
    struct schedule *schedule;
    const char *to;  /* an address; NULL = the chat */
    unsigned number; /* of the address in the configuration, from 1 */
    char name[NAME_MAX_LEN];
    char *text;         /* the record as Redis has it; "" = none */
    char *unsaved;      /* what is to take its place, and Redis was away; NULL = nothing is */
    struct known known; /* of `text`; under the lock */
};

/* One of `reports`. */
struct schedule {
    const struct config_report *config;
    struct zone *zone;
    char url[REPORT_URL_MAX]; /* of the chat */
    char shown[SHOWN_MAX];    /* all addresses, with commas */
    struct report_period due; /* the newest whose report is due … */
    int64_t due_s, next_s;    /* … since when; and when the next one is.  Under the lock */
    counter64 n_sent, n_failed;
};

struct reports {
    const struct config *config;
    struct report_mailer mailer;
    unsigned n_schedules;
    struct schedule *schedules;
    size_t n_deliveries;
    struct delivery *deliveries;
    reports_ask *ask;
    void *owner;

    pthread_t thread;
    bool has_thread;
    struct event_base *base;
    struct redis_link *link;
    struct event *wake;
    int wake_fd;
    atomic_bool stopping, is_cut;
    int64_t ended_ms;                /* monotonic: reports_end(); 0 = not yet */
    pthread_mutex_t lock;            /* of what others read */
    bool is_known;                   /* Redis has told once; under the lock */
    int64_t redis_ms, redis_mono_ms; /* Redis' clock, and ours at that time; under the lock */

    /* The command under way. */
    uint64_t ticket;
    bool is_answered;
    bool (*take)(struct reports *r, const struct redisReply *answer);
    bool is_taken; /* what that returned */
};

/* --- records --- */

static void read_record(const char *text, struct known *out)
{
    json_t *record = json_loads(text, 0, NULL);
    const char *state, *period, *why;

    *out = (struct known){.state = ""};
    if (json_unpack(record, "{s:s s:s s:s s:I s:I s:I}", "state", &state, "period", &period, "why",
                    &why, "tries", &out->tries, "at", &out->at_ms, "next", &out->next_ms) == 0) {
        snprintf(out->state, sizeof(out->state), "%s", state);
        snprintf(out->period, sizeof(out->period), "%s", period);
        snprintf(out->why, sizeof(out->why), "%s", why);
    }
    json_decref(record);
}

/* The caller frees it. */
static char *write_record(const struct known *known)
{
    json_t *record = json_pack("{ss ss ss sI sI sI}", "state", known->state, "period",
                               known->period, "why", known->why, "tries", (json_int_t)known->tries,
                               "at", (json_int_t)known->at_ms, "next", (json_int_t)known->next_ms);
    char *text = record ? json_dumps(record, JSON_COMPACT) : NULL;

    json_decref(record);
    return text;
}

/* Owns `text`. */
static void set_text(struct reports *r, struct delivery *d, char *text)
{
    pthread_mutex_lock(&r->lock);
    read_record(text, &d->known);
    pthread_mutex_unlock(&r->lock);
    free(d->text);
    d->text = text;
}

/* --- Redis, waited for --- */

static void on_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct reports *r = owner;

    if (ticket != r->ticket || r->is_answered)
        return;
    if (answer && answer->type == REDIS_REPLY_ERROR)
        log_warn("report.redis", "err=%.150s", answer->str);
    r->is_answered = true;
    r->is_taken = answer && r->take(r, answer);
    event_base_loopbreak(r->base);
}

/* Sends, and waits for the answer, which the link limits in time; what `take` says of it, or false.
 */
static bool ask_redis(struct reports *r, const struct slice *argv, size_t argc,
                      bool (*take)(struct reports *r, const struct redisReply *answer))
{
    const struct redis_command command = {
        .key = argv[3], .argv = argv, .argc = argc, .ticket = ++r->ticket};

    r->take = take;
    r->is_answered = r->is_taken = false;
    if (!redis_link_send(r->link, &command))
        return false;
    while (!r->is_answered)
        event_base_dispatch(r->base);
    return r->is_taken;
}

static void pass_time(struct reports *r, int64_t ms)
{
    const struct timeval end = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    if (atomic_load(&r->stopping))
        return;
    event_base_loopexit(r->base, &end);
    event_base_dispatch(r->base);
}

/* The record of a delivery in an answer of report_read.lua; "" = it has none. */
static const char *find_record(const struct redisReply *answer, const char *name)
{
    for (size_t i = 1; i + 1 < answer->elements; i += 2) {
        if (strcmp(answer->element[i]->str, name) == 0)
            return answer->element[i + 1]->str;
    }
    return "";
}

/* The receiver in a log line: without the address, which doesn't belong into logs. */
static const char *name_receiver(const struct delivery *d, char out[static RECEIVER_MAX])
{
    if (d->to)
        snprintf(out, RECEIVER_MAX, "\"address %u of %u\"", d->number, d->report->n_to);
    else
        snprintf(out, RECEIVER_MAX, "chat");
    return out;
}

/* Where another process has written a record, or Redis has lost it, what this one still wanted to
 * write is outdated: it would undo what the other has done. */
static void take_record(struct reports *r, struct delivery *d, const char *text)
{
    char to[RECEIVER_MAX], *copy;

    if (strcmp(d->text, text) == 0 || !(copy = strdup(text)))
        return;
    if (text[0] == '\0')
        log_warn(
            "report.record_lost",
            "report=%s to=%s err=\"Redis has lost what was sent; begins with the next period\"",
            d->report->name, name_receiver(d, to));
    free(d->unsaved);
    d->unsaved = NULL;
    set_text(r, d, copy);
}

/* Of report_read.lua. */
static bool take_records(struct reports *r, const struct redisReply *answer)
{
    if (answer->type != REDIS_REPLY_ARRAY || answer->elements < 1 ||
        answer->element[0]->type != REDIS_REPLY_INTEGER)
        return false;
    pthread_mutex_lock(&r->lock);
    r->redis_ms = answer->element[0]->integer;
    r->redis_mono_ms = clock_mono_ms();
    r->is_known = true;
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < r->n_deliveries; i++)
        take_record(r, &r->deliveries[i], find_record(answer, r->deliveries[i].name));
    return true;
}

static bool read_records(struct reports *r)
{
    struct counter_key key;
    const struct slice argv[4] = {
        slice_of("EVAL"), slice_make(report_read_lua, sizeof(report_read_lua)), slice_of("1"),
        (counter_key_reports(&key), counter_key_slice(&key))};

    return ask_redis(r, argv, 4, take_records);
}

static bool take_kept(struct reports *r, const struct redisReply *answer)
{
    (void)r;
    return answer->type == REDIS_REPLY_INTEGER && answer->integer == 1;
}

/* Puts a record in the place of the one that was read.  False: another process was first, or Redis
 * did not answer.  Owns `text`. */
static bool keep(struct reports *r, struct delivery *d, char *text)
{
    struct counter_key key;
    char kept_s[NUMBER_MAX];
    struct slice argv[8] = {slice_of("EVAL"), slice_make(report_keep_lua, sizeof(report_keep_lua)),
                            slice_of("1")};

    if (!text)
        return false;
    counter_key_reports(&key);
    snprintf(kept_s, sizeof(kept_s), "%d", KEPT_S);
    argv[3] = counter_key_slice(&key);
    argv[4] = slice_of(d->name);
    argv[5] = slice_of(d->text);
    argv[6] = slice_of(text);
    argv[7] = slice_of(kept_s);
    if (!ask_redis(r, argv, 8, take_kept)) {
        free(text);
        return false;
    }
    set_text(r, d, text);
    return true;
}

/* What came of sending must not be lost: until Redis has it, it is tried again. */
static void save(struct reports *r, struct delivery *d, const struct known *known)
{
    free(d->unsaved);
    d->unsaved = write_record(known);
    if (d->unsaved && keep(r, d, strdup(d->unsaved))) {
        free(d->unsaved);
        d->unsaved = NULL;
    }
}

/* --- one delivery --- */

static int64_t redis_now_ms(const struct reports *r)
{
    return r->redis_ms + clock_mono_ms() - r->redis_mono_ms;
}

struct asker {
    const struct reports *reports;
    const char *brand;
};

static json_t *ask_api(void *owner, const char *path)
{
    const struct asker *asker = owner;

    return asker->reports->ask(asker->reports->owner, asker->brand, path);
}

static json_t *make_report(const struct reports *r, const struct schedule *s)
{
    struct asker asker = {.reports = r, .brand = s->config->brand};
    const struct report_options options = {
        .brand = s->config->brand,
        .tz = s->config->tz,
        .zone = s->zone,
        .period = &s->due,
        .dashboard = r->config->admin.url,
        .ask = ask_api,
        .owner = &asker,
    };

    return report_make(&options);
}

static enum report_outcome send_report(struct reports *r, const struct delivery *d,
                                       const json_t *report, char why[static REPORT_WHY_MAX])
{
    const struct schedule *s = d->schedule;
    char id[REPORT_ID_MAX];
    const struct report_mail mail = {.report = report,
                                     .language = (enum report_language)s->config->language,
                                     .to = d->to,
                                     .shown = s->shown,
                                     .id = id};
    const struct report_post post = {
        .report = report,
        .language = (enum report_language)s->config->language,
        .form = s->config->webhook == CONFIG_WEBHOOK_TEAMS ? REPORT_TEAMS : REPORT_SLACK,
        .url = s->url,
        .allow_private = s->config->allow_private,
        .timeout_ms = r->config->smtp.timeout_ms,
        .stopping = &r->stopping,
        .is_cut = &r->is_cut,
    };

    if (!d->to)
        return report_send_post(&post, why);
    report_mail_id(&r->config->smtp, s->config->name, &s->due, id);
    return report_send_mail(&r->mailer, &mail, why);
}

static void set_state(struct known *known, const char *state, int64_t now_ms)
{
    snprintf(known->state, sizeof(known->state), "%s", state);
    known->at_ms = now_ms;
    known->next_ms = 0;
}

static int64_t retry_ms(int64_t tries)
{
    int64_t ms = RETRY_MS;

    while (--tries > 0 && ms < RETRY_MAX_MS)
        ms *= 2;
    return ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

/* It isn't sent now. */
static void put_off(struct reports *r, struct delivery *d, struct known *known, int64_t ms)
{
    int64_t now_ms = redis_now_ms(r);

    set_state(known, known->tries < TRIES_MAX ? "later" : "gave_up", now_ms);
    if (strcmp(known->state, "later") == 0)
        known->next_ms = now_ms + ms;
    save(r, d, known);
}

static void finish(struct reports *r, struct delivery *d, struct known *known,
                   enum report_outcome outcome)
{
    char to[RECEIVER_MAX], why[LOG_QUOTE_MAX];

    name_receiver(d, to);
    if (outcome == REPORT_SENT) {
        counter64_add(&d->schedule->n_sent, 1);
        log_info("report.sent", "report=%s period=%s to=%s tries=%lld", d->report->name,
                 known->period, to, (long long)known->tries);
        known->why[0] = '\0';
        set_state(known, "sent", redis_now_ms(r));
        save(r, d, known);
        return;
    }
    counter64_add(&d->schedule->n_failed, 1);
    log_warn("report.failed", "report=%s period=%s to=%s tries=%lld err=%s", d->report->name,
             known->period, to, (long long)known->tries, log_quote(why, known->why));
    if (outcome == REPORT_REFUSED) {
        set_state(known, "refused", redis_now_ms(r));
        save(r, d, known);
        return;
    }
    put_off(r, d, known, retry_ms(known->tries));
}

/* Claims the delivery of the period that is due, and sends it. */
static void deliver(struct reports *r, struct delivery *d)
{
    const struct schedule *s = d->schedule;
    struct known known = d->known;
    int64_t now_ms = redis_now_ms(r);
    enum report_outcome outcome = REPORT_LATER;
    char to[RECEIVER_MAX];
    bool is_repeat = false;
    json_t *report;

    if (strcmp(known.period, s->due.first) == 0)
        is_repeat = strcmp(known.state, "sending") == 0;
    else
        known = (struct known){.tries = 0};
    snprintf(known.period, sizeof(known.period), "%s", s->due.first);
    set_state(&known, "sending", now_ms);
    known.tries++;
    if (is_repeat)
        log_warn("report.repeated",
                 "report=%s period=%s to=%s err=\"whoever sent it did not say whether it arrived\"",
                 s->config->name, s->due.first, name_receiver(d, to));
    known.next_ms = now_ms + CLAIM_MS + r->config->smtp.timeout_ms;
    if (!keep(r, d, write_record(&known)))
        return;
    report = make_report(r, s);
    if (!report) {
        snprintf(known.why, sizeof(known.why), "the figures could not be read from Redis");
    } else if (!json_is_true(json_object_get(report, "is_complete")) &&
               now_ms / 1000 - s->due_s < UNCOUNTED_MAX_S) {
        snprintf(known.why, sizeof(known.why), "not all clicks of the period are counted yet");
        known.tries--;
        put_off(r, d, &known, UNCOUNTED_MS);
        json_decref(report);
        return;
    } else {
        outcome = send_report(r, d, report, known.why);
    }
    json_decref(report);
    finish(r, d, &known, outcome);
}

/* A delivery that Redis knows nothing of begins with the next period: who adds a receiver does not
 * expect a report of last week at once. */
static void begin_anew(struct reports *r, struct delivery *d)
{
    struct known known = {.tries = 0};

    snprintf(known.period, sizeof(known.period), "%s", d->schedule->due.first);
    set_state(&known, "new", redis_now_ms(r));
    (void)keep(r, d, write_record(&known)); /* if not, at the next turn */
}

static void look_at(struct reports *r, struct delivery *d)
{
    int64_t now_ms = redis_now_ms(r);
    bool waits = strcmp(d->known.state, "later") == 0 || strcmp(d->known.state, "sending") == 0;

    if (d->unsaved) {
        if (!keep(r, d, strdup(d->unsaved)))
            return;
        free(d->unsaved);
        d->unsaved = NULL;
    } else if (d->known.state[0] == '\0') {
        begin_anew(r, d);
    } else if (strcmp(d->known.period, d->schedule->due.first) < 0 ||
               (waits && now_ms >= d->known.next_ms)) {
        deliver(r, d);
    }
}

/* --- the thread --- */

/* Which period is due now. */
static void find_due(struct reports *r, struct schedule *s)
{
    int64_t now_s = redis_now_ms(r) / 1000;
    int at_hour = (int)s->config->at_hour;
    struct report_period due, next;

    report_period_last((enum report_every)s->config->every, s->zone, now_s, &due);
    if (report_due_s(&due, s->zone, at_hour) > now_s) { /* it is over, and not the hour yet */
        next = due;
        report_period_before(&next, s->zone, &due);
    } else {
        report_period_after(&due, s->zone, &next);
    }
    pthread_mutex_lock(&r->lock);
    s->due = due;
    s->due_s = report_due_s(&due, s->zone, at_hour);
    s->next_s = report_due_s(&next, s->zone, at_hour);
    pthread_mutex_unlock(&r->lock);
}

int64_t reports_turn(struct reports *r)
{
    if (!read_records(r))
        return CONNECT_MS;
    for (unsigned i = 0; i < r->n_schedules; i++)
        find_due(r, &r->schedules[i]);
    for (size_t i = 0; i < r->n_deliveries && !atomic_load(&r->stopping); i++)
        look_at(r, &r->deliveries[i]);
    return POLL_MS;
}

static void *run(void *arg)
{
    struct reports *r = arg;

    background_enter("reports");
    while (!atomic_load(&r->stopping))
        pass_time(r, reports_turn(r));
    return NULL;
}

/* The process ends. */
static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    struct reports *r = arg;

    (void)events;
    wake_take((int)fd);
    event_base_loopbreak(r->base);
}

/* --- start and end --- */

static bool start_schedule(struct reports *r, unsigned index, struct error *err)
{
    struct schedule *s = &r->schedules[index];
    const struct config_report *report = &r->config->reports[index];
    char key[KEY_MAX];
    size_t at = 0;

    s->config = report;
    s->zone = zone_load(slice_of(report->tz));
    snprintf(key, sizeof(key), "reports[%u].tz", index);
    if (!s->zone) {
        config_fail(r->config, err, key, "'%s' is no time zone of this system", report->tz);
        return false;
    }
    snprintf(key, sizeof(key), "reports[%u].webhook_file", index);
    if (report->webhook_file && !report_url_load(report->webhook_file, s->url, err)) {
        config_fail_prefix(r->config, err, key);
        return false;
    }
    for (unsigned i = 0; i < report->n_to; i++)
        at += (size_t)snprintf(s->shown + at, at < SHOWN_MAX ? SHOWN_MAX - at : 0, "%s%s",
                               i > 0 ? ",\r\n " : "", report->to[i]);
    return true;
}

static bool add_deliveries(struct reports *r, struct schedule *s)
{
    unsigned n = s->config->n_to + (s->config->webhook_file ? 1 : 0);

    for (unsigned i = 0; i < n; i++) {
        struct delivery *d = &r->deliveries[r->n_deliveries++];

        d->report = s->config;
        d->schedule = s;
        d->to = i < s->config->n_to ? s->config->to[i] : NULL;
        d->number = i + 1;
        /* A week and a month have records of their own: the dates of one say nothing of the other
         * when the configuration changes. */
        snprintf(d->name, sizeof(d->name), "%s %s %s", s->config->name,
                 report_every_name((enum report_every)s->config->every), d->to ? d->to : "chat");
        if (!(d->text = strdup("")))
            return false;
    }
    return true;
}

static bool make_parts(struct reports *r, struct error *err)
{
    const struct config *config = r->config;
    size_t n = 0;

    if (!report_mailer_init(&r->mailer, &config->smtp, err)) {
        config_fail_prefix(config, err, "smtp.password_file");
        return false;
    }
    r->mailer.stopping = &r->stopping;
    r->mailer.is_cut = &r->is_cut;
    r->n_schedules = config->n_reports;
    r->schedules = calloc(config->n_reports ? config->n_reports : 1, sizeof(*r->schedules));
    for (unsigned i = 0; i < config->n_reports; i++)
        n += config->reports[i].n_to + 1;
    r->deliveries = calloc(n ? n : 1, sizeof(*r->deliveries));
    if (!r->schedules || !r->deliveries) {
        error_set(err, "reports: out of memory");
        return false;
    }
    for (unsigned i = 0; i < config->n_reports; i++) {
        if (!start_schedule(r, i, err))
            return false;
        if (!add_deliveries(r, &r->schedules[i])) {
            error_set(err, "reports: out of memory");
            return false;
        }
    }
    return true;
}

static struct reports *make(const struct config *config, struct error *err)
{
    struct reports *r = calloc(1, sizeof(*r));

    if (!r) {
        error_set(err, "reports: out of memory");
        return NULL;
    }
    r->config = config;
    r->wake_fd = -1;
    pthread_mutex_init(&r->lock, NULL);
    if (make_parts(r, err))
        return r;
    reports_free(r);
    return NULL;
}

bool reports_check(const struct config *config, struct error *err)
{
    struct reports *r = make(config, err);

    reports_free(r);
    return r != NULL;
}

struct reports *reports_new(const struct config *config, const char *redis_url, struct error *err)
{
    struct reports *r = make(config, err);
    struct redis_link_options link = {
        .url = redis_url,
        .name = "hopcount-reports",
        .timeout_ms = config->redis.timeout_ms,
        .limits = {.bytes = 16 << 20, .elements = 1 << 16},
        .owner = r,
        .on_answer = on_answer,
    };

    if (!r)
        return NULL;
    r->wake_fd = wake_new();
    if (r->wake_fd >= 0 && (r->base = event_base_new()) != NULL)
        r->wake = event_new(r->base, r->wake_fd, EV_READ | EV_PERSIST, on_wake, r);
    if (!r->wake || event_add(r->wake, NULL) != 0)
        error_set(err, "reports: out of memory or descriptors");
    else if ((r->link = redis_link_new(r->base, &link, err)) != NULL)
        return r;
    reports_free(r);
    return NULL;
}

bool reports_start(struct reports *r, reports_ask *ask, void *owner, struct error *err)
{
    int code;

    r->ask = ask;
    r->owner = owner;
    code = thread_start(&r->thread, NULL, run, r);
    if (code != 0)
        error_set(err, "reports: cannot start a thread: %s", strerror(code));
    r->has_thread = code == 0;
    return r->has_thread;
}

void reports_end(struct reports *r)
{
    if (!r || !r->has_thread || r->ended_ms != 0)
        return;
    r->ended_ms = clock_mono_ms();
    atomic_store(&r->stopping, true);
    wake_send(r->wake_fd);
}

void reports_stop(struct reports *r)
{
    struct timespec until;
    int64_t until_ms;

    if (!r || !r->has_thread)
        return;
    reports_end(r);
    /* Without a drain a server that answers at once shall be heard all the same. */
    until_ms = clock_wall_ms() + r->ended_ms + GRACE_MS - clock_mono_ms();
    until = (struct timespec){.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    if (pthread_timedjoin_np(r->thread, NULL, &until) != 0) {
        atomic_store(&r->is_cut, true);
        pthread_join(r->thread, NULL);
    }
    r->has_thread = false;
}

void reports_free(struct reports *r)
{
    if (!r)
        return;
    reports_stop(r);
    redis_link_free(r->link);
    if (r->wake)
        event_free(r->wake);
    event_loop_free(r->base);
    if (r->wake_fd >= 0)
        close(r->wake_fd);
    for (size_t i = 0; i < r->n_deliveries; i++) {
        free(r->deliveries[i].text);
        free(r->deliveries[i].unsaved);
    }
    free(r->deliveries);
    for (unsigned i = 0; r->schedules && i < r->n_schedules; i++)
        zone_free(r->schedules[i].zone);
    free(r->schedules);
    report_mailer_clear(&r->mailer);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* --- for others --- */

static int64_t overdue_s(const struct reports *r, const struct delivery *d)
{
    const struct schedule *s = d->schedule;
    bool is_done = strcmp(d->known.state, "sent") == 0 || strcmp(d->known.state, "new") == 0;
    int64_t late_s = redis_now_ms(r) / 1000 - s->due_s;

    if (!r->is_known || d->known.state[0] == '\0' || s->due_s == 0 || late_s < 0 ||
        (is_done && strcmp(d->known.period, s->due.first) >= 0))
        return 0;
    return late_s;
}

void reports_visit(struct reports *r,
                   void (*visit)(void *owner, const struct report_delivery *delivery), void *owner)
{
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n_deliveries; i++) {
        const struct delivery *d = &r->deliveries[i];
        const struct report_delivery delivery = {
            .report = d->report->name,
            .brand = d->report->brand,
            .every = report_every_name((enum report_every)d->report->every),
            .to = d->to                                        ? d->to
                  : d->report->webhook == CONFIG_WEBHOOK_TEAMS ? "teams"
                                                               : "slack",
            .state = d->known.state[0] ? d->known.state : "unknown",
            .period = d->known.period,
            .why = d->known.why,
            .tries = d->known.tries,
            .at_ms = d->known.at_ms,
            .next_ms = d->schedule->next_s * 1000,
            .overdue_s = overdue_s(r, d),
        };

        visit(owner, &delivery);
    }
    pthread_mutex_unlock(&r->lock);
}

bool reports_count(struct reports *r, unsigned index, struct report_counts *out)
{
    struct schedule *s;

    if (index >= r->n_schedules)
        return false;
    s = &r->schedules[index];
    *out = (struct report_counts){.report = s->config->name,
                                  .n_sent = counter64_get(&s->n_sent),
                                  .n_failed = counter64_get(&s->n_failed)};
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n_deliveries; i++) {
        int64_t late_s = r->deliveries[i].schedule == s ? overdue_s(r, &r->deliveries[i]) : 0;

        out->overdue_s = late_s > out->overdue_s ? late_s : out->overdue_s;
    }
    pthread_mutex_unlock(&r->lock);
    return true;
}
