#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "files.h"
#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/schema.h"
#include "temp_dir.h"

/* What every configuration must have; in one line, so that a case's own keys start at line 1. */
#define REST "\nkeys: k\nbrands: [{name: acme, hosts: [go.acme.example]}]\n"
#define BRAND "keys: k\nbrands:\n  - name: acme\n    hosts: go.acme.example\n"

static struct config *parse(const char *text, struct error *err)
{
    return config_parse("/etc/hopcount/h.yaml", text, strlen(text), err);
}

static struct config *parse_good(const char *text)
{
    struct error err = {0};
    struct config *config = parse(text, &err);

    if (!config)
        print_error("%s\n", err.text);
    assert_non_null(config);
    return config;
}

static void test_defaults(void **state)
{
    struct config *config = parse_good(REST);

    (void)state;
    assert_int_equal(config->public.n_listen, 1);
    assert_string_equal(config->public.listen[0], "0.0.0.0:8080");
    assert_int_equal(config->public.workers, 0);
    assert_int_equal(config->public.drain_delay_s, 8);
    assert_int_equal(config->public.client_address, CONFIG_CLIENT_DIRECT);
    assert_int_equal(config->public.n_trusted_proxies, 0);
    assert_int_equal(config->public.requests_max, 10000);
    assert_int_equal(config->public.idle_s, 30);
    assert_int_equal(config->public.head_s, 5);
    assert_string_equal(config->admin.listen[0], "127.0.0.1:8081");
    assert_null(config->admin.api_keys);
    assert_null(config->redis.url);
    assert_int_equal(config->redis.shards, 1);
    assert_int_equal(config->ledger.durability, DURABILITY_INTERVAL);
    assert_int_equal(config->ledger.sync_ms, 200);
    assert_int_equal(config->ledger.retain_s, 900);
    assert_int_equal(config->retention.hours_days, 400);
    assert_int_equal(config->labels.gateway_links, 3);
    assert_int_equal(config->log_level, LOG_LEVEL_INFO);
    assert_string_equal(config->state_dir, "/var/lib/hopcount");
    assert_int_equal(config->n_brands, 1);
    assert_string_equal(config->brands[0].preset, "none");
    assert_int_equal(config->brands[0].n_targets, 0);
    config_free(config);
}

static void test_everything_set(void **state)
{
    struct config *config = parse_good(
        "public:\n  listen: ['0.0.0.0:80', '[::]:80']\n  workers: 3\n  drain_delay_s: 0\n"
        "  client_address: forwarded\n  trusted_proxies: [10.0.0.0/8, '2001:db8::/32']\n"
        "admin: {listen: '[::1]:0', api_keys: api-keys}\n"
        "redis: {url: 'redis://h/0', username: u, password_file: /run/p w, tls_ca: ca.pem}\n"
        "ledger: {durability: click, retain_s: 0}\nlog_level: debug\nstate_dir: state\n"
        "labels: {ranges: 40.92.0.0/15, asns: [AS22843, 26211]}\ngeo: {asn: asn.mmdb}\n"
        "keys: ../keys\n"
        "brands:\n  - name: a\n    hosts: [h1, h2]\n    preset: my/preset.yaml\n    utm: true\n"
        "    targets:\n      - kind: pay\n        utm: false\n"
        "      - {kind: 4, name: renew, url: 'https://x/{object}', rules: [\n"
        "          {country: [DE, AT], variant: [none, A], device: phone, language: de,\n"
        "           url: 'https://x/de'}]}\n"
        "  - {name: b, hosts: h3}\n");
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&config->public.addresses[1].addr;
    const struct config_target *renew = &config->brands[0].targets[1];

    (void)state;
    assert_int_equal(config->public.n_listen, 2);
    assert_int_equal(config->public.addresses[0].addr.ss_family, AF_INET);
    assert_int_equal(v6->sin6_family, AF_INET6);
    assert_int_equal(ntohs(v6->sin6_port), 80);
    assert_int_equal(config->public.workers, 3);
    assert_int_equal(config->public.client_address, CONFIG_CLIENT_FORWARDED);
    assert_int_equal(config->public.n_trusted_proxies, 2);
    assert_int_equal(config->public.trusted_networks[0].bits, 104);
    assert_int_equal(config->public.trusted_networks[1].bits, 32);
    assert_string_equal(config->admin.api_keys, "/etc/hopcount/api-keys");
    assert_string_equal(config->redis.url, "redis://h/0");
    assert_string_equal(config->redis.username, "u");
    assert_string_equal(config->redis.password_file, "/run/p w");
    assert_string_equal(config->redis.tls_ca, "/etc/hopcount/ca.pem");
    assert_int_equal(config->ledger.durability, DURABILITY_CLICK);
    assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
    assert_string_equal(config->state_dir, "/etc/hopcount/state");
    assert_string_equal(config->keys, "/etc/hopcount/../keys");
    assert_int_equal(config->labels.range_networks[0].bits, 96 + 15);
    assert_int_equal(config->labels.asn_list.numbers[0], 22843);
    assert_int_equal(config->labels.asn_list.numbers[1], 26211);
    assert_int_equal(config->n_brands, 2);
    assert_string_equal(config->brands[0].hosts[1], "h2");
    assert_string_equal(config->brands[0].preset, "/etc/hopcount/my/preset.yaml");
    assert_true(config->brands[0].utm);
    assert_int_equal(config->brands[0].targets[0].utm, CONFIG_UTM_NO);
    assert_null(config->brands[0].targets[0].url);
    assert_int_equal(renew->utm, CONFIG_UTM_BRAND);
    assert_string_equal(renew->name, "renew");
    assert_int_equal(renew->n_rules, 1);
    assert_string_equal(renew->rules[0].country[1], "AT");
    assert_string_equal(renew->rules[0].device[0], "phone");
    assert_string_equal(renew->rules[0].url, "https://x/de");
    assert_false(config->brands[1].utm);
    config_free(config);
}

