/* Redis URLs: every form, every refusal, and no password in an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "files.h"
#include "service/base/error.h"
#include "service/redis/redis_url.h"

static void test_forms(void **state)
{
    const struct {
        const char *name, *text;
        struct redis_url want;
    } cases[] = {
        {"a host alone", "redis://r.example", {.hosts = {{"r.example", 6379}}, .n_hosts = 1}},
        {"no host at all", "redis://", {.hosts = {{"127.0.0.1", 6379}}, .n_hosts = 1}},
        {"port and database",
         "redis://r.example:7000/3",
         {.hosts = {{"r.example", 7000}}, .n_hosts = 1, .db = 3}},
        {"IPv6", "redis://[::1]/", {.hosts = {{"::1", 6379}}, .n_hosts = 1}},
        {"IPv6 and port", "redis://[::1]:1", {.hosts = {{"::1", 1}}, .n_hosts = 1}},
        {"password without user",
         "redis://:secret@h",
         {.hosts = {{"h", 6379}}, .n_hosts = 1, .password = "secret"}},
        {"user and password, encoded, with an @",
         "redis://u%3a1:p@ss%2fw:x@h:1",
         {.hosts = {{"h", 1}}, .n_hosts = 1, .user = "u:1", .password = "p@ss/w:x"}},
        {"TLS with all options",
         "rediss://h?ca=/a&cert=/c&key=/k&server_name=n",
         {.hosts = {{"h", 6379}},
          .n_hosts = 1,
          .tls = true,
          .ca = "/a",
          .cert = "/c",
          .key = "/k",
          .server_name = "n"}},
        {"a socket",
         "unix:///run/r.sock?db=2&user=u&password_file=PASSWORD",
         {.hosts = {{"/run/r.sock", 0}},
          .n_hosts = 1,
          .db = 2,
          .user = "u",
          .password = "from a file"}},
        {"sentinels",
         "sentinel://u:p@a,b:1,[::2]:3/main/4?tls=yes&sentinel_password_file=PASSWORD",
         {.topology = REDIS_SENTINEL,
          .tls = true,
          .hosts = {{"a", 26379}, {"b", 1}, {"::2", 3}},
          .n_hosts = 3,
          .db = 4,
          .user = "u",
          .password = "p",
          .master = "main",
          .sentinel_password = "from a file"}},
        {"a cluster",
         "cluster://a:1,b",
         {.topology = REDIS_CLUSTER, .hosts = {{"a", 1}, {"b", 6379}}, .n_hosts = 2}},
        {"Valkey's scheme", "valkey://h/2", {.hosts = {{"h", 6379}}, .n_hosts = 1, .db = 2}},
        {"Valkey's scheme with TLS",
         "valkeys://h:1",
         {.hosts = {{"h", 1}}, .n_hosts = 1, .tls = true}},
        {"the largest port", "redis://h:65535", {.hosts = {{"h", 65535}}, .n_hosts = 1}},
    };
    char path[] = "/tmp/hopcount-url-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (size_t n = 0; n < 2 * sizeof(cases) / sizeof(cases[0]); n++) {
        /* Without a byte order mark in the password's file, and with one. */
        size_t i = n / 2;
        const char *mark = strstr(cases[i].text, "PASSWORD");
        struct error err = {0};
        struct redis_url *url;
        char text[512];

        print_message("%s\n", cases[i].name);
        write_file(path, n % 2 ? "\xef\xbb\xbf"
                                 "from a file\r\nsecond\n"
                               : "from a file\r\nsecond\n");
        if (mark)
            snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - cases[i].text), cases[i].text,
                     path, mark + 8);
        else
            snprintf(text, sizeof(text), "%s", cases[i].text);
        url = redis_url_parse(text, &err);
        assert_string_equal(err.text, "");
        assert_non_null(url);
        assert_memory_equal(url, &cases[i].want, sizeof(*url));
        redis_url_free(url);
    }
    unlink(path);
}

