/* Entries of state, what an event changes, and the table that readers read while it is written. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/event.h"
#include "proto/state.h"
#include "proto/token.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/state/state_file.h"
#include "service/state/state_look_up.h"
#include "service/state/state_table.h"
#include "tests/unit/temp_dir.h"

#define EPOCH_MS (TOKEN_EPOCH_S * 1000)
#define NOW_MS INT64_C(1795800000123)

/* --- entries --- */

static uint64_t find(const struct state_table *table, const struct state_entry *entry)
{
    struct state_subject subject;

    state_subject(entry, &subject);
    return state_table_find(table, &subject);
}

static void test_what_goes_in_comes_out(void **state)
{
    const struct {
        const char *name;
        struct state_subject subject;
        int64_t at_ms, want_at_ms;
        uint32_t what;
    } cases[] = {
        {"an object", {STATE_OBJECT, 0xfeed0001, 1234}, NOW_MS, NOW_MS - 30, STATE_PAID},
        {"the largest numbers",
         {STATE_OBJECT, UINT32_MAX, UINT32_MAX},
         NOW_MS,
         NOW_MS - 30,
         STATE_REPLACED},
        {"the first moment", {STATE_OBJECT, 1, 1}, EPOCH_MS, EPOCH_MS, STATE_PAID},
        {"before the first moment", {STATE_OBJECT, 1, 1}, 0, EPOCH_MS, STATE_PAID},
        {"replaced by the largest object",
         {STATE_REPLACED_BY, 7, 1},
         EPOCH_MS + 17000,
         EPOCH_MS + 16000,
         UINT32_MAX},
        {"a link, of all 64 bits",
         {STATE_REVOKED_LINK, 0, UINT64_MAX - 5},
         EPOCH_MS + 31,
         EPOCH_MS,
         0xffffff},
        {"a client", {STATE_OPTED_OUT, 7, 77}, EPOCH_MS + 1000, EPOCH_MS + 1000, 1},
        {"a campaign", {STATE_REVOKED_CAMPAIGN, 7, 65535}, EPOCH_MS, EPOCH_MS, 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct state_entry in = {state_key(&cases[i].subject),
                                 state_value(cases[i].subject.type, cases[i].at_ms, cases[i].what)};
        uint8_t bytes[STATE_ENTRY_LEN];
        struct state_subject subject;
        struct state_entry out;

        print_message("%s\n", cases[i].name);
        state_entry_put(bytes, &in);
        assert_true(state_entry_get(bytes, &out));
        assert_true(out.key == in.key && out.value == in.value);
        state_subject(&out, &subject);
        assert_int_equal(subject.type, cases[i].subject.type);
        assert_int_equal(subject.brand, cases[i].subject.brand);
        assert_true(subject.id == cases[i].subject.id);
        assert_int_equal(state_what(out.value), cases[i].what);
        assert_int_equal(state_at_ms(out.value), cases[i].want_at_ms);
    }
}

static void test_the_later_value_is_greater(void **state)
{
    const int64_t times[] = {EPOCH_MS, EPOCH_MS + 32, EPOCH_MS + 60000, NOW_MS,
                             EPOCH_MS + INT64_C(2100000000000)};

    (void)state;
    for (size_t i = 1; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_true(state_value(STATE_OBJECT, times[i], STATE_UNPAID) >
                    state_value(STATE_OBJECT, times[i - 1], STATE_REPLACED));
        assert_true(i == 1 || state_value(STATE_REPLACED_BY, times[i], 0) >
                                  state_value(STATE_REPLACED_BY, times[i - 1], UINT32_MAX));
    }
}

static void test_refuses_other_bytes(void **state)
{
    const struct {
        const char *name;
        struct state_entry entry;
    } cases[] = {
        {"all zero", {0, 0}},
        {"no key", {0, state_value(STATE_OBJECT, NOW_MS, STATE_PAID)}},
        {"no value", {7, 0}},
        {"an unknown type", {7, (uint64_t)STATE_TYPES << 60 | 1}},
        {"an unknown state of an object", {7, state_value(STATE_OBJECT, NOW_MS, STATE_OBJECTS)}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[STATE_ENTRY_LEN];
        struct state_entry out;

        print_message("%s\n", cases[i].name);
        state_entry_put(bytes, &cases[i].entry);
        assert_false(state_entry_get(bytes, &out));
        assert_false(state_is_sound(slice_make((const char *)bytes, sizeof(bytes))));
    }
    assert_false(state_is_sound(slice_make("abc", 3)));
    assert_true(state_is_sound(slice_make("", 0)));
}

static void test_compacts(void **state)
{
    enum { KEYS = 50, ROUNDS = 20 };
    uint8_t table[KEYS * ROUNDS * STATE_ENTRY_LEN];
    size_t len = 0, left;

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned n = 0; n < KEYS; n++) {
            struct state_subject subject = {STATE_OBJECT, 7, n + 1};
            /* The newest comes in the middle; the last ten of the keys are old. */
            int64_t at_ms = n < 40 ? NOW_MS + (round == 9 ? 100000 : round * 1000) : EPOCH_MS;
            struct state_entry entry = {state_key(&subject),
                                        state_value(STATE_OBJECT, at_ms, round % 5 + 1)};

            state_entry_put(table + len, &entry);
            len += STATE_ENTRY_LEN;
        }
    }
    left = state_compact(table, len, NOW_MS - 1000);
    assert_int_equal(left, 40 * STATE_ENTRY_LEN);
    for (size_t at = 0; at < left; at += STATE_ENTRY_LEN) {
        struct state_entry entry;

        assert_true(state_entry_get(table + at, &entry));
        assert_int_equal(state_what(entry.value), 9 % 5 + 1);
        assert_true(at == 0 || memcmp(table + at - STATE_ENTRY_LEN, table + at, 8) < 0);
    }
    assert_int_equal(state_compact(table, left, 0), left);
    assert_int_equal(state_compact(table, 0, 0), 0);
}

