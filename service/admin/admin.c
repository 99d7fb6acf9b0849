#include "service/admin/admin.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "service/admin/attempts.h"
#include "service/admin/audit.h"
#include "service/admin/auth.h"
#include "service/admin/cache.h"
#include "service/admin/erasures.h"
#include "service/admin/fetch.h"
#include "service/admin/front.h"
#include "service/admin/live.h"
#include "service/admin/mailbox.h"
#include "service/admin/oidc.h"
#include "service/admin/pods.h"
#include "service/admin/request.h"
#include "service/admin/router.h"
#include "service/admin/server.h"
#include "service/admin/session.h"
#include "service/admin/signin.h"
#include "service/admin/stats/anomalies.h"
#include "service/admin/stats/invoices.h"
#include "service/admin/use.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/base/wake.h"
#include "service/config/access.h"
#include "service/config/apikeys.h"
#include "service/config/config.h"
#include "service/config/site.h"

enum {
    TIMEOUT_MS = 2000, /* of a query, when the options name none */
};

/* What main hands over; taken by the admin thread in the next pass of its loop. */
struct mail {
    pthread_mutex_t lock;
    int wake_fd;
    bool stop;
    struct site *site; /* NULL = nothing new */
    struct access *access;
};

struct admin {
    struct server server;
    struct front *front;
    struct mailbox *to_api;
    struct event *wake;
    struct mail mail;
    pthread_t thread;
    bool running;
};

/* A request has come from the front, or back from it: the client has taken a piece of its reply. */
static void on_request(void *owner, struct letter *letter)
{
    struct request *request = (struct request *)letter;
    void (*on_room)(void *owner) = request->on_room;
    struct admin *admin = owner;

    if (on_room) {
        request->on_room = NULL;
        on_room(request->room_owner);
        return;
    }
    if (atomic_load(&request->gone)) {
        request_drop(request);
        return;
    }
    request->site = site_ref(admin->server.site);
    router_handle(request);
}

/* Whoever may send signals reloads; which process it was says its host. */
static void note_reload(struct server *server, unsigned n_keys)
{
    struct audit_entry entry = {.action = AUDIT_RELOAD, .n = 1};
    char host[256] = "";

    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    snprintf(entry.what, sizeof(entry.what), "%u API key%s, on %.128s", n_keys,
             n_keys == 1 ? "" : "s", host);
    audit_note(server->audit, &entry);
}

static void take_mail(struct admin *admin)
{
    struct site *site;
    struct access *access;
    unsigned n_keys;
    bool stop;

    pthread_mutex_lock(&admin->mail.lock);
    site = admin->mail.site;
    access = admin->mail.access;
    n_keys = access ? apikeys_count(access->keys) : 0;
    stop = admin->mail.stop;
    admin->mail.site = NULL;
    admin->mail.access = NULL;
    pthread_mutex_unlock(&admin->mail.lock);
    if (site) {
        site_unref(admin->server.site);
        admin->server.site = site;
        oidc_reset(admin->server.oidc);
        auth_set_access(admin->server.auth, access);
        cache_clear(admin->server.cache);
        note_reload(&admin->server, n_keys);
    }
    if (stop)
        event_base_loopbreak(admin->server.base);
}

/* main has left something in the mail. */
static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    (void)events;
    wake_take((int)fd);
    take_mail(arg);
}

static void *run(void *arg)
{
    struct admin *admin = arg;

    background_enter("admin");
    event_base_dispatch(admin->server.base);
    return NULL;
}

/* The event loop and what hangs on it, but for the parts that say themselves what failed. */
static bool set_up_loop(struct admin *admin)
{
    admin->mail.wake_fd = wake_new();
    admin->server.base = event_loop_new(EVENT_BASE_FLAG_PRECISE_TIMER);
    if (admin->mail.wake_fd < 0 || !admin->server.base)
        return false;
    admin->wake =
        event_new(admin->server.base, admin->mail.wake_fd, EV_READ | EV_PERSIST, on_wake, admin);
    admin->server.to_api = admin->to_api = mailbox_new(admin->server.base, on_request, admin);
    admin->server.signins = signins_new(admin->server.base);
    admin->server.live = live_new(&admin->server, admin->server.base);
    admin->server.pods = pods_new(&admin->server);
    admin->server.anomalies = anomalies_new(&admin->server, admin->server.base);
    return admin->wake && admin->to_api && admin->server.signins && admin->server.live &&
           admin->server.pods && admin->server.anomalies && event_add(admin->wake, NULL) == 0;
}

