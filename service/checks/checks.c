#include "service/checks/checks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <sodium.h>

#include "check_keep_lua.h"
#include "check_take_lua.h"
#include "proto/counter.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/base/wake.h"
#include "service/checks/check_record.h"
#include "service/checks/places.h"
#include "service/checks/probe.h"
#include "service/config/config.h"
#include "service/redis/redis_link.h"

enum {
    PARALLEL = 4,
    IDLE_MS = 250,       /* between two looks at what is due */
    BUSY_MS = 20,        /* the same while pages are being asked: how exact their times are */
    POLL_MS = 2000,      /* between two questions to Redis */
    LEASE_MS = 10000,    /* after the last of them another process may take over */
    WINDOW_MAX = 256,    /* pages whose records are read at a time */
    FIXED_ARGS = 6,      /* EVAL, the script, the number of keys, the lease, and two arguments */
    KEPT_S = 30 * 86400, /* records of a page that isn't looked at any more */
    HOLDER_MAX = 33,
    NUMBER_MAX = 24,
};

/* What is known of a page. */
struct known_page {
    json_t *record; /* the newest; NULL = none */
    char *text;     /* of it, as Redis has it */
    bool is_read;   /* Redis was asked since the last change */
    bool is_asked;  /* one of the askings is about it */
};

/* The list in use; another one comes with a reload. */
struct check_list {
    struct places *places;
    struct known_page *pages;      /* places->n */
    struct config_checks settings; /* its samples are not used here */
};

/* A page that is being asked, or whose record is on its way to Redis. */
struct asking {
    bool is_used;
    size_t index;
    struct probe probe;
    char url[PLACE_URL_MAX], secret[TOKEN_TEXT_MAX + 1];
    json_t *record; /* that is being kept */
    char *text;
};

struct checks {
    char holder[HOLDER_MAX]; /* our name in the lease */
    int64_t every_s;
    pthread_t thread;
    bool has_thread;
    struct event_base *base;
    struct redis_link *link;
    struct event *tick, *wake;
    int wake_fd;
    _Atomic bool stopping, is_holder;

    pthread_mutex_t lock;        /* of: */
    struct check_list *list;     /* changed by the thread alone, which may read it without */
    struct check_list *reloaded; /* to be taken over, or NULL */

    uint32_t generation; /* of the list: answers of Redis to questions about another are dropped */
    struct prober *prober;
    struct asking askings[PARALLEL];
    bool is_polling;
    int64_t polled_ms; /* monotonic: when Redis was last asked … */
    int64_t held_ms;   /* … when that was that gave us the lease; 0 = it isn't ours */
    int64_t redis_ms, redis_mono_ms; /* Redis' clock, and ours at that time */
    size_t window;                   /* the first page of the next question */
    struct counter_key keys[WINDOW_MAX];
    struct slice argv[FIXED_ARGS + WINDOW_MAX];
    size_t first_asked, n_asked; /* the pages of the question that is under way */
};

/* --- the list --- */

static void free_list(struct check_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; list->places && list->pages && i < list->places->n; i++) {
        json_decref(list->pages[i].record);
        free(list->pages[i].text);
    }
    places_free(list->places);
    free(list->pages);
    free(list->settings.tls_ca);
    free(list);
}

static struct check_list *make_list(const struct config *config, struct site *site,
                                    struct error *err)
{
    const struct places_options options = {.config = config, .site = site};
    struct check_list *list = calloc(1, sizeof(*list));
    bool ok = false;

    if (!list || !(list->places = places_new(&options, err))) {
        if (!list)
            error_set(err, "checks: out of memory");
        goto out;
    }
    list->pages = calloc(list->places->n ? list->places->n : 1, sizeof(*list->pages));
    list->settings = config->checks;
    list->settings.samples = NULL;
    list->settings.tls_ca = config->checks.tls_ca ? strdup(config->checks.tls_ca) : NULL;
    ok = list->pages && !config->checks.tls_ca == !list->settings.tls_ca;
    if (!ok)
        error_set(err, "checks: out of memory");
out:
    if (!ok) {
        free_list(list);
        list = NULL;
    }
    return list;
}

