#include "service/redis/private_redis.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"

enum {
    START_WAIT_MS = 10000,
    STOP_WAIT_MS = 10000,
    PING_EVERY_MS = 50,
    BACK_OFF_MIN_MS = 200,
    BACK_OFF_MAX_MS = 10000,
    STABLE_MS = 10000, /* ran so long: the next failure is a new one */
    TEXT_MAX = 4096,
    EXIT_NO_PROGRAM = 127,
};

/* What the starter waits for. */
enum phase { PHASE_STARTING, PHASE_READY, PHASE_ENDED };

struct private_redis {
    char program[TEXT_MAX], dir[TEXT_MAX], url[TEXT_MAX],
        socket[sizeof((struct sockaddr_un){0}.sun_path)];
    pthread_t thread;
    int stop_fd; /* eventfd: end it */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum phase phase;
    int exit_status; /* of PHASE_ENDED, as of waitpid(2) */
    bool has_thread, is_stopping;
};

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

/* --- the child --- */

/* Only what may be called between fork() and exec(). */
static void run_child(const struct private_redis *redis, pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    /* Of the thread that forked: it lives until we stop. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || chdir(redis->dir) != 0)
        _exit(EXIT_NO_PROGRAM);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO); /* it logs to a file */
    dup2(null, STDERR_FILENO);
    /* A group of its own: a Ctrl-C at a terminal is for us, and we stop it last. */
    setpgid(0, 0);
    execlp(redis->program, redis->program, "redis.conf", (char *)NULL);
    _exit(EXIT_NO_PROGRAM);
}

static pid_t start_child(const struct private_redis *redis)
{
    pid_t parent = getpid(), pid = fork();

    if (pid == 0)
        run_child(redis, parent);
    return pid;
}

static int connect_socket(const struct private_redis *redis)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    memcpy(address.sun_path, redis->socket, sizeof(address.sun_path));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* It answers PING, and not with an error such as LOADING. */
static bool answers(const struct private_redis *redis)
{
    static const char ping[] = "PING\r\n";
    struct pollfd wait = {.fd = connect_socket(redis), .events = POLLIN};
    char reply[64];
    bool ok;

    if (wait.fd < 0)
        return false;
    ok = send(wait.fd, ping, sizeof(ping) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(ping) - 1 &&
         poll(&wait, 1, 1000) == 1 && read(wait.fd, reply, sizeof(reply)) > 0 && reply[0] == '+';
    close(wait.fd);
    return ok;
}

/* --- one that an earlier hopcountd left behind --- */

static pid_t socket_owner(const struct private_redis *redis)
{
    struct ucred owner;
    socklen_t len = sizeof(owner);
    int fd = connect_socket(redis);
    pid_t pid = 0;

    if (fd < 0)
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &len) == 0)
        pid = owner.pid;
    close(fd);
    return pid;
}

/* Two servers on one append-only file would spoil it.  The old one was sent SIGTERM when its
 * hopcountd died, and may still be saving; hopcountd holds the lock of the state_dir, so nobody
 * else's it can be. */
static bool stop_leftover(const struct private_redis *redis, int64_t wait_ms, struct error *err)
{
    int64_t deadline_ms = clock_mono_ms() + wait_ms;
    pid_t pid = socket_owner(redis);
    int fd;
    struct pollfd wait;

    if (pid <= 0)
        return true;
    log_warn("redis.leftover", "pid=%ld dir=\"%s\"", (long)pid, redis->dir);
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    wait = (struct pollfd){.fd = fd, .events = POLLIN};
    if (fd < 0)
        return errno == ESRCH;
    syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
    while (poll(&wait, 1, PING_EVERY_MS) == 0 && clock_mono_ms() < deadline_ms)
        ;
    if (poll(&wait, 1, 0) == 0) {
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
        (void)poll(&wait, 1, STOP_WAIT_MS);
    }
    if (poll(&wait, 1, 0) == 0) {
        error_set(err, "redis: process %ld still holds %s; stop it", (long)pid, redis->socket);
        close(fd);
        return false;
    }
    close(fd);
    return true;
}

/* --- the watching thread --- */

static void set_phase(struct private_redis *redis, enum phase phase, int exit_status)
{
    pthread_mutex_lock(&redis->mutex);
    redis->phase = phase;
    redis->exit_status = exit_status;
    pthread_cond_broadcast(&redis->changed);
    pthread_mutex_unlock(&redis->mutex);
}

