/* The reader that was written from FORMATS.md sees what we see, in whole and in damaged logs. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/clicklog_fixture.h"

enum { PER_SEGMENT = 100, N_CLICKS = 1042 };

struct sum {
    char id[SEGMENT_LOG_NAME_LEN + 1];
    unsigned long long first, end, clicks, lost, unused;
};

static void need_python(void)
{
    if (system("python3 -c '' 2>/dev/null") != 0) {
        print_message("skipped: no python3\n");
        skip();
    }
}

/* What the other reader says of the only log. */
static void read_by_the_other(const char *dir, struct sum *out)
{
    char command[512], line[256], rest[16];
    FILE *p;

    snprintf(command, sizeof(command), "python3 '%s/tests/integration/read_log.py' --sum '%s'",
             SOURCE_DIR, dir);
    p = popen(command, "r");
    assert_non_null(p);
    assert_non_null(fgets(line, sizeof(line), p));
    assert_null(fgets(rest, sizeof(rest), p)); /* one log */
    assert_int_equal(sscanf(line,
                            "{\"id\": \"%32[0-9a-f]\", \"first\": %llu, \"end\": %llu, "
                            "\"clicks\": %llu, \"lost\": %llu, \"unused\": %llu}",
                            out->id, &out->first, &out->end, &out->clicks, &out->lost,
                            &out->unused),
                     6);
    assert_int_equal(pclose(p), 0);
}

static void assert_both_agree(const char *dir, uint64_t n_want)
{
    struct clickstore_options options = options_of(dir);
    struct clickstore *store;
    struct clicklog *log;
    struct sum sum;
    char id[SEGMENT_LOG_NAME_LEN + 1];

    read_by_the_other(dir, &sum);
    options.mode = CLICKSTORE_DRAIN;
    store = open_store(&options);
    log = clicklog_next(store, NULL);
    assert_non_null(log);
    segment_log_name(clicklog_id(log), id);
    assert_string_equal(sum.id, id);
    assert_int_equal(sum.first, clicklog_first(log));
    assert_int_equal(sum.end, clicklog_tail(log));
    assert_int_equal(sum.clicks, read_all(store));
    assert_int_equal(sum.clicks, n_want);
    assert_int_equal(sum.lost, stats_of(store).dropped[CLICKLOG_DROP_DAMAGED]);
    assert_int_equal(sum.unused, stats_of(store).n_set_aside);
    clickstore_close(store);
}

static void write_log(const char *dir, char log_dir[static 128])
{
    struct clickstore_options options = options_of(dir);
    struct clickstore *store;
    struct clicklog *log;
    char id[SEGMENT_LOG_NAME_LEN + 1];

    options.segment_bytes = bytes_for(PER_SEGMENT);
    options.memory_max = 0; /* so that every segment but the last is full */
    store = open_store(&options);
    log = new_log(store);
    append_range(log, 0, N_CLICKS);
    segment_log_name(clicklog_id(log), id);
    snprintf(log_dir, 128, "%s/logs/%s", dir, id);
    clickstore_close(store);
}

static void sees_every_click_of_a_whole_log(void **state)
{
    char log_dir[128];

    need_python();
    write_log(*state, log_dir);
    assert_both_agree(*state, N_CLICKS);
}

/* The file whose records begin with position `first`. */
static void find_file(const char *log_dir, uint64_t first, char path[static 160])
{
    uint8_t head[SEGMENT_HEADER_LEN];
    struct segment_header header = {0};
    uint32_t sequence = 0;

    do {
        char name[SEGMENT_FILE_NAME_LEN + 1];
        int fd;

        assert_true(sequence < 100);
        segment_file_name(sequence++, name);
        snprintf(path, 160, "%s/%s", log_dir, name);
        fd = open(path, O_RDONLY);
        if (fd < 0)
            continue;
        assert_int_equal(read(fd, head, sizeof(head)), sizeof(head));
        close(fd);
        assert_int_equal(segment_header_decode(head, &header), SEGMENT_OK);
    } while (header.capacity == 0 || header.first != first);
}

/* Changes a byte, whatever it was: tags differ, for each log has a random id. */
static void damage(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0xff;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void agrees_on_what_damage_costs(void **state)
{
    char log_dir[128], path[160];

    need_python();
    write_log(*state, log_dir);
    find_file(log_dir, PER_SEGMENT, path); /* two records */
    damage(path, 64 + 5 * 64 + 20);
    damage(path, 64 + 50 * 64 + 63);
    find_file(log_dir, 3 * PER_SEGMENT, path); /* a cut inside a record: half the segment */
    assert_int_equal(truncate(path, 64 + 49 * 64 + 17), 0);
    find_file(log_dir, 5 * PER_SEGMENT, path); /* the header: the segment */
    damage(path, 33);
    assert_both_agree(*state, N_CLICKS - 2 - 51 - 100);
}

int main(void)
{
#define READER(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        READER(sees_every_click_of_a_whole_log),
        READER(agrees_on_what_damage_costs),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
