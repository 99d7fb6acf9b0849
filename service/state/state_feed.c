#include "service/state/state_feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/state.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/counter64.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/base/wake.h"
#include "service/redis/redis_link.h"
#include "service/state/one_use.h"
#include "service/state/state_file.h"
#include "service/state/state_table.h"
#include "state_news_lua.h"

enum {
    POLL_MS = 300,      /* between two reads of a stream while nobody tells us of new entries, */
    NET_MS = 2000,      /* and while Redis does: it can't tell that it has lost some */
    WAIT_MS = 5000,     /* Redis says after so long that there were none */
    PAUSE_MS = 50,      /* entries that follow one another are read together */
    REPLICAS_MS = 5000, /* so often Redis notes how many replicas it has */
    NEWS_MAX = 128,     /* entries of a stream in one answer, each of up to 256 KiB */
    LOADS_MAX = 16,     /* tables asked for at a time */
    SAVE_MS = 300000,   /* the file is written every so often, and at the end */
    MERGED_LEN = 8192 * STATE_ENTRY_LEN, /* bytes merged before workers get the core: some ms */
    SAMPLE_TABLES = 16, /* after so many, the length of the others is known to a hundredth or two */
    DECIMAL_MAX = 24,
};

enum feed_what { FEED_NEWS = 1, FEED_TABLE, FEED_REPLICAS, FEED_WAIT };

/* What we know of the stream of one shard, and what is under way. */
struct feed_shard {
    struct state_position at;     /* all entries up to here are in the table */
    struct state_position loaded; /* during a load: the end of the stream when the load began */
    struct counter_key stream;
    bool is_asked;
    bool must_load;
    bool is_known;
    bool is_loading, is_broken;      /* is_broken: a table did not come */
    unsigned next_bucket, n_loading; /* of a load: the table to ask for next; under way */
};

struct state_feed {
    struct state_table *table;
    unsigned n_shards;
    char *state_dir;
    pthread_t thread;
    bool has_thread;
    struct event_base *base;
    struct redis_link *link;
    struct redis_link *wait_link; /* its commands wait in Redis for new entries */
    struct event *tick; /* every NET_MS; nothing changes that, or steady news would put it off */
    struct event *poll; /* every POLL_MS while no command waits */
    struct event *wake, *pause;
    int wake_fd;
    _Atomic bool stopping;
    struct feed_shard *shards;
    int64_t replicas_ms;  /* when they were last noted, monotonic */
    bool is_waiting;      /* a command waits for new entries, */
    int64_t waiting_ms;   /* since then, monotonic */
    uint64_t cannot_wait; /* epoch of the connection on which Redis refused that; 0 = none */
    bool is_changed;      /* the table has, since the file was written */
    bool has_no_file; /* there is no usable file, so one is written as soon as states are known */
    int64_t saved_ms, warned_ms, retention_s;
    bool has_bucket[COUNTER_BUCKETS]; /* of loads: what has come, and need not be asked for again */
    uint64_t n_tables, tables_len;    /* that were loaded */
    counter64 asked_ms, lag_ms, n_loads; /* asked_ms: monotonic; 0 = never */
};

/* --- entries --- */

static void merge(struct state_feed *feed, const struct redisReply *bytes)
{
    for (size_t at = 0, len; at < bytes->len; at += len) {
        len = bytes->len - at < MERGED_LEN ? bytes->len - at : MERGED_LEN;
        switch (state_table_merge_all(feed->table, slice_make(bytes->str + at, len))) {
        case STATE_MERGED:
            feed->is_changed = true;
            break;
        case STATE_OLDER:
            break;
        case STATE_NO_MEMORY:
            log_error("state.memory", "err=\"no memory for the states of objects; links go on "
                                      "leading where they led before\"");
            return;
        }
        background_yield();
    }
}

static void update_known(struct state_feed *feed)
{
    for (unsigned s = 0; s < feed->n_shards; s++) {
        if (!feed->shards[s].is_known)
            return;
    }
    if (!state_table_is_known(feed->table))
        log_info("state.known", "entries=%zu", state_table_count(feed->table));
    state_table_set_known(feed->table);
}

/* --- asking --- */

static uint64_t pack_ticket(enum feed_what what, unsigned shard, unsigned bucket)
{
    return (uint64_t)what << 56 | (uint64_t)shard << 32 | bucket;
}