/* One line that names file, line, key, what is wrong and the remedy; the case gives what follows
 * the file's name. */
static void test_refusals(void **state)
{
    const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"nothing", "", ":1: the file is empty; "},
        {"a comment only", "# x\n", ":1: the file is empty; "},
        {"a list", "- x", ":1: wants 'key: value' lines"},
        {"a word", "x", ":1: wants 'key: value' lines"},
        {"broken YAML", "public:\n  a: [\nkeys: x\n", ":4: not readable as YAML: "},
        {"an unclosed bracket", "state_dir: /x\nadmin: {listen: [\n",
         ":3: not readable as YAML: while parsing a flow node (from line 3 on), "},
        {"a tab as indent", "public:\n\tlisten: x\n",
         ":2: not readable as YAML: a tab stands before the first word; "},
        {"a tab behind blanks as indent", "public:\n  workers: 1\n  \tlisten: x\n",
         ":3: not readable as YAML: a tab stands before the first word; "},
        {"no UTF-8", "keys: \xff\n", ":1: not readable as YAML: "},
        {"no UTF-8 in a line further down", "public:\n  workers: 1\n# M\xfcller\n",
         ":3: not readable as YAML: "},
        {"a control character in a line further down", "public:\n  workers: 1\n\x01",
         ":3: not readable as YAML: "},
        {"a second document", BRAND "---\nx: y\n", ":5: a second document starts here; "},
        {"an alias", "keys: &a k\nstate_dir: *a\n", ":2: state_dir: aliases "},
        {"an unknown key", "\nport: 80\n", ":2: port: unknown key; known here: public, "},
        {"a key with a line feed and an escape", "\"a\\nb\\e\\x85c\": 1\n",
         ":1: a?b???c: unknown key; "},
        {"a slip of the pen", "public: {lisen: x}",
         ":1: public.lisen: unknown key; did you mean "
         "'listen'?"},
        {"an unknown key in a list", BRAND "    hots: x\n",
         ":5: brands[0].hots: unknown key; did you mean 'hosts'?"},
        {"a key twice", "keys: a\nkeys: b\n", ":2: keys: is there twice; "},
        {"a list as key", "[a]: b\n", ":1: wants 'key: value' lines"},
        {"no value", "keys:\n", ":1: keys: has no value; "},
        {"an empty value", "keys: ''\n", ":1: keys: has no value; "},
        {"null", "keys: null\n", ":1: keys: has no value; "},
        {"a group without keys", "geo:\n" REST, ":1: geo: wants 'key: value' lines"},
        {"a group where a text belongs", "keys: {a: b}\n",
         ":1: keys: wants a single value, not a "
         "group of keys"},
        {"a list where a text belongs", "keys: [a]\n",
         ":1: keys: wants a single value, not a list"},
        {"a text where a list belongs", "brands: x\n", ":1: brands: wants a list: "},
        {"a text where a group belongs", "public: x\n", ":1: public: wants 'key: value' lines"},
        {"a text as brand", "brands: [x]\n", ":1: brands[0]: wants 'key: value' lines"},
        {"a list in a list", "public: {listen: [[a]]}\n", ":1: public.listen[0]: wants a single "},
        {"an escaped NUL", "keys: \"a\\0b\"\n", ":1: keys: holds a control character at byte 1; "},
        {"an escaped line feed", "keys: \"a\\nb\"\n", ":1: keys: holds a control character"},
        {"an escaped C1 control", "keys: \"\\x85\"\n", ":1: keys: holds a control character"},
        {"a line separator", "keys: \"a\\u2028\"\n", ":1: keys: holds a control character"},
        {"a byte order mark inside", "keys: \"a\\ufeff\"\n", ":1: keys: holds a control character"},
        {"a word as number", "ledger: {sync_ms: fast}\n",
         ":1: ledger.sync_ms: 'fast' is not valid; "},
        {"a fraction", "ledger: {sync_ms: 1.5}\n", ":1: ledger.sync_ms: '1.5' is not valid; "},
        {"a unit", "ledger: {sync_ms: 20ms}\n", ":1: ledger.sync_ms: '20ms' is not valid; "},
        {"a leading zero", "ledger: {sync_ms: 010}\n", ":1: ledger.sync_ms: '010' is not valid; "},
        {"hexadecimal", "ledger: {sync_ms: 0x20}\n", ":1: ledger.sync_ms: '0x20' is not valid; "},
        {"a number over 64 bits", "ledger: {sync_ms: 99999999999999999999}\n",
         ":1: ledger.sync_ms: '99999999999999999999' is not valid; "},
        {"just under the range", "ledger: {sync_ms: 9}\n",
         ":1: ledger.sync_ms: '9' is not valid; give a whole number from 10 to 60000"},
        {"just over the range", "ledger: {sync_ms: 60001}\n",
         ":1: ledger.sync_ms: '60001' is not "},
        {"neither auto nor a number", "public: {workers: many}\n",
         ":1: public.workers: 'many' is not valid; give auto or a whole number from 1 to 256"},
        {"no worker", "public: {workers: 0}\n", ":1: public.workers: '0' is not valid; "},
        {"auto where it means nothing", "public: {idle_s: auto}\n", ":1: public.idle_s: 'auto' "},
        {"neither true nor false", BRAND "    utm: flase\n",
         ":5: brands[0].utm: 'flase' is not valid; give true or false"},
        {"an unknown choice", "log_level: loud\n",
         ":1: log_level: 'loud' is not valid; give one of: error, warn, info, debug"},
        {"a number as choice", "log_level: 2\n", ":1: log_level: '2' is not valid; "},
        {"a host name to listen on", "public: {listen: 'localhost:80'}\n",
         ":1: public.listen: 'localhost:80' is not an address; "},
        {"the second address is wrong", "public:\n  listen:\n    - 0.0.0.0:1\n    - x\n",
         ":4: public.listen[1]: 'x' is not an address; "},
        {"no address", "public: {listen: []}\n", ":1: public.listen: needs at least 1 entry"},
        {"more devices than there are",
         BRAND "    targets: [{kind: 4, rules: [{device: [phone, phone, phone, phone, phone]}]}]\n",
         ":5: brands[0].targets[0].rules[0].device: has too many entries; at most 4 are allowed"},
        {"bits behind the prefix", "public: {trusted_proxies: 10.0.0.1/8}\n",
         ":1: public.trusted_proxies: '10.0.0.1/8' is not a network; "},
        {"forwarded from nobody", "public: {client_address: forwarded}\n" REST,
         ":1: public.client_address: no proxy is trusted "},
        {"proxy_protocol from nobody", "public:\n  client_address: proxy_protocol\n" REST,
         ":2: public.client_address: no proxy is trusted "},
        {"another database", "redis: {url: 'mysql://x'}\n",
         ":1: redis.url: 'mysql://x' is not a Redis URL; "},
        {"three shards", "redis: {shards: 3}\n" REST,
         ":1: redis.shards: 3 is not a power of two; "},
        {"a certificate without key", "redis: {url: 'rediss://h', tls_cert: c}\n" REST,
         ":1: redis.tls_cert: certificate and key go together; "},
        {"a password without URL", "redis: {password_file: p}\n" REST, ":1: redis: has no url; "},
        {"a user of sentinels without URL", "redis: {sentinel_username: u}\n" REST,
         ":1: redis: has no url; "},
        {"a certificate without URL", "redis: {tls_cert: c, tls_key: k}\n" REST,
         ":1: redis: has no url; "},
        {"a segment of odd size", "ledger: {segment_bytes: 65537}\n" REST,
         ":1: ledger.segment_bytes: 65537 is not a multiple of 4096"},
        {"no room for four segments", "ledger: {disk_max_bytes: 1048576}\n" REST,
         ":1: ledger.disk_max_bytes: 1048576 leaves no room for four segments; "},
        {"more retained than kept", "ledger: {disk_max_bytes: 16777216}\n" REST,
         ":1: ledger.retain_max_bytes: 1073741824 is more than ledger.disk_max_bytes "},
        {"more links than are looked at together", "labels: {gateway_links: 33}\n",
         ":1: labels.gateway_links: '33' is not valid; give a whole number from 2 to 32"},
        {"more networks than that", "labels: {gateway_networks: 33}\n",
         ":1: labels.gateway_networks: '33' is not valid; give a whole number from 2 to 32"},
        {"autonomous systems that nothing tells", "labels: {asns: AS1}\n" REST,
         ":1: labels.asns: nothing tells the autonomous system of an address; "},
        {"a file of autonomous systems that is not there",
         "labels: {asn_file: /nonexistent/asns}\ngeo: {asn: a.mmdb}\n" REST,
         "/nonexistent/asns: cannot open: No such file or directory"},
        {"a sample of no brand", "checks: {samples: [{brand: b, kind: pay}]}\n" REST,
         ":1: checks.samples[0].brand: there is no brand 'b'"},
        {"two samples of a kind",
         "checks: {samples: [{brand: acme, kind: pay}, {brand: acme, kind: pay}]}\n" REST,
         ":1: checks.samples[1].kind: brand 'acme' has a sample of 'pay' already"},
        {"a sample's argument that no link can hold",
         "checks: {samples: [{brand: acme, kind: pay, arg: a/b}]}\n" REST,
         ":1: checks.samples[0].arg: 'a/b' has other characters than "},
        {"no keys", "brands: [{name: a, hosts: h}]\n", ":1: keys: is missing; "},
        {"no brands", "keys: k\n", ":1: brands: is missing; "},
        {"an empty list of brands", "keys: k\nbrands: []\n", ":2: brands: needs at least 1 entry"},
        {"a brand without name", "keys: k\nbrands:\n  - hosts: h\n",
         ":3: brands[0].name: is missing; "},
        {"a brand without hosts", "keys: k\nbrands:\n  - name: a\n",
         ":3: brands[0].hosts: is missing; "},
        {"capitals in a brand's name", "brands: [{name: Acme}]\n",
         ":1: brands[0].name: 'Acme' is not a brand name; "},
        {"a host with a port", "brands: [{name: a, hosts: 'h:80'}]\n",
         ":1: brands[0].hosts: 'h:80' is not a host; leave scheme and port away"},
        {"a host with a scheme", "brands: [{name: a, hosts: 'https://h'}]\n",
         ":1: brands[0].hosts: 'https://h' is not a host; "},
        {"a host with a wildcard", "brands: [{name: a, hosts: '*.h'}]\n",
         ":1: brands[0].hosts: '*.h' is not a host; "},
        {"a base URL with a path", BRAND "    base_url: https://go.acme.example/x\n",
         ":5: brands[0].base_url: 'https://go.acme.example/x' has a path; "},
        {"a base URL without scheme", BRAND "    base_url: go.acme.example\n",
         ":5: brands[0].base_url: 'go.acme.example' is not a web address; "},
        {"a billing URL with a query", BRAND "    billing_url: https://b/?x=1\n",
         ":5: brands[0].billing_url: 'https://b/?x=1' has a query or fragment; "},
        {"a value in the home", BRAND "    home: https://h/{object}\n",
         ":5: brands[0].home: 'https://h/{object}' takes no values in braces; "},
        {"a colour by name", BRAND "    color: red\n", ":5: brands[0].color: 'red' is not a "},
        {"kind 0", BRAND "    targets: [{kind: 0}]\n", ":5: brands[0].targets[0].kind: '0' is not"},
        {"kind 16", BRAND "    targets: [{kind: 16}]\n", ":5: brands[0].targets[0].kind: '16' is "},
        {"a kind's name in capitals", BRAND "    targets: [{kind: 4, name: Re}]\n",
         ":5: brands[0].targets[0].name: 'Re' is not a name; "},
        {"a rule without URL",
         BRAND "    targets:\n    - kind: 4\n      rules:\n      - device: "
               "phone\n",
         ":8: brands[0].targets[0].rules[0].url: is missing; "},
        {"variant H", BRAND "    targets: [{kind: 4, rules: [{variant: H}]}]\n",
         ":5: brands[0].targets[0].rules[0].variant: 'H' is not a variant; "},
        {"a country in small letters", BRAND "    targets: [{kind: 4, rules: [{country: de}]}]\n",
         ":5: brands[0].targets[0].rules[0].country: 'de' is not a country; "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static const char file[] = "/etc/hopcount/h.yaml";
        struct error err = {0};
        struct config *config;

        print_message("%s\n", cases[i].name);
        config = parse(cases[i].text, &err);
        assert_null(config);
        if (strncmp(err.text, file, strlen(file)) != 0 ||
            strncmp(err.text + strlen(file), cases[i].want, strlen(cases[i].want)) != 0)
            assert_string_equal(err.text, cases[i].want);
        assert_null(strchr(err.text, '\n'));
    }
}