static void test_refusals(void **state)
{
    const struct {
        const char *name, *text, *error;
    } cases[] = {
        {"no scheme", "127.0.0.1:6379", "starts with none"},
        {"another scheme", "http://h", "starts with none"},
        {"port 0", "redis://h:0", "is no name"},
        {"a port too high", "redis://h:65536", "is no name"},
        {"no port after the colon", "redis://h:", "is no name"},
        {"IPv6 without a bracket", "redis://::1", "is no name"},
        {"IPv6 that doesn't end", "redis://[::1", "is no name"},
        {"something after the bracket", "redis://[::1]x", "is no name"},
        {"two hosts of a single server", "redis://a:1,b:2", "is no name"},
        {"a database that is no number", "redis://h/x", "is no number of a database"},
        {"a negative database", "redis://h/-1", "is no number of a database"},
        {"a database of a cluster", "cluster://h/1", "no databases"},
        {"a database option of a cluster", "cluster://h?db=1", "not the number of a database"},
        {"no master", "sentinel://h", "name the master"},
        {"an empty master", "sentinel://h/", "name the master"},
        {"a relative socket", "unix://run/r.sock", "absolute path"},
        {"TLS on a socket", "unix:///r.sock?tls=yes", "no TLS on a Unix socket"},
        {"an unknown option", "redis://h?tsl=yes", "unknown option 'tsl'"},
        {"an option without a value", "redis://h?tls", "has no value"},
        {"an empty option", "rediss://h?ca=", "is empty"},
        {"tls that is neither", "redis://h?tls=maybe", "yes or no"},
        {"a certificate without its key", "rediss://h?cert=/c", "go together"},
        {"a CA without TLS", "redis://h?ca=/c", "need TLS"},
        {"a user without a password", "redis://secret@h", "but no password"},
        {"a user of sentinels that are none", "redis://h?sentinel_user=u",
         "need a sentinel:// URL"},
        {"a user of sentinels without a password", "sentinel://h/main?sentinel_user=u",
         "but no password"},
        {"a slash in a password", "redis://:pa/secret@h", "is no name"},
        {"a question mark in a password", "redis://:1?secret@h", "an option has no value"},
        {"a broken code", "redis://h%4", "is no name"},
        {"a control character", "redis://h%0a", "is no name"},
        {"a password file that isn't there", "redis://h?password_file=/nowhere/p",
         "/nowhere/p: No such file"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {0};

        print_message("%s\n", cases[i].name);
        assert_null(redis_url_parse(cases[i].text, &err));
        print_message("    %s\n", err.text);
        assert_non_null(strstr(err.text, cases[i].error));
        assert_null(strstr(err.text, "secret"));
    }
}

static void test_what_others_on_the_way_can_read(void **state)
{
    const struct {
        const char *text, *want; /* the host, or NULL */
    } cases[] = {
        {"redis://127.0.0.1", NULL},
        {"redis://127.8.9.1:7000/2", NULL},
        {"redis://[::1]", NULL},
        {"redis://localhost", NULL},
        {"redis://LocalHost:1", NULL},
        {"redis://", NULL},
        {"unix:///run/r.sock", NULL},
        {"rediss://r.example", NULL},
        {"valkeys://10.0.0.7", NULL},
        {"sentinel://a,b/main?tls=yes", NULL},
        {"redis://r.example", "r.example"},
        {"redis://redis", "redis"},
        {"valkey://10.0.0.7", "10.0.0.7"},
        {"redis://[::ffff:127.0.0.2]", "::ffff:127.0.0.2"},
        {"redis://128.0.0.1", "128.0.0.1"},
        {"redis://localhost.example", "localhost.example"},
        {"sentinel://localhost,b/main", "b"},
        {"cluster://127.0.0.1:1,127.0.0.1:2", NULL},
        {"cluster://127.0.0.1:1,a:2", "a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {0};
        struct redis_url *url = redis_url_parse(cases[i].text, &err);
        const struct redis_address *found;

        print_message("%s\n", cases[i].text);
        assert_non_null(url);
        found = redis_url_find_exposed(url);
        if (cases[i].want)
            assert_string_equal(found->host, cases[i].want);
        else
            assert_null(found);
        redis_url_free(url);
    }
}

static void test_limits(void **state)
{
    struct error err = {0};
    char text[1024] = "cluster://h";
    struct redis_url *url;

    (void)state;
    for (int i = 1; i < REDIS_URL_HOSTS_MAX; i++)
        strcat(text, ",h");
    print_message("as many hosts as there may be\n");
    url = redis_url_parse(text, &err);
    assert_non_null(url);
    assert_int_equal(url->n_hosts, REDIS_URL_HOSTS_MAX);
    redis_url_free(url);
    print_message("one more\n");
    strcat(text, ",h");
    assert_null(redis_url_parse(text, &err));
    print_message("a password of 255 characters, and of 256\n");
    snprintf(text, sizeof(text), "redis://:%0255d@h", 0);
    url = redis_url_parse(text, &err);
    assert_non_null(url);
    redis_url_free(url);
    snprintf(text, sizeof(text), "redis://:%0256d@h", 0);
    assert_null(redis_url_parse(text, &err));
    assert_null(strstr(err.text, "0000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_what_others_on_the_way_can_read),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
