#include "service/admin/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <sodium.h>

#include "proto/counter.h"
#include "service/admin/fetch.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/base/counter64.h"
#include "service/base/log.h"
#include "service/config/brand.h"
#include "service/config/site.h"

enum {
    TICK_S = 5, /* between tries while Redis doesn't answer, and looks at the runs */
    BATCH_MAX = 32,
    NUMBER_MAX = 24,
    COMMANDS = 3,
    DAY_MS = 86400 * 1000,
    AHEAD_MAX_MS = 10000, /* a clock that was set back further is believed */
};

/* An action that is repeated. */
struct run {
    bool is_used;
    struct audit_entry entry; /* `n`: how often since the first time, which has an entry already */
    int64_t ends_ms;          /* monotonic */
};

struct audit {
    struct server *server;
    struct event *timer;
    int64_t days;
    struct audit_entry waiting[AUDIT_WAITING_MAX]; /* the oldest first */
    size_t n_waiting;
    size_t n_sent; /* of these, under way to Redis; 0 = none */
    bool is_written;
    struct counter_key key;
    /* Of the commands under way. */
    char *members[BATCH_MAX];
    char scores[BATCH_MAX][NUMBER_MAX];
    char too_old[NUMBER_MAX], too_many[NUMBER_MAX];
    struct run runs[AUDIT_RUNS_MAX];
    int64_t last_ms; /* of the newest entry */
    counter64 n_lost;
};

/* --- to Redis --- */

static void on_command(void *owner, size_t index, struct fetch_command *command)
{
    struct audit *audit = owner;

    command->key = counter_key_slice(&audit->key);
    command->argv[1] = command->key;
    command->argc = 4;
    if (index == 0) {
        command->argv[0] = slice_of("ZADD");
        for (size_t i = 0; i < audit->n_sent; i++) {
            command->argv[2 + 2 * i] = slice_of(audit->scores[i]);
            command->argv[3 + 2 * i] = slice_of(audit->members[i]);
        }
        command->argc = 2 + 2 * audit->n_sent;
    } else if (index == 1) {
        command->argv[0] = slice_of("ZREMRANGEBYSCORE");
        command->argv[2] = slice_of("-inf");
        command->argv[3] = slice_of(audit->too_old);
    } else {
        command->argv[0] = slice_of("ZREMRANGEBYRANK");
        command->argv[2] = slice_of("0");
        command->argv[3] = slice_of(audit->too_many);
    }
}

static void on_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct audit *audit = owner;

    (void)answer;
    if (index == 0)
        audit->is_written = true;
}

static void send_waiting(struct audit *audit);

static void on_done(void *owner, const char *cause)
{
    struct audit *audit = owner;
    char quoted[LOG_QUOTE_MAX];

    for (size_t i = 0; i < BATCH_MAX; i++) {
        free(audit->members[i]);
        audit->members[i] = NULL;
    }
    if (cause)
        log_warn("admin.audit", "err=%s waiting=%zu", log_quote(quoted, cause),
                 audit->n_waiting - (audit->is_written ? audit->n_sent : 0));
    /* An entry that was written but not acknowledged is written again, which changes nothing: its
     * id makes it the same member of the set. */
    if (audit->is_written) {
        audit->n_waiting -= audit->n_sent;
        memmove(audit->waiting, audit->waiting + audit->n_sent,
                audit->n_waiting * sizeof(audit->waiting[0]));
    }
    audit->n_sent = 0;
    if (!cause && audit->n_waiting > 0)
        send_waiting(audit);
}

static void send_waiting(struct audit *audit)
{
    struct fetch_options options = {.n_commands = COMMANDS,
                                    .owner = audit,
                                    .on_command = on_command,
                                    .on_answer = on_answer,
                                    .on_done = on_done};
    size_t n = audit->n_waiting < BATCH_MAX ? audit->n_waiting : (size_t)BATCH_MAX;

    if (n == 0 || audit->n_sent > 0)
        return;
    for (size_t i = 0; i < n; i++) {
        snprintf(audit->scores[i], NUMBER_MAX, "%" PRId64, audit->waiting[i].at_ms);
        if (!(audit->members[i] = audit_entry_write(&audit->waiting[i]))) {
            n = i; /* no memory: the rest the next time */
            break;
        }
    }
    if (n == 0)
        return;
    audit->n_sent = n;
    audit->is_written = false;
    snprintf(audit->too_old, NUMBER_MAX, "%" PRId64, clock_wall_ms() - audit->days * DAY_MS);
    snprintf(audit->too_many, NUMBER_MAX, "-%d", (int)AUDIT_ENTRIES_MAX + 1);
    fetch_start(audit->server->fetches, &options);
}

