#include "service/clicklog/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/base/error.h"
#include "service/base/log.h"

bool statedir_open(struct statedir *dir, const char *path, enum own_folder_use use,
                   struct error *err)
{
    dir->fd = own_folder_open(AT_FDCWD, path, path, use, err);
    return dir->fd >= 0;
}

static void say_in_use(const struct statedir *dir, const char *path, struct error *err)
{
    char text[32] = "";
    ssize_t len = dir->lock_fd >= 0 ? pread(dir->lock_fd, text, sizeof(text) - 1, 0) : -1;
    long pid = len > 0 ? strtol(text, NULL, 10) : 0;

    if (pid > 0)
        error_set(err, "%s is in use by process %ld; stop it, or set another state_dir", path, pid);
    else
        error_set(err,
                  "%s is in use by another process; stop it, or set another "
                  "state_dir",
                  path);
}

/* The lock is the flock; the pid in it is only for people, so a stale or missing pid does no harm.
 */
static void write_pid(int fd)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return;
}

/* 0, or an errno; EWOULDBLOCK: another process holds the lock. */
static int try_lock(int fd)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

/* Opens the lock file.  Leaves `lock_fd` at -1 if the directory can't be written and has no lock
 * file.  0, or an errno. */
static int open_lock_file(struct statedir *dir)
{
    dir->lock_fd = openat(dir->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (dir->lock_fd < 0 && errno != ENFILE && errno != EMFILE && errno != ENOMEM && errno != ELOOP)
        dir->lock_fd = openat(dir->fd, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (dir->lock_fd >= 0 || errno == ENOENT || errno == EACCES)
        return 0;
    return errno;
}

/*
 * Locks both the file and the directory.  The directory, because no lock file can be made in one
 * that can't be written, and it may become writable while we run.  NFS can't lock a directory;
 * there the lock of the file is enough, because no process starts without it.
 */
bool statedir_lock(struct statedir *dir, const char *path, struct error *err)
{
    int by_file = open_lock_file(dir), by_dir;

    if (by_file == 0 && dir->lock_fd >= 0)
        by_file = try_lock(dir->lock_fd);
    by_dir = by_file ? 0 : try_lock(dir->fd);
    if (by_file == EWOULDBLOCK || by_dir == EWOULDBLOCK) {
        say_in_use(dir, path, err);
        return false;
    }
    if (by_file || (by_dir && dir->lock_fd < 0)) {
        error_set(err,
                  "cannot lock %s: %s; without a lock a second process could start on it, so use a "
                  "file system that has locks",
                  path, strerror(by_file ? by_file : by_dir));
        return false;
    }
    if (dir->lock_fd >= 0)
        write_pid(dir->lock_fd);
    return true;
}

int statedir_open_logs(struct statedir *dir, bool make)
{
    int made = 0;

    if (dir->logs_fd >= 0)
        return 0;
    if (make && mkdirat(dir->fd, "logs", 0700) != 0 && errno != EEXIST)
        made = errno; /* it may still exist and be readable */
    dir->logs_fd = openat(dir->fd, "logs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir->logs_fd < 0)
        return made && errno == ENOENT ? made : errno;
    return make && fsync(dir->fd) != 0 ? errno : 0;
}

bool statedir_may_have_logs(const struct statedir *dir)
{
    struct stat st;

    if (fstatat(dir->fd, "logs", &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno != ENOENT;
    return S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode);
}

int statedir_make_log(struct statedir *dir, const char *log_name)
{
    if (mkdirat(dir->logs_fd, log_name, 0700) != 0)
        return errno == EEXIST ? 0 : errno;
    return fsync(dir->logs_fd) == 0 ? 0 : errno;
}

/* "<log>/<file>" becomes "<log>-<file>"; if that name is taken, a number is added. */
static int move_aside(struct statedir *dir, const char *path)
{
    char from[300], to[320];

    if (mkdirat(dir->fd, "set-aside", 0700) != 0 && errno != EEXIST)
        return errno;
    snprintf(from, sizeof(from), "logs/%s", path);
    for (unsigned i = 0; i < 10000; i++) {
        int base = snprintf(to, sizeof(to), "set-aside/%s", path);

        for (char *p = to + strlen("set-aside/"); *p; p++)
            *p = *p == '/' ? '-' : *p;
        if (i > 0)
            snprintf(to + base, sizeof(to) - (size_t)base, ".%u", i);
        if (renameat2(dir->fd, from, dir->fd, to, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EEXIST)
            return errno;
    }
    return EEXIST;
}

void statedir_set_aside(struct statedir *dir, const char *path, const char *why)
{
    char text[64];
    int errnum = move_aside(dir, path);
    size_t len;

    if (errnum) {
        snprintf(text, sizeof(text), "%s; left: %s", why, strerror(errnum));
        why = text;
    }
    len = strlen(dir->aside_names);
    dir->n_set_aside++;
    snprintf(dir->aside_names + len, sizeof(dir->aside_names) - len, "%s%s (%s)", len ? ", " : "",
             path, why);
}

void statedir_report(struct statedir *dir)
{
    char quoted[LOG_QUOTE_MAX];

    if (dir->aside_names[0] == '\0')
        return;
    log_warn("ledger.set_aside", "n=%llu to=set-aside/ files=%s",
             (unsigned long long)dir->n_set_aside, log_quote(quoted, dir->aside_names));
    dir->aside_names[0] = '\0';
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void statedir_close_logs(struct statedir *dir)
{
    close_fd(&dir->logs_fd);
}

void statedir_clear(struct statedir *dir)
{
    close_fd(&dir->logs_fd);
    close_fd(&dir->lock_fd);
    close_fd(&dir->fd);
}