unsigned admin_connections_max(uint64_t n_descriptors)
{
    uint64_t n = n_descriptors / 8;

    if (n > ADMIN_CONNECTIONS_MAX)
        return ADMIN_CONNECTIONS_MAX;
    return n > ADMIN_CONNECTIONS_MIN ? (unsigned)n : ADMIN_CONNECTIONS_MIN;
}

static void set_up_server(struct server *server, const struct admin_options *options,
                          const struct admin_sources *sources)
{
    struct rlimit limit;

    server->sources = *sources;
    server->n_shards = options->n_shards ? options->n_shards : 1;
    server->retention_hours_s = options->retention_hours_s;
    server->retention_days_s = options->retention_days_s;
    server->retention_cells_s = options->retention_cells_s;
    server->logs_retain_s = options->logs_retain_s;
    server->retention_client_hours_s = options->retention_client_hours_s;
    server->started_ms = clock_wall_ms();
    server->connections_max = admin_connections_max(
        getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 8UL * ADMIN_CONNECTIONS_MIN);
    counter64_set(&server->reload_s, (uint64_t)(server->started_ms / 1000));
    counter64_set(&server->reload_ok, 1);
}

struct admin *admin_new(const struct admin_options *options, const struct admin_sources *sources,
                        struct site *site, struct access *access, struct error *err)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    int64_t timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
    struct front_options front = {.config = options->config, .public = options->public};
    struct one_use_options uses = {
        .redis_url = options->redis_url, .name = "hopcount-admin", .on_use = use_on_outcome};
    bool ok = false;

    if (!admin) {
        error_set(err, "admin: out of memory");
        access_free(access);
        return NULL;
    }
    admin->mail.wake_fd = -1;
    pthread_mutex_init(&admin->mail.lock, NULL);
    set_up_server(&admin->server, options, sources);
    admin->server.site = site_ref(site);
    admin->server.timeout_ms = timeout_ms;
    if (options->redis_url && !(admin->server.redis_url = strdup(options->redis_url))) {
        error_set(err, "admin: out of memory");
        goto out;
    }
    if (!(admin->server.auth = auth_new(access, options->config->rate_per_min)) ||
        !(admin->server.cache = cache_new()) ||
        !(admin->server.signed_out = sessions_signed_out_new()) ||
        !(admin->server.attempts = attempts_new()) ||
        !(admin->server.oidc = oidc_new(&admin->server))) {
        error_set(err, "admin: out of memory");
        goto out;
    }
    if (!set_up_loop(admin) || !(admin->server.audit = audit_new(&admin->server, admin->server.base,
                                                                 options->config->audit_days))) {
        error_set(err, "admin: cannot set up the event loop: %s", strerror(errno));
        goto out;
    }
    front.server = &admin->server;
    if (!(admin->front = front_new(&front, err)))
        goto out;
    if (options->redis_url && !(admin->server.fetches = fetches_new(
                                    admin->server.base, options->redis_url, timeout_ms, err)))
        goto out;
    uses.n_shards = admin->server.n_shards;
    uses.owner = &admin->server;
    if (options->redis_url &&
        !(admin->server.one_use = one_use_new(admin->server.base, &uses, err)))
        goto out;
    /* It takes no signals: a client that closes early must not raise SIGPIPE here. */
    admin->running = thread_start(&admin->thread, NULL, run, admin) == 0;
    if (!admin->running || !front_start(admin->front)) {
        error_set(err, "admin: cannot start its threads");
        goto out;
    }
    ok = true;
out:
    if (!ok) {
        admin_free(admin);
        admin = NULL;
    }
    return admin;
}

void admin_set_state(struct admin *admin, enum admin_state state)
{
    atomic_store(&admin->server.state, state);
}

