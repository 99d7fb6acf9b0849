#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mmdb_fixture.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/label/geo.h"
#include "service/label/geo_db.h"
#include "temp_dir.h"

static char *dir;
static char path[128];

/* 198.51.0.0/16 and 2001:db8::/32 in `country`, 203.0.113.0/24 in NZ the other way, 192.0.2.0/24
 * with a record that has none. */
static void write_file(const char *country)
{
    static struct mmdb_file file;
    uint32_t record;

    mmdb_begin(&file);
    record = mmdb_add_record(&file, NULL, country);
    mmdb_add_network(&file, "198.51.0.0", 96 + 16, record);
    mmdb_add_network(&file, "2001:db8::", 32, record);
    mmdb_add_network(&file, "203.0.113.0", 96 + 24, mmdb_add_record(&file, "country_code", "NZ"));
    mmdb_add_network(&file, "192.0.2.0", 96 + 24, mmdb_add_record(&file, "name", "DE"));
    assert_true(mmdb_write(&file, path));
}

static void write_bytes(const char *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void parse_ip(const char *text, uint8_t ip[static IP_LEN])
{
    assert_true(ip_parse(slice_of(text), ip));
}

static void test_countries(void **state)
{
    const struct {
        const char *name, *ip, *want;
    } cases[] = {
        {"IPv4", "198.51.100.7", "DE"},
        {"the first address of a network", "198.51.0.0", "DE"},
        {"the last", "198.51.255.255", "DE"},
        {"the one before", "198.50.255.255", ""},
        {"IPv4 as IPv4-mapped IPv6", "::ffff:198.51.100.7", "DE"},
        {"IPv6", "2001:db8::1", "DE"},
        {"country_code", "203.0.113.9", "NZ"},
        {"a record without a country", "192.0.2.1", ""},
        {"no record", "10.0.0.1", ""},
        {"no record, IPv6", "2001:db9::1", ""},
    };
    struct error err = {0};
    struct geo_db *db = NULL;

    (void)state;
    write_file("DE");
    assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_OK);
    print_message("the file may be cut while it is in use\n");
    assert_int_equal(truncate(path, 10), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t ip[IP_LEN];
        char country[3] = {0};

        print_message("%s\n", cases[i].name);
        parse_ip(cases[i].ip, ip);
        geo_db_country(db, geo_db_find(db, ip), country);
        assert_string_equal(country, cases[i].want);
    }
    geo_db_free(db);
}

/* 198.51.0.0/16 in `asn`, as GeoLite2-ASN has it. */
static void write_asns(uint32_t asn)
{
    static struct mmdb_file file;

    mmdb_begin(&file);
    mmdb_add_network(&file, "198.51.0.0", 96 + 16,
                     mmdb_add_number(&file, "autonomous_system_number", asn));
    assert_true(mmdb_write(&file, path));
}

static void test_asns(void **state)
{
    enum { TEXTS = 12 };
    const struct {
        const char *name, *text;
        uint32_t want;
    } cases[TEXTS] = {
        {"a number in text", "AS64496", 64496},
        {"the smallest", "AS1", 1},
        {"the largest", "AS4294967295", UINT32_MAX},
        {"one more than that", "AS4294967296", 0},
        {"leading zeros, at the longest that is read", "AS0000000007", 7},
        {"longer than that", "AS00000000007", 0},
        {"nothing but the letters", "AS", 0},
        {"without the letters", "64496", 0},
        {"lower case", "as64496", 0},
        {"something behind it", "AS64496 EXAMPLE", 0},
        {"a sign", "AS-1", 0},
        {"empty", "", 0},
    };
    static struct mmdb_file file;
    struct error err = {0};
    struct geo_db *db = NULL;
    uint8_t ip[IP_LEN];

    (void)state;
    mmdb_begin(&file);
    for (unsigned i = 0; i < TEXTS; i++) {
        char network[32];

        snprintf(network, sizeof(network), "10.%u.0.0", i);
        mmdb_add_network(&file, network, 96 + 16, mmdb_add_record(&file, "asn", cases[i].text));
    }
    mmdb_add_network(&file, "198.51.0.0", 96 + 16,
                     mmdb_add_number(&file, "autonomous_system_number", 22843));
    mmdb_add_network(&file, "2001:db8::", 32,
                     mmdb_add_number(&file, "autonomous_system_number", UINT32_MAX));
    mmdb_add_network(&file, "192.0.2.0", 96 + 24, mmdb_add_record(&file, NULL, "DE"));
    assert_true(mmdb_write(&file, path));
    assert_int_equal(geo_db_load(path, GEO_DB_ASNS, &db, &err), GEO_DB_OK);
    for (unsigned i = 0; i < TEXTS; i++) {
        const uint8_t of_text[IP_LEN] = {[10] = 0xff, 0xff, 10, (uint8_t)i, 1, 1};

        print_message("%s\n", cases[i].name);
        assert_true(geo_db_asn(db, geo_db_find(db, of_text)) == cases[i].want);
    }
    print_message("as GeoLite2-ASN has it: the last address of a network, the first behind it\n");
    parse_ip("198.51.255.255", ip);
    assert_true(geo_db_asn(db, geo_db_find(db, ip)) == 22843);
    parse_ip("198.52.0.0", ip);
    assert_true(geo_db_asn(db, geo_db_find(db, ip)) == 0);
    print_message("IPv6, and the largest number\n");
    parse_ip("2001:db8:ffff::1", ip);
    assert_true(geo_db_asn(db, geo_db_find(db, ip)) == UINT32_MAX);
    print_message("a record of something else\n");
    parse_ip("192.0.2.1", ip);
    assert_true(geo_db_asn(db, geo_db_find(db, ip)) == 0);
    geo_db_free(db);

    print_message("a file of countries is none of numbers\n");
    write_file("DE");
    assert_int_equal(geo_db_load(path, GEO_DB_ASNS, &db, &err), GEO_DB_BAD);
    assert_non_null(strstr(err.text, "holds no numbers"));
}