/* --- noting --- */

/* Without the address: that doesn't belong into logs. */
static void log_lost(struct audit *audit, const struct audit_entry *entry)
{
    char who[LOG_QUOTE_MAX], what[LOG_QUOTE_MAX];

    counter64_add(&audit->n_lost, 1);
    log_warn("admin.audit_lost", "action=%s who=%s brand=%s what=%s n=%" PRIu32,
             audit_action_name(entry->action), log_quote(who, entry->who),
             entry->brand[0] ? entry->brand : "-", log_quote(what, entry->what), entry->n);
}

static void append(struct audit *audit, const struct audit_entry *entry)
{
    struct audit_entry *last;

    if (!audit->server->fetches || audit->n_waiting == AUDIT_WAITING_MAX) {
        log_lost(audit, entry);
        return;
    }
    last = &audit->waiting[audit->n_waiting++];
    *last = *entry;
    /* In the order in which it was noted, also within a millisecond. */
    last->at_ms = clock_wall_ms();
    if (last->at_ms <= audit->last_ms && audit->last_ms - last->at_ms < AHEAD_MAX_MS)
        last->at_ms = audit->last_ms + 1;
    audit->last_ms = last->at_ms;
    randombytes_buf(&last->id, sizeof(last->id));
    send_waiting(audit);
}

static void end_run(struct audit *audit, struct run *run)
{
    if (run->is_used && run->entry.n > 0)
        append(audit, &run->entry);
    run->is_used = false;
}

static bool is_same(const struct audit_entry *a, const struct audit_entry *b)
{
    return a->action == b->action && strcmp(a->who, b->who) == 0 &&
           strcmp(a->address, b->address) == 0 && strcmp(a->brand, b->brand) == 0 &&
           strcmp(a->what, b->what) == 0;
}

/* The run of such entries, or a place for one; of these the free one, or the one that ends first.
 */
static struct run *find_run(struct audit *audit, const struct audit_entry *entry)
{
    struct run *place = &audit->runs[0];

    for (size_t i = 0; i < AUDIT_RUNS_MAX; i++) {
        struct run *run = &audit->runs[i];

        if (run->is_used && is_same(&run->entry, entry))
            return run;
        if (place->is_used && (!run->is_used || run->ends_ms < place->ends_ms))
            place = run;
    }
    return place;
}

/* Counts an entry that may be one of many. */
static void note_repeated(struct audit *audit, const struct audit_entry *entry)
{
    struct audit_entry of = *entry;
    struct run *run = find_run(audit, &of);

    if (run->is_used && !is_same(&run->entry, &of) && of.action == AUDIT_SIGN_IN_REFUSED) {
        /* From so many addresses at a time that they can't be told apart: an attack. */
        audit_set_text(of.address, sizeof(of.address), slice_of("several"));
        run = find_run(audit, &of);
    }
    if (run->is_used && is_same(&run->entry, &of)) {
        run->entry.n += of.n;
        return;
    }
    end_run(audit, run);
    append(audit, &of);
    *run = (struct run){.is_used = true, .entry = of, .ends_ms = clock_mono_ms() + AUDIT_RUN_MS};
    run->entry.n = 0;
}

void audit_note(struct audit *audit, const struct audit_entry *entry)
{
    if (audit->days == 0)
        return;
    /* About a client each is written at once: an erasure finds its number in Redis only. */
    if (entry->action == AUDIT_EVENTS || entry->action == AUDIT_SIGN_IN_REFUSED ||
        (entry->action == AUDIT_EXPORT && entry->client == 0))
        note_repeated(audit, entry);
    else
        append(audit, entry);
}