static bool ask_news(struct state_feed *feed, unsigned s)
{
    struct feed_shard *shard = &feed->shards[s];
    char count[DECIMAL_MAX], n_shards[DECIMAL_MAX];
    struct counter_key shards;
    struct slice argv[8] = {slice_of("EVAL"), slice_make(state_news_lua, sizeof(state_news_lua)),
                            slice_of("2"), counter_key_slice(&shard->stream)};

    counter_key_shards(&shards, s);
    snprintf(count, sizeof(count), "%d", NEWS_MAX);
    snprintf(n_shards, sizeof(n_shards), "%u", feed->n_shards);
    argv[4] = counter_key_slice(&shards);
    argv[5] = slice_of(shard->at.id);
    argv[6] = slice_of(count);
    argv[7] = slice_of(n_shards);
    return redis_link_send(
        feed->link,
        &(struct redis_command){
            .key = argv[3], .argv = argv, .argc = 8, .ticket = pack_ticket(FEED_NEWS, s, 0)});
}

static bool ask_table(struct state_feed *feed, unsigned s, unsigned bucket)
{
    struct counter_key key;
    struct slice argv[2] = {slice_of("GET")};

    counter_key_table(&key, COUNTER_STATES, bucket, feed->n_shards);
    argv[1] = counter_key_slice(&key);
    return redis_link_send(
        feed->link,
        &(struct redis_command){
            .key = argv[1], .argv = argv, .argc = 2, .ticket = pack_ticket(FEED_TABLE, s, bucket)});
}

static unsigned first_bucket(const struct state_feed *feed, unsigned s)
{
    return s * (COUNTER_BUCKETS / feed->n_shards);
}

static unsigned end_bucket(const struct state_feed *feed, unsigned s)
{
    return first_bucket(feed, s + 1);
}

/* Asks for the next tables of a load; when all have come, the shard is where its stream was when it
 * began. */
static void go_on_loading(struct state_feed *feed, unsigned s)
{
    struct feed_shard *shard = &feed->shards[s];

    for (; shard->next_bucket < end_bucket(feed, s) && shard->n_loading < LOADS_MAX;
         shard->next_bucket++) {
        if (feed->has_bucket[shard->next_bucket])
            continue;
        if (!ask_table(feed, s, shard->next_bucket))
            break;
        shard->n_loading++;
    }
    if (shard->n_loading > 0)
        return;
    if (shard->next_bucket < end_bucket(feed, s))
        return; /* the connection is gone: the load goes on after the next poll */
    shard->is_loading = false;
    shard->at = shard->loaded;
    shard->must_load = false;
    shard->is_known = true;
    counter64_add(&feed->n_loads, 1);
    update_known(feed);
}

static void poll_shard(struct state_feed *feed, unsigned s)
{
    struct feed_shard *shard = &feed->shards[s];

    if (!shard->is_asked && shard->n_loading == 0)
        shard->is_asked = ask_news(feed, s);
}

static void poll(struct state_feed *feed)
{
    int64_t now_ms = clock_mono_ms();
    bool is_time = now_ms - feed->replicas_ms >= REPLICAS_MS;

    for (unsigned s = 0; s < feed->n_shards; s++) {
        poll_shard(feed, s);
        if (is_time)
            one_use_note_replicas(feed->link, s, pack_ticket(FEED_REPLICAS, s, 0));
    }
    if (is_time)
        feed->replicas_ms = now_ms;
}

/* --- waiting in Redis --- */

static bool repeat(struct event *event, int64_t ms)
{
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    return event_add(event, &tv) == 0;
}

static bool is_up_to_date(const struct state_feed *feed)
{
    for (unsigned s = 0; s < feed->n_shards; s++) {
        const struct feed_shard *shard = &feed->shards[s];

        if (!shard->is_known || shard->must_load || shard->is_asked || shard->n_loading > 0)
            return false;
    }
    return true;
}

