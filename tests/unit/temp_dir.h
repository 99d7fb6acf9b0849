/* temp_dir.h - a directory of its own for a test that needs files. */
#ifndef TESTS_TEMP_DIR_H
#define TESTS_TEMP_DIR_H
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A fresh directory, or NULL. */
static inline char *temp_dir_new(void)
{
    char path[] = "/tmp/hopcount-test.XXXXXX";

    return mkdtemp(path) ? strdup(path) : NULL;
}

static inline int temp_dir_remove_entry(const char *path, const struct stat *st, int type,
                                        struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Removes it with all it holds. */
static inline void temp_dir_free(char *path)
{
    nftw(path, temp_dir_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

#endif
