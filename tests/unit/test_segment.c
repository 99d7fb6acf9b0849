/* The head of a segment file and its names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/bytes.h"
#include "proto/segment.h"

static const struct segment_header header = {
    .log_id = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 8, 9, 10, 11, 12, 13, 14, 15},
    .first = 0x0102030405060708,
    .created_ms = 1795348800123,
    .sequence = 42,
    .capacity = 65535,
};

static void seal(uint8_t head[static SEGMENT_HEADER_LEN])
{
    uint8_t hash[crypto_shorthash_BYTES];

    crypto_shorthash(hash, head, 60, head + 16);
    memcpy(head + 60, hash, 4);
}

static void has_the_layout_of_the_specification(void **state)
{
    uint8_t head[SEGMENT_HEADER_LEN], want[SEGMENT_HEADER_LEN] = "HCLICKS\n";

    (void)state;
    segment_header_encode(&header, head);
    le32_store(want + 8, 1);
    le32_store(want + 12, 42);
    memcpy(want + 16, header.log_id, CLICK_LOG_ID_LEN);
    le64_store(want + 32, header.first);
    le64_store(want + 40, (uint64_t)header.created_ms);
    le32_store(want + 48, 65535);
    seal(want);
    assert_memory_equal(head, want, sizeof(want));
}

static void what_was_written_is_read_back(void **state)
{
    uint8_t head[SEGMENT_HEADER_LEN];
    struct segment_header out;

    (void)state;
    segment_header_encode(&header, head);
    assert_int_equal(segment_header_decode(head, &out), SEGMENT_OK);
    assert_memory_equal(out.log_id, header.log_id, CLICK_LOG_ID_LEN);
    assert_int_equal(out.first, header.first);
    assert_int_equal(out.created_ms, header.created_ms);
    assert_int_equal(out.sequence, header.sequence);
    assert_int_equal(out.capacity, header.capacity);
}

static void a_flipped_bit_anywhere_is_seen(void **state)
{
    uint8_t head[SEGMENT_HEADER_LEN];

    (void)state;
    segment_header_encode(&header, head);
    for (unsigned bit = 0; bit < SEGMENT_HEADER_LEN * 8; bit++) {
        struct segment_header out = {.sequence = 99};

        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(segment_header_decode(head, &out), SEGMENT_OK);
        assert_int_equal(out.sequence, 99);
        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void refusals_say_why(void **state)
{
    const struct {
        const char *name;
        unsigned at, len;
        uint64_t value;
        enum segment_status want;
    } cases[] = {
        {"no change", 12, 4, 42, SEGMENT_OK},
        {"another magic", 0, 1, 'h', SEGMENT_FOREIGN},
        {"the last byte of the magic", 7, 1, ' ', SEGMENT_FOREIGN},
        {"version 0", 8, 4, 0, SEGMENT_DAMAGED},
        {"version 2", 8, 4, 2, SEGMENT_NEWER},
        {"the highest version", 8, 4, UINT32_MAX, SEGMENT_NEWER},
        {"the highest sequence", 12, 4, SEGMENT_SEQUENCE_MAX, SEGMENT_OK},
        {"a sequence of nine digits", 12, 4, SEGMENT_SEQUENCE_MAX + 1, SEGMENT_DAMAGED},
        {"first not set yet", 32, 8, SEGMENT_FIRST_NONE, SEGMENT_OK},
        {"the highest first", 32, 8, INT64_MAX, SEGMENT_OK},
        {"a first that would overflow", 32, 8, (uint64_t)INT64_MAX + 1, SEGMENT_DAMAGED},
        {"no capacity", 48, 4, 0, SEGMENT_DAMAGED},
        {"capacity one", 48, 4, 1, SEGMENT_OK},
        {"reserved, first byte", 52, 1, 1, SEGMENT_DAMAGED},
        {"reserved, last byte", 59, 1, 1, SEGMENT_DAMAGED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t head[SEGMENT_HEADER_LEN];
        struct segment_header out;

        print_message("%s\n", cases[i].name);
        segment_header_encode(&header, head);
        for (unsigned b = 0; b < cases[i].len; b++)
            head[cases[i].at + b] = (uint8_t)(cases[i].value >> 8 * b);
        seal(head);
        assert_int_equal(segment_header_decode(head, &out), cases[i].want);
    }
}

static void names_of_logs(void **state)
{
    const struct {
        const char *name, *text;
        bool want;
    } cases[] = {
        {"32 digits", "a0a1a2a3a4a5a6a708090a0b0c0d0e0f", true},
        {"upper case", "A0a1a2a3a4a5a6a708090a0b0c0d0e0f", false},
        {"31 digits", "a0a1a2a3a4a5a6a708090a0b0c0d0e0", false},
        {"33 digits", "a0a1a2a3a4a5a6a708090a0b0c0d0e0f0", false},
        {"not hexadecimal", "g0a1a2a3a4a5a6a708090a0b0c0d0e0f", false},
        {"nothing", "", false},
    };
    char name[SEGMENT_LOG_NAME_LEN + 1];

    (void)state;
    segment_log_name(header.log_id, name);
    assert_string_equal(name, cases[0].text);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t id[CLICK_LOG_ID_LEN];

        print_message("%s\n", cases[i].name);
        assert_int_equal(segment_log_parse(cases[i].text, id), cases[i].want);
        if (cases[i].want)
            assert_memory_equal(id, header.log_id, sizeof(id));
    }
}

static void names_of_segments(void **state)
{
    const struct {
        const char *name, *text;
        bool want;
        uint32_t sequence;
    } cases[] = {
        {"the first", "00000000.seg", true, 0},
        {"some", "00012345.seg", true, 12345},
        {"the last", "99999999.seg", true, 99999999},
        {"seven digits", "0000000.seg", false, 0},
        {"nine digits", "000000000.seg", false, 0},
        {"another ending", "00000000.sag", false, 0},
        {"more after the ending", "00000000.seg.new", false, 0},
        {"a sign", "-0000001.seg", false, 0},
        {"nothing", "", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[SEGMENT_FILE_NAME_LEN + 1];
        uint32_t sequence = 7;

        print_message("%s\n", cases[i].name);
        assert_int_equal(segment_file_parse(cases[i].text, &sequence), cases[i].want);
        if (cases[i].want) {
            assert_int_equal(sequence, cases[i].sequence);
            segment_file_name(sequence, name);
            assert_string_equal(name, cases[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_layout_of_the_specification),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(a_flipped_bit_anywhere_is_seen),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(names_of_logs),
        cmocka_unit_test(names_of_segments),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
