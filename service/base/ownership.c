#include "service/base/ownership.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/base/error.h"

bool own_folder_check(int fd, const char *path, enum own_folder_use use, struct error *err)
{
    uid_t self = geteuid();
    struct stat st;

    if (use == OWN_FOLDER_LOOK)
        return true;
    if (fstat(fd, &st) != 0) {
        error_set(err, "cannot look at %s: %s", path, strerror(errno));
        return false;
    }
    if (st.st_uid != self && st.st_uid != 0 && !(use == OWN_FOLDER_VISIT && self == 0)) {
        error_set(
            err,
            "%s belongs to user %u, and this process runs as user %u; run it as that user, or "
            "run: chown -R %u %s",
            path, (unsigned)st.st_uid, (unsigned)self, (unsigned)self, path);
        return false;
    }
    if (st.st_mode & 0022) {
        error_set(
            err, "%s: mode %04o lets others write; run: chmod go-w %s (or name a new folder in it)",
            path, (unsigned)(st.st_mode & 07777), path);
        return false;
    }
    return true;
}

bool own_secret_check(int fd, const char *path, struct error *err)
{
    uid_t self = geteuid();
    struct stat st;

    if (fstat(fd, &st) != 0) {
        error_set(err, "%s: cannot look at it: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode))
        return true;
    if (st.st_uid != self && st.st_uid != 0 && self != 0) {
        error_set(err, "%s: belongs to user %u, who could change it; run: chown %u %s", path,
                  (unsigned)st.st_uid, (unsigned)self, path);
        return false;
    }
    if (st.st_mode & 0026) {
        error_set(err,
                  "%s: mode %04o lets other users read or change it, and it holds a password; run: "
                  "chmod g-w,o-rw %s",
                  path, (unsigned)(st.st_mode & 07777), path);
        return false;
    }
    return true;
}

/*
 * Whether root mounted a volume here.  Kubernetes gives an emptyDir to a pod as a folder that
 * everybody may write, without the sticky bit, and a pod that isn't root can't change that; who
 * reaches the volume was decided by whoever mounted it.
 */
static bool is_volume(const char *path, uid_t owner)
{
    struct statx st;

    return owner == 0 && statx(AT_FDCWD, path, 0, STATX_TYPE, &st) == 0 &&
           (st.stx_attributes_mask & st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* Checks all folders above `path`, which exists. */
static bool check_way(const char *path, struct error *err)
{
    char real[PATH_MAX], *slash;
    struct stat st;

    if (!realpath(path, real)) {
        error_set(err, "cannot find the way to %s: %s", path, strerror(errno));
        return false;
    }
    while ((slash = strrchr(real, '/')) && slash[1] != '\0') {
        slash[slash == real] = '\0'; /* keeps the slash of "/name" */
        if (stat(real, &st) != 0) {
            error_set(err, "cannot look at %s: %s", real, strerror(errno));
            return false;
        }
        if ((st.st_mode & 0002) && !(st.st_mode & S_ISVTX) && !is_volume(real, st.st_uid)) {
            error_set(err, "%s: mode %04o of %s lets anybody replace it; run: chmod o-w %s", path,
                      (unsigned)(st.st_mode & 07777), real, real);
            return false;
        }
    }
    return true;
}

int own_folder_open(int at_fd, const char *name, const char *path, enum own_folder_use use,
                    struct error *err)
{
    size_t len = strlen(name);
    char bare[PATH_MAX];
    int fd = -1, errnum, make_errnum = 0;
    struct stat st;

    /* A trailing slash would make openat() follow a link. */
    while (len > 1 && name[len - 1] == '/')
        len--;
    if (len >= sizeof(bare)) {
        error_set(err, "cannot open %s: %s", path, strerror(ENAMETOOLONG));
        return -1;
    }
    memcpy(bare, name, len);
    bare[len] = '\0';
    if (use == OWN_FOLDER_KEEP && mkdirat(at_fd, bare, 0700) != 0 && errno != EEXIST)
        make_errnum = errno;
    /* Where nothing can be made, a folder that is there will do (EROFS comes before EEXIST). */
    if (!make_errnum || make_errnum == EROFS)
        fd = openat(at_fd, bare,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | (use == OWN_FOLDER_LOOK ? 0 : O_NOFOLLOW));
    if (fd < 0) {
        errnum = errno;
        if (make_errnum && (make_errnum != EROFS || errnum == ENOENT))
            error_set(err, "cannot make %s: %s; make it, owned by the user of this service", path,
                      strerror(make_errnum));
        else if ((errnum == ENOTDIR || errnum == ELOOP) &&
                 fstatat(at_fd, bare, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
            error_set(err, "%s is a link; name the folder that it leads to", path);
        else
            error_set(err, "cannot open %s: %s", path, strerror(errnum));
        return -1;
    }
    if (!own_folder_check(fd, path, use, err) ||
        (use != OWN_FOLDER_LOOK && at_fd == AT_FDCWD && !check_way(bare, err))) {
        close(fd);
        return -1;
    }
    return fd;
}
