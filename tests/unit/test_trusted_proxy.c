#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/forwarded.h"
#include "proto/http1.h"
#include "service/config/config.h"
#include "service/public/trusted_proxy.h"

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
        {"X-Forwarded-For in quotes", FORWARDED_X, "\"[2001:db8::1]:80\"", FORWARDED_OK,
         "2001:db8::1", ""},
        {"RFC 7239, 6: a hidden port", FORWARDED_RFC7239, "for=\"192.0.2.1:_a.b\"", FORWARDED_OK,
         "192.0.2.1", ""},
        {"blanks around the equals sign", FORWARDED_RFC7239, "proto=http; for = 192.0.2.1",
         FORWARDED_OK, "192.0.2.1", ""},
        {"RFC 7239, 6.2: unknown", FORWARDED_RFC7239, "for=192.0.2.1, for=unknown",
         FORWARDED_UNREADABLE, NULL, "for=192.0.2.1"},
        {"another parameter that ends in for", FORWARDED_RFC7239, "xfor=192.0.2.1",
         FORWARDED_UNREADABLE, NULL, ""},
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

static void test_first_host(void **state)
{
    const struct {
        const char *name;
        enum forwarded_form form;
        const char *list, *want; /* NULL: absent */
    } cases[] = {
        {"one host", FORWARDED_X, "go.acme.example", "go.acme.example"},
        {"the first of two", FORWARDED_X, "go.acme.example, internal", "go.acme.example"},
        {"empty elements are skipped", FORWARDED_X, " ,\tgo.acme.example:8443 ,",
         "go.acme.example:8443"},
        {"in quotes", FORWARDED_X, "\"go.acme.example\"", "go.acme.example"},
        {"nothing", FORWARDED_X, "", NULL},
        {"only commas", FORWARDED_X, ", ,", NULL},
        {"RFC 7239, 5.3", FORWARDED_RFC7239, "for=192.0.2.43;host=go.acme.example;proto=https",
         "go.acme.example"},
        {"with a port in quotes", FORWARDED_RFC7239, "Host=\"go.acme.example:443\"",
         "go.acme.example:443"},
        {"the first element that has one", FORWARDED_RFC7239,
         "for=192.0.2.1, for=192.0.2.2;host=a.example, host=b.example", "a.example"},
        {"a comma in quotes parts nothing", FORWARDED_RFC7239, "by=\"a,host=b\";host=c", "c"},
        {"an empty one", FORWARDED_RFC7239, "host=\"\"", NULL},
        {"none", FORWARDED_RFC7239, "for=192.0.2.1;proto=https", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice host = forwarded_first_host(cases[i].form, slice_of(cases[i].list));

        print_message("%s\n", cases[i].name);
        assert_int_equal(host.ptr != NULL, cases[i].want != NULL);
        assert_true(slice_equal(host, slice_of(cases[i].want)));
    }
}

struct address_case {
    const char *name, *peer;
    const char *forwarded_for[3], *forwarded[3]; /* field lines; NULL ends */
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
    {"both name a client, and not the same: neither is believed",
     "10.0.0.1",
     {"192.0.2.1"},
     {"for=192.0.2.2"},
     "10.0.0.1"},
    {"a forged Forwarded that names proxies of ours is not believed for its length",
     "10.0.0.1",
     {"192.0.2.1"},
     {"for=8.8.8.8, for=10.9.9.9"},
     "10.0.0.1"},
    {"nor is a forged X-Forwarded-For",
     "10.0.0.1",
     {"8.8.8.8, 10.9.9.9, 10.8.8.8"},
     {"for=192.0.2.1"},
     "10.0.0.1"},
    {"Forwarded ends at a proxy, as OpenShift's routers send it",
     "10.0.0.1",
     {"192.0.2.1, 10.9.9.9"},
     {"for=10.9.9.9;host=go.acme.example;proto=http"},
     "192.0.2.1"},
    {"X-Forwarded-For ends at a proxy",
     "10.0.0.1",
     {"10.9.9.9"},
     {"for=192.0.2.1, for=10.9.9.9"},
     "192.0.2.1"},
    {"X-Forwarded-For ends at the peer itself",
     "10.0.0.1",
     {"10.0.0.1"},
     {"for=192.0.2.1"},
     "192.0.2.1"},
    {"Forwarded hides the client", "10.0.0.1", {"192.0.2.1"}, {"for=_hidden"}, "192.0.2.1"},
    {"Forwarded doesn't know the client",
     "10.0.0.1",
     {"192.0.2.1, 10.9.9.9"},
     {"for=unknown, for=10.9.9.9"},
     "192.0.2.1"},
    {"Forwarded has no address", "10.0.0.1", {"192.0.2.1"}, {"proto=https;host=a"}, "192.0.2.1"},
    {"Forwarded is empty", "10.0.0.1", {"192.0.2.1"}, {""}, "192.0.2.1"},
    {"X-Forwarded-For is unreadable", "10.0.0.1", {"unknown"}, {"for=192.0.2.1"}, "192.0.2.1"},
    {"one has a hop less, and both the same client",
     "10.0.0.1",
     {"192.0.2.1, 10.9.9.9, 10.8.8.8"},
     {"for=192.0.2.1, for=10.8.8.8"},
     "192.0.2.1"},
    {"IPv6 in quotes with a port agrees with the bare one",
     "10.0.0.1",
     {"2001:db9::7"},
     {"for=\"[2001:db9::7]:4711\""},
     "2001:db9::7"},
    {"several lines of both",
     "10.0.0.1",
     {"192.0.2.1", "10.9.9.9", "10.8.8.8"},
     {"for=\"[2001:db8::5]\"", "for=10.8.8.8;by=10.0.0.1"},
     "192.0.2.1"},
    {"both end at proxies: the one that leads through more of them",
     "10.0.0.1",
     {"10.7.7.7, 10.9.9.9"},
     {"for=10.9.9.9"},
     "10.7.7.7"},
    {"both end at proxies, as many and others",
     "10.0.0.1",
     {"10.7.7.7"},
     {"for=10.9.9.9"},
     "10.0.0.1"},
};

/* The proxies say it in X-Forwarded-For only, or in Forwarded only: the client writes the other. */
static const struct {
    const char *name, *forwarded_for, *forwarded;
    enum config_forwarded_header header;
    const char *want;
} header_cases[] = {
    {"x_forwarded, and another Forwarded", "192.0.2.1", "for=8.8.8.8", CONFIG_FORWARDED_X,
     "192.0.2.1"},
    {"x_forwarded, and no such field", NULL, "for=8.8.8.8", CONFIG_FORWARDED_X, "10.0.0.1"},
    {"x_forwarded ends at a proxy", "10.9.9.9", "for=8.8.8.8", CONFIG_FORWARDED_X, "10.9.9.9"},
    {"forwarded, and another X-Forwarded-For", "8.8.8.8", "for=192.0.2.1", CONFIG_FORWARDED_RFC7239,
     "192.0.2.1"},
    {"forwarded, and no such field", "8.8.8.8", NULL, CONFIG_FORWARDED_RFC7239, "10.0.0.1"},
    {"forwarded ends at a proxy", "8.8.8.8", "for=10.9.9.9", CONFIG_FORWARDED_RFC7239, "10.9.9.9"},
};

static struct http1_request request_of(const struct address_case *c)
{
    struct http1_request request = {0};

    for (unsigned i = 0; i < 3 && c->forwarded_for[i]; i++)
        request.forwarded_for[request.n_forwarded_for++] = slice_of(c->forwarded_for[i]);
    for (unsigned i = 0; i < 3 && c->forwarded[i]; i++)
        request.forwarded[request.n_forwarded++] = slice_of(c->forwarded[i]);
    return request;
}

/* Trusts 10.0.0.0/8 and 2001:db8::/32. */
static struct config_public trusting(struct network networks[static 2])
{
    assert_true(network_parse("10.0.0.0/8", &networks[0]));
    assert_true(network_parse("2001:db8::/32", &networks[1]));
    return (struct config_public){.client_address = CONFIG_CLIENT_FORWARDED,
                                  .trusted_networks = networks,
                                  .n_trusted_proxies = 2};
}

static void test_the_header_that_the_proxies_set(void **state)
{
    struct network networks[2];
    struct config_public config = trusting(networks);

    (void)state;
    for (size_t i = 0; i < sizeof(header_cases) / sizeof(header_cases[0]); i++) {
        struct http1_request request =
            request_of(&(struct address_case){.forwarded_for = {header_cases[i].forwarded_for},
                                              .forwarded = {header_cases[i].forwarded}});
        uint8_t peer[IP_LEN], want[IP_LEN], got[IP_LEN];

        print_message("%s\n", header_cases[i].name);
        config.forwarded_header = header_cases[i].header;
        assert_true(ip_parse(slice_of("10.0.0.1"), peer));
        assert_true(ip_parse(slice_of(header_cases[i].want), want));
        trusted_proxy_find_client(&config, &request, peer, got);
        assert_memory_equal(got, want, IP_LEN);
    }
}

static void test_hosts(void **state)
{
    static const struct {
        const char *name, *peer, *x, *forwarded[2];
        enum config_forwarded_header header;
        const char *want[TRUSTED_PROXY_HOSTS_MAX];
    } cases[] = {
        {"no field", "10.0.0.1", NULL, {NULL}, CONFIG_FORWARDED_AUTO, {"host"}},
        {"X-Forwarded-Host",
         "10.0.0.1",
         "a.example:8443",
         {NULL},
         CONFIG_FORWARDED_AUTO,
         {"a.example", "host"}},
        {"Forwarded, in its second line",
         "10.0.0.1",
         NULL,
         {"for=10.1.1.1", "host=b.example"},
         CONFIG_FORWARDED_AUTO,
         {"b.example", "host"}},
        {"both",
         "10.0.0.1",
         "a.example, c.example",
         {"host=\"[::1]:80\""},
         CONFIG_FORWARDED_AUTO,
         {"a.example", "[::1]", "host"}},
        {"what is no host is passed over",
         "10.0.0.1",
         "a example",
         {"host=b/"},
         CONFIG_FORWARDED_AUTO,
         {"host"}},
        {"the proxies set the one",
         "10.0.0.1",
         "a.example",
         {"host=b.example"},
         CONFIG_FORWARDED_X,
         {"a.example", "host"}},
        {"the proxies set the other",
         "10.0.0.1",
         "a.example",
         {"host=b.example"},
         CONFIG_FORWARDED_RFC7239,
         {"b.example", "host"}},
        {"from who is not trusted",
         "192.0.2.1",
         "a.example",
         {"host=b.example"},
         CONFIG_FORWARDED_AUTO,
         {"host"}},
    };
    struct network networks[2];
    struct config_public config = trusting(networks);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request = {.host = slice_of("host")};
        struct slice got[TRUSTED_PROXY_HOSTS_MAX];
        uint8_t peer[IP_LEN];
        unsigned n, n_want = 0;

        print_message("%s\n", cases[i].name);
        request.field[HTTP1_X_FORWARDED_HOST] = slice_of(cases[i].x);
        while (request.n_forwarded < 2 && cases[i].forwarded[request.n_forwarded]) {
            request.forwarded[request.n_forwarded] =
                slice_of(cases[i].forwarded[request.n_forwarded]);
            request.n_forwarded++;
        }
        config.forwarded_header = cases[i].header;
        assert_true(ip_parse(slice_of(cases[i].peer), peer));
        n = trusted_proxy_find_hosts(&config, &request, peer, got);
        while (n_want < TRUSTED_PROXY_HOSTS_MAX && cases[i].want[n_want]) {
            assert_true(slice_equal(got[n_want], slice_of(cases[i].want[n_want])));
            n_want++;
        }
        assert_int_equal(n, n_want);
    }
}

