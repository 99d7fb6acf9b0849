/* Folding: sums are those of a plain count, relabellings move them, limits end the batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/cells.h"
#include "proto/click_names.h"
#include "service/config/config.h"
#include "service/ledger/fold.h"
#include "service/ledger/use_limits.h"

/* 2026-11-22T12:00:00Z; a click counts once in every dimension but those of campaigns and pages. */
enum { NOON_S = 1795348800, HOUR = NOON_S / 3600, PER_CLICK = COUNTER_DIMS - 2 };

static struct click a_click(void)
{
    return (struct click){
        .link_id = UINT64_C(0x1122334455667788),
        .time_ms = INT64_C(1000) * NOON_S,
        .brand = 0xaabbccdd,
        .object = 1234,
        .client = 77,
        .campaign = 12,
        .country = {'D', 'E'},
        .type = CLICK_TYPE_CLICK,
        .kind = 2,
        .channel = 1,
        .variant = 3,
        .label = CLICK_HUMAN,
        .device = CLICK_DEVICE_PHONE,
        .browser = 5,
        .system = 6,
        .referrer = CLICK_REFERRER_MAIL,
    };
}

static const struct fold_group *group_of(const struct fold *fold, int32_t campaign, bool automated)
{
    for (uint32_t i = 0; i < fold->n_groups; i++) {
        if (fold->groups[i].key.campaign == campaign && fold->groups[i].key.automated == automated)
            return &fold->groups[i];
    }
    return NULL;
}

/* What the group counts, summed up or not; valid until the next call. */
static const int32_t *counts_of(const struct fold *fold, const struct fold_group *group)
{
    static int32_t counts[FOLD_COUNTS];
    const struct fold_lone *next = NULL;

    if (group->sums != FOLD_NONE) {
        assert_null(fold_next_lone(fold, group, NULL));
        return fold->sums[group->sums];
    }
    memset(counts, 0, sizeof(counts));
    while ((next = fold_next_lone(fold, group, next))) {
        const struct lone *click = &next->click;
        unsigned country = click->country;

        counts[FOLD_AT_LABEL + click->label] += click->count;
        counts[FOLD_AT_COUNTRY + (country ? 1 + ((country >> 8) - 'A') * 26 + (country & 0xff) - 'A'
                                          : 0)] += click->count;
        counts[FOLD_AT_DEVICE + click->device] += click->count;
        counts[FOLD_AT_VARIANT + click->variant] += click->count;
        counts[FOLD_AT_CHANNEL + click->channel] += click->count;
        counts[FOLD_AT_REASON + click->reason] += click->count;
        counts[FOLD_AT_BROWSER + click->browser] += click->count;
        counts[FOLD_AT_SYSTEM + click->system] += click->count;
        counts[FOLD_AT_REFERRER + click->referrer] += click->count;
        counts[FOLD_AT_DELAY + click->delay] += click->count;
    }
    return counts;
}

static int64_t sum(const struct fold *fold, const struct fold_group *group)
{
    const int32_t *counts = counts_of(fold, group);
    int64_t total = 0;

    for (size_t i = 0; i < FOLD_COUNTS; i++)
        total += counts[i];
    return total;
}

static const struct fold_item *item_of(const struct fold *fold, unsigned table, bool automated)
{
    for (uint32_t i = 0; i < fold->n_items; i++) {
        if (fold->items[i].table == table && fold->items[i].automated == automated)
            return &fold->items[i];
    }
    return NULL;
}

