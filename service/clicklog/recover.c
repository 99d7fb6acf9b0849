#include "service/clicklog/recover.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/bytes.h"
#include "service/base/error.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore_structs.h"

/* "<log>/<any name>" and a NUL. */
enum { ENTRY_PATH_MAX = SEGMENT_LOG_NAME_LEN + 1 + NAME_MAX + 1 };

/* The segments found of one log, not yet in order. */
struct found {
    struct clickstore *store;
    struct error *err;
    struct segment_place place;
    struct segment **segments;
    size_t n, n_room;
};

/* False for a tool that only inspects: nothing on disk is changed. */
static bool may_change(const struct clickstore *store)
{
    return store->options.mode != CLICKSTORE_INSPECT;
}

/*
 * The start must fail, because something of `path`, below logs/, could not be read for a reason
 * other than its content.  Skipping it would lose its clicks for good: the cursor would move past
 * them.  A later start may be able to read it.  Always returns false, for the caller to return.
 */
static bool fail(const struct clickstore *store, struct error *err, const char *path, int errnum)
{
    const char *remedy = "";

    if (errnum == EMFILE || errnum == ENFILE)
        remedy = "; raise LimitNOFILE or ulimit -n";
    else if (errnum == EACCES || errnum == EPERM)
        remedy = "; it must belong to the user of this service";
    else if (errnum == EIO)
        remedy =
            "; if the disk is broken for good, move it out of logs/ to start without its clicks";
    error_set(err, "ledger: cannot read %s/logs%s%s: %s%s", store->state_dir, *path ? "/" : "",
              path, strerror(errnum), remedy);
    return false;
}

static void set_aside(struct clickstore *store, const char *path, const char *why)
{
    if (may_change(store))
        statedir_set_aside(&store->dir, path, why);
}

static void delete_file(const struct found *found, const char *path)
{
    if (may_change(found->store))
        unlinkat(found->place.logs_fd, path, 0);
}

/* --- one segment --- */

/* Finds where the segment begins when its header was not written before the machine stopped: each
 * record holds its position, so one whole record is enough.  False: there is none. */
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

/* Adds `seg` to the segments found; false when out of memory. */
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

/* Adds a mapped segment to the log, unless it holds no click.  False and `*err` when it can't be
 * read. */
static bool take_segment(struct found *found, struct segment *seg)
{
    static const uint8_t blank[CLICK_RECORD_LEN];
    char path[SEGMENT_PATH_LEN + 1];
    uint32_t used = 0;
    bool ok = true, is_kept = false, has_first;

    segment_path(seg->header.log_id, seg->header.sequence, path);
    /* The records end where only blank slots follow.  A blank slot in between is not the end: after
     * a power cut a page may be missing while a later one is there. */
    for (uint32_t i = 0; i < seg->n_slots; i++) {
        if (memcmp(segment_slot(seg, i), blank, sizeof(blank)) != 0)
            used = i + 1;
    }
    seg->n_slots = used;
    has_first = seg->header.first != SEGMENT_FIRST_NONE || find_first(seg);
    /* The disk could not read a page, so zeros stand in its place (segment_guard.h).  For a tool
     * that only reads, the running daemon may just have cut the file. */
    if (atomic_load(&seg->guard.hit) && may_change(found->store))
        ok = fail(found->store, found->err, path, EIO);
    else if (seg->n_slots == 0)
        delete_file(found, path);
    else if (!has_first)
        set_aside(found->store, path, "no readable record");
    else if (!(is_kept = keep(found, seg)))
        ok = fail(found->store, found->err, path, ENOMEM);
    if (!is_kept)
        segment_free(seg);
    return ok;
}

static bool open_segment(struct found *found, const char *path)
{
    static const char *const why[] = {
        [SEGMENT_OPEN_NO_SEGMENT] = "not a segment",
        [SEGMENT_OPEN_NEWER] = "of a newer version",
        [SEGMENT_OPEN_DAMAGED] = "damaged header",
        [SEGMENT_OPEN_MISPLACED] = "of another log or number",
    };
    struct segment *seg;
    int errnum;
    enum segment_open result = segment_open_file(&found->place, &seg, &errnum);

    switch (result) {
    case SEGMENT_OPEN_OK:
        return take_segment(found, seg);
    case SEGMENT_OPEN_FAILED:
        /* An inspecting tool takes no lock, so the daemon may have deleted the file meanwhile. */
        return errnum == ENOENT || fail(found->store, found->err, path, errnum);
    case SEGMENT_OPEN_BLANK:
        delete_file(found, path);
        return true;
    case SEGMENT_OPEN_NO_SEGMENT:
    case SEGMENT_OPEN_NEWER:
    case SEGMENT_OPEN_DAMAGED:
    case SEGMENT_OPEN_MISPLACED:
        break;
    }
    set_aside(found->store, path, why[result]);
    return true;
}

/* --- one log --- */

/* "NNNNNNNN.seg.new": the process ended while making this file.  It holds no click. */
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

static bool look_at(struct found *found, const char *log_name, const char *name)
{
    char path[ENTRY_PATH_MAX];

    snprintf(path, sizeof(path), "%.*s/%s", SEGMENT_LOG_NAME_LEN, log_name, name);
    if (segment_file_parse(name, &found->place.sequence))
        return open_segment(found, path);
    if (is_half_made(name))
        delete_file(found, path);
    else
        set_aside(found->store, path, "not a segment");
    return true;
}

static int compare_first(const void *a, const void *b)
{
    const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;

    if (x->header.first != y->header.first)
        return x->header.first < y->header.first ? -1 : 1;
    return x->header.sequence < y->header.sequence ? -1 : 1;
}