static void test_walk(void **state)
{
    struct network networks[2];
    struct config_public config = trusting(networks);

    (void)state;
    for (size_t i = 0; i < sizeof(address_cases) / sizeof(address_cases[0]); i++) {
        const struct address_case *c = &address_cases[i];
        struct http1_request request = request_of(c);
        uint8_t peer[IP_LEN], want[IP_LEN], got[IP_LEN];

        print_message("%s\n", c->name);
        assert_true(ip_parse(slice_of(c->peer), peer));
        assert_true(ip_parse(slice_of(c->want), want));
        trusted_proxy_find_client(&config, &request, peer, got);
        assert_memory_equal(got, want, IP_LEN);
    }
}

static void test_other_modes_ignore_the_fields(void **state)
{
    struct network trusted;
    struct config_public config = {.trusted_networks = &trusted, .n_trusted_proxies = 1};
    struct http1_request request = request_of(&address_cases[1]);
    struct slice hosts[TRUSTED_PROXY_HOSTS_MAX];
    uint8_t peer[IP_LEN], got[IP_LEN];

    (void)state;
    assert_true(network_parse("10.0.0.0/8", &trusted));
    assert_true(ip_parse(slice_of("10.0.0.1"), peer));
    config.client_address = CONFIG_CLIENT_DIRECT;
    trusted_proxy_find_client(&config, &request, peer, got);
    assert_memory_equal(got, peer, IP_LEN);
    request.field[HTTP1_X_FORWARDED_HOST] = slice_of("a.example");
    assert_int_equal(trusted_proxy_find_hosts(&config, &request, peer, hosts), 1);
    config.client_address = CONFIG_CLIENT_PROXY_PROTOCOL;
    trusted_proxy_find_client(&config, &request, peer, got);
    assert_memory_equal(got, peer, IP_LEN);
}

