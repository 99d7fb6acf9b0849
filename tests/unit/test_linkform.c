/* The fields of a link, as the command line and the API take them, and lists of brands. */
#include "service/config/brandlist.h"
#include "service/config/linkform.h"
#include "tests/unit/admin_stats_fixture.h"

/* A form of `kind` pay and object 1 with one more field. */
static struct linkform form_with(int field, const char *value)
{
    struct linkform form = {.field = {[LINK_KIND] = {"pay", 3}, [LINK_OBJECT] = {"1", 1}}};

    if (field >= 0)
        form.field[field] = slice_of(value);
    return form;
}

static void test_refused(void **state)
{
    const struct {
        const char *name;
        int field; /* -1 = none */
        const char *value, *says;
        const char *brands; /* that links may be made of; NULL = all */
        const char *at;     /* the field that is at fault */
        enum linkform_why why;
    } cases[] = {
        {"no brand of two", -1, "", "there are several brands", NULL, "brand", 0},
        {"an unknown brand", LINK_BRAND, "nope", "\"nope\" is no brand", NULL, "brand", 0},
        {"another's brand", LINK_BRAND, "acme", "is not a brand of this", "globex", "brand",
         LINKFORM_NOT_YOURS},
        {"a kind of the other brand", LINK_KIND, "renew",
         "\"renew\" is no kind of brand 'globex', which has: view", "globex", "kind", 0},
        {"kind 16", LINK_KIND, "16", "is no kind", "acme", "kind", 0},
        {"a kind of 2^32 + 2", LINK_KIND, "4294967298", "is no kind", "acme", "kind", 0},
        {"a kind of 2^8 + 2", LINK_KIND, "258", "is no kind", "acme", "kind", 0},
        {"no kind", LINK_KIND, "", "is missing", "acme", "kind", 0},
        {"no object", LINK_OBJECT, "", "is missing, and the target of kind 'pay' needs it", "acme",
         "object", 0},
        {"an object of 2^32", LINK_OBJECT, "4294967296", "0 to 4294967295", "acme", "object", 0},
        {"an object of 2^64 + 1", LINK_OBJECT, "18446744073709551617", "0 to 4294967295", "acme",
         "object", 0},
        {"a fraction", LINK_OBJECT, "1.5", "in digits alone", "acme", "object", 0},
        {"a fraction of nothing", LINK_OBJECT, "1.", "in digits alone", "acme", "object", 0},
        {"nothing but a fraction", LINK_OBJECT, ".0", "in digits alone", "acme", "object", 0},
        {"a campaign of 2^16", LINK_CAMPAIGN, "65536", "0 to 65535", "acme", "campaign", 0},
        {"a client with a sign", LINK_CLIENT, "+1", "in digits alone", "acme", "client", 0},
        {"an unknown time to live", LINK_TTL, "29d", "is none of never", "acme", "ttl", 0},
        {"an unknown channel", LINK_CHANNEL, "fax", "is none of unknown", "acme", "channel", 0},
        {"variant H", LINK_VARIANT, "H", "from A to G", "acme", "variant", 0},
        {"an argument with a blank", LINK_ARG, "a b", "other characters", "acme", "arg", 0},
        {"an argument of 49", LINK_ARG, "1234567890123456789012345678901234567890123456789",
         "at most 48 fit", "acme", "arg", 0},
        {"a time before 2024", LINK_ISSUED, "2023-12-31T23:59:59Z", "from 2024", "acme", "issued",
         0},
        {"used how often", LINK_ONCE, "twice", "is not yes or no", "acme", "once", 0},
        {"due on no day", LINK_DUE, "2026-02-30", "is not a day as", "acme", "due", 0},
        {"due on the day of databases that know none", LINK_DUE, "0000-00-00", "is not a day as",
         "acme", "due", 0},
        {"due some day", LINK_DUE, "31.12.2026", "is not a day as", "acme", "due", 0},
        {"due at no hour", LINK_DUE, "2026-12-31 25:00:00", "is not a day as", "acme", "due", 0},
        {"neither yes nor no", LINK_SILENT, "maybe", "is not yes or no", "acme", "silent", 0},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct linkform form = form_with(cases[i].field, cases[i].value);
        struct linkform_faults faults;
        struct linkform_maker maker;
        struct link link;

        print_message("%s\n", cases[i].name);
        linkform_maker_init(&maker, sites->two, at("2026-11-22T12:00:30Z"));
        maker.brands = cases[i].brands;
        maker.whose = "this API key";
        assert_false(linkform_make(&maker, &form, &link, &faults));
        assert_string_equal(faults.list[0].field, cases[i].at);
        assert_int_equal(faults.list[0].why, cases[i].why);
        if (!strstr(faults.list[0].detail, cases[i].says))
            fail_msg("'%s' does not hold '%s'", faults.list[0].detail, cases[i].says);
    }
}

