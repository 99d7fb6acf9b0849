#include "service/state/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "proto/bytes.h"
#include "proto/counter.h"
#include "proto/state.h"
#include "service/base/error.h"
#include "service/state/state_table.h"

/* FORMATS.md "State file" is this list. */
enum {
    VERSION = 1,
    HEAD_LEN = 24, /* "HCST", version, shards, zero, entries */
    POSITION_LEN = 8 + STATE_STREAM_ID_MAX + 1,
    HASH_LEN = 32,
    ENTRIES_AT_ONCE = 4096,
};

static const char magic[4] = {'H', 'C', 'S', 'T'};

/* A file being written or read, and the hash of all bytes so far. */
struct stream {
    FILE *file;
    crypto_generichash_state hash;
};

static bool put(struct stream *out, const void *bytes, size_t len)
{
    crypto_generichash_update(&out->hash, bytes, len);
    return fwrite(bytes, 1, len, out->file) == len;
}

static bool put_head(struct stream *out, size_t n_entries, const struct state_position *positions,
                     unsigned n_shards)
{
    uint8_t head[HEAD_LEN] = {0};

    memcpy(head, magic, sizeof(magic));
    be32_store(head + 4, VERSION);
    be32_store(head + 8, n_shards);
    be64_store(head + 16, n_entries);
    if (!put(out, head, sizeof(head)))
        return false;
    for (unsigned s = 0; s < n_shards; s++) {
        uint8_t position[POSITION_LEN] = {0};

        be64_store(position, positions[s].n);
        memcpy(position + 8, positions[s].id, strlen(positions[s].id));
        if (!put(out, position, sizeof(position)))
            return false;
    }
    return true;
}

/* Entries collected before they are written, so that they are hashed many at a time. */
struct entries {
    struct stream *out;
    size_t n, len;
    bool ok;
    uint8_t bytes[ENTRIES_AT_ONCE * STATE_ENTRY_LEN];
};

static void put_entry(void *owner, const struct state_entry *entry)
{
    struct entries *entries = owner;

    state_entry_put(entries->bytes + entries->len, entry);
    entries->len += STATE_ENTRY_LEN;
    entries->n++;
    if (entries->len < sizeof(entries->bytes))
        return;
    entries->ok = entries->ok && put(entries->out, entries->bytes, entries->len);
    entries->len = 0;
}

/* The thread that saves is the only one that merges, so no entry comes in between counting them for
 * the head and writing them. */
static bool put_entries(struct stream *out, const struct state_table *table)
{
    struct entries *entries = calloc(1, sizeof(*entries));
    bool ok = false;

    if (entries) {
        entries->out = out;
        entries->ok = true;
        state_table_walk(table, put_entry, entries);
        ok = entries->ok && put(out, entries->bytes, entries->len) &&
             entries->n == state_table_count(table);
    }
    free(entries);
    return ok;
}

static bool put_all(struct stream *out, const struct state_table *table,
                    const struct state_position *positions, unsigned n_shards)
{
    uint8_t hash[HASH_LEN];

    crypto_generichash_init(&out->hash, NULL, 0, HASH_LEN);
    if (!put_head(out, state_table_count(table), positions, n_shards) || !put_entries(out, table))
        return false;
    crypto_generichash_final(&out->hash, hash, sizeof(hash));
    return fwrite(hash, 1, sizeof(hash), out->file) == sizeof(hash) && fflush(out->file) == 0 &&
           fsync(fileno(out->file)) == 0;
}

static bool sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

bool state_file_save(const char *state_dir, const struct state_table *table,
                     const struct state_position *positions, unsigned n_shards, struct error *err)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    struct stream out = {.file = NULL};
    bool ok = false;
    int fd;

    snprintf(path, sizeof(path), "%s/state", state_dir);
    snprintf(fresh, sizeof(fresh), "%s/state.new", state_dir);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    out.file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out.file) {
        ok = put_all(&out, table, positions, n_shards);
        ok = fclose(out.file) == 0 && ok;
    } else if (fd >= 0) {
        close(fd);
    }
    ok = ok && rename(fresh, path) == 0 && sync_dir(state_dir);
    if (!ok) {
        error_set(err, "%s: %s", fresh, strerror(errno));
        (void)unlink(fresh);
    }
    return ok;
}

/* --- reading --- */

static bool get(struct stream *in, void *bytes, size_t len)
{
    if (fread(bytes, 1, len, in->file) != len)
        return false;
    crypto_generichash_update(&in->hash, bytes, len);
    return true;
}

/* Reads the head; returns NULL, or why the file can't be used.  The file must be as long as the
 * head says, so that no memory is asked for by a wrong number. */
