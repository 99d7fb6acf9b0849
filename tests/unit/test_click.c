/* The click record: layout, round trip, every kind of damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/click.h"
#include "proto/click_names.h"

static const uint8_t log_id[CLICK_LOG_ID_LEN] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                 8, 9, 10, 11, 12, 13, 14, 15};

/* Each field has another value, and the high bits set where the field has them. */
static struct click full_click(void)
{
    return (struct click){
        .link_id = 0xf1e2d3c4b5a69788,
        .time_ms = 1795348800123,
        .visitor = 0x8899aabbccddeeff,
        .brand = 0xdeadbeef,
        .object = 0xfffffffe,
        .client = 0x80000001,
        .issued_min = 0xabcdef,
        .campaign = 0xfedc,
        .country = {'D', 'E'},
        .type = CLICK_TYPE_RELABEL,
        .kind = 15,
        .channel = 7,
        .variant = 6,
        .label = CLICK_SCANNER,
        .old_label = CLICK_PROBE,
        .reason = 0xa5,
        .device = CLICK_DEVICE_DESKTOP,
        .browser = 13,
        .system = 9,
        .referrer = CLICK_REFERRER_OTHER,
        .old_reason = 0x5a,
    };
}

static void assert_same(const struct click *a, const struct click *b)
{
    assert_int_equal(a->link_id, b->link_id);
    assert_int_equal(a->time_ms, b->time_ms);
    assert_int_equal(a->visitor, b->visitor);
    assert_int_equal(a->brand, b->brand);
    assert_int_equal(a->object, b->object);
    assert_int_equal(a->client, b->client);
    assert_int_equal(a->issued_min, b->issued_min);
    assert_int_equal(a->campaign, b->campaign);
    assert_memory_equal(a->country, b->country, 2);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->channel, b->channel);
    assert_int_equal(a->variant, b->variant);
    assert_int_equal(a->label, b->label);
    assert_int_equal(a->old_label, b->old_label);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->device, b->device);
    assert_int_equal(a->browser, b->browser);
    assert_int_equal(a->system, b->system);
    assert_int_equal(a->referrer, b->referrer);
    assert_int_equal(a->network, b->network);
    assert_int_equal(a->hints, b->hints);
    assert_int_equal(a->old_reason, b->old_reason);
}

/* Makes a changed record pass for one we wrote. */
static void seal(uint8_t record[static CLICK_RECORD_LEN])
{
    uint8_t hash[crypto_shorthash_BYTES];

    crypto_shorthash(hash, record, 60, log_id);
    memcpy(record + 60, hash, 4);
}

static void has_the_layout_of_the_specification(void **state)
{
    static const uint8_t want[60] = {
        0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x00, /* position */
        0x88, 0x97, 0xa6, 0xb5, 0xc4, 0xd3, 0xe2, 0xf1, /* link */
        0x7b, 0xa2, 0x20, 0x03, 0xa2, 0x01, 0x00, 0x00, /* time */
        0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, /* visitor */
        0xef, 0xbe, 0xad, 0xde,                         /* brand */
        0xfe, 0xff, 0xff, 0xff,                         /* object */
        0x01, 0x00, 0x00, 0x80,                         /* client */
        0xef, 0xcd, 0xab,                               /* issued */
        0x2f,                                           /* type, kind */
        0xdc, 0xfe,                                     /* campaign */
        'D',  'E',                                      /* country */
        0x37,                                           /* variant, channel */
        0x41,                                           /* old label, label */
        0xa5,                                           /* reason */
        0x03,                                           /* device */
        0x9d,                                           /* system, browser */
        0x04,                                           /* referrer */
        0x5a, 0x00,                                     /* origin: old reason */
    };
    uint8_t record[CLICK_RECORD_LEN], sealed[CLICK_RECORD_LEN];
    struct click click = full_click();

    (void)state;
    click_encode(&click, 0x0001020304050607, log_id, record);
    memcpy(sealed, want, sizeof(want));
    seal(sealed);
    assert_memory_equal(record, sealed, CLICK_RECORD_LEN);
}