/* --- what was found --- */

static int64_t redis_now_ms(const struct checks *c)
{
    return c->redis_ms + clock_mono_ms() - c->redis_mono_ms;
}

/* Owns `record` and `text`. */
static void set_record(struct checks *c, struct known_page *page, json_t *record, char *text)
{
    pthread_mutex_lock(&c->lock);
    json_decref(page->record);
    page->record = record;
    pthread_mutex_unlock(&c->lock);
    free(page->text);
    page->text = text;
}

static void log_change(const struct place *place, const json_t *before, const json_t *after)
{
    const char *was = before ? check_record_text(before, "state") : "unknown";
    const char *is = check_record_text(after, "state"), *why = check_record_text(after, "why");
    char quoted[LOG_QUOTE_MAX], name[LOG_QUOTE_MAX];

    if (strcmp(was, is) == 0)
        return;
    if (strcmp(is, "down") == 0)
        log_warn("check.down", "brand=%.*s target=%s way=%s why=%s", SLICE_ARG(place->brand->name),
                 log_quote(name, place->name), place->by_link ? "link" : "direct",
                 log_quote(quoted, why ? why : ""));
    else if (strcmp(was, "down") == 0)
        log_info("check.up", "brand=%.*s target=%s way=%s", SLICE_ARG(place->brand->name),
                 log_quote(name, place->name), place->by_link ? "link" : "direct");
}

static void end_asking(struct checks *c, struct asking *asking)
{
    c->list->pages[asking->index].is_asked = false;
    json_decref(asking->record);
    free(asking->text);
    probe_clear(&asking->probe);
    asking->record = NULL;
    asking->text = NULL;
    asking->is_used = false;
}

/* The answer of check_keep.lua: 1, 0, or none came. */
static void on_kept(struct checks *c, struct asking *asking, const struct redisReply *answer)
{
    struct known_page *page = &c->list->pages[asking->index];

    if (answer && answer->type == REDIS_REPLY_INTEGER && answer->integer == 1) {
        log_change(&c->list->places->items[asking->index], page->record, asking->record);
        set_record(c, page, asking->record, asking->text);
        asking->record = NULL;
        asking->text = NULL;
    } else {
        page->is_read = false; /* it may have been kept */
        if (answer)
            c->held_ms = 0;
    }
    end_asking(c, asking);
}

static void send_record(struct checks *c, struct asking *asking)
{
    struct counter_key lease, key;
    char max[NUMBER_MAX], ttl[NUMBER_MAX];
    struct slice argv[9] = {slice_of("EVAL"), slice_make(check_keep_lua, sizeof(check_keep_lua)),
                            slice_of("2")};
    int64_t kept_s = 3 * c->every_s > KEPT_S ? 3 * c->every_s : KEPT_S;

    counter_key_checker(&lease);
    counter_key_check(&key, c->list->places->items[asking->index].id);
    snprintf(max, sizeof(max), "%d", CHECKS_HISTORY);
    snprintf(ttl, sizeof(ttl), "%lld", (long long)kept_s);
    argv[3] = counter_key_slice(&lease);
    argv[4] = counter_key_slice(&key);
    argv[5] = slice_of(c->holder);
    argv[6] = slice_of(asking->text);
    argv[7] = slice_of(max);
    argv[8] = slice_of(ttl);
    if (!redis_link_send(c->link,
                         &(struct redis_command){.key = argv[3],
                                                 .argv = argv,
                                                 .argc = 9,
                                                 .ticket = (uint64_t)c->generation << 32 |
                                                           (uint64_t)(asking - c->askings + 1)}))
        end_asking(c, asking); /* Redis is away; the page is asked again when it is back */
}

