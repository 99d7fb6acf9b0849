/* watch.h - notices that the files of a configuration have changed, so that nobody need send
 * SIGHUP.
 *
 * Kubernetes changes the files of a ConfigMap or Secret by swapping a link; an editor writes a file
 * anew or over itself.  Both are seen by looking at what a path leads to. */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "proto/compiler.h"

enum { WATCH_FILES = 3 }; /* the configuration, its keys, its API keys */

/* What a file was when it was looked at; all zero: there was none. */
struct watch_stamp {
    uint64_t device, inode, size;
    struct timespec changed;
};

struct watch {
    char *paths[WATCH_FILES];
    struct watch_stamp used[WATCH_FILES]; /* of what was loaded last */
    struct watch_stamp seen[WATCH_FILES]; /* at the last look */
};

/* Watches these files from now on; a NULL is none.  Those that it does not watch yet count as
 * loaded as they are now.  Copies the paths.  False when out of memory; then some are those of
 * before. */
MUST_USE bool watch_files(struct watch *watch, const char *const paths[static WATCH_FILES]);

/* What is there now is what counts as loaded.  Call it before loading, so that what changes
 * meanwhile is noticed, and whether loading succeeds or not, so that a bad file is read once. */
void watch_mark(struct watch *watch);

/*
 * Looks once; to be called every second or so.
 *
 * Returns true when something differs from what was loaded, and is the same as at the look before:
 * a file that is just being written is waited for.
 */
bool watch_has_changed(struct watch *watch);

/* Frees what it holds; all zero will do. */
void watch_clear(struct watch *watch);

#endif