/* XREAD BLOCK … COUNT 1 STREAMS <stream of each shard> <id of its last entry that was read> … */
static bool send_wait(struct state_feed *feed)
{
    enum { HEAD = 6 };
    size_t argc = HEAD + 2 * (size_t)feed->n_shards;
    struct slice *argv = calloc(argc, sizeof(*argv));
    char block[DECIMAL_MAX];
    bool ok = false;

    if (!argv)
        return false;
    snprintf(block, sizeof(block), "%d", WAIT_MS);
    argv[0] = slice_of("XREAD");
    argv[1] = slice_of("BLOCK");
    argv[2] = slice_of(block);
    argv[3] = slice_of("COUNT");
    argv[4] = slice_of("1");
    argv[5] = slice_of("STREAMS");
    for (unsigned s = 0; s < feed->n_shards; s++) {
        argv[HEAD + s] = counter_key_slice(&feed->shards[s].stream);
        argv[HEAD + feed->n_shards + s] = slice_of(feed->shards[s].at.id);
    }
    feed->waiting_ms = clock_mono_ms();
    ok = redis_link_send(feed->wait_link,
                         &(struct redis_command){
                             .key = argv[HEAD], .argv = argv, .argc = argc, .ticket = FEED_WAIT});
    free(argv);
    return ok;
}

/* Waits for the next entry when all that there is has been read.  While nothing waits, the streams
 * are read every POLL_MS. */
static void wait_for_news(struct state_feed *feed)
{
    uint64_t epoch = redis_link_epoch(feed->wait_link, counter_key_slice(&feed->shards[0].stream));

    if (!feed->is_waiting && epoch != 0 && epoch != feed->cannot_wait && is_up_to_date(feed) &&
        !event_pending(feed->pause, EV_TIMEOUT, NULL))
        feed->is_waiting = send_wait(feed);
    if (feed->is_waiting)
        event_del(feed->poll);
    else if (!event_pending(feed->poll, EV_TIMEOUT, NULL))
        (void)repeat(feed->poll, POLL_MS);
}

static void on_pause(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    wait_for_news(arg);
}

/* Reads the streams that the answer names: {{stream, entries}, …}. */
static void read_named(struct state_feed *feed, const struct redisReply *answer)
{
    for (size_t i = 0; i < answer->elements; i++) {
        const struct redisReply *pair = answer->element[i];

        if (pair->type != REDIS_REPLY_ARRAY || pair->elements < 1 ||
            pair->element[0]->type != REDIS_REPLY_STRING)
            continue;
        for (unsigned s = 0; s < feed->n_shards; s++) {
            if (slice_equal(slice_make(pair->element[0]->str, pair->element[0]->len),
                            counter_key_slice(&feed->shards[s].stream)))
                poll_shard(feed, s);
        }
    }
}

/* Our user may not wait, the streams are in several slots of a cluster, or a proxy in between does
 * not know the command.  Any other error passes: a script that runs, a failover. */
static bool is_refused(const struct redisReply *answer)
{
    static const char *const refusals[] = {"NOPERM", "CROSSSLOT", "ERR"};

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (strncmp(answer->str, refusals[i], strlen(refusals[i])) == 0)
            return true;
    }
    return false;
}

/* The answer to XREAD: streams with new entries, or nil after WAIT_MS. */
static void on_waited(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct state_feed *feed = owner;
    struct timeval pause = {.tv_usec = PAUSE_MS * 1000};
    bool was_quiet = answer && answer->type == REDIS_REPLY_NIL &&
                     clock_mono_ms() - feed->waiting_ms >= WAIT_MS / 2;
    char quoted[LOG_QUOTE_MAX];

    (void)ticket;
    feed->is_waiting = false;
    if (feed->stopping)
        return;
    if (answer && answer->type == REDIS_REPLY_ARRAY) {
        read_named(feed, answer);
    } else if (answer && answer->type == REDIS_REPLY_ERROR) {
        pause.tv_usec = POLL_MS * 1000;
        if (is_refused(answer)) {
            feed->cannot_wait =
                redis_link_epoch(feed->wait_link, counter_key_slice(&feed->shards[0].stream));
            log_info("state.wait", "err=%s effect=\"streams are read every %d ms\"",
                     log_quote(quoted, answer->str), POLL_MS);
        }
    }
    /* After a quiet time there is nothing to read together.  A nil that comes at once is from a
     * proxy that doesn't wait: without the pause we would ask it again and again. */
    if (!was_quiet)
        (void)event_add(feed->pause, &pause);
    wait_for_news(feed);
}

/* --- the file --- */

