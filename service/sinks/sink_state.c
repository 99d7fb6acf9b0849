#include "service/sinks/sink_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <sodium.h>

#include "service/base/error.h"

static const char file_name[] = "state.json", new_name[] = "state.json.new";

enum { HEX_MAX = 2 * CLICK_LOG_ID_LEN + 1, VERSION = 1 };

/* Longer than a record of an erasure is kept (FORMATS.md "erasure:<id>"). */
static const int64_t LOST_KEPT_MS = INT64_C(31) * 86400 * 1000;

void sink_state_path(const char *state_dir, const char *name, const char *file,
                     char out[static SINK_PATH_MAX])
{
    snprintf(out, SINK_PATH_MAX, "%s/sinks/%s/%s", state_dir, name, file);
}

/* --- entries --- */

struct sink_cursor *sink_state_find(const struct sink_state *state,
                                    const uint8_t log_id[static CLICK_LOG_ID_LEN])
{
    for (size_t i = 0; i < state->n_cursors; i++) {
        if (memcmp(state->cursors[i].log_id, log_id, CLICK_LOG_ID_LEN) == 0)
            return &state->cursors[i];
    }
    return NULL;
}

/* Room for one more entry of `size` bytes. */
static bool grow(void **entries, size_t n, size_t *max, size_t size)
{
    size_t new_max = *max ? 2 * *max : 16;
    void *grown;

    if (n < *max)
        return true;
    grown = realloc(*entries, new_max * size);
    if (!grown)
        return false;
    *entries = grown;
    *max = new_max;
    return true;
}

bool sink_state_add(struct sink_state *state, const struct sink_cursor *cursor)
{
    if (!grow((void **)&state->cursors, state->n_cursors, &state->cursors_max, sizeof(*cursor)))
        return false;
    state->cursors[state->n_cursors++] = *cursor;
    return true;
}

bool sink_state_add_failed(struct sink_state *state, const struct sink_range *range)
{
    if (!grow((void **)&state->failed, state->n_failed, &state->failed_max, sizeof(*range)))
        return false;
    state->failed[state->n_failed++] = *range;
    return true;
}

void sink_state_add_lost(struct sink_state *state, const struct sink_range *range)
{
    struct sink_range whole = *range;
    size_t n = 0;

    for (size_t i = 0; i < state->n_lost_ranges; i++) {
        const struct sink_range *old = &state->lost[i];

        if (whole.at_ms - old->at_ms > LOST_KEPT_MS)
            continue;
        if (memcmp(old->log_id, whole.log_id, CLICK_LOG_ID_LEN) != 0 || old->to < whole.from ||
            old->from > whole.to) {
            state->lost[n++] = *old;
            continue;
        }
        if (old->from < whole.from)
            whole.from = old->from;
        if (old->to > whole.to)
            whole.to = old->to;
    }
    if (n == SINK_LOST_MAX) {
        if (state->known_since_ms <= state->lost[0].at_ms)
            state->known_since_ms = state->lost[0].at_ms + 1;
        n--;
        memmove(state->lost, state->lost + 1, n * sizeof(state->lost[0]));
    }
    state->lost[n++] = whole;
    state->n_lost_ranges = n;
}

static bool covers(const struct sink_range *range, const uint8_t *log_id, uint64_t position)
{
    return position >= range->from && position < range->to &&
           memcmp(range->log_id, log_id, CLICK_LOG_ID_LEN) == 0;
}

bool sink_state_has_lost(const struct sink_state *state,
                         const uint8_t log_id[static CLICK_LOG_ID_LEN], uint64_t position)
{
    for (size_t i = 0; i < state->n_lost_ranges; i++) {
        if (covers(&state->lost[i], log_id, position))
            return true;
    }
    return false;
}

enum sink_told sink_state_told(const struct sink_state *state,
                               const uint8_t log_id[static CLICK_LOG_ID_LEN], uint64_t position,
                               int64_t at_ms)
{
    const struct sink_cursor *cursor = sink_state_find(state, log_id);
    bool waits = (cursor && position >= cursor->at) ||
                 (state->has_intent && covers(&state->intent, log_id, position));

    if (sink_state_has_lost(state, log_id, position) || (!cursor && at_ms < state->known_since_ms))
        return SINK_LOST;
    for (size_t i = 0; i < state->n_failed && !waits; i++)
        waits = covers(&state->failed[i], log_id, position);
    return waits ? SINK_WAITS : SINK_TOLD;
}

