#include "service/config/linefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "service/base/error.h"

struct linefile {
    char *text; /* sodium_malloc */
    size_t len, at;
    unsigned line;
};

static bool check_mode(const struct stat *st, mode_t forbidden, const char *path, struct error *err)
{
    if (!S_ISREG(st->st_mode)) {
        error_set(err, "%s: is not a file", path);
        return false;
    }
    if (st->st_size > LINEFILE_BYTES_MAX) {
        error_set(err, "%s: is larger than %d bytes: is it the right file?", path,
                  LINEFILE_BYTES_MAX);
        return false;
    }
    if (st->st_mode & forbidden) {
        const char *remedy = !(st->st_mode & forbidden & 0022) ? "o-r"
                             : forbidden & 0004                ? "go-w,o-r"
                                                               : "go-w";

        error_set(err, "%s: mode %04o lets others in; run: chmod %s %s", path,
                  (unsigned)(st->st_mode & 07777), remedy, path);
        return false;
    }
    return true;
}

/* Reads to the end; the file may have become shorter since its size was asked for. */
static bool read_text(struct linefile *file, int fd, size_t max, const char *path,
                      struct error *err)
{
    while (file->len < max) {
        ssize_t n = read(fd, file->text + file->len, max - file->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_set(err, "%s: cannot read: %s", path, strerror(errno));
            return false;
        }
        if (n == 0)
            break;
        file->len += (size_t)n;
    }
    return true;
}

struct linefile *linefile_load(const char *path, mode_t forbidden, struct error *err)
{
    struct linefile *file = calloc(1, sizeof(*file));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct slice text;
    struct stat st;
    bool ok = false;

    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set(err, "%s: cannot open: %s", path, strerror(errno));
        goto out;
    }
    if (!check_mode(&st, forbidden, path, err))
        goto out;
    if (!file || !(file->text = sodium_malloc((size_t)st.st_size + 1))) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    if (!read_text(file, fd, (size_t)st.st_size, path, err))
        goto out;
    /* Editors put a byte order mark before a text; some shells write all of it in UTF-16. */
    text = slice_make(file->text, file->len);
    if (slice_starts_with(text, slice_of("\xff\xfe")) ||
        slice_starts_with(text, slice_of("\xfe\xff"))) {
        error_set(err, "%s: is UTF-16: save it as UTF-8", path);
        goto out;
    }
    file->at = file->len - slice_skip_mark(text).len;
    ok = true;
out:
    if (fd >= 0)
        close(fd);
    if (!ok) {
        linefile_free(file);
        file = NULL;
    }
    return file;
}

void linefile_free(struct linefile *file)
{
    if (!file)
        return;
    sodium_free(file->text);
    free(file);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void split(struct slice text, struct linefile_line *line)
{
    size_t at = 0;

    line->n_fields = 0;
    while (at < text.len) {
        size_t start = at;

        if (is_blank(text.ptr[at])) {
            at++;
            continue;
        }
        if (line->n_fields == LINEFILE_FIELDS_MAX - 1)
            at = text.len;
        while (at < text.len && !is_blank(text.ptr[at]))
            at++;
        line->field[line->n_fields++] = slice_make(text.ptr + start, at - start);
    }
}

bool linefile_next(struct linefile *file, struct linefile_line *line)
{
    while (file->at < file->len) {
        const char *start = file->text + file->at;
        const char *end = memchr(start, '\n', file->len - file->at);
        size_t len = end ? (size_t)(end - start) : file->len - file->at;

        file->at += len + 1;
        file->line++;
        split(slice_make(start, len), line);
        line->number = file->line;
        if (line->n_fields > 0 && line->field[0].ptr[0] != '#')
            return true;
    }
    return false;
}