/* By the reader that workers have: what it remembers of an address must not outlive the file. */
static void test_asns_of_a_file_that_changes(void **state)
{
    const struct geo_options options = {.path = path, .what = GEO_DB_ASNS, .interval_ms = 5};
    const struct timespec moment = {.tv_nsec = 2000000};
    struct error err = {0};
    struct geo_reader *reader;
    struct geo *geo;
    uint8_t ip[IP_LEN], foreign[IP_LEN];

    (void)state;
    parse_ip("198.51.100.7", ip);
    parse_ip("203.0.113.9", foreign);
    write_asns(22843);
    geo = geo_new(&options, &err);
    assert_non_null(geo);
    reader = geo_reader_new(geo);
    assert_non_null(reader);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(geo_asn(reader, ip), 22843);
        assert_int_equal(geo_asn(reader, foreign), 0);
    }
    write_asns(30031);
    for (int i = 0; i < 10000 && geo_asn(reader, ip) != 30031; i++)
        nanosleep(&moment, NULL);
    assert_int_equal(geo_asn(reader, ip), 30031);
    geo_reader_free(reader);
    geo_free(geo);
    print_message("without a file\n");
    reader = geo_reader_new(NULL);
    assert_int_equal(geo_asn(reader, ip), 0);
    geo_reader_free(reader);
}

static void test_bad_files(void **state)
{
    static struct mmdb_file file;
    static char bytes[65536];
    struct error err = {0};
    struct geo_db *db = NULL;
    size_t len;
    FILE *f;

    (void)state;
    print_message("absent\n");
    unlink(path);
    assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_ABSENT);
    print_message("a folder\n");
    assert_int_equal(geo_db_load(dir, GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    print_message("empty\n");
    write_bytes("", 0);
    assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    print_message("something else\n");
    write_bytes("country,DE\n", 11);
    assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    assert_non_null(strstr(err.text, path));
    print_message("without countries\n");
    mmdb_begin(&file);
    mmdb_add_network(&file, "198.51.0.0", 96 + 16, mmdb_add_record(&file, "asn", "64496"));
    assert_true(mmdb_write(&file, path));
    assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    assert_non_null(strstr(err.text, "no countries"));

    print_message("cut anywhere\n");
    write_file("DE");
    f = fopen(path, "rb");
    assert_non_null(f);
    len = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    for (size_t n = 0; n < len; n += 7) {
        write_bytes(bytes, n);
        assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    }
    print_message("any byte changed: refused, or answered from, but no crash\n");
    for (size_t i = 0; i < len; i++) {
        uint8_t ip[IP_LEN];
        char country[2];

        bytes[i] ^= 0x55;
        write_bytes(bytes, len);
        bytes[i] ^= 0x55;
        if (geo_db_load(path, GEO_DB_COUNTRIES, &db, &err) != GEO_DB_OK)
            continue;
        parse_ip("198.51.100.7", ip);
        geo_db_country(db, geo_db_find(db, ip), country);
        geo_db_free(db);
    }
}

static struct geo *make_geo(void)
{
    const struct geo_options options = {.path = path, .interval_ms = 5};
    struct error err = {0};
    struct geo *geo = geo_new(&options, &err);

    assert_non_null(geo);
    return geo;
}

/* Waits until the reader answers `want` for an address; the test's own limit ends it. */
static void await_country(struct geo_reader *reader, const char *want)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    char country[3] = {0};
    uint8_t ip[IP_LEN];

    parse_ip("198.51.100.7", ip);
    for (int i = 0; i < 10000; i++) {
        geo_country(reader, ip, country);
        if (strcmp(country, want) == 0)
            return;
        nanosleep(&moment, NULL);
    }
    fail_msg("still '%s', not '%s'", country, want);
}