/* Waits until the child has ended, or we shall stop; true = ended. */
static bool wait_child(struct private_redis *redis, int pid_fd)
{
    struct pollfd wait[2] = {{.fd = pid_fd, .events = POLLIN},
                             {.fd = redis->stop_fd, .events = POLLIN}};
    bool is_ready = false;

    for (;;) {
        (void)poll(wait, 2, is_ready ? -1 : PING_EVERY_MS);
        if (wait[0].revents)
            return true;
        if (wait[1].revents)
            return false;
        if (!is_ready && answers(redis)) {
            is_ready = true;
            set_phase(redis, PHASE_READY, 0);
        }
    }
}

static void stop_child(pid_t pid, int pid_fd)
{
    struct pollfd wait = {.fd = pid_fd, .events = POLLIN};

    kill(pid, SIGTERM);
    if (poll(&wait, 1, STOP_WAIT_MS) == 0) {
        log_error("redis.stop", "err=\"redis-server has not ended in %d s, killed\"",
                  STOP_WAIT_MS / 1000);
        kill(pid, SIGKILL);
    }
}

/* Waits before the next start; false: we shall stop. */
static bool back_off(struct private_redis *redis, int64_t wait_ms)
{
    struct pollfd wait = {.fd = redis->stop_fd, .events = POLLIN};

    return poll(&wait, 1, (int)wait_ms) == 0;
}

static void describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "signal=%d", WTERMSIG(status));
    else
        snprintf(out, size, "exit=%d", WEXITSTATUS(status));
}

/* Runs one child to its end; true: it shall be started again. */
static bool run_once(struct private_redis *redis)
{
    pid_t pid = start_child(redis);
    int pid_fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1, status = 0;
    char end[32];
    bool ended;

    if (pid_fd < 0) {
        log_error("redis.start", "err=\"cannot fork: %s\"", strerror(errno));
        return true;
    }
    ended = wait_child(redis, pid_fd);
    if (!ended)
        stop_child(pid, pid_fd);
    waitpid(pid, &status, 0);
    close(pid_fd);
    set_phase(redis, PHASE_ENDED, status);
    if (ended) {
        describe_end(status, end, sizeof(end));
        log_error("redis.ended", "%s log=\"%s/redis.log\"", end, redis->dir);
    }
    return ended;
}

static void *watch(void *arg)
{
    struct private_redis *redis = arg;
    int64_t wait_ms = BACK_OFF_MIN_MS;

    for (;;) {
        int64_t start_ms = clock_mono_ms();

        if (!run_once(redis))
            break;
        if (clock_mono_ms() - start_ms > STABLE_MS)
            wait_ms = BACK_OFF_MIN_MS;
        if (!back_off(redis, wait_ms))
            break;
        wait_ms = wait_ms * 2 < BACK_OFF_MAX_MS ? wait_ms * 2 : BACK_OFF_MAX_MS;
    }
    return NULL;
}

/* --- start and stop --- */

static bool make_dir(const char *path, struct error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    error_set(err, "redis: cannot make %s: %s", path, strerror(errno));
    return false;
}

static bool write_config(const struct private_redis *redis, struct error *err)
{
    char path[TEXT_MAX + 16];
    FILE *file;
    bool ok;

    snprintf(path, sizeof(path), "%s/redis.conf", redis->dir);
    file = fopen(path, "we");
    ok = file && fputs(config_text, file) >= 0;
    if (file && fclose(file) != 0)
        ok = false;
    if (!ok)
        error_set(err, "redis: cannot write %s: %s", path, strerror(errno));
    return ok;
}

/* The last line of its log, which says why it ended. */
static void last_log_line(const struct private_redis *redis, char *out, size_t size)
{
    char path[TEXT_MAX + 16], line[256];
    FILE *file;

    out[0] = '\0';
    snprintf(path, sizeof(path), "%s/redis.log", redis->dir);
    file = fopen(path, "re");
    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0])
            snprintf(out, size, "%s", line);
    }
    fclose(file);
}

static bool set_paths(struct private_redis *redis, const struct private_redis_options *options,
                      struct error *err)
{
    char absolute[TEXT_MAX];
    int len;

