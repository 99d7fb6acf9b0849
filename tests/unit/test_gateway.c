#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/click_names.h"
#include "service/gateway/gateway.h"

#define START_MS INT64_C(1795348800000)
#define ISSUED_EPOCH_MS INT64_C(1704067200000)

enum { CLICKS = 12, MINUTE_MS = 60000, CLIENT = 77, HEAD = CLICK_PROBE };

static const struct gateway_options defaults = {
    .links = 3,
    .links_ms = 10000,
    .two_links_ms = 2500,
    .networks = 3,
    .networks_ms = 120000,
    .early_ms = 30000,
    .weight_links = 100,
    .weight_networks = 100,
    .weight_early = 40,
    .weight_head = 70,
    .weight_asn = 40,
    .weight_range = 100,
    .threshold = 100,
};

/* A click: when (ms), of which link, from which network. */
struct step {
    int64_t at_ms;
    unsigned link, network, label, client, hints, channel;
};

#define GET(ms, l, n)                              \
    {                                              \
        .at_ms = (ms), .link = (l), .network = (n) \
    }
#define AS(ms, l, n, x)                                          \
    {                                                            \
        .at_ms = (ms), .link = (l), .network = (n), .label = (x) \
    }
#define OF(ms, l, n, c)                                           \
    {                                                             \
        .at_ms = (ms), .link = (l), .network = (n), .client = (c) \
    }
#define HINTED(ms, l, n, h)                                      \
    {                                                            \
        .at_ms = (ms), .link = (l), .network = (n), .hints = (h) \
    }

#define IN(ms, l, n, c)                                            \
    {                                                              \
        .at_ms = (ms), .link = (l), .network = (n), .channel = (c) \
    }

static struct click click_of(const struct step *step, int64_t age_ms)
{
    return (struct click){
        .type = CLICK_TYPE_CLICK,
        .kind = 1,
        .link_id = step->link,
        .time_ms = START_MS + step->at_ms,
        .issued_min = (uint32_t)((START_MS - age_ms - ISSUED_EPOCH_MS) / MINUTE_MS),
        .client = step->client ? step->client : CLIENT,
        .network = (uint16_t)step->network,
        .label = (uint8_t)step->label,
        .reason = step->label == HEAD ? CLICK_REASON_HEAD : CLICK_REASON_NONE,
        .hints = (uint8_t)step->hints,
        .channel = (uint8_t)step->channel,
    };
}

static char letter(const struct click *click)
{
    switch (click->reason) {
    case CLICK_REASON_MANY_LINKS:
        return 'L';
    case CLICK_REASON_MANY_NETWORKS:
        return 'N';
    case CLICK_REASON_SIGNS:
        return 'S';
    case CLICK_REASON_REPEAT:
        return 'R';
    default:
        return click->label == HEAD ? 'p' : '.';
    }
}

/* Plays the steps in that order; `labels` gets a letter for each: '.' human, 'p' probe, or why it
 * is a scanner's. */
static void play(const struct gateway_options *options, const struct step *steps, int64_t age_ms,
                 char labels[CLICKS + 1])
{
    struct gateway *gateway = gateway_new(options);

    assert_non_null(gateway);
    memset(labels, 0, CLICKS + 1);
    for (unsigned i = 0; i < CLICKS && steps[i].link; i++) {
        struct gateway_click found[GATEWAY_FOUND_MAX];
        struct gateway_click click = {.click = click_of(&steps[i], age_ms), .number = i};
        unsigned n;

        labels[i] = letter(&click.click);
        n = gateway_add(gateway, &click, found);
        for (unsigned j = 0; j < n; j++) {
            struct click want = click_of(&steps[found[j].number], age_ms);

            assert_int_equal(labels[found[j].number], '.'); /* none twice */
            labels[found[j].number] = letter(&found[j].click);
            assert_int_equal(found[j].click.type, CLICK_TYPE_RELABEL);
            assert_int_equal(found[j].click.label, found[j].click.reason == CLICK_REASON_REPEAT
                                                       ? CLICK_BOT
                                                       : CLICK_SCANNER);
            assert_int_equal(found[j].click.old_label, CLICK_HUMAN);
            assert_int_equal(found[j].click.old_reason, want.reason);
            assert_int_equal(found[j].click.link_id, want.link_id);
            assert_int_equal(found[j].click.time_ms, want.time_ms);
        }
        assert_int_equal(gateway_add(gateway, &click, found), 0); /* known already */
    }
    gateway_free(gateway);
}