/* A page has answered, or not. */
static void on_probed(void *owner, struct probe *probe)
{
    struct checks *c = owner;
    struct asking *asking = probe->owner;

    asking->record = check_record_new(probe, asking->secret, redis_now_ms(c),
                                      c->list->pages[asking->index].record,
                                      (unsigned)c->list->settings.failures);
    asking->text = asking->record ? json_dumps(asking->record, JSON_COMPACT) : NULL;
    if (asking->text)
        send_record(c, asking);
    else
        end_asking(c, asking);
}

/* --- what is due --- */

static bool is_due(const struct checks *c, size_t i)
{
    const struct config_checks *settings = &c->list->settings;
    const struct known_page *page = &c->list->pages[i];
    int64_t after_s = c->every_s;

    if (c->list->places->items[i].lacks_sample || !page->is_read || page->is_asked)
        return false;
    if (!page->record)
        return true;
    if (check_record_number(page->record, "failures") > 0 && settings->retry_s < after_s &&
        strcmp(check_record_text(page->record, "state"), "down") != 0)
        after_s = settings->retry_s;
    return redis_now_ms(c) >= check_record_number(page->record, "at") + after_s * 1000;
}

static struct asking *find_free(struct checks *c)
{
    for (unsigned i = 0; i < PARALLEL; i++) {
        if (!c->askings[i].is_used)
            return &c->askings[i];
    }
    return NULL;
}

static void ask_due(struct checks *c)
{
    const struct places *places = c->list->places;
    struct asking *asking;

    for (size_t i = 0; i < places->n && (asking = find_free(c)) != NULL; i++) {
        if (!is_due(c, i))
            continue;
        asking->index = i;
        asking->probe.owner = asking;
        if (!place_ask(places, &places->items[i], clock_wall_ms() / 1000, asking->url,
                       asking->secret, &asking->probe))
            continue;
        asking->is_used = true;
        c->list->pages[i].is_asked = true;
        prober_add(c->prober, &asking->probe);
    }
}

/* --- the lease --- */

static void poll_redis(struct checks *c)
{
    const struct places *places = c->list->places;
    char lease_ms[NUMBER_MAX], n_keys[NUMBER_MAX];
    struct counter_key lease;
    size_t argc = 3;

    if (c->window >= places->n)
        c->window = 0;
    c->first_asked = c->window;
    c->n_asked = places->n - c->window < WINDOW_MAX ? places->n - c->window : WINDOW_MAX;
    counter_key_checker(&lease);
    snprintf(lease_ms, sizeof(lease_ms), "%d", LEASE_MS);
    snprintf(n_keys, sizeof(n_keys), "%zu", c->n_asked + 1);
    c->argv[0] = slice_of("EVAL");
    c->argv[1] = slice_make(check_take_lua, sizeof(check_take_lua));
    c->argv[2] = slice_of(n_keys);
    c->argv[argc++] = counter_key_slice(&lease);
    for (size_t i = 0; i < c->n_asked; i++) {
        counter_key_check(&c->keys[i], places->items[c->first_asked + i].id);
        c->argv[argc++] = counter_key_slice(&c->keys[i]);
    }
    c->argv[argc++] = slice_of(c->holder);
    c->argv[argc++] = slice_of(lease_ms);
    c->polled_ms = clock_mono_ms();
    c->is_polling =
        redis_link_send(c->link, &(struct redis_command){.key = c->argv[3],
                                                         .argv = c->argv,
                                                         .argc = argc,
                                                         .ticket = (uint64_t)c->generation << 32});
}

static void take_record(struct checks *c, struct known_page *page, const struct redisReply *head)
{
    char *text;
    json_t *record;

    page->is_read = true;
    if (head->type != REDIS_REPLY_STRING || (page->text && strcmp(page->text, head->str) == 0))
        return;
    record = head->len > 0 ? check_record_read(head->str, head->len) : NULL;
    text = strdup(head->str);
    if (text) {
        set_record(c, page, record, text);
        return;
    }
    json_decref(record);
}

