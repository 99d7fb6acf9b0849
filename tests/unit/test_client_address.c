#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/forwarded.h"
#include "proto/http1.h"
#include "service/config/config.h"
#include "service/public/client_address.h"

static void test_forwarded_elements(void **state)
{
    const struct {
        const char *name;
        enum forwarded_form form;
        const char *list;
        enum forwarded_status want;
        const char *ip, *rest;
    } cases[] = {
        {"one address", FORWARDED_X, "192.0.2.1", FORWARDED_OK, "192.0.2.1", ""},
        {"the last of two", FORWARDED_X, "192.0.2.1, 192.0.2.2", FORWARDED_OK, "192.0.2.2",
         "192.0.2.1"},
        {"blanks and tabs around", FORWARDED_X, "192.0.2.1,\t 192.0.2.2 ", FORWARDED_OK,
         "192.0.2.2", "192.0.2.1"},
        {"empty elements are skipped", FORWARDED_X, "192.0.2.1, ,", FORWARDED_OK, "192.0.2.1", ""},
        {"an address with a port", FORWARDED_X, "192.0.2.1:4711", FORWARDED_OK, "192.0.2.1", ""},
        {"IPv6", FORWARDED_X, "2001:db8::1", FORWARDED_OK, "2001:db8::1", ""},
        {"nothing", FORWARDED_X, "", FORWARDED_END, NULL, ""},
        {"only commas", FORWARDED_X, ", ,", FORWARDED_END, NULL, ""},
        {"a word", FORWARDED_X, "192.0.2.1, unknown", FORWARDED_UNREADABLE, NULL, "192.0.2.1"},
        {"RFC 7239, 4: IPv4", FORWARDED_RFC7239, "for=192.0.2.43", FORWARDED_OK, "192.0.2.43", ""},
        {"RFC 7239, 4: any case, several parameters", FORWARDED_RFC7239,
         "by=203.0.113.1;For=192.0.2.43;proto=http", FORWARDED_OK, "192.0.2.43", ""},
        {"RFC 7239, 4: IPv6 in quotes", FORWARDED_RFC7239,
         "for=192.0.2.43, for=\"[2001:db8:cafe::17]:4711\"", FORWARDED_OK, "2001:db8:cafe::17",
         "for=192.0.2.43"},
        {"a comma inside quotes parts nothing", FORWARDED_RFC7239, "for=192.0.2.43;host=\"a,b\"",
         FORWARDED_OK, "192.0.2.43", ""},
        {"RFC 7239, 6.3: hidden", FORWARDED_RFC7239, "for=_mdn", FORWARDED_UNREADABLE, NULL, ""},
        {"without for", FORWARDED_RFC7239, "proto=http", FORWARDED_UNREADABLE, NULL, ""},
        {"a quote that is not closed", FORWARDED_RFC7239, "for=\"192.0.2.43", FORWARDED_UNREADABLE,
         NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice list = slice_of(cases[i].list);
        uint8_t ip[IP_LEN] = {0}, want[IP_LEN] = {0};

        print_message("%s\n", cases[i].name);
        assert_int_equal(forwarded_take_last(cases[i].form, &list, ip), cases[i].want);
        if (cases[i].ip)
            assert_true(ip_parse(slice_of(cases[i].ip), want));
        assert_memory_equal(ip, want, IP_LEN);
        assert_true(slice_equal(list, slice_of(cases[i].rest)));
    }
}

struct address_case {
    const char *name, *peer;
    const char *forwarded_for[3], *forwarded[2]; /* field lines; NULL ends */
    const char *want;
};

static const struct address_case address_cases[] = {
    {"no field", "10.0.0.1", {NULL}, {NULL}, "10.0.0.1"},
    {"one proxy", "10.0.0.1", {"192.0.2.1"}, {NULL}, "192.0.2.1"},
    {"what the client wrote itself is not believed",
     "10.0.0.1",
     {"8.8.8.8, 192.0.2.1"},
     {NULL},
     "192.0.2.1"},
    {"a chain of trusted proxies",
     "10.0.0.1",
     {"192.0.2.1, 10.9.9.9, 10.8.8.8"},
     {NULL},
     "192.0.2.1"},
    {"two lines are one list", "10.0.0.1", {"8.8.8.8", "192.0.2.1, 10.9.9.9"}, {NULL}, "192.0.2.1"},
    {"the walk goes on into the line before",
     "10.0.0.1",
     {"192.0.2.1", "10.9.9.9"},
     {NULL},
     "192.0.2.1"},
    {"all are trusted: the left-most", "10.0.0.1", {"10.7.7.7, 10.8.8.8"}, {NULL}, "10.7.7.7"},
    {"an unreadable element ends the walk",
     "10.0.0.1",
     {"192.0.2.1, unknown, 10.8.8.8"},
     {NULL},
     "10.8.8.8"},
    {"an untrusted peer is believed nothing", "192.0.2.9", {"192.0.2.1"}, {NULL}, "192.0.2.9"},
    {"a trusted IPv6 proxy", "2001:db8::1", {"2001:db9::7"}, {NULL}, "2001:db9::7"},
    {"an IPv4-mapped peer is its IPv4 address",
     "::ffff:10.0.0.1",
     {"192.0.2.1"},
     {NULL},
     "192.0.2.1"},
    {"Forwarded", "10.0.0.1", {NULL}, {"for=192.0.2.1;proto=https"}, "192.0.2.1"},
    {"both fields agree", "10.0.0.1", {"192.0.2.1"}, {"for=192.0.2.1"}, "192.0.2.1"},
    {"both fields disagree: neither is believed",
     "10.0.0.1",
     {"192.0.2.1"},
     {"for=192.0.2.2"},
     "10.0.0.1"},
};

static struct http1_request request_of(const struct address_case *c)
{
    struct http1_request request = {0};

    for (unsigned i = 0; i < 3 && c->forwarded_for[i]; i++)
        request.forwarded_for[request.n_forwarded_for++] = slice_of(c->forwarded_for[i]);
    for (unsigned i = 0; i < 2 && c->forwarded[i]; i++)
        request.forwarded[request.n_forwarded++] = slice_of(c->forwarded[i]);
    return request;
}

static void test_walk(void **state)
{
    struct network trusted[2];
    struct config_public config = {.client_address = CONFIG_CLIENT_FORWARDED,
                                   .trusted_networks = trusted,
                                   .n_trusted_proxies = 2};

    (void)state;
    assert_true(network_parse("10.0.0.0/8", &trusted[0]));
    assert_true(network_parse("2001:db8::/32", &trusted[1]));
    for (size_t i = 0; i < sizeof(address_cases) / sizeof(address_cases[0]); i++) {
        const struct address_case *c = &address_cases[i];
        struct http1_request request = request_of(c);
        uint8_t peer[IP_LEN], want[IP_LEN], got[IP_LEN];

        print_message("%s\n", c->name);
        assert_true(ip_parse(slice_of(c->peer), peer));
        assert_true(ip_parse(slice_of(c->want), want));
        client_address_find(&config, &request, peer, got);
        assert_memory_equal(got, want, IP_LEN);
    }
}

static void test_other_modes_ignore_the_fields(void **state)
{
    struct network trusted;
    struct config_public config = {.trusted_networks = &trusted, .n_trusted_proxies = 1};
    struct http1_request request = request_of(&address_cases[1]);
    uint8_t peer[IP_LEN], got[IP_LEN];

    (void)state;
    assert_true(network_parse("10.0.0.0/8", &trusted));
    assert_true(ip_parse(slice_of("10.0.0.1"), peer));
    config.client_address = CONFIG_CLIENT_DIRECT;
    client_address_find(&config, &request, peer, got);
    assert_memory_equal(got, peer, IP_LEN);
    config.client_address = CONFIG_CLIENT_PROXY_PROTOCOL;
    client_address_find(&config, &request, peer, got);
    assert_memory_equal(got, peer, IP_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forwarded_elements),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_other_modes_ignore_the_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
