#include "service/clicklog/segment_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum {
    TOUCHED_LEN = 64 << 10, /* bytes touched at first: one tick of the keeper */
    ZEROS_STEP = 64 << 10,  /* bytes written by one call */
    BLANK_STEP = 4096,      /* bytes compared by one call */
};

void segment_path(const uint8_t log_id[static CLICK_LOG_ID_LEN], uint32_t sequence,
                  char out[static SEGMENT_PATH_LEN + 1])
{
    segment_log_name(log_id, out);
    out[SEGMENT_LOG_NAME_LEN] = '/';
    segment_file_name(sequence, out + SEGMENT_LOG_NAME_LEN + 1);
}

void segment_unlink(const struct segment *seg, int logs_fd)
{
    char path[SEGMENT_PATH_LEN + 1];

    if (!seg->on_disk)
        return;
    segment_path(seg->header.log_id, seg->header.sequence, path);
    unlinkat(logs_fd, path, 0);
}

void segment_trim(struct segment *seg, int logs_fd, uint64_t n)
{
    uint64_t bytes = SEGMENT_HEADER_LEN + n * CLICK_RECORD_LEN;
    char path[SEGMENT_PATH_LEN + 1];
    int fd;

    /* Not if pages were replaced: then memory doesn't hold what is in the file. */
    if (!seg->on_disk || seg->bytes <= bytes || atomic_load(&seg->guard.hit))
        return;
    segment_path(seg->header.log_id, seg->header.sequence, path);
    fd = openat(logs_fd, path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (ftruncate(fd, (off_t)bytes) == 0)
        seg->bytes = bytes;
    close(fd);
}

static struct segment *segment_alloc(uint32_t capacity)
{
    struct segment *seg = calloc(1, sizeof(*seg));

    if (seg) {
        seg->map = MAP_FAILED;
        seg->n_slots = capacity;
        seg->bytes = segment_bytes(capacity);
        seg->map_len = (size_t)seg->bytes;
    }
    return seg;
}

void segment_free(struct segment *seg)
{
    if (!seg)
        return;
    segment_guard_remove(&seg->guard);
    if (seg->map != MAP_FAILED)
        munmap(seg->map, seg->map_len);
    free(seg);
}

static void write_header(struct segment *seg)
{
    segment_header_encode(&seg->header, seg->map);
}

void segment_activate(struct segment *seg, uint64_t first)
{
    seg->header.first = first;
    write_header(seg);
}

bool segment_touch(struct segment *seg, uint64_t from, uint64_t len)
{
    size_t mask = (size_t)sysconf(_SC_PAGESIZE) - 1;
    size_t begin = (size_t)from & ~mask;
    size_t end = from + len < seg->map_len ? (size_t)(from + len) : seg->map_len;

    if (begin >= end)
        return true;
    end = (end + mask) & ~mask;
    /* A kernel before 5.14 rejects the advice; then the worker takes the page faults itself. */
    return madvise(seg->map + begin, end - begin, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
}

struct segment *segment_new_memory(const uint8_t log_id[static CLICK_LOG_ID_LEN], uint32_t capacity,
                                   int64_t now_ms)
{
    struct segment *seg = segment_alloc(capacity);

    if (!seg)
        return NULL;
    /* Not populated, because most segments in memory are never written to. */
    seg->map = mmap(NULL, seg->map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (seg->map == MAP_FAILED) {
        segment_free(seg);
        return NULL;
    }
    seg->header = (struct segment_header){
        .first = SEGMENT_FIRST_NONE, .created_ms = now_ms, .capacity = capacity};
    memcpy(seg->header.log_id, log_id, CLICK_LOG_ID_LEN);
    return seg;
}

void segment_forget(struct segment *seg)
{
    /* Pages that were replaced exist only in memory. */
    if (seg->on_disk && !atomic_load(&seg->guard.hit))
        (void)madvise(seg->map, seg->map_len, MADV_DONTNEED);
}

/* Maps the file and adds it to the SIGBUS guard; 0 or an errno. */
static int map_file(struct segment *seg, int fd, int protection)
{
    seg->map = mmap(NULL, seg->map_len, protection, MAP_SHARED, fd, 0);
    if (seg->map == MAP_FAILED)
        return errno;
    return segment_guard_add(&seg->guard, seg->map, seg->map_len) ? 0 : ENOMEM;
}

static int write_zeros(int fd, uint64_t len)
{
    static const uint8_t zeros[ZEROS_STEP];
    uint64_t at = 0;

    while (at < len) {
        size_t left = len - at < sizeof(zeros) ? (size_t)(len - at) : sizeof(zeros);
        ssize_t n = pwrite(fd, zeros, left, (off_t)at);

        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? (uint64_t)n : 0;
    }
    return 0;
}

/*
 * Reserves the blocks and writes zeros to all of them, so that the worker's stores never allocate
 * blocks.  Uses write calls and not the mapping, which would take a fault for every page and keep
 * all of them in the process's memory long before the worker needs them.
 */
static int fill_file(struct segment *seg, int fd)
{
    int errnum = posix_fallocate(fd, 0, (off_t)seg->bytes);

    if (errnum == 0)
        errnum = write_zeros(fd, seg->bytes);
    if (errnum == 0)
        errnum = map_file(seg, fd, PROT_READ | PROT_WRITE);
    if (errnum)
        return errnum;
    write_header(seg);
    return segment_touch(seg, 0, TOUCHED_LEN) ? 0 : ENOSPC;
}

static int sync_directory(int logs_fd, const char *path)
{
    char dir[SEGMENT_LOG_NAME_LEN + 1];
    int fd, errnum = 0;

    snprintf(dir, sizeof(dir), "%.*s", SEGMENT_LOG_NAME_LEN, path);
    fd = openat(logs_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fsync(fd) != 0)
        errnum = errno;
    close(fd);
    return errnum;
}

/* Makes the file under a temporary name, and renames it when it is complete. */
static int make_file(struct segment *seg, int logs_fd, const char *path)
{
    char made[SEGMENT_PATH_LEN + sizeof(".new")];
    int fd, errnum;

    snprintf(made, sizeof(made), "%s.new", path);
    fd = openat(logs_fd, made, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    errnum = fill_file(seg, fd);
    close(fd);
    if (errnum == 0 && renameat(logs_fd, made, logs_fd, path) != 0)
        errnum = errno;
    if (errnum)
        unlinkat(logs_fd, made, 0);
    return errnum;
}

int segment_settle(struct segment *seg, int logs_fd)
{
    char path[SEGMENT_PATH_LEN + 1];
    int errnum;

    if (!seg->on_disk || seg->settled)
        return 0;
    errnum = segment_sync(seg);
    if (errnum)
        return errnum;
    segment_path(seg->header.log_id, seg->header.sequence, path);
    errnum = sync_directory(logs_fd, path);
    seg->settled = errnum == 0;
    return errnum;
}

struct segment *segment_new_file(const struct segment_place *place, uint32_t capacity,
                                 int64_t now_ms, int *errnum)
{
    struct segment *seg = segment_alloc(capacity);
    char path[SEGMENT_PATH_LEN + 1];

    if (!seg) {
        *errnum = ENOMEM;
        return NULL;
    }
    seg->on_disk = true;
    seg->header = (struct segment_header){.first = SEGMENT_FIRST_NONE,
                                          .created_ms = now_ms,
                                          .sequence = place->sequence,
                                          .capacity = capacity};
    memcpy(seg->header.log_id, place->log_id, CLICK_LOG_ID_LEN);
    segment_path(place->log_id, place->sequence, path);
    *errnum = make_file(seg, place->logs_fd, path);
    if (*errnum) {
        segment_free(seg);
        return NULL;
    }
    return seg;
}

/* SEGMENT_OPEN_BLANK if the file holds nothing but zeros, otherwise `else_`. */
static enum segment_open check_blank(int fd, enum segment_open else_, int *errnum)
{
    static const uint8_t zeros[BLANK_STEP];
    uint8_t bytes[BLANK_STEP];
    off_t at = 0;
    ssize_t n;

    while ((n = pread(fd, bytes, sizeof(bytes), at)) > 0) {
        if (memcmp(bytes, zeros, (size_t)n) != 0)
            return else_;
        at += n;
    }
    *errnum = n < 0 ? errno : 0;
    return n < 0 ? SEGMENT_OPEN_FAILED : SEGMENT_OPEN_BLANK;
}

/* Reads the header and checks that it belongs to this place. */
static enum segment_open check_head(const struct segment_place *place, int fd,
                                    struct segment_header *header, int *errnum)
{
    uint8_t head[SEGMENT_HEADER_LEN];
    ssize_t n = pread(fd, head, sizeof(head), 0);

    if (n < 0) {
        *errnum = errno;
        return SEGMENT_OPEN_FAILED;
    }
    if (n < SEGMENT_HEADER_LEN)
        return check_blank(fd, SEGMENT_OPEN_NO_SEGMENT, errnum);
    switch (segment_header_decode(head, header)) {
    case SEGMENT_FOREIGN:
        return check_blank(fd, SEGMENT_OPEN_NO_SEGMENT, errnum);
    case SEGMENT_NEWER:
        return SEGMENT_OPEN_NEWER;
    case SEGMENT_DAMAGED:
        return SEGMENT_OPEN_DAMAGED;
    case SEGMENT_OK:
        break;
    }
    if (header->sequence != place->sequence ||
        memcmp(header->log_id, place->log_id, CLICK_LOG_ID_LEN) != 0)
        return SEGMENT_OPEN_MISPLACED;
    return SEGMENT_OPEN_OK;
}

static enum segment_open open_fd(const struct segment_place *place, int fd, struct segment **out,
                                 int *errnum)
{
    struct segment_header header = {0};
    enum segment_open result;
    struct segment *seg = NULL;
    struct stat st;
    uint64_t n;

    if (fstat(fd, &st) != 0) {
        *errnum = errno;
        return SEGMENT_OPEN_FAILED;
    }
    if (!S_ISREG(st.st_mode))
        return SEGMENT_OPEN_NO_SEGMENT;
    result = check_head(place, fd, &header, errnum);
    if (result != SEGMENT_OPEN_OK)
        return result;
    *errnum = ENOMEM;
    /* A record cut in the middle counts, and reads as damaged. */
    n = ((uint64_t)st.st_size - SEGMENT_HEADER_LEN + CLICK_RECORD_LEN - 1) / CLICK_RECORD_LEN;
    seg = segment_alloc(n < header.capacity ? (uint32_t)n : header.capacity);
    if (!seg)
        return SEGMENT_OPEN_FAILED;
    seg->on_disk = true;
    seg->bytes = (uint64_t)st.st_size;
    seg->header = header;
    *errnum = map_file(seg, fd, PROT_READ);
    if (*errnum) {
        segment_free(seg);
        return SEGMENT_OPEN_FAILED;
    }
    *out = seg;
    return SEGMENT_OPEN_OK;
}

enum segment_open segment_open_file(const struct segment_place *place, struct segment **out,
                                    int *errnum)
{
    char path[SEGMENT_PATH_LEN + 1];
    enum segment_open result;
    int fd;

    segment_path(place->log_id, place->sequence, path);
    /* O_NONBLOCK, so that a pipe in the directory doesn't block the start. */
    fd = openat(place->logs_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        *errnum = errno;
        /* ELOOP: a link.  ENXIO: a socket, or a device without a driver. */
        return errno == ELOOP || errno == ENXIO ? SEGMENT_OPEN_NO_SEGMENT : SEGMENT_OPEN_FAILED;
    }
    result = open_fd(place, fd, out, errnum);
    close(fd);
    return result;
}

int segment_sync(struct segment *seg)
{
    /* On Linux msync() of a shared mapping syncs the file, as fdatasync(2) does. */
    return seg->on_disk && msync(seg->map, seg->map_len, MS_SYNC) != 0 ? errno : 0;
}
