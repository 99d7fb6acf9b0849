/* What is kept of replies, and how it is packed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "service/admin/cache.h"
#include "service/admin/gzip.h"

static void put(struct cache *cache, const char *key, const char *body, int64_t asked_ms,
                int64_t now_ms)
{
    struct reply reply = {.status = 200, .type = "text/plain", .body = slice_of(body)};

    reply.etag_of = slice_make(reply.body.ptr, reply.body.len / 2);
    cache_put(cache, slice_of(key), &reply, asked_ms, now_ms);
}

static void test_kept_for_as_long_as_it_was_dear(void **state)
{
    const struct {
        const char *name;
        int64_t took_ms, keep_ms;
    } cases[] = {
        {"made at once", 0, 1000},
        {"made in 20 ms", 20, 1000},
        {"made in 21 ms", 21, 1050},
        {"made in a second", 1000, 50000},
        {"made in 1.2 seconds", 1200, 60000},
        {"made in a minute", 60000, 60000},
        {"made by a clock gone mad", INT64_MAX / 2, 60000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cache *cache = cache_new();
        int64_t now_ms = cases[i].took_ms + 5000;

        print_message("%s\n", cases[i].name);
        put(cache, "key", "body", 5000, now_ms);
        assert_non_null(cache_find(cache, slice_of("key"), now_ms));
        assert_non_null(cache_find(cache, slice_of("key"), now_ms + cases[i].keep_ms - 1));
        assert_null(cache_find(cache, slice_of("key"), now_ms + cases[i].keep_ms));
        cache_free(cache);
    }
}

static void test_what_comes_out_is_what_went_in(void **state)
{
    struct cache *cache = cache_new();
    const struct reply *found;
    char body[] = "a body of text";

    (void)state;
    put(cache, "key", body, 0, 0);
    memset(body, 'x', sizeof(body) - 1);
    assert_null(cache_find(cache, slice_of("ke"), 0));
    assert_null(cache_find(cache, slice_of("keys"), 0));
    found = cache_find(cache, slice_of("key"), 0);
    assert_true(slice_equal(found->body, slice_of("a body of text")));
    assert_true(slice_equal(found->etag_of, slice_of("a body ")));
    assert_int_equal(found->status, 200);
    cache_clear(cache);
    assert_null(cache_find(cache, slice_of("key"), 0));
    cache_free(cache);
    cache_free(NULL);
}

static void test_the_next_to_expire_gives_way(void **state)
{
    struct cache *cache = cache_new();
    char key[16];

    (void)state;
    for (int i = 0; i < 65; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        put(cache, key, "body", i, i);
    }
    assert_null(cache_find(cache, slice_of("key 0"), 65));
    assert_non_null(cache_find(cache, slice_of("key 1"), 65));
    assert_non_null(cache_find(cache, slice_of("key 64"), 65));
    cache_free(cache);
}

static void test_a_long_body_is_not_kept(void **state)
{
    struct cache *cache = cache_new();
    size_t len = 1 << 20;
    char *body = malloc(len + 2);

    (void)state;
    memset(body, 'x', len);
    body[len] = '\0';
    put(cache, "fits", body, 0, 0);
    assert_non_null(cache_find(cache, slice_of("fits"), 0));
    strcpy(body + len, "x");
    put(cache, "does not", body, 0, 0);
    assert_null(cache_find(cache, slice_of("does not"), 0));
    free(body);
    cache_free(cache);
}

static void test_gzip_unpacks_to_what_was_packed(void **state)
{
    char text[5000], out[6000];
    size_t len = 0;
    z_stream z = {0};
    void *packed;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 7);
    packed = gzip_pack(slice_make(text, sizeof(text)), &len);
    assert_non_null(packed);
    assert_true(len < 200);
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = packed;
    z.avail_in = (unsigned)len;
    z.next_out = (unsigned char *)out;
    z.avail_out = sizeof(out);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, sizeof(text));
    assert_memory_equal(out, text, sizeof(text));
    inflateEnd(&z);
    free(packed);
}

static void test_gzip_gives_up_where_it_would_not_pay(void **state)
{
    uint32_t noise = 1;
    char text[64];
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)((noise = noise * 1664525 + 1013904223) >> 24);
    assert_null(gzip_pack(slice_make(text, sizeof(text)), &len));
    assert_null(gzip_pack(slice_of(""), &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_for_as_long_as_it_was_dear),
        cmocka_unit_test(test_what_comes_out_is_what_went_in),
        cmocka_unit_test(test_the_next_to_expire_gives_way),
        cmocka_unit_test(test_a_long_body_is_not_kept),
        cmocka_unit_test(test_gzip_unpacks_to_what_was_packed),
        cmocka_unit_test(test_gzip_gives_up_where_it_would_not_pay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