static void test_taken(void **state)
{
    const struct {
        const char *name;
        int field;
        const char *value;
        struct token want;
    } cases[] = {
        {"what is the default", -1, "", {.kind = 2, .object = 1, .ttl_code = 9, .channel = 1}},
        {"a kind by number", LINK_KIND, "1", {.kind = 1, .object = 1, .ttl_code = 9, .channel = 1}},
        {"the largest object",
         LINK_OBJECT,
         "4294967295",
         {.kind = 2, .object = UINT32_MAX, .ttl_code = 9, .channel = 1}},
        {"zeros before, and .0",
         LINK_OBJECT,
         " 00000000001003.00 ",
         {.kind = 2, .object = 1003, .ttl_code = 9, .channel = 1}},
        {"object 0, when it is said",
         LINK_OBJECT,
         "0",
         {.kind = 2, .object = 0, .ttl_code = 9, .channel = 1}},
        {"the largest campaign",
         LINK_CAMPAIGN,
         "65535",
         {.kind = 2, .object = 1, .campaign = 65535, .ttl_code = 9, .channel = 1}},
        {"for ever", LINK_TTL, "never", {.kind = 2, .object = 1, .ttl_code = 0, .channel = 1}},
        {"a variant in lower case",
         LINK_VARIANT,
         "g",
         {.kind = 2, .object = 1, .variant = 7, .ttl_code = 9, .channel = 1}},
        {"no variant", LINK_VARIANT, "none", {.kind = 2, .object = 1, .ttl_code = 9, .channel = 1}},
        {"FALSE", LINK_ONCE, "FALSE", {.kind = 2, .object = 1, .ttl_code = 9, .channel = 1}},
        {"TRUE",
         LINK_SILENT,
         "TRUE",
         {.kind = 2, .object = 1, .silent = true, .ttl_code = 9, .channel = 1}},
        {"for one use",
         LINK_ONCE,
         "yes",
         {.kind = 2, .object = 1, .once = true, .ttl_code = 9, .channel = 1}},
        {"for one use, as a number",
         LINK_ONCE,
         "1",
         {.kind = 2, .object = 1, .once = true, .ttl_code = 9, .channel = 1}},
        {"for any number of uses",
         LINK_ONCE,
         "no",
         {.kind = 2, .object = 1, .ttl_code = 9, .channel = 1}},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct linkform form = form_with(cases[i].field, cases[i].value);
        const struct token want = cases[i].want;
        struct token opened;
        struct linkform_faults faults;
        struct linkform_maker maker;
        struct link link;

        print_message("%s\n", cases[i].name);
        linkform_maker_init(&maker, sites->one, at("2026-11-22T12:00:30Z"));
        assert_true(linkform_make(&maker, &form, &link, &faults));
        assert_int_equal(site_open_token(sites->one, site_brand_at(sites->one, 0),
                                         slice_make(link.text, link.text_len), &opened),
                         TOKEN_OK);
        assert_int_equal(opened.kid, 1);
        assert_int_equal(opened.kind, want.kind);
        assert_int_equal(opened.object, want.object);
        assert_int_equal(opened.client, want.client);
        assert_int_equal(opened.campaign, want.campaign);
        assert_int_equal(opened.ttl_code, want.ttl_code);
        assert_int_equal(opened.channel, want.channel);
        assert_int_equal(opened.variant, want.variant);
        assert_int_equal(opened.silent, want.silent);
        assert_int_equal(opened.once, want.once);
        assert_int_equal(token_issued_s(&opened), at("2026-11-22T12:00:00Z"));
        assert_string_equal(link.expires_at, want.ttl_code ? "2026-12-22T12:00:00Z" : "");
    }
}

