#include "service/sinks/sink_erasures.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/event.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/sinks/sink_state.h"
#include "service/state/event_log.h"

enum { LOOK_MS = 1000, NAME_MAX_LEN = 64 };

struct sink_erasures {
    struct event_log *events;
    char folder[SINK_PATH_MAX];
    pthread_mutex_t mutex; /* held by the thread that looks; the others go on */
    int64_t looked_ms;
    bool has_warned;
};

/* No sink has a name with a dot. */
static void make_name(const struct sink_erasure *erasure, char out[static NAME_MAX_LEN])
{
    snprintf(out, NAME_MAX_LEN, "erased.%08" PRIx32 ".%" PRIu32 ".%" PRId64, erasure->brand,
             erasure->client, erasure->at_ms);
}

/* Only what make_name() writes. */
static bool read_name(const char *name, struct sink_erasure *out)
{
    char again[NAME_MAX_LEN];

    if (sscanf(name, "erased.%8" SCNx32 ".%10" SCNu32 ".%18" SCNd64, &out->brand, &out->client,
               &out->at_ms) != 3)
        return false;
    make_name(out, again);
    return strcmp(name, again) == 0 && out->client != 0 && out->at_ms > 0;
}

/* --- the command --- */

bool sink_erasures_check(const char *state_dir, struct error *err)
{
    char folder[SINK_PATH_MAX];

    snprintf(folder, sizeof(folder), "%s/sinks", state_dir);
    if (access(folder, W_OK | X_OK) == 0)
        return true;
    error_set(err,
              "the sinks can't be told: %s: %s; run this as the user of hopcountd, where its "
              "state_dir is; nothing was erased",
              folder, strerror(errno));
    return false;
}

bool sink_erasures_leave(const char *state_dir, const struct sink_erasure *erasure,
                         struct error *err)
{
    char name[NAME_MAX_LEN], path[SINK_PATH_MAX];
    int fd;

    make_name(erasure, name);
    snprintf(path, sizeof(path), "%s/sinks/%s", state_dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set(err, "the sinks are not told: cannot make %s: %s", path, strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

/* --- hopcountd --- */

struct sink_erasures *sink_erasures_new(const char *state_dir, struct event_log *events)
{
    struct sink_erasures *erasures = calloc(1, sizeof(*erasures));

    if (!erasures)
        return NULL;
    erasures->events = events;
    erasures->looked_ms = INT64_MIN / 2;
    snprintf(erasures->folder, sizeof(erasures->folder), "%s/sinks", state_dir);
    pthread_mutex_init(&erasures->mutex, NULL);
    return erasures;
}

void sink_erasures_free(struct sink_erasures *erasures)
{
    if (!erasures)
        return;
    pthread_mutex_destroy(&erasures->mutex);
    free(erasures);
}

/* 0 or an errno: of a file that stays it would be taken again every second. */
static int take_file(const struct sink_erasures *erasures, int folder_fd, const char *name)
{
    struct sink_erasure erasure;
    struct event event = {.type = EVENT_ERASED};

    if (!read_name(name, &erasure))
        return 0;
    event.at_ms = erasure.at_ms;
    event.brand = erasure.brand;
    event.client = erasure.client;
    if (faccessat(folder_fd, ".", W_OK, 0) != 0)
        return errno;
    if (!event_log_append(erasures->events, &event))
        return ENOSPC;
    return unlinkat(folder_fd, name, 0) == 0 ? 0 : errno;
}

static void look(struct sink_erasures *erasures)
{
    DIR *folder = opendir(erasures->folder);
    const struct dirent *entry;
    int errnum = folder ? 0 : errno;

    while (folder && errnum == 0 && (entry = readdir(folder)) != NULL)
        errnum = take_file(erasures, dirfd(folder), entry->d_name);
    if (folder)
        closedir(folder);
    if (errnum && !erasures->has_warned)
        log_warn("sink.erasure", "err=\"cannot take it from %s: %s\"", erasures->folder,
                 strerror(errnum));
    erasures->has_warned = errnum != 0;
}

void sink_erasures_take(struct sink_erasures *erasures, int64_t now_mono_ms)
{
    if (pthread_mutex_trylock(&erasures->mutex) != 0)
        return;
    if (now_mono_ms - erasures->looked_ms >= LOOK_MS) {
        erasures->looked_ms = now_mono_ms;
        look(erasures);
    }
    pthread_mutex_unlock(&erasures->mutex);
}
