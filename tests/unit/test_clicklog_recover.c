/* What a start makes of the files it finds: cut, flipped, missing, foreign. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "files.h"
#include "proto/bytes.h"
#include "tests/unit/clicklog_fixture.h"

/* The log under test: three segments of four clicks, the last holds two. */
enum { PER_SEGMENT = 4, N_SEGMENTS = 3, N_CLICKS = 10, IMAGE_MAX = 1024 };

struct image {
    char path[128];
    uint8_t bytes[IMAGE_MAX];
    size_t len;
};

struct scene {
    char *dir;
    char log_dir[64 + 33];
    uint8_t log_id[CLICK_LOG_ID_LEN];
    struct image segments[N_SEGMENTS]; /* in the order of positions */
};

static void read_image(struct image *image)
{
    int fd = open(image->path, O_RDONLY);
    ssize_t len;

    assert_true(fd >= 0);
    len = read(fd, image->bytes, IMAGE_MAX);
    assert_true(len > SEGMENT_HEADER_LEN && len < IMAGE_MAX);
    image->len = (size_t)len;
    close(fd);
}

/* Puts the checksum of a header right. */
static void seal(uint8_t head[static SEGMENT_HEADER_LEN])
{
    uint8_t hash[crypto_shorthash_BYTES];

    crypto_shorthash(hash, head, 60, head + 16);
    memcpy(head + 60, hash, 4);
}

/* One that writes at leisure, so that every segment is a file from the start. */
static void write_log(struct scene *s)
{
    struct clickstore_options options = options_of(s->dir);
    struct clickstore *store;
    struct clicklog *log;
    char name[SEGMENT_LOG_NAME_LEN + 1];

    options.segment_bytes = bytes_for(PER_SEGMENT);
    options.memory_max = 0;
    store = open_store(&options);
    log = new_log(store);
    append_range(log, 0, N_CLICKS);
    memcpy(s->log_id, clicklog_id(log), CLICK_LOG_ID_LEN);
    clickstore_close(store);
    segment_log_name(s->log_id, name);
    snprintf(s->log_dir, sizeof(s->log_dir), "%s/logs/%s", s->dir, name);
}

static int scene_setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    if (!s || !(s->dir = temp_dir_new()))
        return -1;
    write_log(s);
    for (uint32_t i = 0, n = 0; n < N_SEGMENTS; i++) {
        struct image image;
        struct segment_header header;
        char name[SEGMENT_FILE_NAME_LEN + 1];

        assert_true(i < 100);
        segment_file_name(i, name);
        snprintf(image.path, sizeof(image.path), "%s/%s", s->log_dir, name);
        if (access(image.path, F_OK) != 0)
            continue;
        read_image(&image);
        assert_int_equal(segment_header_decode(image.bytes, &header), SEGMENT_OK);
        assert_int_equal(header.first % PER_SEGMENT, 0);
        s->segments[header.first / PER_SEGMENT] = image;
        n++;
    }
    *state = s;
    return 0;
}

static int scene_teardown(void **state)
{
    struct scene *s = *state;

    temp_dir_free(s->dir);
    free(s);
    return 0;
}

/* The log as it was left, but segment `but` with `len` of `bytes`; NULL = without it. */
static void restore(const struct scene *s, int but, const uint8_t *bytes, size_t len)
{
    mkdir(s->log_dir, 0700);
    for (int i = 0; i < N_SEGMENTS; i++) {
        const struct image *image = &s->segments[i];

        if (i != but)
            write_bytes(image->path, image->bytes, image->len);
        else if (bytes)
            write_bytes(image->path, bytes, len);
        else
            unlink(image->path);
    }
}

struct outcome {
    uint64_t n_read, n_damaged, n_set_aside, first, tail;
};

/* Reads everything twice: damage must be counted once. */
static struct outcome recover(const struct scene *s)
{
    struct clickstore_options options = options_of(s->dir);
    struct outcome out = {0};
    struct clickstore *store;
    struct clicklog *log;

