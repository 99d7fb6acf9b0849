/* Files: a range of a log is one file, JSON lines or CSV, maybe compressed, with a manifest beside
 * it (FORMATS.md "Sink files").
 *
 * Both are written under another name, synced and renamed, the manifest first: so a file that is
 * there is whole and has a manifest.  The name is the range, which is written down before: after a
 * crash the same file is made again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <sodium.h>
#include <zstd.h>

#include "proto/rfc3339.h"
#include "service/base/error.h"
#include "service/config/config.h"
#include "service/sinks/sink.h"
#include "service/sinks/sink_batch.h"
#include "service/sinks/sink_state.h"

enum {
    PLAIN_MAX = 128 << 10,
    LEVEL = 1, /* of zstd: 3 takes twice the time and saves a tenth */
    HASH_LEN = 32,
    NAME_MAX_LEN = 128,
    ROWS_MAX = 1000000,
    LINGER_MS = 3600000,
};

struct sink_file {
    struct sink_options options;
    int dir_fd;
    ZSTD_CCtx *zstd; /* NULL: nothing is compressed */
    char *plain;     /* PLAIN_MAX */
    size_t plain_len;
    char *packed;
    size_t packed_max;

    /* Of the file at hand. */
    int fd;
    int errnum; /* of the first step that failed; what follows does nothing */
    uint64_t n_bytes;
    crypto_generichash_state hash;
};

/* --- writing --- */

static void write_bytes(struct sink_file *f, const char *bytes, size_t len)
{
    size_t at = 0;

    crypto_generichash_update(&f->hash, (const uint8_t *)bytes, len);
    f->n_bytes += len;
    while (f->errnum == 0 && at < len) {
        ssize_t n = write(f->fd, bytes + at, len - at);

        if (n >= 0)
            at += (size_t)n;
        else if (errno != EINTR)
            f->errnum = errno;
    }
}

/* Writes what is in the buffer; with `end`, also what zstd holds back. */
static void flush_plain(struct sink_file *f, bool end)
{
    ZSTD_inBuffer in = {f->plain, f->plain_len, 0};
    size_t left;

    if (!f->zstd) {
        write_bytes(f, f->plain, f->plain_len);
        f->plain_len = 0;
        return;
    }
    do {
        ZSTD_outBuffer out = {f->packed, f->packed_max, 0};

        left = ZSTD_compressStream2(f->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            f->errnum = EIO;
            break;
        }
        write_bytes(f, f->packed, out.pos);
    } while (f->errnum == 0 && (end ? left > 0 : in.pos < in.size));
    f->plain_len = 0;
}

static void write_records(struct sink_file *f, struct sink_batch *batch, uint64_t *n_rows)
{
    bool is_csv = f->options.config->format == CONFIG_SINK_CSV;
    struct record record;

    if (is_csv) {
        f->plain_len = strlen(record_csv_head);
        memcpy(f->plain, record_csv_head, f->plain_len);
    }
    while (f->errnum == 0 && !atomic_load(f->options.stopping) && sink_batch_next(batch, &record)) {
        f->plain_len +=
            (is_csv ? record_csv : record_json)(&record, &f->options.form, f->plain + f->plain_len);
        ++*n_rows;
        if (f->plain_len > PLAIN_MAX - RECORD_TEXT_MAX)
            flush_plain(f, false);
    }
    if (f->errnum == 0)
        flush_plain(f, true);
}

/* Again for each file: it may have been removed, or a disk been mounted there.  0 or an errno. */
static int open_folder(struct sink_file *f)
{
    const char *path = f->options.config->path;

    if (f->dir_fd >= 0)
        close(f->dir_fd);
    f->dir_fd = -1;
    if (mkdir(path, 0750) != 0 && errno != EEXIST)
        return errno;
    f->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->dir_fd < 0 ? errno : 0;
}

static int open_new(struct sink_file *f, const char *name)
{
    f->fd = openat(f->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    return f->fd < 0 ? errno : 0;
}

static void close_synced(struct sink_file *f)
{
    if (f->errnum == 0 && fsync(f->fd) != 0)
        f->errnum = errno;
    if (f->fd >= 0 && close(f->fd) != 0 && f->errnum == 0)
        f->errnum = errno;
    f->fd = -1;
}

/* --- names and the manifest --- */

struct names {
    char file[NAME_MAX_LEN], new_file[NAME_MAX_LEN + 4];
    char manifest[NAME_MAX_LEN], new_manifest[NAME_MAX_LEN + 4];
};

/* Positions with zeros before them, so that names sort as positions do. */
static void make_names(const struct sink_file *f, const struct sink_batch *batch,
                       struct names *names)
{
    const char *extension = f->options.config->format == CONFIG_SINK_CSV ? "csv" : "jsonl";
    char range[2 * CLICK_LOG_ID_LEN + 2 * 20 + 3];

    snprintf(range, sizeof(range), "%s-%012" PRIu64 "-%012" PRIu64, batch->log_hex, batch->from,
             batch->to);
    snprintf(names->file, sizeof(names->file), "%s.%s%s", range, extension, f->zstd ? ".zst" : "");
    snprintf(names->manifest, sizeof(names->manifest), "%s.manifest.json", range);
    snprintf(names->new_file, sizeof(names->new_file), "%s.new", names->file);
    snprintf(names->new_manifest, sizeof(names->new_manifest), "%s.new", names->manifest);
}

static char *manifest_text(struct sink_file *f, const struct sink_batch *batch, const char *file,
                           uint64_t n_rows)
{
    uint8_t hash[HASH_LEN];
    char hex[2 * HASH_LEN + 1], time[RFC3339_TEXT_MAX], *text;
    json_t *json;

    crypto_generichash_final(&f->hash, hash, sizeof(hash));
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s}", "file", file, "log",
                     batch->log_hex, "from", (json_int_t)batch->from, "to", (json_int_t)batch->to,
                     "rows", (json_int_t)n_rows, "bytes", (json_int_t)f->n_bytes, "blake2b_256",
                     hex, "made_at", rfc3339_format(batch->at_ms / 1000, 0, time));
    text = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(json);
    return text;
}

