#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
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
static void write_database(const char *country)
{
    static struct mmdb_file file;
    uint32_t record;

    mmdb_begin(&file);
    record = mmdb_add_record(&file, NULL, country);
    mmdb_add_network(&file, "198.51.0.0", 96 + 16, record);
    mmdb_add_network(&file, "2001:db8::", 32, record);
    mmdb_add_network(&file, "203.0.113.0", 96 + 24, mmdb_add_record(&file, "country_code", "NZ"));
    mmdb_add_network(&file, "192.0.2.0", 96 + 24, mmdb_add_record(&file, "name", "DE"));
    mmdb_add_network(&file, "198.18.0.0", 96 + 24, mmdb_add_record(&file, "country", "GB"));
    mmdb_add_network(&file, "198.18.1.0", 96 + 24, mmdb_add_record(&file, "country", "France"));
    mmdb_add_network(&file, "198.18.2.0", 96 + 24, mmdb_add_record(&file, "country", "gb"));
    mmdb_add_network(&file, "198.18.3.0", 96 + 24, mmdb_add_record(&file, "country", "ZZ"));
    mmdb_add_network(&file, "198.18.4.0", 96 + 24, mmdb_add_record(&file, "country_code", "XX"));
    mmdb_add_network(&file, "198.18.5.0", 96 + 24, mmdb_add_record(&file, NULL, "ZZ"));
    assert_true(mmdb_write(&file, path));
}

static void parse_ip(const char *text, uint8_t ip[static IP_LEN])
{
    assert_true(ip_parse(slice_of(text), ip));
}

/* A country as geo_db_find() has it; "" = 0. */
static uint32_t letters(const char *country)
{
    return country[0] ? (uint32_t)country[0] << 8 | (uint32_t)country[1] : 0;
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
        {"the country as text, as IPinfo has it", "198.18.0.1", "GB"},
        {"the country's name as text", "198.18.1.1", ""},
        {"in small letters", "198.18.2.1", ""},
        {"ZZ: unknown", "198.18.3.1", ""},
        {"XX: unknown", "198.18.4.1", ""},
        {"ZZ in a map: unknown", "198.18.5.1", ""},
        {"no record", "10.0.0.1", ""},
        {"no record, IPv6", "2001:db9::1", ""},
    };
    struct error err = {0};
    struct geo_db *db = NULL;

    (void)state;
    write_database("DE");
    assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_OK);
    print_message("the file may be cut while it is in use\n");
    assert_int_equal(truncate(path, 10), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t ip[IP_LEN];

        print_message("%s\n", cases[i].name);
        parse_ip(cases[i].ip, ip);
        assert_true(geo_db_find(db, ip) == letters(cases[i].want));
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
    mmdb_add_network(&file, "198.18.0.0", 96 + 24, mmdb_add_number(&file, "asn", 64497));
    mmdb_add_network(&file, "198.18.1.0", 96 + 24,
                     mmdb_add_record(&file, "autonomous_system_number", "AS64498"));
    assert_true(mmdb_write(&file, path));
    assert_int_equal(geo_db_load(path, GEO_DB_ASNS, &db, &err), GEO_DB_OK);
    for (unsigned i = 0; i < TEXTS; i++) {
        const uint8_t of_text[IP_LEN] = {[10] = 0xff, 0xff, 10, (uint8_t)i, 1, 1};

        print_message("%s\n", cases[i].name);
        assert_true(geo_db_find(db, of_text) == cases[i].want);
    }
    print_message("as GeoLite2-ASN has it: the last address of a network, the first behind it\n");
    parse_ip("198.51.255.255", ip);
    assert_true(geo_db_find(db, ip) == 22843);
    parse_ip("198.52.0.0", ip);
    assert_true(geo_db_find(db, ip) == 0);
    print_message("each key as a number and as text\n");
    parse_ip("198.18.0.1", ip);
    assert_true(geo_db_find(db, ip) == 64497);
    parse_ip("198.18.1.1", ip);
    assert_true(geo_db_find(db, ip) == 64498);
    print_message("IPv6, and the largest number\n");
    parse_ip("2001:db8:ffff::1", ip);
    assert_true(geo_db_find(db, ip) == UINT32_MAX);
    print_message("a record of something else\n");
    parse_ip("192.0.2.1", ip);
    assert_true(geo_db_find(db, ip) == 0);
    geo_db_free(db);

    print_message("a file of countries is none of numbers\n");
    write_database("DE");
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
    assert_non_null(strstr(err.text, "is not a file"));
    print_message("a device without an end\n");
    assert_int_equal(geo_db_load("/dev/zero", GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    print_message("a pipe that nobody writes into\n");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    unlink(path);
    print_message("empty\n");
    write_bytes(path, "", 0);
    assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    print_message("something else\n");
    write_bytes(path, "country,DE\n", 11);
    assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    assert_non_null(strstr(err.text, path));
    print_message("without countries\n");
    mmdb_begin(&file);
    mmdb_add_network(&file, "198.51.0.0", 96 + 16, mmdb_add_record(&file, "asn", "64496"));
    assert_true(mmdb_write(&file, path));
    assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    assert_non_null(strstr(err.text, "no countries"));

    print_message("cut anywhere\n");
    write_database("DE");
    f = fopen(path, "rb");
    assert_non_null(f);
    len = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    for (size_t n = 0; n < len; n += 7) {
        write_bytes(path, bytes, n);
        assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_BAD);
    }
    print_message("any byte changed: refused, or answered from, but no crash\n");
    for (size_t i = 0; i < len; i++) {
        uint8_t ip[IP_LEN];

        bytes[i] ^= 0x55;
        write_bytes(path, bytes, len);
        bytes[i] ^= 0x55;
        if (geo_db_load(path, GEO_DB_COUNTRIES, &db, &err) != GEO_DB_OK)
            continue;
        parse_ip("198.51.100.7", ip);
        (void)geo_db_find(db, ip);
        geo_db_free(db);
    }
}

/* What libmaxminddb says of it. */
static uint32_t find_by_library(const MMDB_s *mmdb, const uint8_t ip[static IP_LEN])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    bool is_ipv4 = memcmp(ip, mapped, sizeof(mapped)) == 0;
    MMDB_lookup_result_s result;
    MMDB_entry_data_s data;
    int status;

    memcpy(&in4.sin_addr, ip + 12, 4);
    memcpy(&in6.sin6_addr, ip, IP_LEN);
    result = MMDB_lookup_sockaddr(
        mmdb, is_ipv4 ? (const struct sockaddr *)&in4 : (const struct sockaddr *)&in6, &status);
    if (status != MMDB_SUCCESS || !result.found_entry)
        return 0;
    assert_int_equal(MMDB_get_value(&result.entry, &data, "country", "iso_code", NULL),
                     MMDB_SUCCESS);
    return letters(data.utf8_string);
}