static void test_bursts(void **state)
{
    const struct {
        const char *name;
        int64_t age_ms; /* of the mail at the first click */
        struct step steps[CLICKS];
        const char *want;
    } cases[] = {
        {"one click", 3600000, {GET(0, 1, 1)}, "."},
        {"three links in the seconds of a burst",
         3600000,
         {GET(0, 1, 1), GET(5000, 2, 1), GET(10000, 3, 1)},
         "LLL"},
        {"a millisecond longer", 3600000, {GET(0, 1, 1), GET(5000, 2, 1), GET(10001, 3, 1)}, "..."},
        {"two links at once, long after the mail", 3600000, {GET(0, 1, 1), GET(2500, 2, 1)}, "LL"},
        {"two links at once of a mail just sent", 0, {GET(0, 1, 1), GET(2500, 2, 1)}, "LL"},
        {"a millisecond later", 3600000, {GET(0, 1, 1), GET(2501, 2, 1)}, ".."},
        {"a millisecond later, of a mail just sent", 0, {GET(0, 1, 1), GET(2501, 2, 1)}, "SS"},
        {"half as far apart again, just sent", 0, {GET(0, 1, 1), GET(3750, 2, 1)}, "SS"},
        {"more than that, just sent", 0, {GET(0, 1, 1), GET(3751, 2, 1)}, ".."},
        {"a customer pays a fresh invoice", 0, {GET(0, 1, 1), GET(4000, 2, 1)}, ".."},
        {"and after a longer look", 0, {GET(0, 1, 1), GET(9000, 2, 1)}, ".."},
        {"two links by two networks", 3600000, {GET(0, 1, 1), GET(500, 2, 2)}, "LL"},
        {"two links of two clients", 0, {OF(0, 1, 1, 1), OF(500, 2, 1, 2)}, ".."},
        {"two links at once, and then a person",
         3600000,
         {GET(0, 1, 1), GET(500, 2, 1), GET(9000, 1, 2)},
         "LL."},
        {"HEADs of one link, GET of the other", 3600000, {AS(0, 1, 1, HEAD), GET(500, 2, 1)}, "pL"},
        {"two links that say they are of a mail", 0, {IN(0, 1, 1, 1), IN(500, 2, 1, 1)}, "LL"},
        {"two links of an attachment", 0, {IN(0, 1, 1, 3), IN(500, 2, 1, 3)}, "LL"},
        {"two codes on a screen", 0, {IN(0, 1, 1, 4), IN(500, 2, 1, 4)}, ".."},
        {"two links of a page just made", 0, {IN(0, 1, 1, 5), IN(500, 2, 1, 5)}, ".."},
        {"two links in a chat", 0, {IN(0, 1, 1, 6), IN(500, 2, 1, 6)}, ".."},
        {"two links elsewhere", 0, {IN(0, 1, 1, 7), IN(500, 2, 1, 7)}, "LL"},
        {"two links of a mail just sent, slowly", 0, {GET(0, 1, 1), GET(10001, 2, 1)}, ".."},
        {"one link of a mail just sent, twice", 0, {GET(0, 1, 1), GET(500, 1, 1)}, ".."},
        {"two links, one of them twice",
         3600000,
         {GET(0, 1, 1), GET(4000, 2, 1), GET(7000, 1, 1)},
         "..."},
        {"one link many times",
         3600000,
         {GET(0, 1, 1), GET(5, 1, 1), GET(9, 1, 1), GET(90, 1, 1)},
         "...."},
        {"three links slowly", 3600000, {GET(0, 1, 1), GET(9000, 2, 1), GET(18000, 3, 1)}, "..."},
        {"three links of three clients behind one address",
         3600000,
         {OF(0, 1, 1, 1), OF(10, 2, 1, 2), OF(20, 3, 1, 3)},
         "..."},
        {"three networks", 3600000, {GET(0, 1, 1), GET(60000, 1, 2), GET(120000, 1, 3)}, "NNN"},
        {"three networks, a millisecond too slowly",
         3600000,
         {GET(0, 1, 1), GET(60000, 1, 2), GET(120001, 1, 3)},
         "..."},
        {"from Wi-Fi to mobile", 3600000, {GET(0, 1, 1), GET(5000, 1, 2), GET(9000, 1, 1)}, "..."},
        {"networks that aren't known don't count",
         3600000,
         {GET(0, 1, 0), GET(5, 1, 0), GET(9, 1, 2)},
         "..."},
        {"a preview by a declared bot between two people",
         3600000,
         {GET(0, 1, 1), AS(5000, 1, 2, CLICK_BOT), GET(9000, 1, 3)},
         "..."},
        {"a prefetch by a declared browser and a click",
         3600000,
         {AS(0, 1, 1, CLICK_PREFETCH), GET(500, 2, 1), GET(5000, 3, 1)},
         "..."},
        {"HEAD and then GET, late", 3600000, {AS(0, 1, 1, HEAD), GET(500, 1, 1)}, "p."},
        {"HEAD and then GET, early", 0, {AS(0, 1, 1, HEAD), GET(500, 1, 1)}, "pS"},
        {"HEAD from elsewhere, early", 0, {AS(0, 1, 1, HEAD), GET(500, 1, 2)}, "p."},
        {"HEAD after GET, early", 0, {GET(0, 1, 1), AS(500, 1, 1, HEAD)}, ".p"},
        {"HEAD and GET in one tick of the clock", 0, {GET(0, 1, 1), AS(0, 1, 1, HEAD)}, "Sp"},
        {"HEAD and GET by clocks that differ", 0, {GET(50, 1, 1), AS(100, 1, 1, HEAD)}, "Sp"},
        {"HEAD just after GET", 0, {GET(0, 1, 1), AS(51, 1, 1, HEAD)}, ".p"},
        {"HEAD too long before GET", 0, {AS(0, 1, 1, HEAD), GET(10001, 1, 1)}, "p."},
        {"HEADs count as links opened",
         3600000,
         {AS(0, 1, 1, HEAD), AS(10, 2, 1, HEAD), GET(500, 3, 1)},
         "ppL"},
        {"an early click alone", 0, {GET(0, 1, 1)}, "."},
        {"of a listed network", 3600000, {HINTED(0, 1, 1, CLICK_HINT_RANGE)}, "S"},
        {"of a listed system", 0, {HINTED(0, 1, 1, CLICK_HINT_ASN)}, "."},
        {"of a listed system, after HEAD",
         3600000,
         {AS(0, 1, 1, HEAD), HINTED(500, 1, 1, CLICK_HINT_ASN)},
         "pS"},
        {"a listed system opens three links slowly",
         3600000,
         {HINTED(0, 1, 1, CLICK_HINT_ASN), HINTED(25000, 2, 1, CLICK_HINT_ASN),
          HINTED(50000, 3, 1, CLICK_HINT_ASN)},
         "SSS"},
        {"two of them, long after the mail",
         3600000,
         {HINTED(0, 1, 1, CLICK_HINT_ASN), HINTED(12000, 2, 1, CLICK_HINT_ASN)},
         ".."},
        {"two of them, of a mail just sent",
         0,
         {HINTED(0, 1, 1, CLICK_HINT_ASN), HINTED(12000, 2, 1, CLICK_HINT_ASN)},
         "SS"},
        {"three links slowly, one by a listed system",
         3600000,
         {GET(0, 1, 1), HINTED(25000, 2, 1, CLICK_HINT_ASN), GET(50000, 3, 1)},
         "..."},
        {"a listed system looks just before the person",
         3600000,
         {HINTED(0, 1, 1, CLICK_HINT_ASN), GET(900, 1, 2)},
         "S."},
        {"and at another link", 3600000, {HINTED(0, 1, 1, CLICK_HINT_ASN), GET(4000, 2, 2)}, ".."},
        {"and long before the person",
         3600000,
         {HINTED(0, 1, 1, CLICK_HINT_ASN), GET(5001, 1, 2)},
         ".."},
        {"a person behind a listed system clicks twice",
         3600000,
         {HINTED(0, 1, 1, CLICK_HINT_ASN), HINTED(900, 1, 2, CLICK_HINT_ASN)},
         ".."},
        {"the burst goes on",
         3600000,
         {GET(0, 1, 1), GET(1, 2, 1), GET(2, 3, 1), GET(1500, 4, 1)},
         "LLLL"},
        {"a person opens it after the burst",
         3600000,
         {GET(0, 1, 1), GET(1, 2, 1), GET(2, 3, 1), GET(30000, 1, 2)},
         "LLL."},
        {"a network of the burst again",
         3600000,
         {GET(0, 1, 1), GET(1, 2, 1), GET(2, 3, 1), GET(30000, 1, 1)},
         "LLLL"},
        {"a network of the burst, much later",
         3600000,
         {GET(0, 1, 1), GET(1, 2, 1), GET(2, 3, 1), GET(130000, 1, 1)},
         "LLL."},
        {"a person on two networks after one of three networks",
         3600000,
         {GET(0, 1, 1), GET(9000, 1, 2), GET(18000, 1, 3), GET(60000, 1, 4), GET(90000, 2, 5)},
         "NNN.."},
        {"they are told of in another order",
         3600000,
         {GET(400, 1, 1), GET(0, 2, 1), GET(200, 3, 1)},
         "LLL"},
        {"a person on a third network after a burst of links by two",
         3600000,
         {GET(0, 1, 1), GET(1000, 2, 2), GET(20000, 1, 3)},
         "LL."},
        {"the same, told of in another order",
         3600000,
         {GET(0, 1, 1), GET(20000, 1, 3), GET(1000, 2, 2)},
         "L.L"},
        {"the second of two bursts",
         3600000,
         {GET(0, 1, 1), GET(1, 2, 1), GET(2, 3, 1), GET(60000, 1, 2), GET(60001, 2, 2),
          GET(60002, 3, 2)},
         "LLLLLL"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char labels[CLICKS + 1];

        print_message("%s\n", cases[i].name);
        play(&defaults, cases[i].steps, cases[i].age_ms, labels);
        assert_string_equal(labels, cases[i].want);
    }
}

/* The token knows its minute: a click is early while it may be. */
static void test_early_clicks(void **state)
{
    const struct {
        const char *name;
        int64_t age_ms, early_ms;
        const char *want;
    } cases[] = {
        {"within early_s", 29000, 30000, "pS"},
        {"within early_s of the end of the token's minute", 89000, 30000, "pS"},
        {"later", 90000, 30000, "p."},
        {"early_s is 0", 0, 0, "p."},
    };
    const struct step steps[CLICKS] = {AS(0, 1, 1, HEAD), GET(10, 1, 1)};

    (void)state;
    assert_int_equal((START_MS - ISSUED_EPOCH_MS) % MINUTE_MS, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gateway_options options = defaults;
        struct step late[CLICKS];
        char labels[CLICKS + 1];

        print_message("%s\n", cases[i].name);
        options.early_ms = cases[i].early_ms;
        memcpy(late, steps, sizeof(late));
        late[0].at_ms += cases[i].age_ms;
        late[1].at_ms = late[0].at_ms; /* the age is that of this one, too */
        play(&options, late, 0, labels);
        assert_string_equal(labels, cases[i].want);
    }
}

static void test_thresholds(void **state)
{
    const struct step three_links[CLICKS] = {GET(0, 1, 1), GET(5, 2, 1), GET(9, 3, 1)};
    struct gateway_options options = defaults;
    char labels[CLICKS + 1];

    (void)state;
    print_message("a burst that weighs too little\n");
    options.weight_links = 99;
    play(&options, three_links, 3600000, labels);
    assert_string_equal(labels, "...");
    print_message("with another sign, enough\n");
    play(&options, three_links, 0, labels);
    assert_string_equal(labels, "LLL");
    print_message("more links asked for than came\n");
    options = defaults;
    options.links = 4;
    options.two_links_ms = 0;
    play(&options, three_links, 3600000, labels);
    assert_string_equal(labels, "...");
}

static void test_without_a_client(void **state)
{
    struct gateway *gateway = gateway_new(&defaults);
    struct gateway_click found[GATEWAY_FOUND_MAX];

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        struct step step = {.at_ms = i, .link = i + 1, .network = i + 1};
        struct gateway_click click = {.click = click_of(&step, 0), .number = i};

        click.click.client = 0;
        assert_int_equal(gateway_add(gateway, &click, found), 0);
        click.click.hints = CLICK_HINT_RANGE;
        assert_int_equal(gateway_add(gateway, &click, found), 1);
    }
    gateway_free(gateway);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Few clients, links and networks, mostly in the order of time, so that all of it happens. */
static struct click random_click(uint32_t *seed, unsigned i)
{
    uint32_t r = next_random(seed), gap_ms = 1 + next_random(seed) % 4000;
    bool is_usual = next_random(seed) % 4 != 0;
    struct step step = {
        .at_ms = (int64_t)i * gap_ms / 4 + (int64_t)(r % 300) - 150,
        .link = is_usual ? 1 : 1 + r % 4,
        .network = is_usual ? 1 : r / 7 % 5,
        .label = r / 13 % 20 == 0 ? HEAD : CLICK_HUMAN,
        .client = 1 + r / 17 % 6,
        .hints = r / 19 % 30 == 0 ? CLICK_HINT_ASN : 0,
    };

    return click_of(&step, r % 3 ? 3600000 : 0);
}

static void assert_same_found(const struct gateway_click *a, unsigned n_a,
                              const struct gateway_click *b, unsigned n_b)
{
    assert_int_equal(n_a, n_b);
    for (unsigned i = 0; i < n_a; i++) {
        assert_int_equal(a[i].number, b[i].number);
        assert_int_equal(a[i].click.reason, b[i].click.reason);
    }
}

/* What is the process' own takes a short cut; it must find what the long way finds. */
static void test_the_short_cut_finds_the_same(void **state)
{
    enum { ROUNDS = 60, STEPS = 1500 };
    unsigned n_found = 0;

    (void)state;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        struct gateway_options options = defaults;
        struct gateway *by_short_cut, *by_long_way;
        uint32_t seed = round;

        print_message("seed %u\n", round);
        options.clicks_max = round % 2 ? 64 : 0;
        by_short_cut = gateway_new(&options);
        by_long_way = gateway_new(&options);
        for (unsigned i = 0; i < STEPS; i++) {
            struct gateway_click found[GATEWAY_FOUND_MAX], want[GATEWAY_FOUND_MAX];
            struct gateway_click click = {.click = random_click(&seed, i), .number = i};
            unsigned n_want = gateway_add(by_long_way, &click, want);

            click.is_own = true;
            assert_same_found(found, gateway_add(by_short_cut, &click, found), want, n_want);
            n_found += n_want;
            if (i == STEPS / 2 && round % 3 == 0) {
                gateway_forget_networks(by_short_cut);
                gateway_forget_networks(by_long_way);
            }
        }
        gateway_free(by_short_cut);
        gateway_free(by_long_way);
    }
    assert_true(n_found > ROUNDS);
}