void sink_state_clear(struct sink_state *state)
{
    free(state->cursors);
    free(state->failed);
    *state = (struct sink_state){0};
}

/* --- reading --- */

static bool read_position(const json_t *json, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(json, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_log(const json_t *json, uint8_t out[static CLICK_LOG_ID_LEN])
{
    const char *hex = json_string_value(json_object_get(json, "log"));
    size_t len;

    return hex && strlen(hex) == HEX_MAX - 1 &&
           sodium_hex2bin(out, CLICK_LOG_ID_LEN, hex, HEX_MAX - 1, NULL, &len, NULL) == 0 &&
           len == CLICK_LOG_ID_LEN;
}

static bool read_range(const json_t *json, struct sink_range *out)
{
    uint64_t at_ms;

    if (!read_log(json, out->log_id) || !read_position(json, "from", &out->from) ||
        !read_position(json, "to", &out->to) || !read_position(json, "at_ms", &at_ms))
        return false;
    out->at_ms = (int64_t)at_ms;
    return out->from < out->to;
}

static bool read_lists(const json_t *json, struct sink_state *state)
{
    size_t i;
    json_t *entry;

    json_array_foreach(json_object_get(json, "logs"), i, entry)
    {
        struct sink_cursor cursor = {.holds_events =
                                         json_is_true(json_object_get(entry, "events"))};

        if (!read_log(entry, cursor.log_id) || !read_position(entry, "at", &cursor.at) ||
            !sink_state_add(state, &cursor))
            return false;
    }
    json_array_foreach(json_object_get(json, "failed"), i, entry)
    {
        struct sink_range range;

        if (!read_range(entry, &range) || !sink_state_add_failed(state, &range))
            return false;
    }
    json_array_foreach(json_object_get(json, "lost_ranges"), i, entry)
    {
        struct sink_range range;

        if (!read_range(entry, &range))
            return false;
        sink_state_add_lost(state, &range);
    }
    return true;
}

static bool read_state(const json_t *json, struct sink_state *state)
{
    const json_t *intent = json_object_get(json, "sending");
    const char *off = json_string_value(json_object_get(json, "off"));
    uint64_t version, since_ms = 0;

    if (!read_position(json, "version", &version) || version != VERSION ||
        !read_position(json, "sent", &state->n_sent) ||
        !read_position(json, "lost", &state->n_lost) ||
        (json_object_get(json, "known_since_ms") &&
         !read_position(json, "known_since_ms", &since_ms)))
        return false;
    state->known_since_ms = (int64_t)since_ms;
    state->has_intent = intent != NULL;
    if (intent && !read_range(intent, &state->intent))
        return false;
    snprintf(state->off_why, sizeof(state->off_why), "%s", off ? off : "");
    return read_lists(json, state);
}

bool sink_state_load(const char *state_dir, const char *name, struct sink_state *state,
                     struct error *err)
{
    char path[SINK_PATH_MAX];
    json_error_t fault;
    json_t *json;
    FILE *file;
    bool ok;

    sink_state_path(state_dir, name, file_name, path);
    file = fopen(path, "re");
    if (!file && errno == ENOENT)
        return true;
    if (!file) {
        error_set(err, "%s: cannot read: %s", path, strerror(errno));
        return false;
    }
    json = json_loadf(file, JSON_REJECT_DUPLICATES, &fault);
    fclose(file);
    ok = json && read_state(json, state);
    if (!ok)
        error_set(err,
                  "%s: is no state of a sink%s%s; put back what was there, or move it away and the "
                  "sink begins with what the logs still hold",
                  path, json ? "" : ": ", json ? "" : fault.text);
    json_decref(json);
    return ok;
}

/* --- writing --- */

static json_t *range_json(const struct sink_range *range)
{
    char hex[HEX_MAX];

    sodium_bin2hex(hex, sizeof(hex), range->log_id, CLICK_LOG_ID_LEN);
    return json_pack("{s:s, s:I, s:I, s:I}", "log", hex, "from", (json_int_t)range->from, "to",
                     (json_int_t)range->to, "at_ms", (json_int_t)range->at_ms);
}

static json_t *cursor_json(const struct sink_cursor *cursor)
{
    char hex[HEX_MAX];

    sodium_bin2hex(hex, sizeof(hex), cursor->log_id, CLICK_LOG_ID_LEN);
    return json_pack("{s:s, s:I, s:o*}", "log", hex, "at", (json_int_t)cursor->at, "events",
                     cursor->holds_events ? json_true() : NULL);
}

static json_t *state_json(const struct sink_state *state)
{
    json_t *logs = json_array(), *failed = json_array(), *lost = json_array();
    json_t *json = json_pack("{s:i, s:I, s:I, s:o, s:o, s:o, s:I}", "version", VERSION, "sent",
                             (json_int_t)state->n_sent, "lost", (json_int_t)state->n_lost, "logs",
                             logs, "failed", failed, "lost_ranges", lost, "known_since_ms",
                             (json_int_t)state->known_since_ms);
    int bad = json == NULL;

    for (size_t i = 0; !bad && i < state->n_cursors; i++)
        bad |= json_array_append_new(logs, cursor_json(&state->cursors[i]));
    for (size_t i = 0; !bad && i < state->n_failed; i++)
        bad |= json_array_append_new(failed, range_json(&state->failed[i]));
    for (size_t i = 0; !bad && i < state->n_lost_ranges; i++)
        bad |= json_array_append_new(lost, range_json(&state->lost[i]));
    if (!bad && state->has_intent)
        bad |= json_object_set_new(json, "sending", range_json(&state->intent));
    if (!bad && state->off_why[0])
        bad |= json_object_set_new(json, "off", json_string(state->off_why));
    if (bad) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* Makes the folder if it isn't there; 0 or an errno. */
static int make_folder(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

bool sink_state_make_folder(const char *state_dir, const char *name, struct error *err)
{
    char path[SINK_PATH_MAX];
    int errnum;

    snprintf(path, sizeof(path), "%s/sinks", state_dir);
    errnum = make_folder(path);
    if (errnum == 0) {
        snprintf(path, sizeof(path), "%s/sinks/%s", state_dir, name);
        errnum = make_folder(path);
    }
    if (errnum)
        error_set(err, "%s: cannot make this folder: %s", path, strerror(errnum));
    return errnum == 0;
}

/* Writes the text to a new file and to the disk; 0 or an errno. */
static int write_synced(int dir_fd, const char *text)
{
    size_t len = strlen(text), at = 0;
    int fd = openat(dir_fd, new_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int errnum = fd < 0 ? errno : 0;

    while (errnum == 0 && at < len) {
        ssize_t n = write(fd, text + at, len - at);

        if (n >= 0)
            at += (size_t)n;
        else if (errno != EINTR)
            errnum = errno;
    }
    if (errnum == 0 && fsync(fd) != 0)
        errnum = errno;
    if (fd >= 0 && close(fd) != 0 && errnum == 0)
        errnum = errno;
    return errnum;
}

int sink_state_save(const char *state_dir, const char *name, const struct sink_state *state)
{
    char path[SINK_PATH_MAX];
    json_t *json = state_json(state);
    char *text = json ? json_dumps(json, JSON_INDENT(1) | JSON_PRESERVE_ORDER) : NULL;
    int dir_fd, errnum;

    json_decref(json);
    if (!text)
        return ENOMEM;
    snprintf(path, sizeof(path), "%s/sinks/%s", state_dir, name);
    dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    errnum = dir_fd < 0 ? errno : write_synced(dir_fd, text);
    if (errnum == 0 && renameat(dir_fd, new_name, dir_fd, file_name) != 0)
        errnum = errno;
    /* The name must be on disk too: a range that was sent must be found written down. */
    if (errnum == 0 && fsync(dir_fd) != 0)
        errnum = errno;
    if (dir_fd >= 0)
        close(dir_fd);
    free(text);
    return errnum;
}
