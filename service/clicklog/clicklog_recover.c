#include "service/clicklog/clicklog_recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/bytes.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/clicklog/clicklog_private.h"

/* "<log>/<any name>" and a NUL. */
enum { ENTRY_PATH_MAX = SEGMENT_LOG_NAME_LEN + 1 + NAME_MAX + 1 };

/* The segments of one log, before they are put in order. */
struct found {
    struct clickstore *store;
    struct segment_place place;
    struct segment **segments;
    size_t n, n_room;
};

static bool may_change(const struct clickstore *store)
{
    return store->options.mode != CLICKSTORE_INSPECT;
}

static void set_aside(struct clickstore *store, const char *path, const char *why)
{
    if (may_change(store))
        statedir_set_aside(&store->dir, path, why);
}

static void path_in(const struct found *found, const char *name, char out[static ENTRY_PATH_MAX])
{
    char log_name[SEGMENT_LOG_NAME_LEN + 1];

    segment_log_name(found->place.log_id, log_name);
    snprintf(out, ENTRY_PATH_MAX, "%s/%s", log_name, name);
}

static bool is_blank(const uint8_t *slot)
{
    static const uint8_t zero[CLICK_RECORD_LEN];

    return memcmp(slot, zero, sizeof(zero)) == 0;
}

/* Forgets the slots after the last record.  All are looked at: a page that a power cut kept from
 * the disk must not hide later ones. */
static void measure(struct segment *seg)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < seg->n_slots; i++) {
        if (!is_blank(segment_slot(seg, i)))
            used = i + 1;
    }
    seg->n_slots = used;
}

/* The head was not written when the machine stopped, records were: they know their positions. */
static bool find_first(struct segment *seg)
{
    struct click click;

    for (uint32_t i = 0; i < seg->n_slots; i++) {
        const uint8_t *slot = segment_slot(seg, i);
        uint64_t position = le64_load(slot);

        if (position >= i && position <= INT64_MAX &&
            click_decode(slot, position, seg->header.log_id, &click) == CLICK_OK) {
            seg->header.first = position - i;
            return true;
        }
    }
    return false;
}

static bool keep(struct found *found, struct segment *seg)
{
    if (found->n == found->n_room) {
        size_t n_room = found->n_room ? 2 * found->n_room : 8;
        struct segment **grown = realloc(found->segments, n_room * sizeof(struct segment *));

        if (!grown)
            return false;
        found->segments = grown;
        found->n_room = n_room;
    }
    found->segments[found->n++] = seg;
    return true;
}

/* Zeros that came from a disk error are no proof that the file holds nothing. */
static void drop_empty(struct found *found, const struct segment *seg, const char *path)
{
    if (!may_change(found->store))
        return;
    if (atomic_load(&seg->guard.hit))
        set_aside(found->store, path, "unreadable");
    else
        unlinkat(found->place.logs_fd, path, 0);
}

/* A segment that can be mapped; false when out of memory. */
static bool take_segment(struct found *found, struct segment *seg)
{
    char path[SEGMENT_PATH_LEN + 1];
    bool ok = true;

    measure(seg);
    segment_path(seg->header.log_id, seg->header.sequence, path);
    if (seg->n_slots == 0)
        drop_empty(found, seg, path);
    else if (seg->header.first == SEGMENT_FIRST_NONE && !find_first(seg))
        set_aside(found->store, path, "no readable record");
    else if (!(ok = keep(found, seg)))
        set_aside(found->store, path, "out of memory");
    else
        return true;
    segment_free(seg);
    return ok;
}

static bool open_segment(struct found *found, const char *name)
{
    static const char *const why[] = {
        [SEGMENT_OPEN_NO_SEGMENT] = "not a segment",
        [SEGMENT_OPEN_NEWER] = "of a newer version",
        [SEGMENT_OPEN_DAMAGED] = "damaged header",
        [SEGMENT_OPEN_MISPLACED] = "of another log or number",
    };
    char path[ENTRY_PATH_MAX];
    struct segment *seg;
    enum segment_open result = segment_open_file(&found->place, &seg);

    if (result == SEGMENT_OPEN_OK)
        return take_segment(found, seg);
    path_in(found, name, path);
    if (result == SEGMENT_OPEN_BLANK) {
        if (may_change(found->store))
            unlinkat(found->place.logs_fd, path, 0);
        return true;
    }
    if (result == SEGMENT_OPEN_FAILED)
        set_aside(found->store, path, strerror(errno));
    else
        set_aside(found->store, path, why[result]);
    return true;
}

/* "NNNNNNNN.seg.new": half made, never written to. */
static bool is_half_made(const char *name)
{
    char file[SEGMENT_FILE_NAME_LEN + 1];
    uint32_t sequence;

    if (strlen(name) != SEGMENT_FILE_NAME_LEN + 4 ||
        strcmp(name + SEGMENT_FILE_NAME_LEN, ".new") != 0)
        return false;
    memcpy(file, name, SEGMENT_FILE_NAME_LEN);
    file[SEGMENT_FILE_NAME_LEN] = '\0';
    return segment_file_parse(file, &sequence);
}

static bool look_at(struct found *found, const char *name)
{
    char path[ENTRY_PATH_MAX];

    if (segment_file_parse(name, &found->place.sequence))
        return open_segment(found, name);
    path_in(found, name, path);
    if (!is_half_made(name))
        set_aside(found->store, path, "not a segment");
    else if (may_change(found->store))
        unlinkat(found->place.logs_fd, path, 0);
    return true;
}

static int compare_first(const void *a, const void *b)
{
    const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;

    if (x->header.first != y->header.first)
        return x->header.first < y->header.first ? -1 : 1;
    return x->header.sequence < y->header.sequence ? -1 : 1;
}