static void test_one_click(void **state)
{
    struct fold *fold = fold_new(16);
    struct click click = a_click();

    (void)state;
    assert_true(fold_add(fold, &click));
    assert_int_equal(fold->n_links, 1);
    assert_int_equal(fold->links[0].link_id, click.link_id);
    assert_int_equal(fold->links[0].human, 1);
    assert_int_equal(fold->links[0].automated, 0);
    assert_int_equal(fold->links[0].first_s, NOON_S);
    assert_int_equal(fold->n_items, 2);
    assert_int_equal(item_of(fold, COUNTER_OBJECTS, false)->number, 1234);
    assert_int_equal(item_of(fold, COUNTER_CLIENTS, false)->number, 77);
    assert_int_equal(fold->n_groups, 2);
    for (int i = 0; i < 2; i++) {
        const struct fold_group *group = group_of(fold, i ? COUNTER_ALL_CAMPAIGNS : 12, false);

        assert_int_equal(group->key.hour, HOUR);
        assert_int_equal(group->key.kind, 2);
        assert_int_equal(sum(fold, group), PER_CLICK);
        assert_int_equal(counts_of(fold, group)[FOLD_AT_LABEL + CLICK_HUMAN], 1);
        assert_int_equal(counts_of(fold, group)[FOLD_AT_COUNTRY + 1 + 3 * 26 + 4], 1);
        assert_int_equal(counts_of(fold, group)[FOLD_AT_DEVICE + CLICK_DEVICE_PHONE], 1);
        assert_int_equal(counts_of(fold, group)[FOLD_AT_VARIANT + 3], 1);
        assert_int_equal(counts_of(fold, group)[FOLD_AT_CHANNEL + 1], 1);
        assert_int_equal(counts_of(fold, group)[FOLD_AT_REASON], 1);
        assert_int_equal(counts_of(fold, group)[FOLD_AT_BROWSER + 5], 1);
        assert_int_equal(counts_of(fold, group)[FOLD_AT_SYSTEM + 6], 1);
        assert_int_equal(counts_of(fold, group)[FOLD_AT_REFERRER + CLICK_REFERRER_MAIL], 1);
        assert_int_equal(counts_of(fold, group)[FOLD_AT_DELAY + counter_delay_value(&click)], 1);
    }
    assert_int_equal(fold->n_persons, 1);
    assert_int_equal(fold->persons[0].who.id, 77);
    assert_int_equal(fold->persons[0].who.campaign, 12);
    assert_int_equal(fold->persons[0].slot, NOON_S / WAITING_SLOT_S);
    assert_int_equal(fold->persons[0].change, 1);
    fold_free(fold);
}