/* The time of the segment's last click; if no record is readable, the segment's own time. */
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

/* What a log holds is told by its first readable record: a log never mixes clicks with others. */
static bool holds_relabels(const struct segment *seg)
{
    struct click record;

    for (uint32_t i = 0; i < seg->n_slots; i++) {
        if (click_decode(segment_slot(seg, i), seg->header.first + i, seg->header.log_id,
                         &record) == CLICK_OK)
            return record.type != CLICK_TYPE_CLICK;
    }
    return false;
}

/* Puts the segments into `log`, ordered by position.  The daemon never begins two segments at one
 * position, so of two that do, the one with the higher number is set aside. */
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
    log->holds_relabels = holds_relabels(segment_next(&log->root));
    atomic_store(&log->first, segment_next(&log->root)->header.first);
    log->counted = log->first;
    atomic_store(&log->tail, last->header.first + last->n_slots);
    log->recovered = clicklog_tail(log) - clicklog_first(log);
    found->n = 0;
}

/* The next name except "." and ".."; NULL at the end (`*errnum` is 0) or on an error. */
static const char *next_name(DIR *dir, int *errnum)
{
    struct dirent *entry;

    do {
        errno = 0; /* tells an error from the end */
        entry = readdir(dir);
        *errnum = entry ? 0 : errno;
    } while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry ? entry->d_name : NULL;
}

/* Reads all segments in `dir` into `*found`; false and `*err` when something can't be read. */
static bool read_log(struct found *found, const char *log_name, DIR *dir)
{
    const char *name;
    int errnum;

    while ((name = next_name(dir, &errnum))) {
        if (!look_at(found, log_name, name))
            return false;
    }
    return errnum == 0 || fail(found->store, found->err, log_name, errnum);
}

/* Sets `*out` to the log, or to NULL when the directory holds no click and was deleted. */
static bool recover_log(struct clickstore *store, const char *name, DIR *dir, struct clicklog **out,
                        struct error *err)
{
    struct found found = {.store = store, .err = err, .place.logs_fd = store->dir.logs_fd};
    struct clicklog *log = clicklog_alloc(store);
    bool ok = log && segment_log_parse(name, found.place.log_id);

    if (!ok)
        fail(store, err, name, ENOMEM);
    ok = ok && read_log(&found, name, dir);
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

/* --- all logs --- */

/* NULL and `*errnum` when the directory can't be opened. */
static DIR *open_directory(int at_fd, const char *name, int *errnum)
{
    int fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    *errnum = dir ? 0 : errno;
    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

static bool recover_entry(struct clickstore *store, const char *name, struct clicklog **out,
                          struct error *err)
{
    uint8_t id[CLICK_LOG_ID_LEN];
    DIR *dir = NULL;
    int errnum;
    bool ok;

    *out = NULL;
    if (segment_log_parse(name, id)) {
        dir = open_directory(store->dir.logs_fd, name, &errnum);
        if (!dir && errnum != ENOTDIR && errnum != ELOOP)
            return errnum == ENOENT || fail(store, err, name, errnum);
    }
    if (!dir) {
        set_aside(store, name, "not a log");
        return true;
    }
    ok = recover_log(store, name, dir, out, err);
    closedir(dir);
    return ok;
}

/* Orders by age, then by id. */
static int compare_age(const void *a, const void *b)
{
    const struct clicklog *x = *(struct clicklog *const *)a, *y = *(struct clicklog *const *)b;

    if (x->created_ms != y->created_ms)
        return x->created_ms < y->created_ms ? -1 : 1;
    return memcmp(x->id, y->id, CLICK_LOG_ID_LEN);
}

struct names {
    char **names;
    size_t n;
};

static bool add_name(struct names *list, const char *name)
{
    char **grown = realloc(list->names, (list->n + 1) * sizeof(char *));

    if (!grown)
        return false;
    list->names = grown;
    grown[list->n] = strdup(name);
    if (!grown[list->n])
        return false;
    list->n++;
    return true;
}

/* Lists all names in logs/ before anything is changed: readdir() may skip entries of a directory
 * that is changed meanwhile.  0, or an errno. */
static int list_names(int logs_fd, struct names *list)
{
    int errnum;
    DIR *dir = open_directory(logs_fd, ".", &errnum);
    const char *name;

    if (!dir)
        return errnum;
    while ((name = next_name(dir, &errnum))) {
        if (!add_name(list, name)) {
            errnum = ENOMEM;
            break;
        }
    }
    closedir(dir);
    return errnum;
}

bool clickstore_recover(struct clickstore *store, struct error *err)
{
    struct names list = {0};
    struct clicklog **logs = NULL;
    size_t n_logs = 0;
    int errnum = store->dir.logs_fd >= 0 ? list_names(store->dir.logs_fd, &list) : 0;
    bool ok;

    if (errnum == 0 && list.n > 0 && !(logs = calloc(list.n, sizeof(struct clicklog *))))
        errnum = ENOMEM;
    ok = errnum == 0 || fail(store, err, "", errnum);
    for (size_t i = 0; ok && i < list.n; i++) {
        assert(logs);
        ok = recover_entry(store, list.names[i], &logs[n_logs], err);
        n_logs += ok && logs[n_logs] ? 1 : 0;
    }
    if (n_logs > 0)
        qsort(logs, n_logs, sizeof(struct clicklog *), compare_age);
    for (size_t i = 0; i < n_logs; i++)
        clickstore_link_log(store, logs[i]);
    statedir_report(&store->dir);
    counter64_set(&store->n_set_aside, store->dir.n_set_aside);
    for (size_t i = 0; i < list.n; i++)
        free(list.names[i]);
    free(list.names);
    free(logs);
    return ok;
}