    options.mode = CLICKSTORE_DRAIN;
    store = open_store(&options);
    log = clicklog_next(store, NULL);
    out.n_read = read_all(store);
    assert_int_equal(read_all(store), out.n_read);
    out.n_damaged = stats_of(store).dropped[CLICKLOG_DROP_DAMAGED];
    out.n_set_aside = stats_of(store).n_set_aside;
    out.first = log ? clicklog_first(log) : 0;
    out.tail = log ? clicklog_tail(log) : 0;
    clickstore_close(store);
    return out;
}

static unsigned count_set_aside(const struct scene *s)
{
    char command[256];
    unsigned n = 0;
    FILE *p;

    snprintf(command, sizeof(command), "find %s/set-aside -type f 2>/dev/null | wc -l", s->dir);
    p = popen(command, "r");
    assert_non_null(p);
    assert_int_equal(fscanf(p, "%u", &n), 1);
    pclose(p);
    return n;
}

static void a_whole_log_loses_nothing(void **state)
{
    struct outcome out = recover(*state);

    assert_int_equal(out.n_read, N_CLICKS);
    assert_int_equal(out.n_damaged, 0);
    assert_int_equal(out.n_set_aside, 0);
    assert_int_equal(out.first, 0);
    assert_int_equal(out.tail, N_CLICKS);
}

/* Records that a file cut to `len` still holds.  One of which only zeros were cut off is whole: of
 * 256 checksums one ends with a zero. */
static uint64_t count_whole(const struct image *image, size_t len)
{
    size_t end = len;

    if (len < SEGMENT_HEADER_LEN)
        return 0;
    while (end < image->len && end % CLICK_RECORD_LEN != 0 && image->bytes[end] == 0)
        end++;
    return (end % CLICK_RECORD_LEN == 0 ? end : len) / CLICK_RECORD_LEN - 1;
}

static void a_segment_cut_at_any_byte_loses_only_what_was_cut(void **state)
{
    const struct scene *s = *state;
    const struct image *image = &s->segments[1];
    unsigned n_aside = 0;

    for (size_t len = 0; len <= image->len; len++) {
        uint64_t whole = count_whole(image, len);
        bool is_aside = len > 0 && len < SEGMENT_HEADER_LEN; /* an empty file is nothing */
        struct outcome out;

        restore(s, 1, image->bytes, len);
        out = recover(s);
        n_aside += is_aside;
        assert_int_equal(out.n_read, N_CLICKS - PER_SEGMENT + whole);
        assert_int_equal(out.n_damaged, PER_SEGMENT - whole);
        assert_int_equal(out.n_set_aside, is_aside);
        assert_int_equal(out.tail, N_CLICKS);
    }
    assert_int_equal(count_set_aside(s), n_aside);
}

static void the_last_segment_cut_at_any_byte_ends_the_log_there(void **state)
{
    const struct scene *s = *state;
    const struct image *image = &s->segments[2];

    for (size_t len = 0; len <= image->len; len++) {
        uint64_t whole = count_whole(image, len);
        bool torn = len > SEGMENT_HEADER_LEN && len > (whole + 1) * CLICK_RECORD_LEN;
        struct outcome out;

        restore(s, 2, image->bytes, len);
        out = recover(s);
        assert_int_equal(out.n_read, 2 * PER_SEGMENT + whole);
        assert_int_equal(out.n_damaged, torn);
        assert_int_equal(out.tail, 2 * PER_SEGMENT + whole + torn);
    }
}

static void a_flipped_bit_loses_one_click_or_sets_one_file_aside(void **state)
{
    const struct scene *s = *state;
    struct image image = s->segments[1];

    for (size_t bit = 0; bit < image.len * 8; bit++) {
        bool in_header = bit < SEGMENT_HEADER_LEN * 8;
        uint64_t lost = in_header ? PER_SEGMENT : 1;
        struct outcome out;

        image.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        restore(s, 1, image.bytes, image.len);
        image.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        out = recover(s);
        assert_int_equal(out.n_read, N_CLICKS - lost);
        assert_int_equal(out.n_damaged, lost);
        assert_int_equal(out.n_set_aside, in_header);
        assert_int_equal(out.tail, N_CLICKS);
    }
}