static void test_limits_are_inside(void **state)
{
    static const char *const good[] = {
        "ledger: {sync_ms: 10}" REST,
        "ledger: {sync_ms: 60000}" REST,
        "public: {workers: 256}" REST,
        "redis: {shards: 256}" REST,
        "redis: {url: 'valkey://h'}" REST,
        "redis: {url: 'valkeys://h'}" REST,
        "redis: {url: 'clusters://h'}" REST,
        "ledger: {segment_bytes: 65536, disk_max_bytes: 1048576, retain_max_bytes: 1048576}" REST,
        "admin: {listen: '0.0.0.0:65535'}" REST,
        "labels: {asns: [AS4294967295]}\ngeo: {asn: a.mmdb}" REST,
        "labels: {gateway_links: 32, gateway_networks: 32}" REST,
        "labels: {gateway_links: 2, gateway_networks: 2}" REST,
        BRAND "    targets: [{kind: 15, name: a}]\n",
        BRAND "    billing_url: https://b/index.php?/\n",
        "keys: k\nbrands: [{name: a, hosts: ['[::1]', 127.0.0.1, localhost, GO.Acme.Example.]}]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        print_message("%s\n", good[i]);
        config_free(parse_good(good[i]));
    }
}

static void test_lengths(void **state)
{
    char text[400];
    struct error err;
    char name[80];

    (void)state;
    memset(name, 'a', sizeof(name));
    for (int len = 63; len <= 64; len++) {
        snprintf(text, sizeof(text), "keys: k\nbrands: [{name: %.*s, hosts: h}]\n", len, name);
        err.text[0] = '\0';
        if (len == 63) {
            config_free(parse_good(text));
            continue;
        }
        assert_null(parse(text, &err));
        assert_non_null(strstr(err.text, ":2: brands[0].name: is 64 bytes long; at most 63 "));
    }
}

