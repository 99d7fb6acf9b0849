/* statedir.h - the directory that holds the click logs: its lock, and the place for bad files.
 *
 *     state_dir/lock         flock()ed by the process that uses it; its pid is inside
 *     state_dir/logs/        a directory per log
 *     state_dir/set-aside/   unusable files that were in logs/; never deleted by us */
#ifndef CLICKLOG_STATEDIR_H
#define CLICKLOG_STATEDIR_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/base/ownership.h"

struct error;

struct statedir {
    int fd;
    int lock_fd;           /* -1: the directory can't be written, so only `fd` is locked */
    int logs_fd;           /* -1: not made yet */
    uint64_t n_set_aside;  /* by this process */
    char aside_names[512]; /* the first names, for the log line */
};

#define STATEDIR_INIT ((struct statedir){.fd = -1, .lock_fd = -1, .logs_fd = -1})

/* Opens `path`, and refuses one that others may change (ownership.h).  False and `*err` on
 * failure. */
MUST_USE bool statedir_open(struct statedir *dir, const char *path, enum own_folder_use use,
                            struct error *err);

/* Locks the directory against other processes until statedir_clear(); `path` is for the error text.
 * False and `*err` when another process holds the lock (the text names its pid), or when the file
 * system can't lock. */
MUST_USE bool statedir_lock(struct statedir *dir, const char *path, struct error *err);

/* Opens logs/; with `make` it is made if absent.  0, or an errno.  May be called again. */
MUST_USE int statedir_open_logs(struct statedir *dir, bool make);

/* True if logs/ exists, or may exist although it could not be opened.  It may then hold logs of
 * earlier starts. */
MUST_USE bool statedir_may_have_logs(const struct statedir *dir);

/* Closes logs/, so that it is opened or made again; for when it was removed. */
void statedir_close_logs(struct statedir *dir);

/* Makes the directory of a log and syncs its entry; 0, or an errno. */
MUST_USE int statedir_make_log(struct statedir *dir, const char *log_name);

/* Moves logs/`path` to set-aside/, under a free name; `why` is for the log line that
 * statedir_report() writes.  A move that fails is reported too, and the file is ignored. */
void statedir_set_aside(struct statedir *dir, const char *path, const char *why);
/* Logs what was set aside since the last report, in one line, because log.h holds back repeats. */
void statedir_report(struct statedir *dir);

/* Unlocks and closes. */
void statedir_clear(struct statedir *dir);

#endif