/* The lease counts from when we asked: Redis may have given it any time after that. */
static void on_polled(struct checks *c, const struct redisReply *answer)
{
    c->is_polling = false;
    if (!answer || answer->type != REDIS_REPLY_ARRAY || answer->elements != c->n_asked + 2 ||
        answer->element[1]->type != REDIS_REPLY_INTEGER) {
        if (answer && answer->type == REDIS_REPLY_ERROR)
            log_warn("check.redis", "err=%.150s", answer->str);
        return;
    }
    /* Whoever looked before us may have found more since we read the other pages. */
    for (size_t i = 0; c->held_ms == 0 && i < c->list->places->n; i++)
        c->list->pages[i].is_read = false;
    c->held_ms = answer->element[0]->integer == 1 ? c->polled_ms : 0;
    c->redis_ms = answer->element[1]->integer;
    c->redis_mono_ms = clock_mono_ms();
    for (size_t i = 0; i < c->n_asked; i++) {
        struct known_page *page = &c->list->pages[c->first_asked + i];

        if (!page->is_asked)
            take_record(c, page, answer->element[i + 2]);
    }
    c->window = c->first_asked + c->n_asked;
}

static void on_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct checks *c = owner;
    uint32_t number = (uint32_t)ticket;

    if (c->stopping || ticket >> 32 != c->generation)
        return;
    if (number == 0)
        on_polled(c, answer);
    else
        on_kept(c, &c->askings[number - 1], answer);
}

/* --- the thread --- */

static struct prober *make_prober(struct checks *c, const struct check_list *list)
{
    const struct prober_options options = {
        .timeout_ms = list->settings.timeout_ms,
        .pace_ms = list->settings.pace_ms,
        .parallel = PARALLEL,
        .redirects_max = (unsigned)list->settings.redirects_max,
        .tls_ca = list->settings.tls_ca,
        .owner = c,
        .on_done = on_probed,
    };

    return prober_new(&options);
}

/* Pages that are just being asked are asked again by the new list. */
static void take_reloaded(struct checks *c)
{
    struct check_list *old = c->list, *list;
    struct prober *prober;

    pthread_mutex_lock(&c->lock);
    list = c->reloaded;
    c->reloaded = NULL;
    pthread_mutex_unlock(&c->lock);
    if (!list)
        return;
    prober = make_prober(c, list);
    if (!prober) {
        log_error("check.reload", "err=\"out of memory\" kept=old");
        free_list(list);
        return;
    }
    prober_free(c->prober);
    c->prober = prober;
    for (unsigned i = 0; i < PARALLEL; i++) {
        if (c->askings[i].is_used)
            end_asking(c, &c->askings[i]);
    }
    pthread_mutex_lock(&c->lock);
    c->list = list;
    pthread_mutex_unlock(&c->lock);
    free_list(old);
    c->generation++;
    c->is_polling = false;
    c->polled_ms = 0;
    c->window = 0;
}

/* Some time has passed: IDLE_MS or BUSY_MS. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct checks *c = arg;
    int64_t now_ms = clock_mono_ms();
    struct timeval next = {.tv_usec = IDLE_MS * 1000};

    (void)fd;
    (void)events;
    take_reloaded(c);
    /* More pages than are read at a time: the rest without a pause, until all are known. */
    if (!c->is_polling && (now_ms - c->polled_ms >= POLL_MS || c->polled_ms == 0 ||
                           (c->redis_ms != 0 && c->window < c->list->places->n)))
        poll_redis(c);
    atomic_store(&c->is_holder, c->held_ms != 0 && now_ms - c->held_ms < LEASE_MS - POLL_MS);
    if (c->is_holder)
        ask_due(c);
    prober_step(c->prober);
    if (!prober_is_idle(c->prober))
        next.tv_usec = BUSY_MS * 1000;
    event_add(c->tick, &next);
}

/* The process ends. */
static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    struct checks *c = arg;

    (void)fd;
    (void)events;
    event_base_loopbreak(c->base);
}

