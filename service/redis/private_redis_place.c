#include "service/redis/private_redis_place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/base/ownership.h"

enum {
    KILL_WAIT_MS = 10000,
    LOOK_EVERY_MS = 50,
    VERSION_MIN = 7,
    VERSION_WAIT_MS = 5000, /* it takes milliseconds, from a slow disk a second */
};

int private_redis_connect(const struct private_redis_place *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    memcpy(address.sun_path, place->socket, sizeof(address.sun_path));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static const char config_text[] = "# Written by hopcountd at each start; changes are lost.\n"
                                  "port 0\n"
                                  "unixsocket redis.sock\n"
                                  "unixsocketperm 700\n"
                                  "appendonly yes\n"
                                  "appendfsync everysec\n"
                                  "aof-use-rdb-preamble yes\n"
                                  "save \"\"\n"
                                  "maxmemory-policy noeviction\n"
                                  "logfile redis.log\n"
                                  "daemonize no\n"
                                  "protected-mode yes\n";

static pid_t socket_owner(const struct private_redis_place *place)
{
    struct ucred owner;
    socklen_t len = sizeof(owner);
    int fd = private_redis_connect(place);
    pid_t pid = 0;

    if (fd < 0)
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &len) == 0)
        pid = owner.pid;
    close(fd);
    return pid;
}

/* Two servers on one append-only file would corrupt it.  A leftover server got SIGTERM when its
 * hopcountd died, and may still be saving.  It can only be ours: hopcountd holds the lock of the
 * state_dir. */
bool private_redis_stop_leftover(const struct private_redis_place *place, int64_t wait_ms,
                                 struct error *err)
{
    int64_t deadline_ms = clock_mono_ms() + wait_ms;
    pid_t pid = socket_owner(place);
    int fd;
    struct pollfd wait;

    if (pid <= 0)
        return true;
    log_warn("redis.leftover", "pid=%ld dir=\"%s\"", (long)pid, place->dir);
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 && errno == ESRCH)
        return true;
    if (fd < 0) {
        error_set(err, "redis: process %ld holds %s and can't be watched: %s; stop it", (long)pid,
                  place->socket, strerror(errno));
        return false;
    }
    wait = (struct pollfd){.fd = fd, .events = POLLIN};
    syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
    while (poll(&wait, 1, LOOK_EVERY_MS) == 0 && clock_mono_ms() < deadline_ms)
        ;
    if (poll(&wait, 1, 0) == 0) {
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
        (void)poll(&wait, 1, KILL_WAIT_MS);
    }
    if (poll(&wait, 1, 0) == 0) {
        error_set(err, "redis: process %ld still holds %s; stop it", (long)pid, place->socket);
        close(fd);
        return false;
    }
    close(fd);
    return true;
}

/* 0, or an errno. */
static int write_new_config(int dir_fd, const char *name)
{
    size_t len = strlen(config_text);
    int fd, errnum = 0;
    ssize_t n;

    unlinkat(dir_fd, name, 0); /* left by a start that ended at this point */
    fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    n = write(fd, config_text, len);
    if (n != (ssize_t)len)
        errnum = n < 0 ? errno : ENOSPC;
    if (close(fd) != 0 && errnum == 0)
        errnum = errno;
    return errnum;
}

/* Replaces the file by rename, so that the server reads either the old or the new file completely,
 * and a link is not followed. */
static bool write_config(const struct private_redis_place *place, struct error *err)
{
    static const char made[] = "redis.conf.new";
    int errnum = write_new_config(place->dir_fd, made);

    if (errnum == 0 && renameat(place->dir_fd, made, place->dir_fd, "redis.conf") != 0)
        errnum = errno;
    if (errnum) {
        unlinkat(place->dir_fd, made, 0);
        error_set(err, "redis: cannot write %s/redis.conf: %s", place->dir, strerror(errnum));
    }
    return errnum == 0;
}

/* The last line of the server's log, which says why it ended. */
void private_redis_last_log_line(const struct private_redis_place *place, char *out, size_t size)
{
    int fd = openat(place->dir_fd, "redis.log", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    char line[256];

    out[0] = '\0';
    if (!file && fd >= 0)
        close(fd);
    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0])
            snprintf(out, size, "%s", line);
    }
    fclose(file);
}

static bool set_paths(struct private_redis_place *place, const char *state_dir, struct error *err)
{
    char absolute[PRIVATE_REDIS_TEXT_MAX];
    int len;

    if (!realpath(state_dir, absolute)) {
        error_set(err, "redis: %s: %s", state_dir, strerror(errno));
        return false;
    }
    len = snprintf(place->dir, sizeof(place->dir), "%s/redis", absolute);
    if (len >= (int)(sizeof(place->socket) - strlen("/redis.sock"))) {
        error_set(
            err,
            "redis: the path %s/redis.sock is too long for a socket (%zu characters at most); "
            "choose a shorter state_dir, or set redis.url",
            place->dir, sizeof(place->socket) - 1);
        return false;
    }
    snprintf(place->socket, sizeof(place->socket), "%.*s/redis.sock",
             (int)sizeof(place->socket) - 12, place->dir);
    snprintf(place->url, sizeof(place->url), "unix://%s", place->socket);
    return true;
}

