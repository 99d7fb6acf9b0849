/* The small parts of the daemon: command line, Redis URL, listening sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "service/base/error.h"
#include "service/base/log.h"
#include "service/config/config.h"
#include "service/daemon/options.h"
#include "service/daemon/redis_settings.h"
#include "service/public/listener.h"

static void test_options(void **state)
{
    const struct {
        const char *name, *argv[5];
        bool want;
        enum options_mode mode;
        const char *words; /* of the path, or of the error */
    } cases[] = {
        {"a file", {"hopcountd", "-c", "f"}, true, OPTIONS_RUN, "f"},
        {"a check", {"hopcountd", "-c", "f", "--check"}, true, OPTIONS_CHECK, "f"},
        {"a check, the other way round",
         {"hopcountd", "--check", "-c", "f"},
         true,
         OPTIONS_CHECK,
         "f"},
        {"the keys", {"hopcountd", "--help-config"}, true, OPTIONS_HELP_CONFIG, NULL},
        {"help", {"hopcountd", "--help"}, true, OPTIONS_HELP, NULL},
        {"the version", {"hopcountd", "--version"}, true, OPTIONS_VERSION, NULL},
        {"nothing", {"hopcountd"}, false, OPTIONS_RUN, "hopcountd -c FILE"},
        {"a check of nothing", {"hopcountd", "--check"}, false, OPTIONS_RUN, "hopcountd -c FILE"},
        {"-c without a file", {"hopcountd", "-c"}, false, OPTIONS_RUN, "-c needs"},
        {"an unknown option", {"hopcountd", "--chekc"}, false, OPTIONS_RUN, "'--chekc'"},
        {"a file without -c", {"hopcountd", "f"}, false, OPTIONS_RUN, "'f'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct options options = {0};
        struct error err = {0};
        int argc = 0;

        print_message("%s\n", cases[i].name);
        while (cases[i].argv[argc])
            argc++;
        assert_int_equal(options_parse(argc, (char *const *)cases[i].argv, &options, &err),
                         cases[i].want);
        assert_int_equal(options.mode, cases[i].mode);
        if (!cases[i].want)
            assert_non_null(strstr(err.text, cases[i].words));
        else if (cases[i].words)
            assert_string_equal(options.config_path, cases[i].words);
    }
}

static void test_redis_url(void **state)
{
    const struct {
        const char *name;
        struct config_redis redis;
        const char *private_url, *want;
    } cases[] = {
        {"as written", {.url = "redis://h/0"}, NULL, "redis://h/0"},
        {"a private one needs no options", {.username = "u"}, "unix:///s", "unix:///s"},
        {"one option", {.url = "redis://h/0", .username = "u"}, NULL, "redis://h/0?user=u"},
        {"behind options",
         {.url = "redis://h/0?db=1", .username = "u"},
         NULL,
         "redis://h/0?db=1&user=u"},
        {"paths are encoded",
         {.url = "redis://h", .password_file = "/run/p w&x"},
         NULL,
         "redis://h?password_file=/run/p%20w%26x"},
        {"all",
         {.url = "rediss://h",
          .username = "a",
          .password_file = "b",
          .sentinel_username = "c",
          .sentinel_password_file = "d",
          .tls_ca = "e",
          .tls_cert = "f",
          .tls_key = "g"},
         NULL,
         "rediss://h?user=a&password_file=b&sentinel_user=c&sentinel_password_file=d&ca=e&cert=f"
         "&key=g"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *url = redis_settings_url(&cases[i].redis, cases[i].private_url);

        print_message("%s\n", cases[i].name);
        assert_string_equal(url, cases[i].want);
        free(url);
    }
}

/* A configuration that listens on `listen`, a YAML value. */
static struct config *config_of(const char *listen)
{
    struct error err = {0};
    char text[512];
    struct config *config;

    snprintf(text, sizeof(text),
             "keys: k\n"
             "public: { listen: %s }\n"
             "brands:\n"
             "  - { name: acme, hosts: [h.example], base_url: 'https://h.example', preset: whmcs,\n"
             "      billing_url: 'https://b.example' }\n",
             listen);
    config = config_parse("h.yaml", text, strlen(text), &err);
    if (!config)
        fail_msg("%s", err.text);
    return config;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    if (addr.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
    return ntohs(((struct sockaddr_in *)&addr)->sin_port);
}

static void test_workers_share_a_port(void **state)
{
    struct config *config = config_of("'127.0.0.1:0'");
    struct error err = {0};
    int fds[3], on = 0;
    socklen_t len = sizeof(on);

    (void)state;
    assert_true(listener_open(config, 3, fds, &err));
    assert_true(port_of(fds[0]) != 0);
    assert_int_equal(port_of(fds[0]), port_of(fds[1]));
    assert_int_equal(port_of(fds[0]), port_of(fds[2]));
    assert_int_equal(getsockopt(fds[2], IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on);
    listener_close(fds, 3);
    assert_int_equal(fds[0], -1);
    config_free(config);
}

static void test_a_port_in_use_is_named(void **state)
{
    struct config *first = config_of("'127.0.0.1:0'"), *second;
    struct error err = {0};
    char listen[64], port[16];
    int fds[1], more[2] = {7, 7};

    (void)state;
    assert_true(listener_open(first, 1, fds, &err));
    snprintf(port, sizeof(port), "port %u", port_of(fds[0]));
    snprintf(listen, sizeof(listen), "['127.0.0.1:0', '127.0.0.1:%u']", port_of(fds[0]));
    second = config_of(listen);
    assert_false(listener_open(second, 1, more, &err));
    assert_int_equal(more[0], -1);
    assert_int_equal(more[1], -1);
    assert_non_null(strstr(err.text, "h.yaml:2"));
    assert_non_null(strstr(err.text, "public.listen[1]"));
    assert_non_null(strstr(err.text, port));
    assert_non_null(strstr(err.text, "in use"));
    listener_close(fds, 1);
    config_free(first);
    config_free(second);
}

static void test_an_address_of_another_machine_is_named(void **state)
{
    struct config *config = config_of("'192.0.2.1:0'");
    struct error err = {0};
    int fds[1];

    (void)state;
    assert_false(listener_open(config, 1, fds, &err));
    assert_non_null(strstr(err.text, "192.0.2.1:0"));
    assert_non_null(strstr(err.text, "no address of this machine"));
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_redis_url),
        cmocka_unit_test(test_workers_share_a_port),
        cmocka_unit_test(test_a_port_in_use_is_named),
        cmocka_unit_test(test_an_address_of_another_machine_is_named),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
