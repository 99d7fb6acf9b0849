/* A start during which one call fails: nothing healthy is set aside, passed over or deleted.
 *
 * The calls of the library are wrapped by the linker (tests/CMakeLists.txt).  Each is made to fail
 * once, at its first time, its second, and so on to its last, while a store is opened.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/clicklog_fixture.h"

enum { PER_SEGMENT = 4, N_CLICKS = 10, N_LOGS = 2 };

enum call {
    CALL_OPENAT,
    CALL_FDOPENDIR,
    CALL_READDIR,
    CALL_PREAD,
    CALL_FSTAT,
    CALL_FSTATAT,
    CALL_MMAP,
    CALL_FLOCK,
    CALL_MALLOC,
    CALL_CALLOC,
    CALL_REALLOC,
    CALL_STRDUP,
    CALL_ALIGNED_ALLOC,
    CALLS
};

/* The failure that is wanted: of this thread's `countdown`th `call`.  The keeper's calls are its
 * own. */
static _Thread_local struct {
    bool is_armed;
    enum call call;
    int errnum;
    unsigned countdown;
    bool has_failed;
} wanted;

static bool fails(enum call call)
{
    if (!wanted.is_armed || wanted.call != call || --wanted.countdown > 0)
        return false;
    wanted.is_armed = false;
    wanted.has_failed = true;
    errno = wanted.errnum;
    return true;
}

/* A name and its other for files of any size: which one is called, the headers decide. */
#define WRAP(result, name, parameters, arguments, call, failure) \
    result __real_##name parameters;                             \
    result __wrap_##name parameters;                             \
    result __wrap_##name parameters                              \
    {                                                            \
        return fails(call) ? failure : __real_##name arguments;  \
    }
#define WRAP_BOTH(result, name, parameters, arguments, call, failure) \
    WRAP(result, name, parameters, arguments, call, failure)          \
    WRAP(result, name##64, parameters, arguments, call, failure)

WRAP_BOTH(int, openat, (int fd, const char *path, int flags, mode_t mode), (fd, path, flags, mode),
          CALL_OPENAT, -1)
WRAP_BOTH(struct dirent *, readdir, (DIR * dir), (dir), CALL_READDIR, NULL)
WRAP_BOTH(ssize_t, pread, (int fd, void *out, size_t len, off_t at), (fd, out, len, at), CALL_PREAD,
          -1)
WRAP_BOTH(int, fstat, (int fd, struct stat *out), (fd, out), CALL_FSTAT, -1)
WRAP_BOTH(int, fstatat, (int fd, const char *path, struct stat *out, int flags),
          (fd, path, out, flags), CALL_FSTATAT, -1)
WRAP_BOTH(void *, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t from),
          (at, len, prot, flags, fd, from), CALL_MMAP, MAP_FAILED)
WRAP(DIR *, fdopendir, (int fd), (fd), CALL_FDOPENDIR, NULL)
WRAP(int, flock, (int fd, int how), (fd, how), CALL_FLOCK, -1)
WRAP(void *, malloc, (size_t len), (len), CALL_MALLOC, NULL)
WRAP(void *, calloc, (size_t n, size_t len), (n, len), CALL_CALLOC, NULL)
WRAP(void *, realloc, (void *old, size_t len), (old, len), CALL_REALLOC, NULL)
WRAP(char *, strdup, (const char *text), (text), CALL_STRDUP, NULL)
WRAP(void *, aligned_alloc, (size_t by, size_t len), (by, len), CALL_ALIGNED_ALLOC, NULL)

static const struct {
    const char *name;
    int errnums[4]; /* up to the first 0 */
    bool is_made;   /* a start makes the call: there is something to fail */
} calls[CALLS] = {
    [CALL_OPENAT] = {"openat", {EMFILE, ENOMEM, EIO, EACCES}, true},
    [CALL_FDOPENDIR] = {"fdopendir", {ENOMEM}, true},
    [CALL_READDIR] = {"readdir", {EIO}, true},
    [CALL_PREAD] = {"pread", {EIO}, true},
    [CALL_FSTAT] = {"fstat", {EIO, ENOMEM}, true},
    [CALL_FSTATAT] = {"fstatat", {EIO}, false},
    [CALL_MMAP] = {"mmap", {ENOMEM, EMFILE, EAGAIN}, true},
    [CALL_FLOCK] = {"flock", {ENOLCK, EIO, EINTR, EOPNOTSUPP}, true},
    [CALL_MALLOC] = {"malloc", {ENOMEM}, false},
    [CALL_CALLOC] = {"calloc", {ENOMEM}, true},
    [CALL_REALLOC] = {"realloc", {ENOMEM}, true},
    [CALL_STRDUP] = {"strdup", {ENOMEM}, true},
    [CALL_ALIGNED_ALLOC] = {"aligned_alloc", {ENOMEM}, true},
};

