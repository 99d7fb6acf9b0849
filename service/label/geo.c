#include "service/label/geo.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "service/base/background.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/label/geo_db.h"

enum { INTERVAL_MS = 10000 };

struct geo_reader {
    struct geo *geo;
    /* A hazard pointer (Michael 2004): the database that this reader is using.  The thread frees a
     * database only when no reader holds it here. */
    _Atomic(struct geo_db *) in_use;
};

struct geo {
    char *path;
    enum geo_db_what what;
    int64_t interval_ms;
    _Atomic(struct geo_db *) current; /* NULL = none */
    struct stat loaded;               /* the file that was last looked at */
    bool is_absent;                   /* that the file is absent has been logged */
    bool is_bad;                      /* that the file can't be used has been logged */
    struct error bad;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* guards the fields below */
    pthread_cond_t wake;
    bool must_stop;
    struct geo_reader *readers[GEO_READERS_MAX];
};

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool is_in_use(struct geo *geo, const struct geo_db *db)
{
    bool found = false;

    pthread_mutex_lock(&geo->lock);
    for (unsigned i = 0; i < GEO_READERS_MAX && !found; i++)
        found = geo->readers[i] && atomic_load(&geo->readers[i]->in_use) == db;
    pthread_mutex_unlock(&geo->lock);
    return found;
}

/* Loads the file if it has changed since it was last loaded. */
static void check_file(struct geo *geo)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    struct geo_db *db = NULL, *old;
    struct error err = {0};
    char text[LOG_QUOTE_MAX];
    bool is_new = true;
    struct stat now;

    if (stat(geo->path, &now) == 0) {
        is_new = !is_same_file(&now, &geo->loaded);
        /* A bad file is read again even if unchanged: memory or descriptors may have been short. */
        if (!is_new && !geo->is_bad)
            return;
        geo->loaded = now;
    }
    switch (geo_db_load(geo->path, geo->what, &db, &err)) {
    case GEO_DB_OK:
        geo->is_absent = geo->is_bad = false;
        old = atomic_exchange(&geo->current, db);
        /* Waits in a loop: a look-up takes less than a microsecond. */
        while (old && is_in_use(geo, old))
            nanosleep(&moment, NULL);
        geo_db_free(old);
        log_info("geo.loaded", "file=%s", log_quote(text, geo->path));
        break;
    case GEO_DB_ABSENT:
        if (!geo->is_absent)
            log_warn("geo.absent", "err=%s", log_quote(text, err.text));
        geo->is_absent = true;
        geo->loaded = (struct stat){0};
        break;
    case GEO_DB_BAD:
        if (is_new || !geo->is_bad || strcmp(err.text, geo->bad.text) != 0)
            log_warn("geo.bad", "err=%s kept_old=%d", log_quote(text, err.text),
                     atomic_load(&geo->current) != NULL);
        geo->is_bad = true;
        geo->bad = err;
        break;
    }
}

/* Waits until the file is to be looked at again; false when the thread is to end. */
static bool wait_for_tick(struct geo *geo)
{
    struct timespec until;
    bool must_stop;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += geo->interval_ms / 1000;
    until.tv_nsec += geo->interval_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&geo->lock);
    while (!geo->must_stop && pthread_cond_timedwait(&geo->wake, &geo->lock, &until) == 0)
        ;
    must_stop = geo->must_stop;
    pthread_mutex_unlock(&geo->lock);
    return !must_stop;
}

static void *run(void *arg)
{
    struct geo *geo = arg;

    background_enter("geo");
    while (wait_for_tick(geo))
        check_file(geo);
    return NULL;
}

struct geo *geo_new(const struct geo_options *options, struct error *err)
{
    struct geo *geo = calloc(1, sizeof(*geo));
    pthread_condattr_t monotonic;

    if (!geo) {
        error_set(err, "geo: out of memory");
        return NULL;
    }
    pthread_mutex_init(&geo->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&geo->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    geo->interval_ms = options->interval_ms ? options->interval_ms : INTERVAL_MS;
    geo->what = options->what;
    geo->path = strdup(options->path);
    if (!geo->path) {
        error_set(err, "geo: out of memory");
        geo_free(geo);
        return NULL;
    }
    check_file(geo);
    geo->has_thread = thread_start(&geo->thread, NULL, run, geo) == 0;
    if (!geo->has_thread) {
        error_set(err, "geo: cannot start a thread");
        geo_free(geo);
        return NULL;
    }
    return geo;
}

void geo_free(struct geo *geo)
{
    if (!geo)
        return;
    if (geo->has_thread) {
        pthread_mutex_lock(&geo->lock);
        geo->must_stop = true;
        pthread_cond_signal(&geo->wake);
        pthread_mutex_unlock(&geo->lock);
        pthread_join(geo->thread, NULL);
    }
    geo_db_free(atomic_load(&geo->current));
    pthread_cond_destroy(&geo->wake);
    pthread_mutex_destroy(&geo->lock);
    free(geo->path);
    free(geo);
}

/* Puts `reader` into the first slot that holds `place`; false if no slot does. */
static bool set_place(struct geo *geo, const struct geo_reader *place, struct geo_reader *reader)
{
    bool done = false;

    pthread_mutex_lock(&geo->lock);
    for (unsigned i = 0; i < GEO_READERS_MAX && !done; i++) {
        if (geo->readers[i] == place) {
            geo->readers[i] = reader;
            done = true;
        }
    }
    pthread_mutex_unlock(&geo->lock);
    return done;
}

struct geo_reader *geo_reader_new(struct geo *geo)
{
    struct geo_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return NULL;
    reader->geo = geo;
    if (geo && !set_place(geo, NULL, reader)) {
        free(reader);
        return NULL;
    }
    return reader;
}

void geo_reader_free(struct geo_reader *reader)
{
    if (!reader)
        return;
    if (reader->geo)
        (void)set_place(reader->geo, reader, NULL);
    free(reader);
}

static uint32_t look_up(struct geo_reader *reader, const uint8_t ip[static IP_LEN])
{
    struct geo_db *db;
    uint32_t value;

    if (!reader->geo)
        return 0;
    /* The current database is not freed until in_use is cleared. */
    do {
        db = atomic_load(&reader->geo->current);
        atomic_store(&reader->in_use, db);
    } while (db != atomic_load(&reader->geo->current));
    if (!db)
        return 0;
    value = geo_db_find(db, ip);
    atomic_store_explicit(&reader->in_use, NULL, memory_order_release);
    return value;
}

void geo_country(struct geo_reader *reader, const uint8_t ip[static IP_LEN], char out[static 2])
{
    uint32_t value = look_up(reader, ip);

    out[0] = (char)(value >> 8);
    out[1] = (char)(value & 0xff);
}

uint32_t geo_asn(struct geo_reader *reader, const uint8_t ip[static IP_LEN])
{
    return look_up(reader, ip);
}