static void what_was_written_is_read_back(void **state)
{
    const struct click least = {.type = CLICK_TYPE_CLICK, .kind = 1};
    const struct click from_afar = {
        .type = CLICK_TYPE_CLICK, .kind = 1, .network = CLICK_NETWORK_MAX, .hints = 2};
    const struct click full = full_click();
    const struct {
        const char *name;
        const struct click *click;
        uint64_t position;
    } cases[] = {
        {"all fields zero, first position", &least, 0},
        {"a click with its network and a hint", &from_afar, 0},
        {"all fields set, first position", &full, 0},
        {"all fields set, a late position", &full, UINT64_MAX - 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t record[CLICK_RECORD_LEN];
        struct click out;

        print_message("%s\n", cases[i].name);
        click_encode(cases[i].click, cases[i].position, log_id, record);
        assert_int_equal(click_decode(record, cases[i].position, log_id, &out), CLICK_OK);
        assert_same(&out, cases[i].click);
    }
}

static void a_flipped_bit_anywhere_is_seen(void **state)
{
    const struct click click = full_click();
    uint8_t record[CLICK_RECORD_LEN];

    (void)state;
    click_encode(&click, 12, log_id, record);
    for (unsigned bit = 0; bit < CLICK_RECORD_LEN * 8; bit++) {
        struct click out = {.link_id = 99};

        record[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(click_decode(record, 12, log_id, &out), CLICK_DAMAGED);
        assert_int_equal(out.link_id, 99);
        record[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void a_record_of_another_place_is_damaged(void **state)
{
    static const uint8_t other[CLICK_LOG_ID_LEN] = {1};
    const struct click click = full_click();
    uint8_t record[CLICK_RECORD_LEN];
    struct click out;

    (void)state;
    click_encode(&click, 12, log_id, record);
    assert_int_equal(click_decode(record, 13, log_id, &out), CLICK_DAMAGED);
    assert_int_equal(click_decode(record, 12, other, &out), CLICK_DAMAGED);
    assert_int_equal(click_decode(record, 12, log_id, &out), CLICK_OK);
}

static void a_record_that_was_right_is_read_again_without_its_checksum(void **state)
{
    const struct click click = full_click();
    uint8_t record[CLICK_RECORD_LEN];
    struct click out;

    (void)state;
    click_encode(&click, 12, log_id, record);
    record[CLICK_RECORD_LEN - 1] ^= 1;
    assert_int_equal(click_decode(record, 12, log_id, &out), CLICK_DAMAGED);
    assert_int_equal(click_decode_again(record, 12, &out), CLICK_OK);
    assert_same(&out, &click);
    print_message("its position and its ranges are looked at all the same\n");
    assert_int_equal(click_decode_again(record, 13, &out), CLICK_DAMAGED);
    memset(record, 0, sizeof(record));
    assert_int_equal(click_decode_again(record, 0, &out), CLICK_EMPTY);
}

static void only_zeros_are_empty(void **state)
{
    uint8_t record[CLICK_RECORD_LEN] = {0};
    struct click out;

    (void)state;
    assert_int_equal(click_decode(record, 0, log_id, &out), CLICK_EMPTY);
    assert_int_equal(click_decode(record, 7, log_id, &out), CLICK_EMPTY);
    record[63] = 1;
    assert_int_equal(click_decode(record, 0, log_id, &out), CLICK_DAMAGED);
}

static void fields_out_of_range_are_damage(void **state)
{
    const struct {
        const char *name;
        unsigned at;
        uint8_t value;
        enum click_status want;
    } cases[] = {
        {"type 0", 47, 0x01, CLICK_DAMAGED},
        {"type click", 47, 0x11, CLICK_OK},
        {"type relabel", 47, 0x21, CLICK_OK},
        {"type page, the last", 47, 0x41, CLICK_OK},
        {"a type too many", 47, 0x51, CLICK_DAMAGED},
        {"type 3", 47, 0x31, CLICK_DAMAGED},
        {"kind 0", 47, 0x10, CLICK_DAMAGED},
        {"kind 15", 47, 0x1f, CLICK_OK},
        {"country half set", 50, 0, CLICK_DAMAGED},
        {"country in lower case", 50, 'd', CLICK_DAMAGED},
        {"country before A", 51, '@', CLICK_DAMAGED},
        {"country A", 51, 'A', CLICK_OK},
        {"country Z", 51, 'Z', CLICK_OK},
        {"country after Z", 51, '[', CLICK_DAMAGED},
        {"variant and channel 7", 52, 63, CLICK_OK},
        {"a bit above the variant", 52, 64, CLICK_DAMAGED},
        {"the last label", 53, CLICK_LABELS - 1, CLICK_OK},
        {"a label too many", 53, CLICK_LABELS, CLICK_DAMAGED},
        {"the last old label", 53, (CLICK_LABELS - 1) << 4, CLICK_OK},
        {"an old label too many", 53, CLICK_LABELS << 4, CLICK_DAMAGED},
        {"the last device", 55, CLICK_DEVICES - 1, CLICK_OK},
        {"a device too many", 55, CLICK_DEVICES, CLICK_DAMAGED},
        {"the last referrer", 57, CLICK_REFERRERS - 1, CLICK_OK},
        {"a referrer too many", 57, CLICK_REFERRERS, CLICK_DAMAGED},
        {"the last old reason", 58, 255, CLICK_OK},
        {"an old reason too many", 59, 1, CLICK_DAMAGED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct click click = full_click();
        uint8_t record[CLICK_RECORD_LEN];
        struct click out;

        print_message("%s\n", cases[i].name);
        click_encode(&click, 5, log_id, record);
        record[cases[i].at] = cases[i].value;
        seal(record);
        assert_int_equal(click_decode(record, 5, log_id, &out), cases[i].want);
    }
}

static void a_page_is_read_back(void **state)
{
    struct click click = full_click(), out;
    uint8_t record[CLICK_RECORD_LEN];

    (void)state;
    click.type = CLICK_TYPE_PAGE;
    click.page = CLICK_PAGE_OPTED_OUT;
    click_encode(&click, 5, log_id, record);
    assert_int_equal(click_decode(record, 5, log_id, &out), CLICK_OK);
    assert_int_equal(out.type, CLICK_TYPE_PAGE);
    assert_int_equal(out.page, CLICK_PAGE_OPTED_OUT);
    assert_int_equal(out.old_reason + out.network + out.hints, 0);
    assert_string_equal(click_page_name(CLICK_PAGES - 1), "opted_out");
    assert_null(click_page_name(CLICK_PAGE_NONE));
    assert_null(click_page_name(CLICK_PAGES));
}

static void wide_values_do_not_spill_into_neighbours(void **state)
{
    struct click click = full_click();
    uint8_t record[CLICK_RECORD_LEN];
    struct click out;

    (void)state;
    click.issued_min = 0xff000001;
    click.browser = 0x1f;
    click_encode(&click, 5, log_id, record);
    assert_int_equal(click_decode(record, 5, log_id, &out), CLICK_OK);
    assert_int_equal(out.issued_min, 1);
    assert_int_equal(out.kind, 15);
    assert_int_equal(out.type, CLICK_TYPE_RELABEL);
    assert_int_equal(out.browser, 15);
    assert_int_equal(out.system, 9);
}

static void names_end_where_the_lists_do(void **state)
{
    (void)state;
    assert_string_equal(click_label_name(CLICK_HUMAN), "human");
    assert_string_equal(click_label_name(CLICK_PROBE), "probe");
    assert_null(click_label_name(CLICK_LABELS));
    assert_string_equal(click_device_name(CLICK_DEVICE_DESKTOP), "desktop");
    assert_null(click_device_name(CLICK_DEVICES));
    assert_string_equal(click_referrer_name(CLICK_REFERRER_OTHER), "other");
    assert_null(click_referrer_name(CLICK_REFERRERS));
}

/* BLAKE2b-256("acme") starts with these bytes: b2sum -l 256. */
static void the_number_of_a_brand_is_that_of_its_name(void **state)
{
    (void)state;
    assert_int_equal(click_brand_id(slice_of("acme")), 0x7b5e42ea);
    assert_int_not_equal(click_brand_id(slice_of("acmf")), 0x7b5e42ea);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_layout_of_the_specification),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(a_flipped_bit_anywhere_is_seen),
        cmocka_unit_test(a_record_of_another_place_is_damaged),
        cmocka_unit_test(a_record_that_was_right_is_read_again_without_its_checksum),
        cmocka_unit_test(only_zeros_are_empty),
        cmocka_unit_test(fields_out_of_range_are_damage),
        cmocka_unit_test(a_page_is_read_back),
        cmocka_unit_test(wide_values_do_not_spill_into_neighbours),
        cmocka_unit_test(names_end_where_the_lists_do),
        cmocka_unit_test(the_number_of_a_brand_is_that_of_its_name),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