static void test_edges_of_a_click(void **state)
{
    const struct {
        const char *name;
        uint32_t object, client;
        int64_t time_ms;
        uint8_t label;
        uint32_t n_items, n_persons, first_s;
    } cases[] = {
        {"object 0 is not counted", 0, 77, 5000, CLICK_HUMAN, 1, 1, 5},
        {"client 0 is not counted", 1234, 0, 5000, CLICK_HUMAN, 1, 0, 5},
        {"an automated click has no distinct client", 1234, 77, 5000, CLICK_BOT, 2, 0, 5},
        {"a time before 1970 is the first second", 1, 1, -1, CLICK_HUMAN, 2, 1, 0},
        {"a time beyond 32 bits is the last", 1, 1, INT64_C(5000000000000), CLICK_HUMAN, 2, 1,
         UINT32_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fold *fold = fold_new(16);
        struct click click = a_click();

        print_message("%s\n", cases[i].name);
        click.object = cases[i].object;
        click.client = cases[i].client;
        click.time_ms = cases[i].time_ms;
        click.label = cases[i].label;
        assert_true(fold_add(fold, &click));
        assert_int_equal(fold->n_items, cases[i].n_items);
        assert_int_equal(fold->n_persons, cases[i].n_persons);
        assert_int_equal(fold->links[0].first_s, cases[i].first_s);
        fold_free(fold);
    }
}

static void test_relabelling_moves_a_click(void **state)
{
    struct fold *fold = fold_new(16);
    struct click click = a_click();
    const struct fold_group *human, *automated;

    (void)state;
    assert_true(fold_add(fold, &click));
    click.type = CLICK_TYPE_RELABEL;
    click.old_label = CLICK_HUMAN;
    click.label = CLICK_SCANNER;
    click.reason = 3;
    assert_true(fold_add(fold, &click));
    assert_int_equal(fold->n_links, 1);
    assert_int_equal(fold->links[0].human, 0);
    assert_int_equal(fold->links[0].automated, 1);
    assert_int_equal(item_of(fold, COUNTER_OBJECTS, false)->count, 0);
    assert_int_equal(item_of(fold, COUNTER_OBJECTS, true)->count, 1);
    human = group_of(fold, 12, false);
    automated = group_of(fold, 12, true);
    assert_int_equal(sum(fold, human), 0);
    assert_int_equal(counts_of(fold, human)[FOLD_AT_REASON], 0);
    assert_int_equal(sum(fold, automated), PER_CLICK);
    assert_int_equal(counts_of(fold, automated)[FOLD_AT_LABEL + CLICK_SCANNER], 1);
    assert_int_equal(counts_of(fold, automated)[FOLD_AT_REASON + 3], 1);
    assert_int_equal(fold->n_persons, 2); /* who was counted, and is taken back */
    assert_int_equal(fold->persons[0].change, 1);
    assert_int_equal(fold->persons[1].change, -1);
    assert_int_equal(fold->persons[1].slot, fold->persons[0].slot);

    print_message("from one automated label and reason to another\n");
    click.old_label = CLICK_SCANNER;
    click.old_reason = 3;
    click.label = CLICK_BOT;
    click.reason = 5;
    assert_true(fold_add(fold, &click));
    automated = group_of(fold, 12, true);
    assert_int_equal(counts_of(fold, automated)[FOLD_AT_LABEL + CLICK_SCANNER], 0);
    assert_int_equal(counts_of(fold, automated)[FOLD_AT_LABEL + CLICK_BOT], 1);
    assert_int_equal(counts_of(fold, automated)[FOLD_AT_REASON + 3], 0);
    assert_int_equal(counts_of(fold, automated)[FOLD_AT_REASON + 5], 1);
    assert_int_equal(fold->links[0].automated, 1);
    assert_int_equal(fold->n_persons, 2);
    fold_free(fold);
}

/* The cell of a click more (1) or less (-1) of that label. */
static uint64_t cell_of(const struct click *click, unsigned label, unsigned reason, int count)
{
    struct lone lone = lone_of_click(click, label, reason, count);

    return cells_of_lone(&lone);
}

static void test_cells(void **state)
{
    struct fold *fold = fold_new(16);
    struct click click = a_click();

    (void)state;
    assert_true(fold_add(fold, &click));
    assert_int_equal(fold->n_cells, 0); /* not wanted */
    fold_clear(fold, 16);
    fold->with_cells = true;
    assert_true(fold_add(fold, &click));
    click.type = CLICK_TYPE_RELABEL;
    click.old_label = CLICK_HUMAN;
    click.label = CLICK_SCANNER;
    click.reason = 9;
    assert_true(fold_add(fold, &click));
    assert_int_equal(fold->n_cells, 3);
    assert_true(fold->cells[0].record == cell_of(&click, CLICK_HUMAN, 0, 1));
    assert_true(fold->cells[1].record == cell_of(&click, CLICK_HUMAN, 0, -1));
    assert_true(fold->cells[2].record == cell_of(&click, CLICK_SCANNER, 9, 1));
    for (unsigned i = 0; i < 3; i++) {
        const struct fold_group_key *key = &fold->groups[fold->cells[i].group].key;

        assert_int_equal(key->campaign, 12);
        assert_int_equal(key->automated, i == 2);
    }
    click.type = CLICK_TYPE_PAGE;
    click.page = CLICK_PAGE_EXPIRED;
    assert_true(fold_add(fold, &click));
    assert_int_equal(fold->n_cells, 3);
    fold_clear(fold, 16);
    assert_int_equal(fold->n_cells, 0);
    fold_free(fold);
}

/* Who clicks on a link that names a client is that client; else it is a visitor, if it has a hash.
 */
static void test_visitors(void **state)
{
    enum { CLIENT, VISITOR, NOBODY };
    const struct {
        const char *name;
        uint32_t client;
        uint64_t visitor;
        enum click_label label;
        unsigned want;
    } cases[] = {
        {"a visitor", 0, 5, CLICK_HUMAN, VISITOR},
        {"the largest hash", 0, UINT64_MAX, CLICK_HUMAN, VISITOR},
        {"without a hash", 0, 0, CLICK_HUMAN, NOBODY},
        {"a client with a hash", 77, 5, CLICK_HUMAN, CLIENT},
        {"a machine with a hash", 0, 5, CLICK_BOT, NOBODY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fold *fold = fold_new(16);
        struct click click = a_click();

        print_message("%s\n", cases[i].name);
        click.client = cases[i].client;
        click.visitor = cases[i].visitor;
        click.label = (uint8_t)cases[i].label;
        assert_true(fold_add(fold, &click));
        assert_int_equal(fold->n_persons, cases[i].want != NOBODY);
        if (cases[i].want != NOBODY) {
            assert_int_equal(fold->persons[0].who.is_visitor, cases[i].want == VISITOR);
            assert_true(fold->persons[0].who.id ==
                        (cases[i].want == VISITOR ? cases[i].visitor : cases[i].client));
        }
        fold_free(fold);
    }
}

/* Against the plainest count there is. */
static void test_random_clicks(void **state)
{
    enum { N = 2000, LINKS = 97, CLIENTS = 31 };
    static int64_t human[LINKS], automated[LINKS], clients[CLIENTS];
    struct fold *fold = fold_new(N);
    uint32_t seed = 12345;

    (void)state;
    for (int round = 0; round < 3; round++) { /* each must leave nothing to the next */
        int n = round == 1 ? 10 : N;

        memset(human, 0, sizeof(human));
        memset(automated, 0, sizeof(automated));
        memset(clients, 0, sizeof(clients));
        fold_clear(fold, (unsigned)n);
        assert_int_equal(fold->n_links + fold->n_items + fold->n_groups + fold->n_persons, 0);
        for (int i = 0; i < n; i++) {
            struct click click = a_click();
            unsigned k;

            seed = seed * 1664525 + 1013904223;
            k = (seed >> 8) % LINKS;
            click.object = 0; /* of invoices fewer fit into a batch */
            click.link_id = (k + 1) * UINT64_C(0x0101010101010101);
            click.client = 1 + (seed >> 16) % CLIENTS;
            click.campaign = (uint16_t)(seed % 7);
            click.label = (uint8_t)((seed >> 20) % CLICK_LABELS);
            click.time_ms += (seed >> 10) % 7200000;
            assert_true(fold_add(fold, &click));
            (click.label == CLICK_HUMAN ? human : automated)[k]++;
            clients[click.client - 1]++;
        }
        for (uint32_t i = 0; i < fold->n_links; i++) {
            unsigned k = (unsigned)(fold->links[i].link_id / UINT64_C(0x0101010101010101)) - 1;

            human[k] -= fold->links[i].human;
            automated[k] -= fold->links[i].automated;
        }
        for (uint32_t i = 0; i < fold->n_items; i++) {
            if (fold->items[i].table == COUNTER_CLIENTS)
                clients[fold->items[i].number - 1] -= fold->items[i].count;
        }
        for (size_t i = 0; i < LINKS; i++)
            assert_int_equal(human[i] | automated[i], 0);
        for (size_t i = 0; i < CLIENTS; i++)
            assert_int_equal(clients[i], 0);
    }
    fold_free(fold);
}

/* Of who must not be tracked a click has no link, object or client. */
static void test_a_click_of_nobody_counts_in_sums_only(void **state)
{
    struct fold *fold = fold_new(32);
    struct click click = a_click();

    (void)state;
    click.link_id = 0;
    click.object = click.client = 0;
    click.visitor = 0;
    for (unsigned n = 0; n < 20; n++)
        assert_true(fold_add(fold, &click));
    assert_int_equal(fold->n_links + fold->n_items + fold->n_persons, 0);
    assert_int_equal(fold->n_groups, 2);
    for (uint32_t i = 0; i < fold->n_groups; i++)
        assert_int_equal(counts_of(fold, &fold->groups[i])[FOLD_AT_LABEL + click.label], 20);
    fold_free(fold);
}

static void test_many_clicks_are_summed_up(void **state)
{
    static int32_t want[FOLD_COUNTS];
    struct fold *fold = fold_new(64);
    struct click click = a_click();

    (void)state;
    for (unsigned n = 1; n <= FOLD_LONE_MAX + 5; n++) {
        const struct fold_group *own, *all;

        click.device = (uint8_t)(n % CLICK_DEVICES);
        click.country[1] = (char)('A' + n);
        click.campaign = n % 2 ? 12 : 13;
        assert_true(fold_add(fold, &click));
        own = group_of(fold, click.campaign, false);
        all = group_of(fold, COUNTER_ALL_CAMPAIGNS, false);
        assert_int_equal(own->sums == FOLD_NONE, true);
        assert_int_equal(all->sums == FOLD_NONE, n <= FOLD_LONE_MAX);
        assert_int_equal(own->total, (n + n % 2) / 2);
        assert_int_equal(all->total, n);
        assert_ptr_equal(&fold->groups[own->all], all);
        want[FOLD_AT_DEVICE + click.device]++;
        want[FOLD_AT_COUNTRY + 1 + 3 * 26 + n]++;
        assert_int_equal(sum(fold, all), n * PER_CLICK);
        assert_memory_equal(counts_of(fold, all) + FOLD_AT_DEVICE, want + FOLD_AT_DEVICE,
                            CLICK_DEVICES * sizeof(want[0]));
        assert_memory_equal(counts_of(fold, all) + FOLD_AT_COUNTRY, want + FOLD_AT_COUNTRY,
                            FOLD_COUNTRIES * sizeof(want[0]));
    }
    fold_free(fold);
}

static void test_an_event_is_folded(void **state)
{
    const struct event event = {.type = EVENT_REPLACED,
                                .at_ms = 1795800000000,
                                .brand = 7,
                                .object = 5,
                                .value = 6,
                                .id = 99};
    struct fold *fold = fold_new(2);
    struct click record;

    (void)state;
    event_to_record(&event, &record);
    assert_true(fold_add(fold, &record));
    assert_true(fold_add(fold, &record));
    assert_false(fold_add(fold, &record)); /* full */
    assert_int_equal(fold->n_events, 2);
    assert_int_equal(fold->events[0].n_entries, 2);
    assert_true(fold->events[0].key == fold->events[1].key);
    assert_int_equal(fold->n_links + fold->n_items + fold->n_groups, 0);
    fold_clear(fold, 2);
    record.kind = EVENT_ERASED; /* for sinks only */
    assert_true(fold_add(fold, &record));
    record.kind = EVENT_TYPES; /* of a newer version */
    assert_true(fold_add(fold, &record));
    assert_int_equal(fold->n_events, 0);
    fold_free(fold);
}

static void test_a_page_counts_nowhere_else(void **state)
{
    struct fold *fold = fold_new(4);
    struct click page = a_click();

    (void)state;
    page.type = CLICK_TYPE_PAGE;
    page.page = CLICK_PAGE_EXPIRED;
    assert_true(fold_add(fold, &page));
    page.label = CLICK_BOT;
    assert_true(fold_add(fold, &page));
    for (unsigned automated = 0; automated < 2; automated++) {
        const int32_t campaigns[] = {12, COUNTER_ALL_CAMPAIGNS};

        for (size_t i = 0; i < 2; i++) {
            const struct fold_group *group = group_of(fold, campaigns[i], automated);

            assert_non_null(group);
            assert_int_equal(counts_of(fold, group)[FOLD_AT_PAGE + CLICK_PAGE_EXPIRED], 1);
            assert_int_equal(sum(fold, group), 1);
        }
    }
    page.page = CLICK_PAGES; /* of a newer version */
    assert_true(fold_add(fold, &page));
    assert_int_equal(fold->n_groups, 4);
    assert_int_equal(fold->n_links + fold->n_items + fold->n_facts + fold->n_persons, 0);
    fold_free(fold);
}

static void test_limits_of_uses(void **state)
{
    struct config_target targets[] = {{.kind = "view"}, {.kind = "4", .max_uses = 5}};
    struct config_brand brands[] = {
        {.name = "none", .targets = targets, .n_targets = 1},
        {.name = "acme", .targets = targets, .n_targets = 2},
        {.name = "globex", .targets = targets + 1, .n_targets = 1},
    };
    const struct config config = {.brands = brands, .n_brands = 3};
    const struct config without = {.brands = brands, .n_brands = 1};
    const struct {
        const char *name, *brand;
        uint8_t kind;
        uint32_t want;
    } cases[] = {
        {"a kind with a limit", "acme", 4, 5},
        {"a kind of the brand without one", "acme", 1, 0},
        {"a kind that is in no configuration", "acme", 7, 0},
        {"another brand's", "globex", 4, 5},
        {"of a brand without limits", "none", 4, 0},
        {"of a brand that is in no configuration", "initech", 4, 0},
    };
    struct use_limits *limits = use_limits_new(&config);

    (void)state;
    assert_null(use_limits_new(&without));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct click click = a_click();
        struct fold *fold = fold_new(8);

        print_message("%s\n", cases[i].name);
        fold->limits = limits;
        click.brand = click_brand_id(slice_of(cases[i].brand));
        click.kind = cases[i].kind;
        assert_true(fold_add(fold, &click));
        assert_int_equal(fold->links[0].max_uses, cases[i].want);
        fold_free(fold);
    }
    use_limits_free(limits);
}

static void test_limits(void **state)
{
    struct fold *fold = fold_new(8);
    struct click click = a_click();
    unsigned n;

    (void)state;
    print_message("as many links as records\n");
    for (n = 0; n < 8; n++) {
        click.link_id = n + 1;
        assert_true(fold_add(fold, &click));
    }
    click.link_id = n + 1;
    assert_false(fold_add(fold, &click));
    assert_int_equal(fold->n_links, 8);
    fold_free(fold);

    print_message("as many campaigns as records\n");
    fold = fold_new(4096);
    click.object = 0;
    for (n = 0; n < 4096; n++) {
        click.link_id = n + 1;
        click.campaign = (uint16_t)n;
        assert_true(fold_add(fold, &click));
    }
    assert_int_equal(fold->n_groups, 4097);
    assert_int_equal(fold->n_sums, 1); /* of all campaigns */
    fold_free(fold);

    print_message("no more campaigns than the caller wants\n");
    fold = fold_new(4096);
    fold->spread_max = 10;
    for (n = 0; n < 100; n++) {
        click.link_id = n + 1;
        click.campaign = (uint16_t)(n / 10);
        if (!fold_add(fold, &click))
            break;
    }
    assert_int_equal(fold->n_campaigns, 7); /* a relabelling needs room for two */
    assert_int_equal(n, 61);
    assert_int_equal(fold->n_groups, 8);
    print_message("nor more slots of people\n");
    fold_clear(fold, 4096);
    click.campaign = 1;
    click.client = 7;
    for (n = 0; n < 100; n++) {
        click.link_id = n + 1;
        click.time_ms = (int64_t)NOON_S * 1000 + (int64_t)n / 10 * WAITING_SLOT_S * 1000;
        if (!fold_add(fold, &click))
            break;
    }
    assert_int_equal(fold->n_campaigns, 1);
    assert_int_equal(fold->n_slots, 7);
    assert_int_equal(n, 61);
    print_message("no more records than fold_clear() was told, nor fold_new()\n");
    fold->spread_max = UINT32_MAX;
    for (unsigned records = 3; records < 10000; records += 9000) {
        unsigned room = records < 4096 ? records : 4096;

        fold_clear(fold, records);
        for (n = 0; n < room; n++) {
            click.link_id = n + 1;
            assert_true(fold_add(fold, &click));
        }
        click.link_id = n + 1;
        assert_false(fold_add(fold, &click));
        assert_int_equal(fold->n_links, room);
    }
    fold_clear(fold, 4096);
    assert_true(fold_add(fold, &click));
    fold_free(fold);

    print_message("no more campaigns with many clicks than sums, and what fits is kept\n");
    fold = fold_new(4096 * (FOLD_LONE_MAX + 1));
    for (n = 0; n < 4096 * (FOLD_LONE_MAX + 1); n++) {
        click.link_id = n + 1;
        click.campaign = (uint16_t)(n / (FOLD_LONE_MAX + 1));
        if (!fold_add(fold, &click))
            break;
    }
    assert_in_range(click.campaign, FOLD_SUMS_MAX - 5, FOLD_SUMS_MAX);
    assert_int_equal(fold->n_links, n);
    fold_clear(fold, 4096 * (FOLD_LONE_MAX + 1));
    assert_true(fold_add(fold, &click));
    fold_free(fold);

    print_message("no more events than Redis does in a moment\n");
    fold = fold_new(4096);
    click.type = CLICK_TYPE_EVENT;
    for (n = 0; n < FOLD_EVENTS_MAX && fold_add(fold, &click); n++)
        ;
    assert_int_equal(n, fold->n_events);
    assert_int_equal(n, FOLD_EVENTS_MAX);
    assert_false(fold_add(fold, &click));
    fold_free(fold);
}

/* Only the newest click of an invoice matters, so its repetitions are left out. */
static void test_repeated_clicks_of_an_invoice(void **state)
{
    struct people_sent *sent = people_sent_new();
    struct fold *fold = fold_new(16);
    struct click click = a_click();

    (void)state;
    assert_non_null(sent);
    fold->sent = sent;
    assert_true(fold_add(fold, &click));
    assert_true(fold_add(fold, &click));
    assert_int_equal(fold->n_facts, 2); /* none has been sent */
    assert_true(people_sent_add_click(sent, &fold->facts[0].click));
    fold_clear(fold, 16);
    assert_true(fold_add(fold, &click));
    assert_int_equal(fold->n_facts, 0);
    print_message("another link's in between\n");
    click.link_id++;
    assert_true(fold_add(fold, &click));
    click.link_id--;
    assert_true(fold_add(fold, &click));
    assert_int_equal(fold->n_facts, 2);
    print_message("a relabelling is told in any case\n");
    assert_true(people_sent_add_click(sent, &fold->facts[1].click));
    fold_clear(fold, 16);
    click.type = CLICK_TYPE_RELABEL;
    click.old_label = CLICK_HUMAN;
    click.label = CLICK_SCANNER;
    assert_true(fold_add(fold, &click));
    assert_int_equal(fold->n_facts, 1);
    fold_free(fold);
    people_sent_free(sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_click),
        cmocka_unit_test(test_edges_of_a_click),
        cmocka_unit_test(test_relabelling_moves_a_click),
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_visitors),
        cmocka_unit_test(test_random_clicks),
        cmocka_unit_test(test_a_click_of_nobody_counts_in_sums_only),
        cmocka_unit_test(test_many_clicks_are_summed_up),
        cmocka_unit_test(test_an_event_is_folded),
        cmocka_unit_test(test_a_page_counts_nowhere_else),
        cmocka_unit_test(test_limits_of_uses),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_repeated_clicks_of_an_invoice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