/* In a table of Redis and in memory. */
static void test_what_is_forgotten(void **state)
{
    static const struct {
        const char *name;
        enum state_type type;
        int64_t at_ms;
        bool is_kept;
    } cases[] = {
        {"the state of an object, in time", STATE_OBJECT, NOW_MS + 100, true},
        {"a moment before", STATE_OBJECT, NOW_MS - 100, false},
        {"what has replaced it", STATE_REPLACED_BY, NOW_MS - 10000, false},
        {"how often a link was used", STATE_USES, NOW_MS - 100, false},
        {"a revocation", STATE_REVOKED_LINK, NOW_MS - 100, true},
        {"of a client's links", STATE_REVOKED_CLIENT, EPOCH_MS, true},
        {"who revoked", STATE_REVOKED_BY, EPOCH_MS, true},
        {"an opt-out", STATE_OPTED_OUT, EPOCH_MS, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct state_subject subject = {cases[i].type, 0, 77};
        const struct state_entry entry = {state_key(&subject),
                                          state_value(cases[i].type, cases[i].at_ms, 1)};
        struct state_table *table = state_table_new();
        uint8_t bytes[STATE_ENTRY_LEN];

        print_message("%s\n", cases[i].name);
        state_entry_put(bytes, &entry);
        assert_int_equal(state_compact(bytes, sizeof(bytes), NOW_MS),
                         cases[i].is_kept ? STATE_ENTRY_LEN : 0);
        assert_int_equal(state_table_merge(table, &entry), STATE_MERGED);
        state_table_set_oldest(table, NOW_MS);
        assert_true(state_table_reserve(table, 10000)); /* it grows */
        assert_int_equal(state_table_count(table), cases[i].is_kept);
        assert_int_equal(find(table, &entry), cases[i].is_kept ? entry.value : 0);
        if (!cases[i].is_kept)
            assert_int_equal(state_table_merge(table, &entry), STATE_OLDER);
        assert_int_equal(state_table_count(table), cases[i].is_kept);
        state_table_free(table);
    }
}

/* --- events --- */

static void test_an_event_travels_as_a_record(void **state)
{
    static const uint8_t log_id[CLICK_LOG_ID_LEN] = {1, 2, 3};

    (void)state;
    for (unsigned type = 1; type < EVENT_TYPES; type++) {
        bool has_scope = type == EVENT_REVOKED || type == EVENT_UNREVOKED;
        const struct event event = {
            .type = (enum event_type)type,
            .at_ms = NOW_MS,
            .id = event_id_hash(slice_of("invoice-1234-paid")),
            .brand = 0xfeedbeef,
            .object = 4294967295u,
            .client = 77,
            .link_id = UINT64_MAX - 1,
            .campaign = 65535,
            .channel = has_scope ? 0 : 7,
            .variant = 7,
            .scope = has_scope ? EVENT_SCOPE_CAMPAIGN : EVENT_SCOPE_LINK,
            .value = 0xfedcba98,
            .amount = -EVENT_AMOUNT_MAX,
            .currency = {'E', 'U', 'R'},
        };
        uint8_t bytes[CLICK_RECORD_LEN];
        struct click record;
        struct event out;

        memset(&out, 0, sizeof(out));
        event_to_record(&event, &record);
        click_encode(&record, 9, log_id, bytes);
        assert_int_equal(click_decode(bytes, 9, log_id, &record), CLICK_OK);
        assert_int_equal(record.type, CLICK_TYPE_EVENT);
        assert_true(event_from_record(&record, &out));
        assert_int_equal(out.type, event.type);
        assert_int_equal(out.at_ms, event.at_ms);
        assert_true(out.id == event.id && out.link_id == event.link_id);
        assert_true(out.amount == event.amount && out.value == event.value);
        assert_int_equal(out.brand, event.brand);
        assert_int_equal(out.object, event.object);
        assert_int_equal(out.client, event.client);
        assert_int_equal(out.campaign, event.campaign);
        assert_int_equal(out.channel, event.channel);
        assert_int_equal(out.variant, event.variant);
        assert_int_equal(out.scope, event.scope);
        assert_memory_equal(out.currency, event.currency, EVENT_CURRENCY_LEN);
        assert_true(event_key(&out) == event_key(&event));
        assert_int_equal(event_type_find(slice_of(event_type_name(event.type))), type);
    }
    assert_int_equal(event_type_find(slice_of("invoice.stolen")), 0);
}

static void test_what_an_event_changes(void **state)
{
    const struct {
        const char *name;
        struct event event;
        unsigned n;
        struct state_subject subject[2];
        uint32_t what[2];
    } cases[] = {
        {"paid", {.type = EVENT_PAID, .object = 5}, 1, {{STATE_OBJECT, 3, 5}}, {STATE_PAID}},
        {"paid, but of no object", {.type = EVENT_PAID, .client = 5}, 0, {{0}}, {0}},
        {"replaced",
         {.type = EVENT_REPLACED, .object = 5, .value = 4000000000u},
         2,
         {{STATE_OBJECT, 3, 5}, {STATE_REPLACED_BY, 3, 5}},
         {STATE_REPLACED, 4000000000u}},
        {"credited",
         {.type = EVENT_CREDITED, .object = 5},
         1,
         {{STATE_OBJECT, 3, 5}},
         {STATE_CREDITED}},
        {"opted out", {.type = EVENT_OPTED_OUT, .client = 9}, 1, {{STATE_OPTED_OUT, 3, 9}}, {1}},
        {"opted in again",
         {.type = EVENT_OPTED_IN, .client = 9},
         1,
         {{STATE_OPTED_OUT, 3, 9}},
         {0}},
        {"a campaign is revoked",
         {.type = EVENT_REVOKED, .scope = EVENT_SCOPE_CAMPAIGN, .campaign = 12, .value = 1000},
         2,
         {{STATE_REVOKED_CAMPAIGN, 3, 12}},
         {1000}},
        {"a link's revocation is undone",
         {.type = EVENT_UNREVOKED, .scope = EVENT_SCOPE_LINK, .link_id = UINT64_MAX},
         2,
         {{STATE_REVOKED_LINK, 0, UINT64_MAX}},
         {0}},
        {"mails were sent", {.type = EVENT_MAIL_SENT, .campaign = 12, .value = 50}, 0, {{0}}, {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event event = cases[i].event;
        struct state_entry out[EVENT_ENTRIES_MAX];

        print_message("%s\n", cases[i].name);
        event.brand = 3;
        event.at_ms = NOW_MS;
        assert_int_equal(event_entries(&event, out), cases[i].n);
        for (unsigned k = 0; k < cases[i].n && cases[i].subject[k].type; k++) {
            assert_true(out[k].key == state_key(&cases[i].subject[k]));
            assert_int_equal(state_what(out[k].value), cases[i].what[k]);
        }
    }
}

/* --- the file --- */

static struct state_entry entry_of(uint64_t n, unsigned second)
{
    struct state_subject subject = {STATE_OBJECT, 7, n};

    return (struct state_entry){
        state_key(&subject),
        state_value(STATE_OBJECT, EPOCH_MS + (int64_t)second * 1000, (uint32_t)(n % 7) + 1)};
}

static struct state_table *table_of(unsigned n)
{
    struct state_table *table = state_table_new();

    assert_non_null(table);
    for (uint64_t i = 1; i <= n; i++) {
        struct state_entry entry = entry_of(i, 5);

        assert_int_equal(state_table_merge(table, &entry), STATE_MERGED);
    }
    return table;
}

static void test_a_file_keeps_all(void **state)
{
    static const unsigned sizes[] = {0, 1, 4096, 10000};
    char *dir = temp_dir_new();

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct state_position in[2] = {{7, "1795800000123-4"}, {UINT64_MAX, "0-0"}}, out[2];
        struct state_table *table = table_of(sizes[i]), *again = state_table_new();
        struct error err = {0};

        print_message("%u entries\n", sizes[i]);
        assert_true(state_file_save(dir, table, in, 2, &err));
        assert_int_equal(state_file_load(dir, again, out, 2, &err), STATE_FILE_OK);
        assert_int_equal(state_table_count(again), sizes[i]);
        for (uint64_t n = 1; n <= sizes[i]; n++) {
            struct state_entry entry = entry_of(n, 5);

            assert_true(find(again, &entry) == entry.value);
        }
        for (unsigned s = 0; s < 2; s++) {
            assert_true(out[s].n == in[s].n);
            assert_string_equal(out[s].id, in[s].id);
        }
        state_table_free(table);
        state_table_free(again);
    }
    temp_dir_free(dir);
}

/* Whatever is wrong with it, nothing of it is taken, and it is out of the way. */
static void test_a_bad_file_is_set_aside(void **state)
{
    const struct {
        const char *name, *want;
        long cut;  /* bytes kept; 0 = all */
        long flip; /* the byte that is changed; -1 = none */
        unsigned n_shards;
    } cases[] = {
        {"empty", "cut short", 1, -1, 1},
        {"cut in an entry", "cut short", 700, -1, 1},
        {"without its last byte", "cut short", 1705, -1, 1},
        {"another beginning", "not a state file", 0, 0, 1},
        {"of version 2", "newer version", 0, 7, 1},
        {"a bit of an entry is flipped", "hash", 0, 800, 1},
        {"a bit of the hash is flipped", "hash", 0, 1700, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct state_position positions[2] = {{1, "1-1"}, {2, "2-2"}};
        struct state_table *table = table_of(100), *again = state_table_new();
        char *dir = temp_dir_new(), path[512];
        struct error err = {0};
        FILE *file;

        print_message("%s\n", cases[i].name);
        assert_true(state_file_save(dir, table, positions, 1, &err));
        snprintf(path, sizeof(path), "%s/state", dir);
        file = fopen(path, "r+");
        assert_non_null(file);
        if (cases[i].flip >= 0) {
            int c;

            fseek(file, cases[i].flip, SEEK_SET);
            c = fgetc(file);
            fseek(file, cases[i].flip, SEEK_SET);
            fputc(c ^ 3, file);
        }
        fclose(file);
        if (cases[i].cut > 0)
            assert_int_equal(truncate(path, cases[i].cut), 0);
        assert_int_equal(state_file_load(dir, again, positions, cases[i].n_shards, &err),
                         STATE_FILE_BAD);
        assert_non_null(strstr(err.text, cases[i].want));
        assert_int_equal(state_table_count(again), 0);
        assert_int_equal(state_file_load(dir, again, positions, 1, &err), STATE_FILE_ABSENT);
        state_table_free(table);
        state_table_free(again);
        temp_dir_free(dir);
    }
}

/* --- the table --- */

static void count_entry(void *owner, const struct state_entry *entry)
{
    size_t *n = owner;

    assert_int_equal(state_type(entry->value), STATE_OBJECT);
    ++*n;
}

static void test_merges(void **state)
{
    enum { MANY = 100000 };
    struct state_table *table = state_table_new();
    struct state_entry entry;
    size_t n = 0;

    (void)state;
    assert_non_null(table);
    entry = entry_of(7, 100);
    assert_int_equal(find(table, &entry), 0);
    assert_false(state_table_has(table, STATE_OBJECT));
    for (uint64_t i = 1; i <= MANY; i++) {
        entry = entry_of(i, 100);
        assert_int_equal(state_table_merge(table, &entry), STATE_MERGED);
        assert_int_equal(state_table_merge(table, &entry), STATE_OLDER);
        entry = entry_of(i, 99);
        assert_int_equal(state_table_merge(table, &entry), STATE_OLDER);
        entry = entry_of(i, 101);
        assert_int_equal(state_table_merge(table, &entry), STATE_MERGED);
    }
    state_table_reclaim(table, clock_mono_ms() + 2000);
    for (uint64_t i = 1; i <= MANY; i++) {
        entry = entry_of(i, 101);
        assert_true(find(table, &entry) == entry.value);
    }
    print_message("%zu bytes for %d entries\n", state_table_bytes(table), MANY);
    assert_true(state_table_bytes(table) <= (size_t)24 * MANY);
    for (uint64_t i = MANY + 1; i <= 2 * MANY; i++) {
        entry = entry_of(i, 101);
        assert_true(find(table, &entry) == 0);
    }
    assert_true(state_table_reserve(table, 2 * MANY));
    entry = entry_of(5, 101);
    assert_true(find(table, &entry) == entry.value);
    assert_int_equal(state_table_count(table), MANY);
    assert_true(state_table_has(table, STATE_OBJECT));
    assert_false(state_table_has(table, STATE_OPTED_OUT));
    state_table_walk(table, count_entry, &n);
    assert_int_equal(n, MANY);
    state_table_free(table);
    state_table_free(NULL);
}

/* All begin at one place, more than its line holds; and tables come from Redis in one piece. */
static void test_all_types_of_a_subject(void **state)
{
    enum { SUBJECTS = 3000, TYPES = STATE_TYPES - 1, MANY = SUBJECTS * TYPES };
    struct state_table *table = state_table_new();
    uint8_t *bytes = calloc(MANY + 1, STATE_ENTRY_LEN);
    const struct slice all = {(const char *)bytes, (MANY + 1) * STATE_ENTRY_LEN};

    (void)state;
    assert_non_null(table);
    assert_non_null(bytes);
    for (unsigned i = 0; i < MANY; i++) {
        const struct state_subject subject = {(enum state_type)(i % TYPES + 1), 0, i / TYPES + 1};
        const struct state_entry entry = {state_key(&subject),
                                          state_value(subject.type, NOW_MS, i % STATE_OBJECTS)};

        /* One in the middle is no entry: zeros. */
        state_entry_put(bytes + (i < MANY / 2 ? i : i + 1) * (size_t)STATE_ENTRY_LEN, &entry);
    }
    assert_int_equal(state_table_merge_all(table, all), STATE_MERGED);
    assert_int_equal(state_table_merge_all(table, all), STATE_OLDER);
    assert_int_equal(state_table_count(table), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        const struct state_subject subject = {(enum state_type)(i % TYPES + 1), 0, i / TYPES + 1};
        struct state_subject other = subject;

        assert_true(state_table_find(table, &subject) ==
                    state_value(subject.type, NOW_MS, i % STATE_OBJECTS));
        other.id += SUBJECTS;
        assert_true(state_table_find(table, &other) == 0);
    }
    free(bytes);
    state_table_free(table);
}

/* --- look-ups --- */

static void say(struct state_table *table, enum state_type type, uint32_t brand, uint64_t id,
                uint32_t what)
{
    static unsigned second;
    struct state_subject subject = {type, brand, id};
    struct state_entry entry = {state_key(&subject),
                                state_value(type, EPOCH_MS + 16000 * (int64_t)++second, what)};

    assert_int_equal(state_table_merge(table, &entry), STATE_MERGED);
}

static void test_what_is_said_of_a_link(void **state)
{
    const struct token token = {.link_id = UINT64_MAX - 9,
                                .object = 1234,
                                .client = 77,
                                .campaign = 12,
                                .issued_min = 1000};
    const struct {
        const char *name;
        struct {
            enum state_type type;
            uint32_t brand;
            uint64_t id;
            uint32_t what;
        } said[4];
        struct state_of_link want;
    } cases[] = {
        {"nothing was said", {{0}}, {.newest = 0}},
        {"paid", {{STATE_OBJECT, 3, 1234, STATE_PAID}}, {.object = STATE_PAID}},
        {"another object is paid", {{STATE_OBJECT, 3, 1235, STATE_PAID}}, {.newest = 0}},
        {"of another brand", {{STATE_OBJECT, 4, 1234, STATE_PAID}}, {.newest = 0}},
        {"the link is revoked",
         {{STATE_REVOKED_LINK, 0, UINT64_MAX - 9, 1001}},
         {.is_revoked = true}},
        {"links up to the minute before are revoked",
         {{STATE_REVOKED_CLIENT, 3, 77, 1000}},
         {.is_revoked = false}},
        {"the client's links are", {{STATE_REVOKED_CLIENT, 3, 77, 1001}}, {.is_revoked = true}},
        {"the object's links are", {{STATE_REVOKED_OBJECT, 3, 1234, 1001}}, {.is_revoked = true}},
        {"the campaign's links are", {{STATE_REVOKED_CAMPAIGN, 3, 12, 1001}}, {.is_revoked = true}},
        {"that was undone",
         {{STATE_REVOKED_CAMPAIGN, 3, 12, 1001}, {STATE_REVOKED_CAMPAIGN, 3, 12, 0}},
         {.is_revoked = false}},
        {"an object of the client's number is revoked",
         {{STATE_REVOKED_OBJECT, 3, 77, 1001}},
         {.is_revoked = false}},
        {"opted out", {{STATE_OPTED_OUT, 3, 77, 1}}, {.is_opted_out = true}},
        {"used as often as it may be", {{STATE_USES, 0, UINT64_MAX - 9, 5}}, {.uses = 5}},
        {"one use was given back",
         {{STATE_USES, 0, UINT64_MAX - 9, 5}, {STATE_USES, 0, UINT64_MAX - 9, 4}},
         {.uses = 4}},
        {"another link is used up", {{STATE_USES, 0, UINT64_MAX - 8, 5}}, {.newest = 0}},
        {"and in again",
         {{STATE_OPTED_OUT, 3, 77, 1}, {STATE_OPTED_OUT, 3, 77, 0}},
         {.is_opted_out = false}},
        {"replaced",
         {{STATE_OBJECT, 3, 1234, STATE_REPLACED}, {STATE_REPLACED_BY, 3, 1234, 2000}},
         {.newest = 2000}},
        {"replaced by one that is paid",
         {{STATE_OBJECT, 3, 1234, STATE_REPLACED},
          {STATE_REPLACED_BY, 3, 1234, 2000},
          {STATE_OBJECT, 3, 2000, STATE_PAID}},
         {.newest = 2000, .object = STATE_PAID}},
        {"replaced, by what is not known yet",
         {{STATE_OBJECT, 3, 1234, STATE_REPLACED}},
         {.object = STATE_REPLACED}},
        {"replaced in a circle",
         {{STATE_OBJECT, 3, 1234, STATE_REPLACED},
          {STATE_REPLACED_BY, 3, 1234, 2000},
          {STATE_OBJECT, 3, 2000, STATE_REPLACED},
          {STATE_REPLACED_BY, 3, 2000, 1234}},
         {.newest = 1234, .object = STATE_REPLACED}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct state_table *table = state_table_new();
        struct state_of_link have;

        print_message("%s\n", cases[i].name);
        for (unsigned k = 0; k < 4 && cases[i].said[k].type; k++)
            say(table, cases[i].said[k].type, cases[i].said[k].brand, cases[i].said[k].id,
                cases[i].said[k].what);
        state_look_up(table, 3, &token, true, &have);
        assert_int_equal(have.is_revoked, cases[i].want.is_revoked);
        assert_int_equal(have.is_opted_out, cases[i].want.is_opted_out);
        assert_int_equal(have.uses, cases[i].want.uses);
        assert_int_equal(have.object, cases[i].want.object);
        assert_int_equal(have.newest, cases[i].want.newest);
        state_table_free(table);
    }
}

struct readers {
    struct state_table *table;
    atomic_bool stop;
    atomic_ullong n_known; /* entries 1…n_known are there, and stay */
    atomic_ullong n_looks;
};

/* What was there once stays there, and never goes back. */
static void *read_all_the_time(void *arg)
{
    struct readers *readers = arg;
    uint64_t x = 88172645463325252u;

    while (!atomic_load(&readers->stop)) {
        uint64_t n_known = atomic_load_explicit(&readers->n_known, memory_order_acquire), value;
        struct state_entry least;

        if (n_known == 0)
            continue;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        least = entry_of(x % n_known + 1, 1);
        value = find(readers->table, &least);
        if (value < least.value || (state_what(value) != state_what(least.value)))
            abort();
        atomic_fetch_add_explicit(&readers->n_looks, 1, memory_order_relaxed);
    }
    return NULL;
}

static void test_reads_while_it_grows(void **state)
{
    enum { READERS = 3, MANY = 50000 };
    struct readers readers = {.table = state_table_new()};
    pthread_t threads[READERS];

    (void)state;
    assert_non_null(readers.table);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &readers), 0);
    for (uint64_t n = 1; n <= MANY; n++) {
        struct state_entry entry = entry_of(n, 1), later = entry_of(n / 2 + 1, 2 + (unsigned)n);

        assert_int_not_equal(state_table_merge(readers.table, &entry), STATE_NO_MEMORY);
        assert_int_not_equal(state_table_merge(readers.table, &later), STATE_NO_MEMORY);
        atomic_store_explicit(&readers.n_known, n, memory_order_release);
        if (n % 1000 == 0)
            state_table_reclaim(readers.table, clock_mono_ms());
    }
    atomic_store(&readers.stop, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    print_message("%llu looks\n", (unsigned long long)atomic_load(&readers.n_looks));
    assert_true(atomic_load(&readers.n_looks) > 0);
    state_table_free(readers.table);
}

static void test_what_is_told_of_events(void **state)
{
    const struct event event = {
        .type = EVENT_RENEWAL_REQUESTED,
        .at_ms = NOW_MS,
        .brand = 0xfeed0001,
        .object = 1234,
        .client = UINT32_MAX,
        .link_id = UINT64_MAX - 5,
        .campaign = 65535,
        .channel = 7,
        .variant = 3,
        .value = TOKEN_KIND_PAY,
    };
    uint8_t bytes[EVENT_TOLD_LEN];
    struct slice text = slice_make((const char *)bytes, sizeof(bytes));
    struct event out;

    (void)state;
    event_told_put(bytes, &event);
    assert_true(event_told_get(text, &out));
    assert_true(out.type == event.type && out.at_ms == event.at_ms && out.brand == event.brand &&
                out.object == event.object && out.client == event.client &&
                out.link_id == event.link_id && out.campaign == event.campaign &&
                out.channel == event.channel && out.variant == event.variant &&
                out.value == event.value);
    assert_false(event_told_get(slice_make(text.ptr, text.len - 1), &out));
    bytes[0] = EVENT_TYPES;
    assert_false(event_told_get(text, &out));
    bytes[0] = 0;
    assert_false(event_told_get(text, &out));
    assert_true(event_is_told(EVENT_OPTED_OUT));
    assert_false(event_is_told(EVENT_PAID));
    assert_false(event_is_told(EVENT_USED));
    assert_true(event_is_kept(&event));
    assert_true(event_is_kept(&(struct event){.type = EVENT_USED, .client = 7}));
    assert_false(event_is_kept(&(struct event){.type = EVENT_USED})); /* nobody's timeline */
    assert_false(event_is_kept(&(struct event){.type = EVENT_PAID, .client = 7}));
}

static void test_a_use_of_a_link_is_a_state_of_it(void **state)
{
    const struct event event = {
        .type = EVENT_USED, .at_ms = NOW_MS, .id = 7, .brand = 1, .link_id = UINT64_MAX - 5};
    struct state_entry entries[EVENT_ENTRIES_MAX];
    struct state_subject subject;
    struct click record;
    struct event out;

    (void)state;
    assert_int_equal(event_entries(&event, entries), 1);
    state_subject(&entries[0], &subject);
    assert_int_equal(subject.type, STATE_USED);
    assert_true(subject.id == event.link_id);
    assert_int_equal(event_bucket(&event), event.link_id >> 54);
    event_to_record(&event, &record);
    assert_true(event_from_record(&record, &out));
    assert_true(out.type == EVENT_USED && out.at_ms == event.at_ms && out.id == event.id &&
                out.link_id == event.link_id && out.brand == event.brand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_told_of_events),
        cmocka_unit_test(test_a_use_of_a_link_is_a_state_of_it),
        cmocka_unit_test(test_what_goes_in_comes_out),
        cmocka_unit_test(test_the_later_value_is_greater),
        cmocka_unit_test(test_refuses_other_bytes),
        cmocka_unit_test(test_compacts),
        cmocka_unit_test(test_what_is_forgotten),
        cmocka_unit_test(test_an_event_travels_as_a_record),
        cmocka_unit_test(test_what_an_event_changes),
        cmocka_unit_test(test_a_file_keeps_all),
        cmocka_unit_test(test_a_bad_file_is_set_aside),
        cmocka_unit_test(test_merges),
        cmocka_unit_test(test_all_types_of_a_subject),
        cmocka_unit_test(test_what_is_said_of_a_link),
        cmocka_unit_test(test_reads_while_it_grows),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
