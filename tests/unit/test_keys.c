/* The key file and the API-key file. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "files.h"
#include "service/base/error.h"
#include "service/config/apikeys.h"
#include "service/config/keys.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "ff0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
#define HASH "64dea5b7a5662dd59a442e76e8ac56fb57748795aa3015fb54cea30c28976ff3"
#define HASH_63 "4dea5b7a5662dd59a442e76e8ac56fb57748795aa3015fb54cea30c28976ff3"
#define NAME_63 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

static char folder[64], path[96];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/test_keys.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/file", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_keys(const char *text, mode_t mode)
{
    write_file(path, text);
    assert_int_equal(chmod(path, mode), 0);
}

static struct token_keyring *load(const char *name, struct error *err)
{
    struct keys_brands brands;
    struct token_keyring *ring = keys_load(name, &brands, err);

    keys_brands_clear(&brands);
    return ring;
}

/* The error names the file (and line) and holds `want`. */
static void assert_error(const struct error *err, const char *want)
{
    assert_memory_equal(err->text, path, strlen(path));
    if (!strstr(err->text, want))
        fail_msg("'%s' doesn't hold '%s'", err->text, want);
}

static void test_key_files(void **state)
{
    const struct {
        const char *name, *text;
        mode_t mode;
        const char *error; /* NULL = loads */
    } cases[] = {
        {"one key", "1 mint " KEY_A "\n", 0600, NULL},
        {"no newline at the end", "1 mint " KEY_A, 0600, NULL},
        {"blanks, tabs, comments, empty lines, CRLF",
         "# keys\n\n  1\tmint   " KEY_A " \r\n\t\n# 2 mint\n2 revoked " KEY_B "\n", 0600, NULL},
        {"the group may read", "1 mint " KEY_A "\n", 0640, NULL},
        {"kid 255", "1 mint " KEY_A "\n255 verify " KEY_B "\n", 0400, NULL},
        {"no key mints", "1 verify " KEY_A "\n", 0600, NULL},
        {"others may read", "1 mint " KEY_A "\n", 0604, "chmod o-r"},
        {"others may write", "1 mint " KEY_A "\n", 0602, "chmod go-w,o-r"},
        {"the group may write", "1 mint " KEY_A "\n", 0660, "chmod go-w,o-r"},
        {"an empty file", "", 0600, "holds no key"},
        {"comments only", "# nothing\n", 0600, "holds no key"},
        {"kid 0", "0 mint " KEY_A "\n", 0600, ":1: the kid"},
        {"kid 256", "256 mint " KEY_A "\n", 0600, ":1: the kid"},
        {"a kid with a zero in front", "01 mint " KEY_A "\n", 0600, ":1: the kid"},
        {"a kid that is no number", "1x mint " KEY_A "\n", 0600, ":1: the kid"},
        {"an unknown state on the third line", "\n\n1 Mint " KEY_A "\n", 0600, ":3: the state"},
        {"a field too few", "1 " KEY_A "\n", 0600, ":1: a line has three fields"},
        {"a field too many", "1 mint " KEY_A " acme x\n", 0600, ":1: a line has three fields"},
        {"a byte order mark", "\xef\xbb\xbf# keys\n1 mint " KEY_A "\n", 0600, NULL},
        {"a byte order mark right before the kid",
         "\xef\xbb\xbf"
         "1 mint " KEY_A,
         0600, NULL},
        {"a byte order mark further in",
         "1 mint " KEY_A "\n\xef\xbb\xbf"
         "2 verify " KEY_B,
         0600, ":2: the kid"},
        {"UTF-16",
         "\xff\xfe"
         "1",
         0600, "is UTF-16: save it as UTF-8"},
        {"UTF-16, big-endian",
         "\xfe\xff"
         "1",
         0600, "is UTF-16: save it as UTF-8"},
        {"a brand", "1 mint " KEY_A " acme\n", 0600, NULL},
        {"brands", "1 mint " KEY_A "\tacme,globex.example,a_b-c\r\n", 0600, NULL},
        {"an empty brand", "1 mint " KEY_A " acme,\n", 0600, ":1: the brands"},
        {"brands with a blank between", "1 mint " KEY_A " acme, globex\n", 0600,
         ":1: a line has three fields"},
        {"a brand with a letter no brand has", "1 mint " KEY_A " Acme\n", 0600, ":1: the brands"},
        {"a brand twice", "1 mint " KEY_A " acme,globex,acme\n", 0600,
         ":1: the brand 'acme' is named twice"},
        {"two that mint, for different brands",
         "3 mint " KEY_A " acme\n4 mint " KEY_B " globex,initech\n", 0600, NULL},
        {"two that mint, with a brand in common",
         "3 mint " KEY_A " acme,initech\n4 mint " KEY_B " globex,initech\n", 0600,
         ":2: key 4 is in state mint, and so is key 3 for the same brand"},
        {"two that mint, one for all brands", "3 mint " KEY_A " acme\n4 mint " KEY_B "\n", 0600,
         ":2: key 4 is in state mint, and so is key 3"},
        {"a digit too many", "1 mint " KEY_A "\n2 verify 0" KEY_A "\n", 0600, ":2: key 2"},
        {"a digit too few", "1 mint " HASH_63 "\n", 0600, ":1: key 1"},
        {"a digit that is none", "1 mint g" HASH_63 "\n", 0600, ":1: key 1"},
        {"the same kid twice", "1 mint " KEY_A "\n1 verify " KEY_B "\n", 0600,
         ":2: the kid 1 is used twice"},
        {"a revoked kid again", "1 revoked " KEY_A "\n1 mint " KEY_B "\n", 0600,
         ":2: the kid 1 is used twice"},
        {"two that mint", "3 mint " KEY_A "\n4 mint " KEY_B "\n", 0600,
         ":2: key 4 is in state mint"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct token_keyring *ring;
        struct error err = {0};

        print_message("%s\n", cases[i].name);
        write_keys(cases[i].text, cases[i].mode);
        ring = load(path, &err);
        assert_int_equal(ring != NULL, cases[i].error == NULL);
        if (!ring) {
            assert_error(&err, cases[i].error);
            assert_null(strstr(err.text, "0102030405"));
        }
        keys_free(ring);
    }
}

static void test_what_a_key_file_holds(void **state)
{
    struct token_keyring *ring;
    struct error err = {0};
    struct token token;
    const char *text = "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m";

    (void)state;
    write_keys("1 verify " KEY_A "\n2 mint " KEY_B "\n7 revoked " KEY_A "\n", 0600);
    ring = load(path, &err);
    assert_non_null(ring);
    assert_int_equal(ring->mint_kid, 2);
    assert_int_equal(ring->state[1], TOKEN_KEY_VERIFY);
    assert_int_equal(ring->state[2], TOKEN_KEY_MINT);
    assert_int_equal(ring->state[7], TOKEN_KEY_REVOKED);
    assert_int_equal(ring->state[3], TOKEN_KEY_ABSENT);
    assert_int_equal(token_open(ring, slice_of("acme"), slice_of(text), &token), TOKEN_OK);
    assert_int_equal(token.object, 1234);
    keys_free(ring);
}

static void test_paths_that_are_no_file(void **state)
{
    struct error err = {0};

    (void)state;
    unlink(path);
    assert_null(load(path, &err));
    assert_error(&err, "cannot open: No such file");
    assert_null(load("/dev/null", &err));
    assert_non_null(strstr(err.text, "/dev/null: is not a file"));
    assert_null(apikeys_load(folder, &err));
    assert_non_null(strstr(err.text, "is not a file"));
    write_keys("", 0600);
    assert_int_equal(truncate(path, (1 << 20) + 1), 0);
    assert_null(load(path, &err));
    assert_error(&err, "is larger than");
}

static void test_apikey_files(void **state)
{
    const struct {
        const char *name, *text;
        mode_t mode;
        int n; /* keys, -1 = refused */
        const char *error;
    } cases[] = {
        {"an empty file", "", 0600, 0, NULL},
        {"two keys and comments", "# who\na stats:read " HASH "\n\nb links:write " HASH "\n", 0644,
         2, NULL},
        {"a name of 63", NAME_63 " events:write " HASH, 0600, 1, NULL},
        {"a name of 64", NAME_63 "x events:write " HASH, 0600, -1, ":1: a name"},
        {"a name with a slash", "a/b stats:read " HASH, 0600, -1, ":1: a name"},
        {"a byte order mark",
         "\xef\xbb\xbf"
         "a stats:read " HASH,
         0600, 1, NULL},
        {"brands", "a stats:read " HASH " acme,globex\nb stats:read " HASH, 0600, 2, NULL},
        {"a list of brands with a hole", "a stats:read " HASH " acme,,globex\n", 0600, -1,
         ":1: the brands"},
        {"a field too many", "a stats:read " HASH " acme globex\n", 0600, -1,
         ":1: a line has three fields"},
        {"the same name twice", "a stats:read " HASH "\na stats:read " HASH, 0600, -1,
         ":2: the name 'a'"},
        {"an unknown scope", "a stats:write " HASH, 0600, -1, ":1: the scopes of 'a'"},
        {"a scope twice", "a stats:read,stats:read " HASH, 0600, -1, ":1: the scopes of 'a'"},
        {"a comma at the end", "a stats:read, " HASH, 0600, -1, ":1: the scopes of 'a'"},
        {"a field too few", "a stats:read", 0600, -1, ":1: a line has three fields"},
        {"a hash too short", "a stats:read 00", 0600, -1, ":1: the hash of 'a'"},
        {"the group may write", "", 0620, -1, "chmod go-w"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct apikeys *keys;
        struct error err = {0};

        print_message("%s\n", cases[i].name);
        write_keys(cases[i].text, cases[i].mode);
        keys = apikeys_load(path, &err);
        assert_int_equal(keys != NULL, cases[i].n >= 0);
        if (keys)
            assert_int_equal(apikeys_count(keys), cases[i].n);
        else
            assert_error(&err, cases[i].error);
        apikeys_free(keys);
    }
}

static void test_a_made_key_is_found_by_its_text_alone(void **state)
{
    char text[2][APIKEY_TEXT_LEN + 1], hex[2 * APIKEY_HASH_LEN + 1], file[400];
    uint8_t hash[APIKEY_HASH_LEN];
    struct error err = {0};
    struct apikeys *keys;
    const struct apikey *key;
    int n = 0;

    (void)state;
    for (int i = 0; i < 2; i++) {
        apikeys_generate(text[i], hash);
        assert_int_equal(strlen(text[i]), APIKEY_TEXT_LEN);
        sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
        n += snprintf(file + n, sizeof(file) - (size_t)n, "key%d stats:read%s %s\n", i,
                      i ? ",links:write" : "", hex);
    }
    assert_string_not_equal(text[0], text[1]);
    write_keys(file, 0600);
    keys = apikeys_load(path, &err);
    assert_non_null(keys);
    for (int i = 0; i < 2; i++) {
        key = apikeys_find(keys, slice_of(text[i]));
        assert_non_null(key);
        assert_int_equal(key->index, i);
        assert_int_equal(key->scopes,
                         i ? APIKEY_STATS_READ | APIKEY_LINKS_WRITE : APIKEY_STATS_READ);
        assert_ptr_equal(apikeys_find_name(keys, slice_of(key->name)), key);
    }
    text[0][20] ^= 1;
    assert_null(apikeys_find(keys, slice_of(text[0])));
    assert_null(apikeys_find(keys, slice_of("")));
    assert_null(apikeys_find(keys, slice_of(hex)));
    assert_null(apikeys_find(NULL, slice_of(text[1])));
    assert_int_equal(apikeys_count(NULL), 0);
    apikeys_free(keys);
}

static void test_scopes(void **state)
{
    char out[APIKEY_SCOPES_MAX];
    const unsigned all =
        APIKEY_STATS_READ | APIKEY_LINKS_WRITE | APIKEY_EVENTS_WRITE | APIKEY_ADMIN;

    (void)state;
    assert_string_equal(apikeys_scopes_text(all, out), "stats:read,links:write,events:write,admin");
    for (unsigned scopes = 1; scopes <= all; scopes++)
        assert_int_equal(apikeys_scopes_parse(slice_of(apikeys_scopes_text(scopes, out))), scopes);
    assert_int_equal(apikeys_scopes_parse(slice_of("events:write,stats:read")),
                     APIKEY_EVENTS_WRITE | APIKEY_STATS_READ);
    assert_int_equal(apikeys_scopes_parse(slice_of("")), 0);
    assert_int_equal(apikeys_role_scopes(slice_of("read")), APIKEY_STATS_READ);
    assert_int_equal(apikeys_role_scopes(slice_of("name")), APIKEY_STATS_READ | APIKEY_LINKS_WRITE);
    assert_int_equal(apikeys_role_scopes(slice_of("admin")), all);
    assert_int_equal(apikeys_role_scopes(slice_of("root")), 0);
    assert_int_equal(apikeys_role_scopes(slice_of("")), 0);
    assert_int_equal(apikeys_scopes_parse(slice_of(",stats:read")), 0);
    assert_int_equal(apikeys_scopes_parse(slice_of("stats:read links:write")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_files),
        cmocka_unit_test(test_what_a_key_file_holds),
        cmocka_unit_test(test_paths_that_are_no_file),
        cmocka_unit_test(test_apikey_files),
        cmocka_unit_test(test_a_made_key_is_found_by_its_text_alone),
        cmocka_unit_test(test_scopes),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
