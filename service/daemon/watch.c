#include "service/daemon/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct watch_stamp stamp_of(const char *path)
{
    struct watch_stamp stamp = {0};
    struct stat st;

    /* A file that can't be seen now is treated as one that is gone. */
    if (path && stat(path, &st) == 0) {
        stamp.device = st.st_dev;
        stamp.inode = st.st_ino;
        stamp.size = (uint64_t)st.st_size;
        stamp.changed = st.st_mtim;
    }
    return stamp;
}

/* Field by field: padding holds anything. */
static bool is_same(const struct watch_stamp *a, const struct watch_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

bool watch_files(struct watch *watch, const char *const paths[static WATCH_FILES])
{
    for (int i = 0; i < WATCH_FILES; i++) {
        char *copy = NULL;

        /* The mark of a file that is watched already is from before it was loaded: a change since
         * then must be noticed. */
        if (paths[i] && watch->paths[i] && strcmp(paths[i], watch->paths[i]) == 0)
            continue;
        if (paths[i] && !(copy = strdup(paths[i])))
            return false;
        free(watch->paths[i]);
        watch->paths[i] = copy;
        watch->used[i] = watch->seen[i] = stamp_of(copy);
    }
    return true;
}

void watch_mark(struct watch *watch)
{
    for (int i = 0; i < WATCH_FILES; i++)
        watch->used[i] = watch->seen[i] = stamp_of(watch->paths[i]);
}

bool watch_has_changed(struct watch *watch)
{
    bool is_settled = true, is_new = false;

    for (int i = 0; i < WATCH_FILES; i++) {
        struct watch_stamp now = stamp_of(watch->paths[i]);

        is_settled = is_settled && is_same(&now, &watch->seen[i]);
        is_new = is_new || !is_same(&now, &watch->used[i]);
        watch->seen[i] = now;
    }
    return is_settled && is_new;
}

void watch_clear(struct watch *watch)
{
    for (int i = 0; i < WATCH_FILES; i++) {
        free(watch->paths[i]);
        watch->paths[i] = NULL;
    }
}