static void test_the_table_is_bounded(void **state)
{
    struct gateway_options options = defaults;
    struct gateway_click found[GATEWAY_FOUND_MAX];
    struct gateway *gateway;

    (void)state;
    options.clicks_max = 8;
    options.two_links_ms = 0;
    for (unsigned lost = 0; lost < 2; lost++) {
        unsigned n = 0;

        print_message("%u other clicks between two links and the third\n", 5 + lost);
        gateway = gateway_new(&options);
        for (unsigned i = 0; i < 8 + lost; i++) {
            bool is_other = i >= 2 && i < 7 + lost;
            struct step step = {
                .at_ms = i, .link = i + 1, .network = 1, .client = is_other ? 1000 + i : CLIENT};
            struct gateway_click click = {.click = click_of(&step, 3600000),
                                          .number = 100 * lost + i};

            n += gateway_add(gateway, &click, found);
        }
        assert_int_equal(n, lost ? 0 : 3);
        gateway_free(gateway);
    }
    print_message("a link that everybody opens: found once each, work and answers bounded\n");
    gateway = gateway_new(&defaults);
    for (unsigned i = 0, n = 0; i < 10000; i++) {
        struct step step = {.at_ms = i / 10, .link = 1 + i % 4, .network = 1 + i % 50};
        struct gateway_click click = {.click = click_of(&step, 3600000), .number = i};

        n += gateway_add(gateway, &click, found);
        assert_true(n <= i + 1 && (i < 1 || n == i + 1));
    }
    gateway_free(gateway);
}