/* Starts `program --version`, in a process group of its own; `*out` is what it writes.  -1 when it
 * can't be run. */
static pid_t start_version(const char *program, int *out)
{
    char *const argv[] = {(char *)program, (char *)"--version", NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    int fds[2];
    pid_t pid;
    bool ok;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none); /* our threads block SIGTERM */
    ok = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
         posix_spawn_file_actions_adddup2(&files, fds[1], STDOUT_FILENO) == 0 &&
         posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
         posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK) ==
             0 &&
         posix_spawnattr_setsigmask(&attributes, &none) == 0 &&
         posix_spawnp(&pid, program, &files, &attributes, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    close(fds[1]);
    if (!ok) {
        close(fds[0]);
        return -1;
    }
    *out = fds[0];
    return pid;
}

/* Reads the first line, or what there is of it at the end of the file; false: it did not come
 * within VERSION_WAIT_MS. */
static bool read_line(int fd, char *line, size_t size)
{
    int64_t until_ms = clock_mono_ms() + VERSION_WAIT_MS, left_ms;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    size_t len = 0;
    ssize_t n = 1;

    while (n > 0 && len + 1 < size && !memchr(line, '\n', len)) {
        left_ms = until_ms - clock_mono_ms();
        if (left_ms <= 0)
            return false;
        if (poll(&wait, 1, (int)left_ms) <= 0)
            continue;
        n = read(fd, line + len, size - 1 - len);
        if (n > 0)
            len += (size_t)n;
    }
    line[len] = '\0';
    return true;
}

enum version_status { VERSION_OK, VERSION_TOO_OLD, VERSION_NO_PROGRAM, VERSION_NO_ANSWER };

/* Asks `program`; `version` receives the text for messages.  Redis prints "Redis server v=7.0.15
 * sha=…", Valkey "Valkey server v=8.1.1 sha=…". */
static enum version_status look_at_version(const char *program, char *version, size_t size)
{
    char line[256] = "";
    unsigned long major;
    const char *at;
    bool has_answered;
    int fd = -1;
    pid_t pid = start_version(program, &fd);

    if (pid < 0)
        return VERSION_NO_PROGRAM;
    has_answered = read_line(fd, line, sizeof(line));
    close(fd);
    /* A script may have started others, and one that has answered may go on. */
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (!has_answered)
        return VERSION_NO_ANSWER;
    at = strstr(line, "v=");
    snprintf(version, size, "%.*s", at ? (int)strcspn(at + 2, " \n") : 0, at ? at + 2 : "");
    major = strtoul(version, NULL, 10);
    return major >= VERSION_MIN ? VERSION_OK : major > 0 ? VERSION_TOO_OLD : VERSION_NO_PROGRAM;
}

/* Chooses the configured program, or else the first known one that is installed; it must be 7.0 or
 * newer.  The error is about the first that is there and can't be used. */
static bool choose_program(struct private_redis_place *place, const char *wanted, struct error *err)
{
    const char *const known[] = {"redis-server", "valkey-server", NULL};
    const char *const asked[] = {wanted, NULL};
    bool has_error = false;
    char version[16] = "";

    for (const char *const *program = wanted ? asked : known; *program; program++) {
        enum version_status status = look_at_version(*program, version, sizeof(version));

        snprintf(place->program, sizeof(place->program), "%s", *program);
        if (status == VERSION_OK)
            return true;
        if (has_error || status == VERSION_NO_PROGRAM)
            continue;
        has_error = true;
        if (status == VERSION_TOO_OLD)
            error_set(err, "redis: %s is version %s, %d.0 or newer is needed", *program, version,
                      VERSION_MIN);
        else
            error_set(err,
                      "redis: %s --version has not answered within %d s and was killed; look why "
                      "it hangs, or name another program in redis.server, or set redis.url",
                      *program, VERSION_WAIT_MS / 1000);
    }
    if (!has_error)
        error_set(err,
                  "redis: cannot run %s; install redis-server or valkey-server (%d.0 or newer), or "
                  "set redis.url",
                  wanted ? wanted : "redis-server or valkey-server", VERSION_MIN);
    return false;
}

bool private_redis_prepare(struct private_redis_place *place, const char *state_dir,
                           const char *program, struct error *err)
{
    int state_fd = own_folder_open(AT_FDCWD, state_dir, state_dir, OWN_FOLDER_KEEP, err);

    place->dir_fd = -1;
    if (state_fd < 0)
        return false;
    if (set_paths(place, state_dir, err))
        place->dir_fd = own_folder_open(state_fd, "redis", place->dir, OWN_FOLDER_KEEP, err);
    close(state_fd);
    return place->dir_fd >= 0 && write_config(place, err) && choose_program(place, program, err);
}

void private_redis_leave(struct private_redis_place *place)
{
    if (place->dir_fd >= 0)
        close(place->dir_fd);
    place->dir_fd = -1;
}