static void test_whose_address_it_is(void **state)
{
    const struct {
        const char *peer;
        enum config_client_address mode;
        bool want;
    } cases[] = {
        {"127.0.0.1", CONFIG_CLIENT_DIRECT, false},
        {"192.168.0.1", CONFIG_CLIENT_DIRECT, false},
        {"fd00::1", CONFIG_CLIENT_DIRECT, false},
        {"198.51.100.7", CONFIG_CLIENT_DIRECT, false}, /* trusted */
        {"198.51.101.7", CONFIG_CLIENT_DIRECT, true},
        {"2001:db8::1", CONFIG_CLIENT_DIRECT, true},
        {"198.51.101.7", CONFIG_CLIENT_PROXY_PROTOCOL, true},
        {"10.0.0.1", CONFIG_CLIENT_PROXY_PROTOCOL, false},
        {"10.0.0.1", CONFIG_CLIENT_FORWARDED, true},
        {"198.51.100.7", CONFIG_CLIENT_FORWARDED, true},
    };
    struct network trusted;
    struct config_public config = {.trusted_networks = &trusted, .n_trusted_proxies = 1};

    (void)state;
    assert_true(network_parse("198.51.100.0/24", &trusted));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t peer[IP_LEN];

        print_message("%s\n", cases[i].peer);
        assert_true(ip_parse(slice_of(cases[i].peer), peer));
        config.client_address = cases[i].mode;
        assert_int_equal(trusted_proxy_knows_client(&config, peer), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forwarded_elements),
        cmocka_unit_test(test_first_host),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_the_header_that_the_proxies_set),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_other_modes_ignore_the_fields),
        cmocka_unit_test(test_whose_address_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
