/* ownership.h - checks that only this process' user and root can change a folder, and that no other
 * user can read a file with a secret. */
#ifndef BASE_OWNERSHIP_H
#define BASE_OWNERSHIP_H
#include <stdbool.h>

#include "proto/compiler.h"

struct error;

enum own_folder_use {
    OWN_FOLDER_KEEP,  /* we write to it; made with mode 0700 if absent; owned by us or root */
    OWN_FOLDER_VISIT, /* a tool works on an existing folder; root may do so whoever owns it */
    OWN_FOLDER_LOOK,  /* a tool only reads; any owner and mode */
};

/*
 * Opens the folder `name` below `at_fd` (AT_FDCWD: `name` is a path from the working directory);
 * `path` is used in error texts.
 *
 * Except with LOOK, it refuses a folder that group or others may write, a folder of another owner
 * (see above), a link in place of the folder, and a path on which another user could replace a
 * folder, because the folder above it is writable for others and not sticky, unless that is where
 * root mounted a volume (a container's).  Links in the path above the folder are followed.
 *
 * Returns a descriptor for close(2); -1 and `*err`, which names the path and the remedy.
 */
MUST_USE int own_folder_open(int at_fd, const char *name, const char *path, enum own_folder_use use,
                             struct error *err);

/* Checks owner and mode of an open folder. */
MUST_USE bool own_folder_check(int fd, const char *path, enum own_folder_use use,
                               struct error *err);

/* Checks a file that holds a secret: others must not read it, group and others must not write it,
 * and it must belong to us or root (if we are root, to anyone).  Anything but a regular file
 * passes, for example a pipe of a shell.  `path` is used in the error text. */
MUST_USE bool own_secret_check(int fd, const char *path, struct error *err);

#endif