/* A file of zeros in the first log: the machine stopped before it reached the disk.  A start
 * deletes it, so it is put back before each. */
static char blank_path[160];

static void put_blank(void)
{
    int fd = open(blank_path, O_WRONLY | O_CREAT, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, (char[100]){0}, 100), 100);
    close(fd);
}

/* Two starts left a log each, of three segments. */
static int make_state(void **state)
{
    struct clickstore_options options;

    if (!(*state = temp_dir_new()))
        return -1;
    options = options_of(*state);
    options.segment_bytes = bytes_for(PER_SEGMENT);
    options.memory_max = 0;
    for (int i = 0; i < N_LOGS; i++) {
        struct clickstore *store = open_store(&options);
        struct clicklog *log = new_log(store);
        char name[SEGMENT_LOG_NAME_LEN + 1];

        append_range(log, 0, N_CLICKS);
        segment_log_name(clicklog_id(log), name);
        snprintf(blank_path, sizeof(blank_path), "%s/logs/%s/00000099.seg", (char *)*state, name);
        clickstore_close(store);
    }
    return 0;
}

static struct clickstore_options options_for(const char *dir, enum clickstore_mode mode)
{
    struct clickstore_options options = options_of(dir);

    options.segment_bytes = bytes_for(PER_SEGMENT);
    options.mode = mode;
    return options;
}

static bool is_there(const char *dir, const char *name)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

/* All clicks are to be had, and nothing was set aside. */
static void assert_whole(struct clickstore *store, const char *dir)
{
    assert_int_equal(read_all(store), N_LOGS * N_CLICKS);
    assert_int_equal(stats_of(store).dropped[CLICKLOG_DROP_DAMAGED], 0);
    assert_int_equal(stats_of(store).n_set_aside, 0);
    assert_false(is_there(dir, "set-aside"));
}

/* Opens a store while the `nth` call fails with `errnum`.  False: it is not made so often. */
static bool start_with_failure(const char *dir, enum clickstore_mode mode, enum call call,
                               int errnum, unsigned nth)
{
    struct clickstore_options options = options_for(dir, mode);
    struct error err = {0};
    struct clickstore *store;

    put_blank();
    wanted.has_failed = false;
    wanted.call = call;
    wanted.errnum = errnum;
    wanted.countdown = nth;
    wanted.is_armed = true;
    store = clickstore_open(&options, &err);
    wanted.is_armed = false;
    if (store) {
        assert_whole(store, dir); /* the call was made again, or did not matter */
    } else {
        assert_true(err.text[0] != '\0');
        if (nth == 1)
            print_message("    %s\n", err.text);
    }
    clickstore_close(store);
    return wanted.has_failed;
}

/* A start without failures. */
static void start_again(const char *dir)
{
    struct clickstore_options options = options_for(dir, CLICKSTORE_DRAIN);
    struct clickstore *store = open_store(&options);

    assert_whole(store, dir);
    clickstore_close(store);
}

static void any_call_may_fail_in(enum clickstore_mode mode, const char *dir)
{
    for (enum call call = 0; call < CALLS; call++) {
        for (int i = 0; i < 4 && calls[call].errnums[i]; i++) {
            int errnum = calls[call].errnums[i];
            unsigned nth = 1;

            while (start_with_failure(dir, mode, call, errnum, nth)) {
                start_again(dir);
                nth++;
            }
            print_message("%s: %s, %u times\n", calls[call].name, strerror(errnum), nth - 1);
            assert_true(nth > 1 || !calls[call].is_made || mode != CLICKSTORE_SERVE);
        }
    }
}

static void a_start_of_the_daemon(void **state)
{
    any_call_may_fail_in(CLICKSTORE_SERVE, *state);
}

static void a_tool_that_drains(void **state)
{
    any_call_may_fail_in(CLICKSTORE_DRAIN, *state);
}

static void a_tool_that_looks(void **state)
{
    any_call_may_fail_in(CLICKSTORE_INSPECT, *state);
}

static void a_lock_that_the_file_system_does_not_have_stops_the_start(void **state)
{
    struct clickstore_options options = options_for(*state, CLICKSTORE_SERVE);
    struct error err = {0};

    wanted.call = CALL_FLOCK;
    wanted.errnum = ENOLCK;
    wanted.countdown = 1;
    wanted.is_armed = true;
    assert_null(clickstore_open(&options, &err));
    assert_non_null(strstr(err.text, "cannot lock"));
    assert_non_null(strstr(err.text, *state));
}

int main(void)
{
#define STATE(test) cmocka_unit_test_setup_teardown(test, make_state, remove_dir)
    const struct CMUnitTest tests[] = {
        STATE(a_start_of_the_daemon),
        STATE(a_tool_that_drains),
        STATE(a_tool_that_looks),
        STATE(a_lock_that_the_file_system_does_not_have_stops_the_start),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