    if (!make_dir(options->state_dir, err))
        return false;
    if (!realpath(options->state_dir, absolute)) {
        error_set(err, "redis: %s: %s", options->state_dir, strerror(errno));
        return false;
    }
    snprintf(redis->program, sizeof(redis->program), "%s",
             options->program ? options->program : "redis-server");
    len = snprintf(redis->dir, sizeof(redis->dir), "%s/redis", absolute);
    if (len >= (int)(sizeof(redis->socket) - strlen("/redis.sock"))) {
        error_set(
            err,
            "redis: the path %s/redis.sock is too long for a socket (%zu characters at most); "
            "choose a shorter state_dir, or set redis.url",
            redis->dir, sizeof(redis->socket) - 1);
        return false;
    }
    snprintf(redis->socket, sizeof(redis->socket), "%.*s/redis.sock",
             (int)sizeof(redis->socket) - 12, redis->dir);
    snprintf(redis->url, sizeof(redis->url), "unix://%s", redis->socket);
    return make_dir(redis->dir, err) && write_config(redis, err);
}

/* Redis 7.0 is needed: `redis-server --version` says "Redis server v=7.0.15 sha=…". */
static bool check_version(const struct private_redis *redis, struct error *err)
{
    char command[TEXT_MAX + 32], line[256] = "";
    const char *version;
    FILE *pipe;

    if (strchr(redis->program, '\'')) {
        error_set(err, "redis: the program's name %s has a quote in it", redis->program);
        return false;
    }
    snprintf(command, sizeof(command), "'%s' --version 2>/dev/null", redis->program);
    pipe = popen(command, "re");
    if (pipe) {
        if (!fgets(line, sizeof(line), pipe))
            line[0] = '\0';
        pclose(pipe);
    }
    version = strstr(line, "v=");
    if (!version) {
        error_set(err,
                  "redis: cannot run %s; install redis-server (7.0 or newer), or set redis.url",
                  redis->program);
        return false;
    }
    if (strtoul(version + 2, NULL, 10) < 7) {
        error_set(err, "redis: %s is version %.12s, 7.0 or newer is needed", redis->program,
                  version + 2);
        return false;
    }
    return true;
}

static bool start_thread(struct private_redis *redis, struct error *err)
{
    sigset_t all, before;
    int code;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&redis->thread, NULL, watch, redis);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        error_set(err, "redis: cannot start a thread: %s", strerror(code));
        return false;
    }
    redis->has_thread = true;
    return true;
}

/* Until it answers; also when it is still loading at the deadline: that is no failure. */
static bool wait_ready(struct private_redis *redis, int64_t wait_ms, struct error *err)
{
    char line[256], end[32];
    struct timespec until;
    bool ended;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&redis->mutex);
    while (redis->phase == PHASE_STARTING &&
           pthread_cond_timedwait(&redis->changed, &redis->mutex, &until) == 0)
        ;
    ended = redis->phase == PHASE_ENDED;
    pthread_mutex_unlock(&redis->mutex);
    if (!ended)
        return true;
    last_log_line(redis, line, sizeof(line));
    describe_end(redis->exit_status, end, sizeof(end));
    error_set(err, "redis: %s ended at once (%s); %s/redis.log says: %s", redis->program, end,
              redis->dir, line);
    return false;
}

static bool init(struct private_redis *redis, struct error *err)
{
    pthread_condattr_t monotonic;

    redis->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (redis->stop_fd < 0) {
        error_set(err, "redis: eventfd: %s", strerror(errno));
        return false;
    }
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&redis->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&redis->mutex, NULL);
    return true;
}

struct private_redis *private_redis_start(const struct private_redis_options *options,
                                          struct error *err)
{
    int64_t wait_ms = options->start_wait_ms > 0 ? options->start_wait_ms : START_WAIT_MS;
    struct private_redis *redis = calloc(1, sizeof(*redis));
    bool ok = false;

    if (!redis) {
        error_set(err, "redis: out of memory");
        return NULL;
    }
    if (!init(redis, err)) {
        free(redis);
        return NULL;
    }
    if (!set_paths(redis, options, err) || !check_version(redis, err) ||
        !stop_leftover(redis, wait_ms, err) || !start_thread(redis, err) ||
        !wait_ready(redis, wait_ms, err))
        goto out;
    ok = true;
out:
    if (!ok) {
        private_redis_stop(redis);
        redis = NULL;
    }
    return redis;
}

const char *private_redis_url(const struct private_redis *redis)
{
    return redis->url;
}

void private_redis_stop(struct private_redis *redis)
{
    uint64_t one = 1;

    if (!redis)
        return;
    if (redis->has_thread) {
        if (write(redis->stop_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
            abort(); /* a new eventfd has room for a 1 */
        pthread_join(redis->thread, NULL);
    }
    close(redis->stop_fd);
    pthread_cond_destroy(&redis->changed);
    pthread_mutex_destroy(&redis->mutex);
    free(redis);
}