static void *run(void *arg)
{
    struct checks *c = arg;

    background_enter("checks");
    event_base_dispatch(c->base);
    return NULL;
}

static bool make_events(struct checks *c)
{
    const struct timeval soon = {.tv_usec = BUSY_MS * 1000};

    c->wake_fd = wake_new();
    if (c->wake_fd < 0 || !(c->base = event_base_new()))
        return false;
    c->tick = event_new(c->base, -1, 0, on_tick, c);
    c->wake = event_new(c->base, c->wake_fd, EV_READ, on_wake, c);
    return c->tick && c->wake && event_add(c->tick, &soon) == 0 && event_add(c->wake, NULL) == 0;
}

static bool start(struct checks *c, const struct checks_options *options, struct error *err)
{
    const struct redis_link_options link = {
        .url = options->redis_url,
        .name = "hopcount-checks",
        .timeout_ms = options->config->redis.timeout_ms,
        .limits = {.bytes = 16 << 20, .elements = WINDOW_MAX + 64},
        .owner = c,
        .on_answer = on_answer,
    };
    int code;

    c->list = make_list(options->config, options->site, err);
    if (!c->list)
        return false;
    if (!(c->prober = make_prober(c, c->list)) || !make_events(c)) {
        error_set(err, "checks: out of memory or descriptors");
        return false;
    }
    if (!(c->link = redis_link_new(c->base, &link, err)))
        return false;
    code = thread_start(&c->thread, NULL, run, c);
    if (code != 0)
        error_set(err, "checks: cannot start a thread: %s", strerror(code));
    c->has_thread = code == 0;
    return c->has_thread;
}

struct checks *checks_new(const struct checks_options *options, struct error *err)
{
    struct checks *c = calloc(1, sizeof(*c));
    uint8_t name[(HOLDER_MAX - 1) / 2];

    if (!c) {
        error_set(err, "checks: out of memory");
        return NULL;
    }
    c->wake_fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    c->every_s = options->config->checks.every_s;
    randombytes_buf(name, sizeof(name));
    sodium_bin2hex(c->holder, sizeof(c->holder), name, sizeof(name));
    if (start(c, options, err))
        return c;
    checks_free(c);
    return NULL;
}

void checks_free(struct checks *c)
{
    if (!c)
        return;
    if (c->has_thread) {
        c->stopping = true;
        wake_send(c->wake_fd);
        pthread_join(c->thread, NULL);
    }
    redis_link_free(c->link);
    prober_free(c->prober);
    for (unsigned i = 0; i < PARALLEL; i++) {
        if (c->askings[i].is_used)
            end_asking(c, &c->askings[i]);
    }
    if (c->tick)
        event_free(c->tick);
    if (c->wake)
        event_free(c->wake);
    event_loop_free(c->base);
    if (c->wake_fd >= 0)
        close(c->wake_fd);
    free_list(c->list);
    free_list(c->reloaded);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void checks_reload(struct checks *c, const struct config *config, struct site *site)
{
    struct error err = {0};
    struct check_list *list, *unused;
    char quoted[LOG_QUOTE_MAX];

    if (!c)
        return;
    list = make_list(config, site, &err);
    if (!list) {
        log_error("check.reload", "err=%s kept=old", log_quote(quoted, err.text));
        return;
    }
    pthread_mutex_lock(&c->lock);
    unused = c->reloaded;
    c->reloaded = list;
    pthread_mutex_unlock(&c->lock);
    free_list(unused);
}

/* --- for others --- */

bool checks_is_checker(struct checks *c)
{
    return c->is_holder;
}

int64_t checks_every_s(const struct checks *c)
{
    return c->every_s;
}

void checks_visit(struct checks *c,
                  void (*visit)(void *owner, const struct place *place, const json_t *record),
                  void *owner)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->list->places->n; i++)
        visit(owner, &c->list->places->items[i], c->list->pages[i].record);
    pthread_mutex_unlock(&c->lock);
}
