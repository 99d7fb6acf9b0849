/* ownership.h - folders that nobody but the user of this process, or root, may change, and files
 * with secrets that nobody else may read. */
#ifndef BASE_OWNERSHIP_H
#define BASE_OWNERSHIP_H
#include <stdbool.h>

#include "proto/compiler.h"

struct error;

enum own_folder_use {
    OWN_FOLDER_KEEP,  /* we write there: made with mode 0700 if absent; its owner is us or root */
    OWN_FOLDER_VISIT, /* a tool works on another's folder: it exists; root may do so, whoever owns
                         it */
    OWN_FOLDER_LOOK,  /* a tool only reads: whoever owns it, whoever may write */
};

/*
 * Opens the folder `name` below `at_fd` (AT_FDCWD: `name` is a path from the working directory);
 * `path` is for texts.
 *
 * Refused, but for LOOK: a folder that group or others may write; one of another owner (see above);
 * a link in the place of the folder; and a path on which anybody may exchange a folder, for it lies
 * in one that others may write and that isn't sticky.  A link on the way to the folder is followed.
 *
 * Returns a descriptor for close(2); -1 and `*err`, which names the path and the remedy.
 */
MUST_USE int own_folder_open(int at_fd, const char *name, const char *path, enum own_folder_use use,
                             struct error *err);

/* The checks of owner and mode alone, of a folder that is open. */
MUST_USE bool own_folder_check(int fd, const char *path, enum own_folder_use use,
                               struct error *err);

/* Checks a file that holds a secret: others may not read it, group and others may not write it, and
 * it belongs to us or root (for root: to anybody).  What isn't a regular file passes: a pipe of a
 * shell. `path` is for the text. */
MUST_USE bool own_secret_check(int fd, const char *path, struct error *err);

#endif