static void a_missing_segment_is_a_counted_gap(void **state)
{
    const struct scene *s = *state;
    const struct {
        const char *name;
        int which;
        uint64_t n_read, n_damaged, first, tail;
    } cases[] = {
        {"the first: what is left begins later", 0, 6, 0, 4, 10},
        {"the middle: a gap", 1, 6, 4, 0, 10},
        {"the last: the log ends earlier", 2, 8, 0, 0, 8},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome out;

        print_message("%s\n", cases[i].name);
        restore(s, cases[i].which, NULL, 0);
        out = recover(s);
        assert_int_equal(out.n_read, cases[i].n_read);
        assert_int_equal(out.n_damaged, cases[i].n_damaged);
        assert_int_equal(out.first, cases[i].first);
        assert_int_equal(out.tail, cases[i].tail);
    }
}

static void pages_that_never_reached_the_disk_hide_nothing(void **state)
{
    const struct scene *s = *state;
    struct image image = s->segments[1];
    struct outcome out;

    /* The header as it was before the first click went to the segment, and two clicks gone. */
    le64_store(image.bytes + 32, SEGMENT_FIRST_NONE);
    seal(image.bytes);
    memset(image.bytes + 64, 0, CLICK_RECORD_LEN);
    memset(image.bytes + 3 * 64, 0, CLICK_RECORD_LEN);
    restore(s, 1, image.bytes, image.len);
    out = recover(s);
    assert_int_equal(out.n_read, N_CLICKS - 2);
    assert_int_equal(out.n_damaged, 2);
    assert_int_equal(out.n_set_aside, 0);
}

static void a_first_position_that_would_overflow_is_not_derived(void **state)
{
    const struct scene *s = *state;
    struct image image = s->segments[1];
    const struct click click = click_of(0);

    le64_store(image.bytes + 32, SEGMENT_FIRST_NONE);
    seal(image.bytes);
    for (unsigned i = 0; i < PER_SEGMENT; i++)
        click_encode(&click, UINT64_MAX - 9 + i, s->log_id, image.bytes + 64 * (i + 1));
    restore(s, 1, image.bytes, image.len);
    assert_int_equal(recover(s).n_set_aside, 1);
}

static void changed_header(const struct scene *s, struct image *image, unsigned at, uint8_t value)
{
    *image = s->segments[1];
    image->bytes[at] = value;
    seal(image->bytes);
    restore(s, 1, image->bytes, image->len);
}

static void what_is_not_ours_is_set_aside(void **state)
{
    const struct scene *s = *state;
    struct image image;
    struct outcome out;

    print_message("of a newer version\n");
    changed_header(s, &image, 8, 2);
    out = recover(s);
    assert_int_equal(out.n_set_aside, 1);
    assert_int_equal(out.n_read, N_CLICKS - PER_SEGMENT);

    print_message("of another log\n");
    changed_header(s, &image, 16, (uint8_t)(s->segments[1].bytes[16] ^ 1));
    assert_int_equal(recover(s).n_set_aside, 1);

    print_message("under another number\n");
    changed_header(s, &image, 12, 77);
    assert_int_equal(recover(s).n_set_aside, 1);

    print_message("a segment that begins where another does\n");
    changed_header(s, &image, 32, 0);
    out = recover(s);
    assert_int_equal(out.n_set_aside, 1);
    assert_int_equal(out.n_read, N_CLICKS - PER_SEGMENT);
    assert_int_equal(count_set_aside(s), 4);
}

