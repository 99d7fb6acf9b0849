#include "service/daemon/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct watch_stamp stamp_of(const char *path)
{
    struct watch_stamp stamp = {0};
    struct stat st;

    /* A file that can't be seen now is treated as one that is gone. */
    if (stat(path, &st) == 0) {
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

static bool is_same_key(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void clear_file(struct watch_file *file)
{
    free(file->path);
    free(file->restart_key);
}

void watch_begin(struct watch *watch)
{
    for (size_t i = 0; i < watch->n; i++)
        watch->files[i].is_kept = false;
}

bool watch_add(struct watch *watch, const char *path, const char *restart_key)
{
    struct watch_file file = {.is_kept = true}, *grown;

    for (size_t i = 0; i < watch->n; i++) {
        if (strcmp(watch->files[i].path, path) == 0 &&
            is_same_key(watch->files[i].restart_key, restart_key)) {
            watch->files[i].is_kept = true;
            return true;
        }
    }
    if (!(file.path = strdup(path)) || (restart_key && !(file.restart_key = strdup(restart_key))) ||
        !(grown = realloc(watch->files, (watch->n + 1) * sizeof(*grown)))) {
        clear_file(&file);
        return false;
    }
    file.first = file.used = file.seen = stamp_of(path);
    watch->files = grown;
    watch->files[watch->n++] = file;
    return true;
}

void watch_end(struct watch *watch)
{
    size_t n = 0;

    for (size_t i = 0; i < watch->n; i++) {
        if (watch->files[i].is_kept)
            watch->files[n++] = watch->files[i];
        else
            clear_file(&watch->files[i]);
    }
    watch->n = n;
}

void watch_mark(struct watch *watch)
{
    for (size_t i = 0; i < watch->n; i++)
        watch->files[i].used = watch->files[i].seen = stamp_of(watch->files[i].path);
}

bool watch_has_changed(struct watch *watch)
{
    bool is_settled = true, is_new = false;

    for (size_t i = 0; i < watch->n; i++) {
        struct watch_file *file = &watch->files[i];
        struct watch_stamp now = stamp_of(file->path);

        is_settled = is_settled && is_same(&now, &file->seen);
        is_new = is_new || !is_same(&now, &file->used);
        file->seen = now;
    }
    return is_settled && is_new;
}

unsigned watch_print_restart(const struct watch *watch, FILE *out)
{
    unsigned n = 0;

    for (size_t i = 0; i < watch->n; i++) {
        const struct watch_file *file = &watch->files[i];

        if (file->restart_key && !is_same(&file->first, &file->used))
            fprintf(out, "%s%s", n++ ? "," : "", file->restart_key);
    }
    return n;
}

void watch_clear(struct watch *watch)
{
    for (size_t i = 0; i < watch->n; i++)
        clear_file(&watch->files[i]);
    free(watch->files);
    *watch = (struct watch){0};
}