/* Issued on 2026-11-22 at 12:00:30, which is 12:00 in the token. */
static void test_due(void **state)
{
    const struct {
        const char *name, *due, *ttl;
    } cases[] = {
        {"long overdue: ten days from now", "1999-12-31", "14d"},
        {"overdue for 26 days", "2026-10-27", "14d"},
        {"14 days from now are 30 days after it", "2026-11-06T12:00:00Z", "14d"},
        {"a second more", "2026-11-06T12:00:01Z", "30d"},
        {"due now", "2026-11-22T12:00:00Z", "30d"},
        {"due a second from now", "2026-11-22T12:00:01Z", "45d"},
        {"due today", "2026-11-22", "30d"},
        {"due tomorrow", "2026-11-23", "45d"},
        {"as a database writes it", "2026-12-07 12:00:00", "45d"},
        {"a second more", "2026-12-07 12:00:01", "60d"},
        {"in another time zone", "2026-12-07T13:00:00+01:00", "45d"},
        {"30 days from now", "2026-12-22T12:00:00Z", "60d"},
        {"a second more", "2026-12-22T12:00:01Z", "90d"},
        {"60 days from now", "2027-01-21T12:00:00Z", "90d"},
        {"a second more", "2027-01-21T12:00:01Z", "120d"},
        {"90 days from now", "2027-02-20T12:00:00Z", "120d"},
        {"a second more", "2027-02-20T12:00:01Z", "180d"},
        {"150 days from now", "2027-04-21T12:00:00Z", "180d"},
        {"a second more", "2027-04-21T12:00:01Z", "366d"},
        {"336 days from now", "2027-10-24T12:00:00Z", "366d"},
        {"later than any time to live ends", "2027-10-24T12:00:01Z", "never"},
        {"in the last year", "9999-12-31", "never"},
        {"with blanks around it", " 2026-11-23 ", "45d"},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct linkform form = form_with(LINK_DUE, cases[i].due);
        struct linkform_faults faults;
        struct linkform_maker maker;
        struct link link;

        print_message("%s\n", cases[i].name);
        linkform_maker_init(&maker, sites->one, at("2026-11-22T12:00:30Z"));
        assert_true(linkform_make(&maker, &form, &link, &faults));
        assert_string_equal(token_ttl_name(link.token.ttl_code), cases[i].ttl);
    }
}

static void test_due_counts_from_when_the_link_was_issued(void **state)
{
    const struct sites *sites = *state;
    struct linkform form = form_with(LINK_DUE, "2026-11-22");
    struct linkform_faults faults;
    struct linkform_maker maker;
    struct link link;

    form.field[LINK_ISSUED] = slice_of("2026-08-01T00:00:00Z");
    linkform_maker_init(&maker, sites->one, at("2026-11-22T12:00:30Z"));
    assert_true(linkform_make(&maker, &form, &link, &faults));
    assert_string_equal(token_ttl_name(link.token.ttl_code), "180d");

    form.field[LINK_TTL] = slice_of("30d");
    assert_false(linkform_make(&maker, &form, &link, &faults));
    assert_string_equal(faults.list[0].field, "due");
    assert_non_null(strstr(faults.list[0].detail, "give one of them"));
}

