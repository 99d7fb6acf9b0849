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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/base/wake.h"
#include "service/redis/private_redis_place.h"

enum {
    START_WAIT_MS = 10000,
    STOP_WAIT_MS = 10000,
    PING_EVERY_MS = 50,
    BACK_OFF_MIN_MS = 200,
    BACK_OFF_MAX_MS = 10000,
    STABLE_MS = 10000, /* after running this long, the backoff starts from the beginning */
    EXIT_NO_PROGRAM = 127,
};

/* What private_redis_start() waits for. */
enum phase { PHASE_STARTING, PHASE_READY, PHASE_ENDED };

struct private_redis {
    struct private_redis_place place;
    pthread_t thread;
    int stop_fd; /* wake.h: asks the watching thread to stop */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum phase phase;
    int exit_status; /* in PHASE_ENDED, as from waitpid(2) */
    bool has_thread;
};

/* --- the child --- */

/* Calls only what is allowed between fork() and exec(). */
static void run_child(const struct private_redis *redis, pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    /* The signal follows the thread that forked, which lives until private_redis_stop(). */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || fchdir(redis->place.dir_fd) != 0)
        _exit(EXIT_NO_PROGRAM);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO); /* the server logs to a file */
    dup2(null, STDERR_FILENO);
    /* In a process group of its own: Ctrl-C at a terminal must not reach the server, which is
     * stopped last. */
    setpgid(0, 0);
    execlp(redis->place.program, redis->place.program, "redis.conf", (char *)NULL);
    _exit(EXIT_NO_PROGRAM);
}

/* Whether it answers PING without an error such as LOADING. */
static bool answers(const struct private_redis *redis)
{
    static const char ping[] = "PING\r\n";
    struct pollfd wait = {.fd = private_redis_connect(&redis->place), .events = POLLIN};
    char reply[64];
    bool ok;

    if (wait.fd < 0)
        return false;
    ok = send(wait.fd, ping, sizeof(ping) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(ping) - 1 &&
         poll(&wait, 1, 1000) == 1 && read(wait.fd, reply, sizeof(reply)) > 0 && reply[0] == '+';
    close(wait.fd);
    return ok;
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

/* Waits until the child has ended (true) or we are asked to stop (false). */
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

static void describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "signal=%d", WTERMSIG(status));
    else
        snprintf(out, size, "exit=%d", WEXITSTATUS(status));
}

/* Runs one child until it ends; true: start the next one. */
static bool run_once(struct private_redis *redis)
{
    pid_t parent = getpid(), pid = fork();
    int pid_fd, status = 0;
    char end[32];
    bool ended;

    if (pid == 0)
        run_child(redis, parent);
    pid_fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pid_fd < 0) {
        log_error("redis.start", "err=\"cannot %s: %s\"", pid > 0 ? "watch the child" : "fork",
                  strerror(errno));
        /* Stop the child: an unwatched one would keep running beside the next, and both would write
         * to one file. */
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        return true;
    }
    ended = wait_child(redis, pid_fd);
    if (!ended) {
        struct pollfd wait = {.fd = pid_fd, .events = POLLIN};

        kill(pid, SIGTERM);
        if (poll(&wait, 1, STOP_WAIT_MS) == 0) {
            log_error("redis.stop", "err=\"the private server has not ended in %d s, killed\"",
                      STOP_WAIT_MS / 1000);
            kill(pid, SIGKILL);
        }
    }
    waitpid(pid, &status, 0);
    close(pid_fd);
    set_phase(redis, PHASE_ENDED, status);
    if (ended) {
        describe_end(status, end, sizeof(end));
        log_error("redis.ended", "%s log=\"%s/redis.log\"", end, redis->place.dir);
    }
    return ended;
}

static void *watch(void *arg)
{
    struct private_redis *redis = arg;
    struct pollfd stop = {.fd = redis->stop_fd, .events = POLLIN};
    int64_t wait_ms = BACK_OFF_MIN_MS;

    for (;;) {
        int64_t start_ms = clock_mono_ms();

        if (!run_once(redis))
            break;
        if (clock_mono_ms() - start_ms > STABLE_MS)
            wait_ms = BACK_OFF_MIN_MS;
        /* Wait before the next start, unless told to stop. */
        if (poll(&stop, 1, (int)wait_ms) != 0)
            break;
        wait_ms = wait_ms * 2 < BACK_OFF_MAX_MS ? wait_ms * 2 : BACK_OFF_MAX_MS;
    }
    return NULL;
}

/* --- start and stop --- */

/* Waits until the server answers.  If it is still loading at the deadline, that is no failure. */
static bool wait_ready(struct private_redis *redis, int64_t wait_ms, struct error *err)
{
    char line[256], end[32];
    struct timespec until;
    bool ended;
    int status;

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
    status = redis->exit_status;
    pthread_mutex_unlock(&redis->mutex);
    if (!ended)
        return true;
    private_redis_last_log_line(&redis->place, line, sizeof(line));
    describe_end(status, end, sizeof(end));
    error_set(err, "redis: %s ended at once (%s); %s/redis.log says: %s", redis->place.program, end,
              redis->place.dir, line[0] ? line : "nothing");
    return false;
}

static bool init(struct private_redis *redis, struct error *err)
{
    pthread_condattr_t monotonic;

    redis->place.dir_fd = -1;
    redis->stop_fd = wake_new();
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
    int code;

    if (!redis) {
        error_set(err, "redis: out of memory");
        return NULL;
    }
    if (!init(redis, err)) {
        free(redis);
        return NULL;
    }
    if (!private_redis_prepare(&redis->place, options->state_dir, options->program, err) ||
        !private_redis_stop_leftover(&redis->place, wait_ms, err))
        goto out;
    code = thread_start(&redis->thread, NULL, watch, redis);
    if (code != 0) {
        error_set(err, "redis: cannot start a thread: %s", strerror(code));
        goto out;
    }
    redis->has_thread = true;
    ok = wait_ready(redis, wait_ms, err);
out:
    if (!ok) {
        private_redis_stop(redis);
        redis = NULL;
    }
    return redis;
}

const char *private_redis_url(const struct private_redis *redis)
{
    return redis->place.url;
}

void private_redis_stop(struct private_redis *redis)
{
    if (!redis)
        return;
    if (redis->has_thread) {
        wake_send(redis->stop_fd);
        pthread_join(redis->thread, NULL);
    }
    private_redis_leave(&redis->place);
    close(redis->stop_fd);
    pthread_cond_destroy(&redis->changed);
    pthread_mutex_destroy(&redis->mutex);
    free(redis);
}
