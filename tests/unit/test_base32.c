#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base32.h"

enum { BYTES_MAX = 80 };

static void test_texts(void **state)
{
    const struct {
        const char *name, *text, *bytes; /* bytes NULL = refused */
        size_t len, n_digits;
    } cases[] = {
        {"nothing is no bytes", "", "", 0, 0},
        {"one byte takes two digits", "zw", "\xff", 1, 2},
        {"two bytes take four digits", "zzzg", "\xff\xff", 2, 4},
        {"three bytes take five digits", "zzzzy", "\xff\xff\xff", 3, 5},
        {"four bytes take seven digits", "zzzzzzr", "\xff\xff\xff\xff", 4, 7},
        {"five bytes take eight digits", "zzzzzzzz", "\xff\xff\xff\xff\xff", 5, 8},
        {"the first digit is the most significant", "g0000000", "\x80\0\0\0\0", 5, 8},
        {"every digit once", "0123456789abcdefghjkmnpqrstvwxyz",
         "\x00\x44\x32\x14\xc7\x42\x54\xb6\x35\xcf\x84\x65\x3a\x56\xd7\xc6\x75\xbe\x77\xdf", 20,
         32},
        {"upper case reads the same", "ABCDEFGH", "\x52\xd8\xd7\x3e\x11", 5, 8},
        {"o is zero, i and l are one", "oOiIlL01", "\x00\x02\x10\x84\x01", 5, 8},
        {"u is no digit", "00u", "\x00", 1, 2},
        {"stops at the first other character", "zw.zw", "\xff", 1, 2},
        {"stops in the middle of a group of eight", "zzzzy-zz", "\xff\xff\xff", 3, 5},
        {"a byte above ASCII is no digit", "zw\xc3\xbc", "\xff", 1, 2},
        {"no encoding is one digit long", "0", NULL, 0, 1},
        {"no encoding is three digits long", "000", NULL, 0, 3},
        {"no encoding is six digits long", "000000", NULL, 0, 6},
        {"no encoding is nine digits long", "000000000", NULL, 0, 9},
        {"an unused bit of one byte is set", "zx", NULL, 0, 2},
        {"the highest unused bit of one byte is set", "zy", NULL, 0, 2},
        {"the unused bit of three bytes is set", "zzzzz", NULL, 0, 5},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[BYTES_MAX];
        size_t len = 99, n_digits = 99;
        bool ok;

        print_message("%s\n", cases[i].name);
        ok = base32_decode(slice_of(cases[i].text), out, sizeof(out), &len, &n_digits);
        assert_int_equal(ok, cases[i].bytes != NULL);
        assert_int_equal(n_digits, cases[i].n_digits);
        if (!ok)
            continue;
        assert_int_equal(len, cases[i].len);
        assert_memory_equal(out, cases[i].bytes, len);
    }
}

/* Both ways for every length; the bytes are any. */
static void test_round_trips(void **state)
{
    (void)state;
    srand(32);
    for (size_t len = 0; len <= BYTES_MAX; len++) {
        for (int round = 0; round < 50; round++) {
            char text[2 * BYTES_MAX + 1];
            uint8_t in[BYTES_MAX], out[BYTES_MAX];
            size_t out_len, n_digits;

            for (size_t i = 0; i < len; i++)
                in[i] = (uint8_t)rand();
            memset(text, '#', sizeof(text));
            base32_encode(in, len, text);
            assert_int_equal(text[base32_text_len(len)], '#');
            assert_true(base32_decode(slice_make(text, base32_text_len(len)), out, len, &out_len,
                                      &n_digits));
            assert_int_equal(out_len, len);
            assert_int_equal(n_digits, base32_text_len(len));
            assert_memory_equal(in, out, len);
        }
    }
}

/* A byte more than there is room for is refused, and nothing is written behind the room. */
static void test_room(void **state)
{
    (void)state;
    for (size_t len = 1; len <= BYTES_MAX; len++) {
        char text[2 * BYTES_MAX];
        uint8_t in[BYTES_MAX], out[BYTES_MAX + 1];
        size_t out_len, n_digits;

        memset(in, 0xa5, sizeof(in));
        memset(out, 0x11, sizeof(out));
        base32_encode(in, len, text);
        assert_false(base32_decode(slice_make(text, base32_text_len(len)), out, len - 1, &out_len,
                                   &n_digits));
        assert_int_equal(n_digits, base32_text_len(len));
        assert_int_equal(out[len - 1], 0x11);
    }
}

static void test_canonical_characters(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char *at = c ? strchr("0Oo1IiLl", c) : NULL;
        char want = 0;

        if (at)
            want = at - strchr("0Oo1IiLl", '0') < 3 ? '0' : '1';
        else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z' && c != 'u'))
            want = (char)c;
        else if (c >= 'A' && c <= 'Z' && c != 'U')
            want = (char)(c + 32);
        assert_int_equal(base32_canonical((char)c), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_canonical_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