/* When the last click was made; as good as any is when its segment was. */
static int64_t newest_of(const struct segment *seg)
{
    struct click click;

    for (uint32_t i = seg->n_slots; i > 0; i--) {
        if (click_decode(segment_slot(seg, i - 1), seg->header.first + i - 1, seg->header.log_id,
                         &click) == CLICK_OK)
            return click.time_ms > seg->header.created_ms ? click.time_ms : seg->header.created_ms;
    }
    return seg->header.created_ms;
}

/* Puts the segments in order of position into `log`; of two that begin alike the later made one
 * was not written by us. */
static void chain(struct found *found, struct clicklog *log)
{
    struct segment *last = &log->root;
    struct clickstore *store = found->store;
    char path[SEGMENT_PATH_LEN + 1];

    qsort(found->segments, found->n, sizeof(found->segments[0]), compare_first);
    for (size_t i = 0; i < found->n; i++) {
        struct segment *seg = found->segments[i];

        if (last != &log->root && seg->header.first == last->header.first) {
            segment_path(seg->header.log_id, seg->header.sequence, path);
            set_aside(store, path, "begins where another does");
            segment_free(seg);
            continue;
        }
        if (may_change(store))
            segment_trim(seg, found->place.logs_fd, seg->n_slots);
        atomic_store_explicit(&last->next, seg, memory_order_relaxed);
        last = seg;
        if (seg->header.created_ms < log->created_ms)
            log->created_ms = seg->header.created_ms;
        counter64_add(&store->disk_bytes, seg->bytes);
        counter64_add(&store->n_segments, 1);
    }
    log->kept = last;
    log->newest_ms = newest_of(last);
    atomic_store(&log->first, segment_next(&log->root)->header.first);
    log->counted = log->first;
    atomic_store(&log->tail, last->header.first + last->n_slots);
    log->recovered = clicklog_tail(log) - clicklog_first(log);
    found->n = 0;
}

/* Reads one directory of logs/; leaves *out NULL when it holds no log. */
static bool recover_log(struct clickstore *store, const char *name, DIR *dir, struct clicklog **out)
{
    struct found found = {.store = store, .place.logs_fd = store->dir.logs_fd};
    struct clicklog *log = clicklog_alloc(store);
    struct dirent *entry;
    bool ok = log && segment_log_parse(name, found.place.log_id);

    while (ok && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ok = look_at(&found, entry->d_name);
    }
    if (ok && found.n > 0) {
        memcpy(log->id, found.place.log_id, CLICK_LOG_ID_LEN);
        chain(&found, log);
        *out = log;
        log = NULL;
    } else if (ok && may_change(store)) {
        unlinkat(store->dir.logs_fd, name, AT_REMOVEDIR);
    }
    for (size_t i = 0; i < found.n; i++)
        segment_free(found.segments[i]);
    free(found.segments);
    clicklog_free(log);
    return ok;
}

static bool recover_entry(struct clickstore *store, const char *name, struct clicklog **out)
{
    uint8_t id[CLICK_LOG_ID_LEN];
    DIR *dir = NULL;
    int fd;
    bool ok;

    *out = NULL;
    if (!segment_log_parse(name, id)) {
        set_aside(store, name, "not a log");
        return true;
    }
    fd = openat(store->dir.logs_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        dir = fdopendir(fd);
    if (!dir) {
        set_aside(store, name, errno == ENOTDIR || errno == ELOOP ? "not a log" : strerror(errno));
        if (fd >= 0)
            close(fd);
        return true;
    }
    ok = recover_log(store, name, dir, out);
    closedir(dir);
    return ok;
}

/* Keeps `logs` ordered by age; few logs, or many small ones after a crash loop. */
static int compare_age(const void *a, const void *b)
{
    const struct clicklog *x = *(struct clicklog *const *)a, *y = *(struct clicklog *const *)b;

    if (x->created_ms != y->created_ms)
        return x->created_ms < y->created_ms ? -1 : 1;
    return memcmp(x->id, y->id, CLICK_LOG_ID_LEN);
}

/* All names of the directory of logs, since moving entries while reading it may skip some. */
static char **list_names(int logs_fd, size_t *n)
{
    int fd = openat(logs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    char **names = NULL;
    struct dirent *entry;

    *n = 0;
    while (dir && (entry = readdir(dir))) {
        char **grown;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        grown = realloc(names, (*n + 1) * sizeof(char *));
        if (!grown)
            break;
        names = grown;
        names[*n] = strdup(entry->d_name);
        if (!names[*n])
            break;
        ++*n;
    }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    return names;
}

bool clickstore_recover(struct clickstore *store, struct error *err)
{
    struct clicklog **logs = NULL;
    size_t n_names = 0, n_logs = 0;
    char **names = store->dir.logs_fd >= 0 ? list_names(store->dir.logs_fd, &n_names) : NULL;
    bool ok = true;

    if (n_names > 0) {
        logs = calloc(n_names, sizeof(logs[0]));
        ok = logs != NULL;
    }
    for (size_t i = 0; ok && i < n_names; i++) {
        ok = recover_entry(store, names[i], &logs[n_logs]);
        n_logs += ok && logs[n_logs] ? 1 : 0;
    }
    if (n_logs > 0)
        qsort(logs, n_logs, sizeof(logs[0]), compare_age);
    for (size_t i = 0; i < n_logs; i++)
        clickstore_link_log(store, logs[i]);
    if (!ok)
        error_set(err, "ledger: out of memory while reading %s/logs", store->state_dir);
    statedir_report(&store->dir);
    counter64_set(&store->n_set_aside, store->dir.n_set_aside);
    for (size_t i = 0; i < n_names; i++)
        free(names[i]);
    free(names);
    free(logs);
    return ok;
}
