/* A start on a state_dir whose one segment file is the input: whatever is in it, the start goes on,
 * the reader comes to an end, and the file is read, set aside or gone.
 *
 * The first byte says what to put right, so that the fuzzer gets past the checksums: bit 0 the
 * header's, bit 1 the records', bit 2 magic, version, log and number too.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "proto/segment.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore.h"

enum { FIX_HEADER = 1, FIX_RECORDS = 2, FIX_NAMES = 4, FILE_MAX = 64 * 64 };

static const uint8_t log_id[CLICK_LOG_ID_LEN] = {1, 2, 3, 4};

struct place {
    char dir[64], logs[80], log[128], file[160];
};

static void seal(uint8_t *block, const uint8_t *key)
{
    uint8_t hash[crypto_shorthash_BYTES];

    crypto_shorthash(hash, block, 60, key);
    memcpy(block + 60, hash, 4);
}

static void put_right(uint8_t fix, uint8_t *bytes, size_t len)
{
    if (len >= SEGMENT_HEADER_LEN && (fix & FIX_NAMES)) {
        memcpy(bytes, "HCLICKS\n\1\0\0\0\0\0\0\0", 16);
        memcpy(bytes + 16, log_id, sizeof(log_id));
        memset(bytes + 52, 0, 8);
    }
    if (len >= SEGMENT_HEADER_LEN && (fix & FIX_HEADER))
        seal(bytes, bytes + 16);
    if (fix & FIX_RECORDS) {
        for (size_t at = SEGMENT_HEADER_LEN; at + CLICK_RECORD_LEN <= len; at += CLICK_RECORD_LEN)
            seal(bytes + at, log_id);
    }
}

static void make_place(struct place *p)
{
    char name[SEGMENT_LOG_NAME_LEN + 1];

    segment_log_name(log_id, name);
    snprintf(p->dir, sizeof(p->dir), "/dev/shm/fuzz-segment-%ld", (long)getpid());
    snprintf(p->logs, sizeof(p->logs), "%s/logs", p->dir);
    snprintf(p->log, sizeof(p->log), "%s/%s", p->logs, name);
    snprintf(p->file, sizeof(p->file), "%s/00000000.seg", p->log);
    mkdir(p->dir, 0700);
    mkdir(p->logs, 0700);
    mkdir(p->log, 0700);
}

static void write_file(const struct place *p, const uint8_t *bytes, size_t len)
{
    int fd = open(p->file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        abort();
    close(fd);
}

static void remove_place(const struct place *p)
{
    char command[128];

    snprintf(command, sizeof(command), "%s/set-aside/%.32s-00000000.seg", p->dir,
             p->log + strlen(p->logs) + 1);
    unlink(command);
    unlink(p->file);
    rmdir(p->log);
}

/* No more clicks than slots, and no more positions than a log can have. */
static void read_log(struct clicklog *log, size_t n_slots)
{
    static struct click clicks[FILE_MAX / CLICK_RECORD_LEN];
    uint64_t position = clicklog_first(log);
    size_t passed, n_clicks, n = 0;

    while ((passed = clicklog_read(log, position, 16, clicks, &n_clicks)) > 0) {
        if (n_clicks > 16 || position + passed > clicklog_tail(log))
            abort();
        position += passed;
        n += n_clicks;
    }
    if (position != clicklog_tail(log) || n > n_slots)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct clickstore_options options = {
        .mode = CLICKSTORE_INSPECT, /* no thread to start for every input */
        .segment_bytes = 128,
        .disk_max = 1 << 20,
    };
    struct clickstore *store;
    struct clicklog *log;
    struct error err = {0};
    struct place place;
    uint8_t bytes[FILE_MAX];

    if (size < 1 || size - 1 > sizeof(bytes) || sodium_init() < 0)
        return 0;
    log_set_level(LOG_LEVEL_ERROR);
    memcpy(bytes, data + 1, size - 1);
    put_right(data[0], bytes, size - 1);
    make_place(&place);
    write_file(&place, bytes, size - 1);
    options.state_dir = place.dir;
    store = clickstore_open(&options, &err);
    if (!store)
        abort();
    log = clicklog_next(store, NULL);
    if (log)
        read_log(log, size / CLICK_RECORD_LEN);
    clickstore_close(store);
    remove_place(&place);
    return 0;
}