static void test_files(void **state)
{
    char *dir = temp_dir_new();
    char path[128];
    struct error err = {0};
    struct config *config;
    FILE *file;

    (void)state;
    assert_non_null(dir);
    snprintf(path, sizeof(path), "%s/h.yaml", dir);
    assert_null(config_load(path, &err));
    assert_non_null(strstr(err.text, "/h.yaml: cannot open: No such file or directory; "));
    assert_null(config_load(dir, &err));
    assert_non_null(strstr(err.text, ": cannot read: Is a directory"));
    write_file(path, BRAND);
    config = config_load(path, &err);
    assert_non_null(config);
    assert_string_equal(config->path, path);
    config_free(config);
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i <= 4 << 20; i++)
        putc('#', file);
    fclose(file);
    assert_null(config_load(path, &err));
    assert_non_null(strstr(err.text, ": cannot read: over 4 MiB"));
    temp_dir_free(dir);
}

static void test_messages_of_others(void **state)
{
    struct config *config = parse_good(BRAND "    billing_url: https://b/\n");
    struct error err = {"unreadable"};

    (void)state;
    config_fail_prefix(config, &err, "keys");
    assert_string_equal(err.text, "/etc/hopcount/h.yaml:1: keys: unreadable");
    config_fail(config, &err, "brands[0].billing_url", "wrong %d", 7);
    assert_string_equal(err.text, "/etc/hopcount/h.yaml:5: brands[0].billing_url: wrong 7");
    config_fail(config, &err, "brands[0].targets[3].url", "absent");
    assert_string_equal(err.text, "/etc/hopcount/h.yaml:3: brands[0].targets[3].url: absent");
    config_fail(config, &err, "ledger.sync_ms", "a default");
    assert_string_equal(err.text, "/etc/hopcount/h.yaml:1: ledger.sync_ms: a default");
    config_free(config);
}

