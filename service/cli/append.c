#include "service/cli/append.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/base/error.h"

enum { LOCK_TRIES = 200, LOCK_PAUSE_US = 50000, COPY_BYTES = 4096 };

struct append {
    char *path; /* with links resolved, so that the rename replaces the file and not the link */
    int folder_fd;
    bool exists;
};

static int open_folder(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int saved = errno;

    free(copy);
    errno = saved;
    return fd;
}

/* The folder and not the file: the file is replaced, so a lock on it would be one on the old. */
static bool lock_folder(int fd)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return false;
        usleep(LOCK_PAUSE_US);
    }
    return false;
}

struct append *append_begin(const char *path, struct error *err)
{
    struct append *append = calloc(1, sizeof(*append));
    bool ok = false;

    if (!append) {
        error_set(err, "%s: out of memory", path);
        return NULL;
    }
    append->folder_fd = -1;
    append->path = realpath(path, NULL);
    append->exists = append->path != NULL;
    if (!append->path && errno == ENOENT)
        append->path = strdup(path);
    if (!append->path || (append->folder_fd = open_folder(append->path)) < 0) {
        error_set(err, "%s: cannot open its folder: %s", path, strerror(errno));
        goto out;
    }
    if (!lock_folder(append->folder_fd)) {
        error_set(err, "%s: cannot lock its folder: %s; does another program hold it?", path,
                  strerror(errno));
        goto out;
    }
    /* Somebody may have made it while we waited. */
    append->exists = access(append->path, F_OK) == 0;
    ok = true;
out:
    if (!ok) {
        append_end(append);
        append = NULL;
    }
    return append;
}

void append_end(struct append *append)
{
    if (!append)
        return;
    if (append->folder_fd >= 0)
        close(append->folder_fd);
    free(append->path);
    free(append);
}

bool append_exists(const struct append *append)
{
    return append->exists;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* Copies text, mode and owner, and ends a last line that has no newline. */
static bool copy_old(const char *path, int out)
{
    char buf[COPY_BYTES], last = '\n';
    int in = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool ok = false;
    ssize_t n;
    int saved;

    if (in < 0 || fstat(in, &st) < 0)
        goto out;
    while ((n = read(in, buf, sizeof(buf))) > 0) {
        if (!write_all(out, buf, (size_t)n))
            goto out;
        last = buf[n - 1];
    }
    if (n < 0 || (last != '\n' && !write_all(out, "\n", 1)))
        goto out;
    ok = fchown(out, st.st_uid, st.st_gid) == 0 && fchmod(out, st.st_mode & 07777) == 0;
out:
    saved = errno;
    if (in >= 0)
        close(in);
    errno = saved;
    return ok;
}

bool append_commit(struct append *append, const char *line, struct error *err)
{
    char temporary[PATH_MAX];
    int fd = -1;
    bool ok = false;

    if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", append->path) >= PATH_MAX) {
        error_set(err, "%s: the path is too long", append->path);
        return false;
    }
    if ((fd = mkostemp(temporary, O_CLOEXEC)) < 0) {
        error_set(err, "%s: cannot make a file beside it: %s", append->path, strerror(errno));
        return false;
    }
    ok = (!append->exists || copy_old(append->path, fd)) && write_all(fd, line, strlen(line)) &&
         write_all(fd, "\n", 1) && fsync(fd) == 0 && rename(temporary, append->path) == 0;
    if (!ok) {
        error_set(err, "%s: cannot write: %s", append->path, strerror(errno));
        unlink(temporary);
    } else if (fsync(append->folder_fd) != 0) {
        error_set(err, "%s: cannot sync its folder: %s", append->path, strerror(errno));
        ok = false;
    }
    close(fd);
    return ok;
}