static void save(struct state_feed *feed)
{
    struct state_position *positions = calloc(feed->n_shards, sizeof(*positions));
    struct error err = {0};
    char quoted[LOG_QUOTE_MAX];

    feed->saved_ms = clock_mono_ms();
    feed->has_no_file = false;
    if (!positions)
        return;
    for (unsigned s = 0; s < feed->n_shards; s++)
        positions[s] = feed->shards[s].at;
    if (state_file_save(feed->state_dir, feed->table, positions, feed->n_shards, &err))
        feed->is_changed = false;
    else
        log_warn("state.file", "err=%s", log_quote(quoted, err.text));
    free(positions);
}

/* Without a file, a process that is killed and started again would know no states until Redis
 * answers. */
static void save_first(struct state_feed *feed)
{
    if (feed->has_no_file && state_table_is_known(feed->table))
        save(feed);
}

static void load_file(struct state_feed *feed)
{
    struct state_position *positions = calloc(feed->n_shards, sizeof(*positions));
    struct error err = {0};
    char quoted[LOG_QUOTE_MAX];

    if (!positions)
        return;
    switch (state_file_load(feed->state_dir, feed->table, positions, feed->n_shards, &err)) {
    case STATE_FILE_OK:
        for (unsigned s = 0; s < feed->n_shards; s++) {
            feed->shards[s].at = positions[s];
            feed->shards[s].must_load = positions[s].n == 0;
            feed->shards[s].is_known = true;
        }
        update_known(feed);
        break;
    case STATE_FILE_ABSENT:
        feed->has_no_file = true;
        break;
    case STATE_FILE_BAD:
        feed->has_no_file = true;
        log_warn("state.file", "err=%s effect=\"states are loaded from Redis\"",
                 log_quote(quoted, err.text));
    }
    free(positions);
}

/* --- answers --- */

static bool is_id(const struct redisReply *answer)
{
    return answer->type == REDIS_REPLY_STRING && answer->len <= STATE_STREAM_ID_MAX;
}

static bool is_news(const struct redisReply *answer)
{
    return answer->type == REDIS_REPLY_ARRAY && answer->elements == 4 &&
           answer->element[0]->type == REDIS_REPLY_INTEGER &&
           answer->element[1]->type == REDIS_REPLY_INTEGER && is_id(answer->element[2]) &&
           answer->element[3]->type == REDIS_REPLY_ARRAY;
}

/* An entry of a stream: {id, {'e', entries}}. */
static bool take_entry(struct state_feed *feed, const struct redisReply *entry,
                       struct state_position *at)
{
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 || !is_id(entry->element[0]) ||
        entry->element[1]->type != REDIS_REPLY_ARRAY || entry->element[1]->elements != 2 ||
        entry->element[1]->element[1]->type != REDIS_REPLY_STRING)
        return false;
    merge(feed, entry->element[1]->element[1]);
    memcpy(at->id, entry->element[0]->str, entry->element[0]->len + 1);
    at->n++;
    return true;
}

static void on_news(struct state_feed *feed, unsigned s, const struct redisReply *answer)
{
    struct feed_shard *shard = &feed->shards[s];
    const struct redisReply *news = answer->element[3];
    uint64_t added = (uint64_t)answer->element[0]->integer;
    uint64_t first = added - (uint64_t)answer->element[1]->integer; /* entries that are gone */
    struct state_position at = shard->at;
    bool is_whole = true;

    for (size_t i = 0; i < news->elements && is_whole; i++)
        is_whole = take_entry(feed, news->element[i], &at);
    if (news->elements > 0) {
        /* The id begins with the milliseconds of Redis' clock. */
        int64_t lag_ms = clock_wall_ms() - strtoll(at.id, NULL, 10);

        counter64_set(&feed->lag_ms, lag_ms > 0 ? (uint64_t)lag_ms : 0);
    }
    if (!is_whole || first > shard->at.n || added < at.n ||
        (news->elements < NEWS_MAX && added != at.n)) {
        if (shard->is_known)
            log_info("state.load", "shard=%u seen=%" PRIu64 " added=%" PRIu64 " gone=%" PRIu64, s,
                     shard->at.n, added, first);
        shard->must_load = true;
    }
    if (shard->must_load) {
        if (!shard->is_loading || added < shard->loaded.n) {
            shard->is_loading = true;
            shard->loaded.n = added;
            memcpy(shard->loaded.id, answer->element[2]->str, answer->element[2]->len + 1);
            memset(&feed->has_bucket[first_bucket(feed, s)], 0, COUNTER_BUCKETS / feed->n_shards);
        }
        shard->next_bucket = first_bucket(feed, s);
        shard->is_broken = false;
        go_on_loading(feed, s);
        return;
    }
    shard->at = at;
    if (news->elements == NEWS_MAX)
        shard->is_asked = ask_news(feed, s);
}