static void foreign_files_are_set_aside_and_the_start_goes_on(void **state)
{
    const struct scene *s = *state;
    const struct {
        const char *name, *file;
        bool in_log; /* or beside the logs */
    } cases[] = {
        {"a text in a log", "notes.txt", true},
        {"a segment's name that is too long", "000000099.seg", true},
        {"a text among the logs", "README", false},
        {"a file named like a log", "00112233445566778899aabbccddeeff", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[256], logs[128];
        struct outcome out;

        print_message("%s\n", cases[i].name);
        restore(s, -1, NULL, 0);
        snprintf(logs, sizeof(logs), "%s/logs", s->dir);
        snprintf(path, sizeof(path), "%s/%s", cases[i].in_log ? s->log_dir : logs, cases[i].file);
        write_file(path, "hello");
        out = recover(s);
        assert_int_equal(out.n_set_aside, 1);
        assert_int_equal(out.n_read, N_CLICKS);
        assert_int_equal(count_set_aside(s), i + 1);
        assert_int_equal(access(path, F_OK), -1);
    }
}

static void pipes_links_and_directories_do_not_stop_a_start(void **state)
{
    const struct scene *s = *state;
    char path[256], target[256];
    struct outcome out;

    snprintf(path, sizeof(path), "%s/00000091.seg", s->log_dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/00000092.seg", s->log_dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/00000093.seg", s->log_dir);
    snprintf(target, sizeof(target), "%s", s->segments[0].path);
    assert_int_equal(symlink(target, path), 0);
    snprintf(path, sizeof(path), "%s/logs/not-a-log", s->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    out = recover(s);
    assert_int_equal(out.n_set_aside, 4);
    assert_int_equal(out.n_read, N_CLICKS);
}

static void what_holds_nothing_is_deleted(void **state)
{
    const struct scene *s = *state;
    struct image image = s->segments[1];
    struct outcome out;
    char path[256];

    /* A spare, and one that was being made. */
    image.bytes[12] = 50;
    le64_store(image.bytes + 32, SEGMENT_FIRST_NONE);
    memset(image.bytes + 64, 0, image.len - 64);
    seal(image.bytes);
    snprintf(path, sizeof(path), "%s/00000050.seg", s->log_dir);
    write_bytes(path, image.bytes, image.len);
    snprintf(path, sizeof(path), "%s/00000051.seg.new", s->log_dir);
    write_file(path, "");
    /* Two that had not reached the disk when the machine stopped. */
    snprintf(path, sizeof(path), "%s/00000052.seg", s->log_dir);
    write_file(path, "");
    snprintf(path, sizeof(path), "%s/00000053.seg", s->log_dir);
    memset(image.bytes, 0, image.len);
    write_bytes(path, image.bytes, image.len);
    out = recover(s);
    assert_int_equal(out.n_set_aside, 0);
    assert_int_equal(out.n_read, N_CLICKS);
    assert_int_equal(access(path, F_OK), -1);
    for (int i = 50; i < 53; i++) {
        snprintf(path, sizeof(path), "%s/000000%d.seg", s->log_dir, i);
        assert_int_equal(access(path, F_OK), -1);
    }
}

static void inspecting_changes_nothing(void **state)
{
    const struct scene *s = *state;
    struct clickstore_options options = options_of(s->dir);
    struct error err = {0};
    struct clickstore *store, *look;
    char path[256];

    snprintf(path, sizeof(path), "%s/notes.txt", s->log_dir);
    write_file(path, "hello");
    restore(s, -1, NULL, 0);
    options.mode = CLICKSTORE_INSPECT;
    look = open_store(&options);
    assert_int_equal(read_all(look), N_CLICKS);
    assert_int_equal(stats_of(look).n_set_aside, 0);
    assert_null(clickstore_new_log(look, &err));
    assert_int_equal(access(path, F_OK), 0);
    options.mode = CLICKSTORE_DRAIN;
    store = open_store(&options); /* no lock was taken */
    clickstore_close(store);
    clickstore_close(look);
    options.mode = CLICKSTORE_INSPECT;
    options.state_dir = "/nonexistent/state";
    assert_null(clickstore_open(&options, &err));
    assert_non_null(strstr(err.text, "/nonexistent/state"));
}

int main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        SCENE(a_whole_log_loses_nothing),
        SCENE(a_segment_cut_at_any_byte_loses_only_what_was_cut),
        SCENE(the_last_segment_cut_at_any_byte_ends_the_log_there),
        SCENE(a_flipped_bit_loses_one_click_or_sets_one_file_aside),
        SCENE(a_missing_segment_is_a_counted_gap),
        SCENE(pages_that_never_reached_the_disk_hide_nothing),
        SCENE(a_first_position_that_would_overflow_is_not_derived),
        SCENE(what_is_not_ours_is_set_aside),
        SCENE(foreign_files_are_set_aside_and_the_start_goes_on),
        SCENE(pipes_links_and_directories_do_not_stop_a_start),
        SCENE(what_holds_nothing_is_deleted),
        SCENE(inspecting_changes_nothing),
    };

    /* One line for every file set aside would bury the results. */
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