static void write_manifest(struct sink_file *f, const struct sink_batch *batch,
                           const struct names *names, uint64_t n_rows)
{
    char *text = manifest_text(f, batch, names->file, n_rows);

    f->errnum = text ? open_new(f, names->new_manifest) : ENOMEM;
    if (f->errnum == 0) {
        write_bytes(f, text, strlen(text));
        write_bytes(f, "\n", 1);
        close_synced(f);
    }
    free(text);
}

/* --- the type --- */

static enum sink_outcome put(void *self, struct sink_batch *batch, struct sink_result *result)
{
    struct sink_file *f = self;
    struct names names;

    make_names(f, batch, &names);
    f->n_bytes = 0;
    f->plain_len = 0;
    crypto_generichash_init(&f->hash, NULL, 0, HASH_LEN);
    if (f->zstd)
        ZSTD_CCtx_reset(f->zstd, ZSTD_reset_session_only);
    f->errnum = open_folder(f);
    if (f->errnum == 0)
        f->errnum = open_new(f, names.new_file);
    if (f->errnum == 0) {
        write_records(f, batch, &result->n_sent);
        close_synced(f);
    }
    if (f->errnum == 0 && atomic_load(f->options.stopping))
        f->errnum = EINTR;
    if (f->errnum == 0 && result->n_sent > 0)
        write_manifest(f, batch, &names, result->n_sent);
    if (f->errnum == 0 && result->n_sent > 0 &&
        (renameat(f->dir_fd, names.new_manifest, f->dir_fd, names.manifest) != 0 ||
         renameat(f->dir_fd, names.new_file, f->dir_fd, names.file) != 0 || fsync(f->dir_fd) != 0))
        f->errnum = errno;
    if (f->dir_fd >= 0 && (f->errnum || result->n_sent == 0)) {
        unlinkat(f->dir_fd, names.new_file, 0);
        unlinkat(f->dir_fd, names.new_manifest, 0);
    }
    if (f->errnum == 0)
        return SINK_DONE;
    sink_result_why(result, "cannot write to %s: %s", f->options.config->path, strerror(f->errnum));
    return SINK_LATER;
}

static void file_close(void *self)
{
    struct sink_file *f = self;

    if (!f)
        return;
    if (f->dir_fd >= 0)
        close(f->dir_fd);
    ZSTD_freeCCtx(f->zstd);
    free(f->plain);
    free(f->packed);
    free(f);
}

static bool check_folder(const char *path, struct error *err)
{
    char parent[SINK_PATH_MAX];
    int errnum = access(path, W_OK | X_OK) == 0 ? 0 : errno;
    struct stat st;

    if (errnum == 0 && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        errnum = ENOTDIR;
    /* It is made with the first file. */
    snprintf(parent, sizeof(parent), "%s", path);
    if (errnum == ENOENT && access(dirname(parent), W_OK | X_OK) == 0)
        errnum = 0;
    if (errnum)
        error_set(err, "path: %s: %s; it must be a folder that this user can write to", path,
                  strerror(errnum));
    return errnum == 0;
}

static bool open_zstd(struct sink_file *f)
{
    f->packed_max = ZSTD_CStreamOutSize();
    f->packed = malloc(f->packed_max);
    f->zstd = ZSTD_createCCtx();
    return f->packed && f->zstd &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(f->zstd, ZSTD_c_compressionLevel, LEVEL)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(f->zstd, ZSTD_c_checksumFlag, 1));
}

static void *file_open(const struct sink_options *options, struct error *err)
{
    struct sink_file *f = calloc(1, sizeof(*f));
    bool ok = false;

    if (f) {
        f->options = *options;
        f->dir_fd = f->fd = -1;
        f->plain = malloc(PLAIN_MAX);
    }
    if (!f || !f->plain || (options->config->compress && !open_zstd(f)))
        error_set(err, "out of memory");
    else
        ok = check_folder(options->config->path, err);
    if (!ok) {
        file_close(f);
        f = NULL;
    }
    return f;
}

const struct sink_type sink_type_file = {
    .has_intents = true,
    .rows_max = ROWS_MAX,
    .linger_ms = LINGER_MS,
    .open = file_open,
    .put = put,
    .close = file_close,
};