/* Help and table name every key; a key of each sort stands for them. */
static void test_help(void **state)
{
    static const char *const keys[] = {"public.listen",
                                       "public.workers",
                                       "redis.shards",
                                       "brands[].name",
                                       "brands[].targets[].rules[].url",
                                       "log_level"};
    void (*const prints[])(const struct schema_key *,
                           FILE *) = {schema_print_help, schema_print_table, schema_print_manual};

    (void)state;
    for (size_t p = 0; p < 3; p++) {
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        assert_non_null(out);
        prints[p](config_schema, out);
        fclose(out);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            assert_non_null(strstr(text, keys[i]));
        assert_non_null(strstr(text, "auto or 1…256"));
        free(text);
    }
}

/* What the README and the example say is what the program does. */
static void test_documents(void **state)
{
    struct error err = {0};
    struct config *config = config_load(SOURCE_DIR "/deploy/hopcount.example.yaml", &err);
    char *readme, *table = NULL;
    size_t len;
    FILE *out = open_memstream(&table, &len);

    (void)state;
    assert_string_equal(err.text, "");
    assert_int_equal(config->n_brands, 2);
    config_free(config);
    assert_non_null(out);
    schema_print_table(config_schema, out);
    fclose(out);
    readme = schema_read_file(SOURCE_DIR "/deploy/README.md", &len, &err);
    assert_non_null(readme);
    readme[len] = '\0';
    if (!strstr(readme, table)) {
        print_message("%s", table);
        fail_msg("the README's table of keys isn't this one: put it between its two marks");
    }
    free(readme);
    free(table);
}