void admin_reload(struct admin *admin, struct site *site, struct access *access)
{
    struct site *old_site;
    struct access *old;

    counter64_set(&admin->server.reload_s, (uint64_t)(clock_wall_ms() / 1000));
    counter64_set(&admin->server.reload_ok, 1);
    pthread_mutex_lock(&admin->mail.lock);
    old_site = admin->mail.site;
    old = admin->mail.access;
    admin->mail.site = site_ref(site);
    admin->mail.access = access;
    pthread_mutex_unlock(&admin->mail.lock);
    /* An earlier reload that the thread has not seen yet. */
    site_unref(old_site);
    access_free(old);
    wake_send(admin->mail.wake_fd);
}

/* Somebody who waits for a reply. */
struct waiter {
    struct request_inside inside; /* first: the reply comes with it */
    pthread_mutex_t lock;
    pthread_cond_t has_reply;
    bool is_done;
    int status;
    struct evbuffer *body;
};

static void on_reply(struct request_inside *inside, int status, struct evbuffer *body)
{
    struct waiter *waiter = (struct waiter *)inside;

    pthread_mutex_lock(&waiter->lock);
    waiter->status = status;
    waiter->body = body;
    waiter->is_done = true;
    pthread_cond_signal(&waiter->has_reply);
    pthread_mutex_unlock(&waiter->lock);
}

json_t *admin_ask(struct admin *admin, const char *brand, const char *path)
{
    struct waiter waiter = {.inside = {.on_reply = on_reply}};
    struct request *request =
        request_new_inside(&admin->server, path, brand, "report", &waiter.inside);
    json_t *json = NULL;
    size_t len;

    if (!request)
        return NULL;
    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.has_reply, NULL);
    mailbox_post(admin->to_api, &request->letter);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_done)
        pthread_cond_wait(&waiter.has_reply, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    len = evbuffer_get_length(waiter.body);
    if (waiter.status == 200)
        json = json_loadb((const char *)evbuffer_pullup(waiter.body, -1), len, 0, NULL);
    if (!json)
        log_warn("admin.ask", "path=%.*s status=%d", (int)strcspn(path, "?"), path, waiter.status);
    evbuffer_free(waiter.body);
    pthread_cond_destroy(&waiter.has_reply);
    pthread_mutex_destroy(&waiter.lock);
    return json;
}

void admin_note_reload_failure(struct admin *admin)
{
    counter64_add(&admin->server.reload_failures, 1);
    counter64_set(&admin->server.reload_ok, 0);
}

void admin_free(struct admin *admin)
{
    if (!admin)
        return;
    if (admin->running) {
        pthread_mutex_lock(&admin->mail.lock);
        admin->mail.stop = true;
        pthread_mutex_unlock(&admin->mail.lock);
        wake_send(admin->mail.wake_fd);
        pthread_join(admin->thread, NULL);
    }
    /* What is under way ends with replies, which go to the front; so the front is the last. */
    oidc_free(admin->server.oidc);
    fetches_free(admin->server.fetches);
    audit_free(admin->server.audit);
    one_use_free(admin->server.one_use);
    use_drop_all(&admin->server);
    erasures_drop_all(&admin->server);
    live_free(admin->server.live);
    invoices_drop_all(&admin->server);
    signins_free(admin->server.signins);
    pods_free(admin->server.pods);
    front_free(admin->front);
    anomalies_free(admin->server.anomalies); /* the front reads it */
    mailbox_free(admin->to_api);
    for (size_t i = 0; i < SERVER_PACKED_MAX; i++)
        free(admin->server.packed[i].bytes);
    if (admin->wake)
        event_free(admin->wake);
    event_loop_free(admin->server.base);
    if (admin->mail.wake_fd >= 0)
        close(admin->mail.wake_fd);
    auth_free(admin->server.auth);
    cache_free(admin->server.cache);
    sessions_signed_out_free(admin->server.signed_out);
    attempts_free(admin->server.attempts);
    free(admin->server.redis_url);
    site_unref(admin->server.site);
    site_unref(admin->mail.site);
    access_free(admin->mail.access);
    pthread_mutex_destroy(&admin->mail.lock);
    free(admin);
}