static const char *check_head(const uint8_t head[static HEAD_LEN], int64_t len)
{
    uint64_t n_entries = be64_load(head + 16);
    unsigned n_shards = be32_load(head + 8);

    if (memcmp(head, magic, sizeof(magic)) != 0)
        return "not a state file";
    if (be32_load(head + 4) != VERSION)
        return "written by a newer version of hopcount";
    if (!counter_n_shards_ok(n_shards))
        return "of a number of shards that there isn't";
    if (n_entries > INT64_MAX / STATE_ENTRY_LEN / 2 ||
        (int64_t)(n_entries * STATE_ENTRY_LEN) !=
            len - HEAD_LEN - (int64_t)n_shards * POSITION_LEN - HASH_LEN)
        return "cut short, or of a wrong length";
    return NULL;
}

/* Reads the whole file twice: the first time for its hash, so that no entry of a damaged file is
 * merged. */
static bool hash_is_right(struct stream *in, int64_t len)
{
    uint8_t bytes[65536], want[HASH_LEN], have[HASH_LEN];
    int64_t left = len - HASH_LEN;

    crypto_generichash_init(&in->hash, NULL, 0, HASH_LEN);
    while (left > 0) {
        size_t n = left < (int64_t)sizeof(bytes) ? (size_t)left : sizeof(bytes);

        if (!get(in, bytes, n))
            return false;
        left -= (int64_t)n;
    }
    crypto_generichash_final(&in->hash, have, sizeof(have));
    return fread(want, 1, sizeof(want), in->file) == sizeof(want) &&
           memcmp(have, want, sizeof(have)) == 0;
}

/* The streams of another number of shards are others: what is known stays known, and all is loaded
 * anew. */
static const char *take_positions(struct stream *in, unsigned n_in_file,
                                  struct state_position *positions, unsigned n_shards)
{
    for (unsigned s = 0; s < n_shards; s++)
        positions[s] = (struct state_position){.id = "0-0"};
    for (unsigned s = 0; s < n_in_file; s++) {
        uint8_t position[POSITION_LEN];

        if (!get(in, position, sizeof(position)) || position[POSITION_LEN - 1] != 0)
            return "damaged: a position is not the id of an entry of a stream";
        if (n_in_file != n_shards)
            continue;
        positions[s].n = be64_load(position);
        memcpy(positions[s].id, position + 8, sizeof(positions[s].id));
    }
    return NULL;
}

static const char *take_entries(struct stream *in, struct state_table *table, uint64_t n)
{
    static const char no_memory[] = "no memory for its entries";
    uint8_t *bytes = malloc(ENTRIES_AT_ONCE * STATE_ENTRY_LEN);
    const char *why = bytes && state_table_reserve(table, n) ? NULL : no_memory;

    for (uint64_t some; n > 0 && !why; n -= some) {
        struct slice entries = {.ptr = (const char *)bytes};

        some = n < ENTRIES_AT_ONCE ? n : ENTRIES_AT_ONCE;
        entries.len = some * STATE_ENTRY_LEN;
        if (!get(in, bytes, entries.len) || !state_is_sound(entries))
            why = "damaged: an entry has a key or a value that no entry has";
        else if (state_table_merge_all(table, entries) == STATE_NO_MEMORY)
            why = no_memory;
    }
    free(bytes);
    return why;
}

static const char *take_all(struct stream *in, struct state_table *table,
                            struct state_position *positions, unsigned n_shards)
{
    uint8_t head[HEAD_LEN];
    const char *why;
    struct stat st;

    if (fstat(fileno(in->file), &st) != 0 || !S_ISREG(st.st_mode))
        return "not a plain file";
    if (st.st_size < HEAD_LEN + HASH_LEN || !get(in, head, sizeof(head)))
        return "cut short, or of a wrong length";
    why = check_head(head, st.st_size);
    if (why)
        return why;
    rewind(in->file);
    if (!hash_is_right(in, st.st_size))
        return "damaged: its hash is not the one that was written";
    rewind(in->file);
    if (!get(in, head, sizeof(head)))
        return "can't be read";
    why = take_positions(in, be32_load(head + 8), positions, n_shards);
    return why ? why : take_entries(in, table, be64_load(head + 16));
}

enum state_file_status state_file_load(const char *state_dir, struct state_table *table,
                                       struct state_position *positions, unsigned n_shards,
                                       struct error *err)
{
    char path[PATH_MAX], aside[PATH_MAX];
    struct stream in = {.file = NULL};
    const char *why;
    int fd;

    snprintf(path, sizeof(path), "%s/state", state_dir);
    snprintf(aside, sizeof(aside), "%s/state.set-aside", state_dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return STATE_FILE_ABSENT;
    in.file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!in.file) {
        error_set(err, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return STATE_FILE_BAD;
    }
    crypto_generichash_init(&in.hash, NULL, 0, HASH_LEN);
    why = take_all(&in, table, positions, n_shards);
    fclose(in.file);
    if (!why)
        return STATE_FILE_OK;
    (void)rename(path, aside);
    error_set(err, "%s: %s; it is %s now", path, why, aside);
    return STATE_FILE_BAD;
}