/* Each field that is wrong is named once, and one that follows from another is not. */
static void test_all_faults_at_once(void **state)
{
    const struct {
        const char *name;
        const char *field[LINK_FIELDS], *wrong;
    } cases[] = {
        {"none", {[LINK_KIND] = "pay", [LINK_OBJECT] = "1"}, ""},
        {"three values",
         {[LINK_KIND] = "pay", [LINK_OBJECT] = "x", [LINK_TTL] = "29d", [LINK_ONCE] = "twice"},
         "object ttl once "},
        {"a kind that needs what is missing",
         {[LINK_KIND] = "pay", [LINK_CLIENT] = "x"},
         "client object "},
        {"of an unknown brand the kinds are unknown",
         {[LINK_BRAND] = "nope", [LINK_KIND] = "no", [LINK_CAMPAIGN] = "65536"},
         "brand campaign "},
        {"nothing at all", {NULL}, "kind "},
        {"every field",
         {"nope", "no", "x", "x", "x", "x", "x", "x", "a b", "x", "x", "x", "x"},
         "brand object client campaign ttl channel variant arg issued due silent once "},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct linkform_faults faults;
        struct linkform_maker maker;
        struct linkform form;
        char wrong[256] = "";
        struct link link;

        print_message("%s\n", cases[i].name);
        for (int k = 0; k < LINK_FIELDS; k++)
            form.field[k] = slice_of(cases[i].field[k]);
        linkform_maker_init(&maker, sites->one, at("2026-11-22T12:00:30Z"));
        assert_int_equal(linkform_make(&maker, &form, &link, &faults), cases[i].wrong[0] == '\0');
        for (size_t k = 0; k < faults.n; k++) {
            strcat(wrong, faults.list[k].field);
            strcat(wrong, " ");
        }
        assert_string_equal(wrong, cases[i].wrong);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(linkform_field_find(slice_of("Object")), LINK_OBJECT);
    assert_int_equal(linkform_field_find(slice_of("issued")), LINK_ISSUED);
    assert_int_equal(linkform_field_find(slice_of("issued_at")), LINK_ISSUED);
    assert_int_equal(linkform_field_find(slice_of("objekt")), -1);
    assert_int_equal(linkform_field_find(slice_of("")), -1);
    assert_int_equal(linkform_field_find((struct slice){0}), -1);
}

/* --- lists of brands --- */

static void test_lists(void **state)
{
    const struct {
        const char *list, *brand;
        bool has;
    } cases[] = {
        {NULL, "acme", true},
        {"", "acme", true},
        {"acme", "acme", true},
        {"acme", "acm", false},
        {"acme", "acmee", false},
        {"globex,acme", "acme", true},
        {"globex,acme", "globex", true},
        {"globex,acme", "x", false},
        {"globex,acme", "", false},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(brandlist_has(cases[i].list, slice_of(cases[i].brand)), cases[i].has);
    assert_ptr_equal(site_find_only_brand(sites->one, NULL), site_brand_at(sites->one, 0));
    assert_null(site_find_only_brand(sites->two, NULL));
    assert_ptr_equal(site_find_only_brand(sites->two, "globex"), site_brand_at(sites->two, 1));
    assert_null(site_find_only_brand(sites->two, "acme,globex"));
    assert_null(site_find_only_brand(sites->two, "initech"));
    assert_null(site_find_unknown_brand(sites->two, "globex,acme").ptr);
    assert_null(site_find_unknown_brand(sites->two, NULL).ptr);
    assert_true(
        slice_equal(site_find_unknown_brand(sites->two, "acme,initech,x"), slice_of("initech")));
}

static void test_written_lists(void **state)
{
    static const char *const bad[] = {"",     ",",    "acme,", ",acme", "a,,b",
                                      "a, b", "Acme", "a;b",   "a,a",   "-a"};
    char out[BRANDLIST_MAX], longest[BRANDLIST_MAX + 1];
    struct error err = {0};

    (void)state;
    assert_true(brandlist_parse(slice_of("acme,b-c.example_1"), out, &err));
    assert_string_equal(out, "acme,b-c.example_1");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        print_message("'%s'\n", bad[i]);
        err.text[0] = '\0';
        assert_false(brandlist_parse(slice_of(bad[i]), out, &err));
        assert_string_not_equal(err.text, "");
    }
    memset(longest, 'a', sizeof(longest));
    assert_false(brandlist_parse(slice_make(longest, BRANDLIST_MAX), out, &err));
    assert_non_null(strstr(err.text, "longer than"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_due_counts_from_when_the_link_was_issued),
        cmocka_unit_test(test_all_faults_at_once),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_written_lists),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