static void warn(struct state_feed *feed, const char *err)
{
    int64_t now_ms = clock_mono_ms();
    char quoted[LOG_QUOTE_MAX];

    if (feed->warned_ms != 0 && now_ms - feed->warned_ms < 60000)
        return;
    feed->warned_ms = now_ms;
    log_warn("state.redis", "err=%s effect=\"what becomes of invoices and links is learnt late\"",
             log_quote(quoted, err));
}

/* Tables are about as long as one another: room for all at once spares growing to it.  Without
 * memory for all of it, merging grows as far as it can. */
static void make_room_for_tables(struct state_feed *feed, size_t len)
{
    uint64_t n;

    feed->n_tables++;
    feed->tables_len += len;
    if (feed->n_tables % SAMPLE_TABLES != 0)
        return;
    n = feed->tables_len / feed->n_tables * COUNTER_BUCKETS / STATE_ENTRY_LEN;
    if (n > state_table_room(feed->table))
        (void)!state_table_reserve(feed->table, n + n / 64);
}

static void on_table(struct state_feed *feed, unsigned s, unsigned bucket,
                     const struct redisReply *answer)
{
    struct feed_shard *shard = &feed->shards[s];

    shard->n_loading--;
    if (answer && answer->type == REDIS_REPLY_STRING) {
        make_room_for_tables(feed, answer->len);
        merge(feed, answer);
    } else if (!answer || answer->type != REDIS_REPLY_NIL) {
        /* The tables under way still come in; the load goes on after the next poll. */
        shard->is_broken = true;
        if (answer && answer->type == REDIS_REPLY_ERROR)
            warn(feed, answer->str);
        return;
    }
    feed->has_bucket[bucket] = true;
    if (!shard->is_broken)
        go_on_loading(feed, s);
    save_first(feed);
}

/* An answer of Redis. */
static void on_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct state_feed *feed = owner;
    unsigned s = (unsigned)(ticket >> 32 & 0xffffff);

    if (feed->stopping)
        return;
    if (ticket >> 56 == FEED_TABLE) {
        on_table(feed, s, (unsigned)(ticket & UINT32_MAX) % COUNTER_BUCKETS, answer);
        return;
    }
    if (ticket >> 56 == FEED_REPLICAS)
        return;
    feed->shards[s].is_asked = false;
    if (answer && is_news(answer)) {
        counter64_set(&feed->asked_ms, (uint64_t)clock_mono_ms());
        on_news(feed, s, answer);
        save_first(feed);
    } else if (answer && answer->type != REDIS_REPLY_NIL) { /* nil: the ledger says why */
        warn(feed, answer->type == REDIS_REPLY_ERROR
                       ? answer->str
                       : "Redis gave an answer that the script never gives");
    }
    wait_for_news(feed);
}

/* --- the thread --- */

static void on_poll(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    poll(arg);
    wait_for_news(arg);
}

static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct state_feed *feed = arg;
    int64_t now_ms = clock_mono_ms();

    (void)fd;
    (void)events;
    poll(feed);
    wait_for_news(feed);
    state_table_reclaim(feed->table, now_ms);
    state_table_set_oldest(feed->table, clock_wall_ms() - feed->retention_s * 1000);
    if (state_table_is_known(feed->table) && feed->is_changed && now_ms - feed->saved_ms > SAVE_MS)
        save(feed);
}

/* The process ends. */
static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    struct state_feed *feed = arg;

    (void)fd;
    (void)events;
    event_base_loopbreak(feed->base);
}

/* A connection came or went.  Nothing to do: the next poll finds out. */
static void on_change(void *owner)
{
    struct state_feed *feed = owner;

    if (!state_table_is_known(feed->table) && !feed->stopping)
        poll(feed);
}

static void *run(void *arg)
{
    struct state_feed *feed = arg;

    background_enter("state");
    event_base_dispatch(feed->base);
    if (feed->is_changed && state_table_is_known(feed->table))
        save(feed);
    return NULL;
}