static void on_path(void *owner, const char *key, const char *path, bool at_reload)
{
    fprintf(owner, "%s %s%s\n", key, path, at_reload ? "" : ", at a restart");
}

static void files_that_are_named_and_not_read_whenever_they_are_needed(void **state)
{
    struct config *config =
        parse_good("keys: k\n"
                   "admin: {api_keys: a, oidc: {issuer: 'https://id.example', client_id: h, "
                   "client_secret_file: /s/oidc, tls_ca: /ca}}\n"
                   "geo: {country: /g}\n"
                   "redis: {url: 'redis://r', password_file: /s/redis}\n"
                   "sinks:\n"
                   "  - {name: one, type: file, path: /out}\n"
                   "  - {name: two, type: webhook, url: 'https://crm.example', secret_file: "
                   "/s/crm, tls_ca: /ca}\n"
                   "brands:\n  - {name: acme, hosts: [go.acme.example]}\n"
                   "  - {name: globex, hosts: [go.globex.example], texts: texts}\n");
    char text[512] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");

    (void)state;
    assert_non_null(out);
    schema_each_path(config_schema, config, on_path, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "admin.api_keys /etc/hopcount/a\n"
                              "admin.oidc.client_secret_file /s/oidc\n"
                              "redis.password_file /s/redis, at a restart\n"
                              "keys /etc/hopcount/k\n"
                              "brands[1].texts /etc/hopcount/texts\n"
                              "sinks[1].secret_file /s/crm, at a restart\n");
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(files_that_are_named_and_not_read_whenever_they_are_needed),
        cmocka_unit_test(test_everything_set),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits_are_inside),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_messages_of_others),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