/* Networks of every length, nested as they come; every address is found as the library finds it. */
static void test_as_the_library(void **state)
{
    static struct mmdb_file file;
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 40; round++) {
        uint8_t of[8][IP_LEN] = {0};
        struct error err = {0};
        struct geo_db *db = NULL;
        MMDB_s mmdb;

        mmdb_begin(&file);
        file.is_ipv4 = round % 4 == 3;
        for (unsigned n = 0; n < 8; n++) {
            bool is_ipv4 = file.is_ipv4 || rand() % 2;
            char country[] = {(char)('A' + rand() % 26), (char)('A' + n), '\0'},
                 text[INET6_ADDRSTRLEN];

            for (unsigned i = is_ipv4 ? 12 : 0; i < IP_LEN; i++)
                of[n][i] = (uint8_t)rand();
            of[n][0] |= !is_ipv4 ? 0x20 : 0;
            if (is_ipv4)
                of[n][10] = of[n][11] = 0xff;
            assert_non_null(inet_ntop(is_ipv4 ? AF_INET : AF_INET6, of[n] + (is_ipv4 ? 12 : 0),
                                      text, sizeof(text)));
            mmdb_add_network(&file, text,
                             (is_ipv4 ? 97 : 1) + (unsigned)rand() % (is_ipv4 ? 32 : 128),
                             mmdb_add_record(&file, NULL, country));
        }
        assert_true(mmdb_write(&file, path));
        assert_int_equal(geo_db_load(path, GEO_DB_COUNTRIES, &db, &err), GEO_DB_OK);
        assert_int_equal(MMDB_open(path, MMDB_MODE_MMAP, &mmdb), MMDB_SUCCESS);
        for (unsigned i = 0; i < 4000; i++) {
            uint8_t ip[IP_LEN];
            unsigned bit = (unsigned)rand() % (8 * IP_LEN);

            memcpy(ip, of[rand() % 8], IP_LEN);
            ip[bit / 8] ^= (uint8_t)(rand() % 2 << bit % 8);
            if (file.is_ipv4 && ip[10] != 0xff)
                continue; /* the library says that it is an error */
            assert_true(geo_db_find(db, ip) == find_by_library(&mmdb, ip));
        }
        MMDB_close(&mmdb);
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
    write_database("DE");
    await_country(reader, "DE");
    print_message("it changes\n");
    write_database("FR");
    await_country(reader, "FR");
    print_message("a broken one keeps the old\n");
    write_bytes(path, "broken", 6);
    nanosleep(&moment, NULL);
    await_country(reader, "FR");
    print_message("so does its absence\n");
    unlink(path);
    nanosleep(&moment, NULL);
    await_country(reader, "FR");
    print_message("and a good one comes again\n");
    write_database("AT");
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
    write_database("DE");
    geo = make_geo();
    reader = geo_reader_new(geo);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.geo = geo};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (int i = 0; i < SWAPS; i++) {
        write_database(i % 2 ? "DE" : "FR");
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
        cmocka_unit_test(test_as_the_library),
        cmocka_unit_test(test_changes_of_the_file),
        cmocka_unit_test(test_swaps_under_load),
        cmocka_unit_test(test_readers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