static bool make_events(struct state_feed *feed)
{
    feed->wake_fd = wake_new();
    if (feed->wake_fd < 0 || !(feed->base = event_base_new()))
        return false;
    feed->tick = event_new(feed->base, -1, EV_PERSIST, on_tick, feed);
    feed->wake = event_new(feed->base, feed->wake_fd, EV_READ, on_wake, feed);
    feed->pause = evtimer_new(feed->base, on_pause, feed);
    feed->poll = event_new(feed->base, -1, EV_PERSIST, on_poll, feed);
    return feed->tick && feed->wake && feed->pause && feed->poll && repeat(feed->tick, NET_MS) &&
           repeat(feed->poll, POLL_MS) && event_add(feed->wake, NULL) == 0;
}

static bool make_shards(struct state_feed *feed)
{
    feed->shards = calloc(feed->n_shards, sizeof(*feed->shards));
    for (unsigned s = 0; feed->shards && s < feed->n_shards; s++) {
        counter_key_state_stream(&feed->shards[s].stream, s);
        memcpy(feed->shards[s].at.id, "0-0", 4);
        feed->shards[s].must_load = true;
    }
    return feed->shards != NULL;
}

static bool start(struct state_feed *feed, const struct state_feed_options *options,
                  struct error *err)
{
    struct redis_link_options link = {
        .url = options->redis_url,
        .name = "hopcount-state",
        .timeout_ms = options->timeout_ms,
        .limits = {.bytes = RESP_ANSWER_MAX, .elements = 16 + 8 * NEWS_MAX},
        .owner = feed,
        .on_answer = on_answer,
        .on_change = on_change,
    };
    int code;

    feed->link = redis_link_new(feed->base, &link, err);
    if (!feed->link)
        return false;
    link.name = "hopcount-state-wait";
    link.timeout_ms += WAIT_MS;
    link.on_answer = on_waited;
    link.on_change = NULL;
    feed->wait_link = redis_link_new(feed->base, &link, err);
    if (!feed->wait_link)
        return false;
    code = thread_start(&feed->thread, NULL, run, feed);
    if (code != 0)
        error_set(err, "state: cannot start a thread: %s", strerror(code));
    feed->has_thread = code == 0;
    return feed->has_thread;
}

struct state_feed *state_feed_new(struct state_table *table,
                                  const struct state_feed_options *options, struct error *err)
{
    struct state_feed *feed = calloc(1, sizeof(*feed));
    bool ok = false;

    if (!feed) {
        error_set(err, "state: out of memory");
        return NULL;
    }
    feed->wake_fd = -1;
    feed->table = table;
    feed->n_shards = options->n_shards;
    feed->retention_s = options->retention_s;
    state_table_set_oldest(table, clock_wall_ms() - feed->retention_s * 1000);
    feed->saved_ms = clock_mono_ms();
    feed->state_dir = strdup(options->state_dir);
    if (!feed->state_dir || !make_shards(feed) || !make_events(feed)) {
        error_set(err, "state: out of memory or descriptors");
        goto out;
    }
    load_file(feed);
    ok = start(feed, options, err);
out:
    if (!ok) {
        state_feed_free(feed);
        feed = NULL;
    }
    return feed;
}

void state_feed_free(struct state_feed *feed)
{
    if (!feed)
        return;
    if (feed->has_thread) {
        feed->stopping = true;
        wake_send(feed->wake_fd);
        pthread_join(feed->thread, NULL);
    }
    redis_link_free(feed->link);
    redis_link_free(feed->wait_link);
    if (feed->tick)
        event_free(feed->tick);
    if (feed->wake)
        event_free(feed->wake);
    if (feed->poll)
        event_free(feed->poll);
    if (feed->pause)
        event_free(feed->pause);
    event_loop_free(feed->base);
    if (feed->wake_fd >= 0)
        close(feed->wake_fd);
    free(feed->shards);
    free(feed->state_dir);
    free(feed);
}

void state_feed_stats(const struct state_feed *feed, struct state_feed_stats *out)
{
    int64_t asked_ms = (int64_t)counter64_get(&feed->asked_ms);

    *out = (struct state_feed_stats){
        .n_entries = state_table_count(feed->table),
        .n_bytes = state_table_bytes(feed->table),
        .age_ms = asked_ms ? clock_mono_ms() - asked_ms : -1,
        .lag_ms = (int64_t)counter64_get(&feed->lag_ms),
        .n_loads = counter64_get(&feed->n_loads),
        .is_known = state_table_is_known(feed->table),
    };
}