static struct audit_entry entry_of(const struct request *request, enum audit_action action,
                                   const struct brand *brand)
{
    struct audit_entry entry = {.action = action, .n = 1};

    audit_set_text(entry.who, sizeof(entry.who), slice_of(request->who));
    audit_set_text(entry.address, sizeof(entry.address), slice_of(request->origin.client));
    if (brand)
        audit_set_text(entry.brand, sizeof(entry.brand), brand->name);
    return entry;
}

void audit_note_request(const struct request *request, enum audit_action action,
                        const struct brand *brand, uint32_t client, const char *format, ...)
{
    struct audit_entry entry = entry_of(request, action, brand);
    char text[2 * AUDIT_WHAT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    entry.client = client;
    audit_set_text(entry.what, sizeof(entry.what), slice_of(text));
    audit_note(request->server->audit, &entry);
}

void audit_note_events(const struct request *request, const struct brand *brand, uint32_t n)
{
    struct audit_entry entry = entry_of(request, AUDIT_EVENTS, brand);

    entry.n = n;
    audit_note(request->server->audit, &entry);
}

void audit_note_export(const struct request *request)
{
    const struct query *query = &request->query;
    struct slice brand = query_find(query, "brand"), campaign = query_find(query, "campaign");
    struct slice what = request->path;

    /* "/v1/unpaid.csv": the name is enough. */
    if (what.len > 4 && memcmp(what.ptr, "/v1/", 4) == 0)
        what = slice_make(what.ptr + 4, what.len - 4);
    audit_note_request(request, AUDIT_EXPORT,
                       brand.ptr ? site_find_brand(request->site, brand)
                                 : site_find_only_brand(request->site, request->brands),
                       0, "%.*s%s%.*s", SLICE_ARG(what), campaign.ptr ? ", campaign " : "",
                       SLICE_ARG(campaign));
}

void audit_reply(struct request *request, const struct reply *reply)
{
    if (reply->status == 200 && strncmp(reply->type, "text/csv", 8) == 0 && !request->is_head)
        audit_note_export(request);
    request_reply(request, reply);
}

bool audit_entry_of_erasure(const struct request *request, const struct brand *brand,
                            struct audit_entry *out)
{
    *out = entry_of(request, AUDIT_ERASE, brand);
    randombytes_buf(&out->id, sizeof(out->id));
    audit_entry_erase_client(out);
    return request->server->audit->days > 0;
}

uint64_t audit_n_lost(const struct audit *audit)
{
    return counter64_get(&audit->n_lost);
}

/* --- the timer --- */

/* While the process drains, what is counted is written at once: there will be no later. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct audit *audit = arg;
    bool is_draining = atomic_load(&audit->server->state) == ADMIN_DRAINING;

    (void)fd;
    (void)events;
    for (size_t i = 0; i < AUDIT_RUNS_MAX; i++) {
        if (is_draining || audit->runs[i].ends_ms <= clock_mono_ms())
            end_run(audit, &audit->runs[i]);
    }
    send_waiting(audit);
}

struct audit *audit_new(struct server *server, struct event_base *base, int64_t days)
{
    const struct timeval tick = {.tv_sec = TICK_S};
    struct audit *audit = calloc(1, sizeof(*audit));

    if (!audit)
        return NULL;
    audit->server = server;
    audit->days = days;
    counter_key_audit(&audit->key);
    audit->timer = event_new(base, -1, EV_PERSIST, on_tick, audit);
    if (!audit->timer || event_add(audit->timer, &tick) != 0) {
        audit_free(audit);
        return NULL;
    }
    return audit;
}

void audit_free(struct audit *audit)
{
    if (!audit)
        return;
    for (size_t i = 0; i < audit->n_waiting; i++)
        log_lost(audit, &audit->waiting[i]);
    for (size_t i = 0; i < AUDIT_RUNS_MAX; i++) {
        if (audit->runs[i].is_used && audit->runs[i].entry.n > 0)
            log_lost(audit, &audit->runs[i].entry);
    }
    if (audit->timer)
        event_free(audit->timer);
    free(audit);
}