static void test_networks_are_forgotten_and_links_are_not(void **state)
{
    const struct {
        const char *name;
        unsigned links; /* distinct ones of the three clicks */
        unsigned want;
    } cases[] = {{"three networks", 1, 0}, {"three links", 3, 3}};

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct gateway *gateway = gateway_new(&defaults);
        struct gateway_click found[GATEWAY_FOUND_MAX];
        unsigned n = 0;

        print_message("%s\n", cases[c].name);
        for (unsigned i = 0; i < 3; i++) {
            struct step step = {.at_ms = i, .link = 1 + i % cases[c].links, .network = 1 + i};
            struct gateway_click click = {.click = click_of(&step, 3600000), .number = i};

            if (i == 2)
                gateway_forget_networks(gateway);
            n += gateway_add(gateway, &click, found);
        }
        assert_int_equal(n, cases[c].want);
        gateway_free(gateway);
    }
}

/* Two processes count their clicks from 0 each. */
static void test_numbers_are_those_of_their_origin(void **state)
{
    struct gateway *gateway = gateway_new(&defaults);
    struct gateway_click found[GATEWAY_FOUND_MAX];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct step step = {.at_ms = i, .link = i + 1, .network = 1};
        struct gateway_click click = {.click = click_of(&step, 3600000), .number = 7};

        click.origin[15] = (uint8_t)i;
        assert_int_equal(gateway_add(gateway, &click, found), i == 0 ? 0 : i == 1 ? 2 : 1);
    }
    gateway_free(gateway);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_early_clicks),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_without_a_client),
        cmocka_unit_test(test_the_short_cut_finds_the_same),
        cmocka_unit_test(test_the_table_is_bounded),
        cmocka_unit_test(test_networks_are_forgotten_and_links_are_not),
        cmocka_unit_test(test_numbers_are_those_of_their_origin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