static void test_changes_of_the_file(void **state)
{
    struct geo *geo;
    struct geo_reader *reader;
    uint8_t ip[IP_LEN];
    char country[3] = {0};
    const struct timespec moment = {.tv_nsec = 50000000};

    (void)state;
    unlink(path);
    geo = make_geo();
    reader = geo_reader_new(geo);
    parse_ip("198.51.100.7", ip);
    geo_country(reader, ip, country);
    assert_string_equal(country, "");
    print_message("it appears\n");
    write_file("DE");
    await_country(reader, "DE");
    print_message("it changes, and so does what was cached\n");
    write_file("FR");
    await_country(reader, "FR");
    print_message("a broken one keeps the old\n");
    write_bytes("broken", 6);
    nanosleep(&moment, NULL);
    await_country(reader, "FR");
    print_message("so does its absence\n");
    unlink(path);
    nanosleep(&moment, NULL);
    await_country(reader, "FR");
    print_message("and a good one comes again\n");
    write_file("AT");
    await_country(reader, "AT");
    geo_reader_free(reader);
    geo_free(geo);
}

struct asker {
    struct geo *geo;
    atomic_bool stop;
    atomic_uint n_answers;
    bool ok;
};

/* Asks as fast as it can; every answer must be one that some file gave. */
static void *ask(void *arg)
{
    struct asker *asker = arg;
    struct geo_reader *reader = geo_reader_new(asker->geo);
    uint8_t ip[IP_LEN];

    asker->ok = reader && ip_parse(slice_of("2001:db8::5"), ip);
    while (asker->ok && !atomic_load(&asker->stop)) {
        char country[2];

        geo_country(reader, ip, country);
        asker->ok = memcmp(country, "DE", 2) == 0 || memcmp(country, "FR", 2) == 0;
        atomic_fetch_add(&asker->n_answers, 1);
    }
    geo_reader_free(reader);
    return NULL;
}

static void test_swaps_under_load(void **state)
{
    enum { ASKERS = 3, SWAPS = 20 };
    struct asker askers[ASKERS];
    pthread_t threads[ASKERS];
    struct geo_reader *reader;
    struct geo *geo;

    (void)state;
    write_file("DE");
    geo = make_geo();
    reader = geo_reader_new(geo);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.geo = geo};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (int i = 0; i < SWAPS; i++) {
        write_file(i % 2 ? "DE" : "FR");
        await_country(reader, i % 2 ? "DE" : "FR");
    }
    for (int i = 0; i < ASKERS; i++) {
        atomic_store(&askers[i].stop, true);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(askers[i].ok);
        assert_true(atomic_load(&askers[i].n_answers) > 0);
    }
    geo_reader_free(reader);
    geo_free(geo);
}

static void test_readers(void **state)
{
    struct geo_reader *readers[GEO_READERS_MAX];
    uint8_t ip[IP_LEN] = {0};
    char country[2] = {'X', 'X'};
    struct geo *geo = make_geo();

    (void)state;
    for (int i = 0; i < GEO_READERS_MAX; i++)
        assert_non_null(readers[i] = geo_reader_new(geo));
    print_message("one too many\n");
    assert_null(geo_reader_new(geo));
    geo_reader_free(readers[7]);
    assert_non_null(readers[7] = geo_reader_new(geo));
    for (int i = 0; i < GEO_READERS_MAX; i++)
        geo_reader_free(readers[i]);
    geo_free(geo);
    print_message("without a file configured\n");
    readers[0] = geo_reader_new(NULL);
    geo_country(readers[0], ip, country);
    assert_int_equal(country[0] | country[1], 0);
    geo_reader_free(readers[0]);
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    dir = temp_dir_new();
    if (!dir)
        return 1;
    snprintf(path, sizeof(path), "%s/country.mmdb", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_dir_free(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_countries),
        cmocka_unit_test(test_asns),
        cmocka_unit_test(test_asns_of_a_file_that_changes),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_changes_of_the_file),
        cmocka_unit_test(test_swaps_under_load),
        cmocka_unit_test(test_readers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
