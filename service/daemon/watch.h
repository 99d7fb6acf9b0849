/* watch.h - notices that the files of a configuration have changed, so that nobody need send
 * SIGHUP.
 *
 * Kubernetes changes the files of a ConfigMap or Secret by swapping a link; an editor writes a file
 * anew or over itself.  Both are seen by looking at what a path leads to. */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "proto/compiler.h"

/* What a file was when it was looked at; all zero: there was none. */
struct watch_stamp {
    uint64_t device, inode, size;
    struct timespec changed;
};

/* A file that is watched. */
struct watch_file {
    char *path;
    char *restart_key; /* only a restart reads it: the key that names it; NULL = a reload does */
    struct watch_stamp first; /* when it was first watched */
    struct watch_stamp used;  /* of what was loaded last */
    struct watch_stamp seen;  /* at the last look */
    bool is_kept;             /* watch_begin() … watch_end(): it is named still */
};

/* All zero: nothing is watched. */
struct watch {
    struct watch_file *files;
    size_t n;
};

/*
 * Watches from now on the files that are named by watch_add() between these two, and no others.
 * One that was watched before keeps its marks, which are from before it was loaded: a change since
 * then must be noticed.  A new one counts as loaded as it is now.
 *
 * `restart_key` NULL: a reload reads the file.  Copies both texts.  False when out of memory: the
 * file is not watched.
 */
void watch_begin(struct watch *watch);
MUST_USE bool watch_add(struct watch *watch, const char *path, const char *restart_key);
void watch_end(struct watch *watch);

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

/* Writes, separated by commas, the keys of files that have changed since they were first watched
 * and that only a restart reads.  Returns how many it wrote. */
unsigned watch_print_restart(const struct watch *watch, FILE *out);

/* Frees what it holds; all zero will do. */
void watch_clear(struct watch *watch);

#endif
