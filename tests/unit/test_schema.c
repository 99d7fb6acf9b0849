/* The table of keys: what each type takes, where lines are found, what a reload can't change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/schema.h"

struct sample {
    char *kind;
    int64_t object;
};

struct brand_samples {
    char *brand;
    struct sample *samples;
    unsigned n_samples;
};

struct sink {
    char *name;
    char **types;
    unsigned n_types;
};

struct labelled {
    char *name;
    struct sink sink;
};

struct all {
    int64_t number;
    bool is_on;
    struct {
        char *path;
        int64_t workers;
    } group;
    struct sink *sinks;
    unsigned n_sinks;
    struct brand_samples *brands;
    unsigned n_brands;
    struct labelled *labelled;
    unsigned n_labelled;
};

/* A table is read by its columns. */
/* clang-format off */
#define AT(owner, member) \
    .offset = offsetof(struct owner, member), .size = sizeof(((struct owner *)0)->member)
#define MANY(owner, member, entry) \
    .offset = offsetof(struct owner, member), .size = sizeof(struct entry), \
    .count_offset = offsetof(struct owner, n_##member), .max = 3

static const struct schema_key sample_keys[] = {
    {.name = "kind", .type = SCHEMA_TEXT, AT(sample, kind), .max = 5},
    {.name = "", .type = SCHEMA_INT, AT(sample, object), .min = 1, .max = 99},
    {.name = NULL},
};
static const struct schema_key brand_samples_keys[] = {
    {.name = "brand", .type = SCHEMA_TEXT, AT(brand_samples, brand), .max = 63},
    {.name = "", .type = SCHEMA_MAP, MANY(brand_samples, samples, sample), .keys = sample_keys},
    {.name = NULL},
};
static const struct schema_key sink_keys[] = {
    {.name = "name", .type = SCHEMA_TEXT, .required = true, AT(sink, name), .max = 9,
     .help = "Its name."},
    {.name = "types", .type = SCHEMA_TEXTS, AT(sink, types),
     .count_offset = offsetof(struct sink, n_types), .min = 1, .max = 2, .fallback = "click",
     .help = "What it gets."},
    {.name = NULL},
};
static const struct schema_key labelled_keys[] = {
    {.name = "label", .type = SCHEMA_TEXT, AT(labelled, name), .max = 9},
    {.name = "", .type = SCHEMA_GROUP, AT(labelled, sink), .keys = sink_keys},
    {.name = NULL},
};
static const struct schema_key group_keys[] = {
    {.name = "path", .type = SCHEMA_PATH, AT(all, group.path), .max = 20, .help = "A file."},
    {.name = "workers", .type = SCHEMA_AUTO, AT(all, group.workers), .min = 1, .max = 4,
     .fallback = "auto", .at_reload = true, .help = "Threads."},
    {.name = NULL},
};
static const struct schema_key all_keys[] = {
    {.name = "number", .type = SCHEMA_INT, AT(all, number), .min = -5, .max = 5, .fallback = "3",
     .help = "A number."},
    {.name = "is_on", .type = SCHEMA_BOOL, AT(all, is_on), .fallback = "true", .help = "Or off."},
    /* Its members' offsets are those of struct all. */
    {.name = "group", .type = SCHEMA_GROUP, .offset = 0, .size = 0, .keys = group_keys,
     .help = "Keys."},
    {.name = "sinks", .type = SCHEMA_LIST, MANY(all, sinks, sink), .keys = sink_keys,
     .help = "Structs."},
    {.name = "samples", .type = SCHEMA_MAP, MANY(all, brands, brand_samples),
     .keys = brand_samples_keys, .help = "Maps in a map."},
    {.name = "labelled", .type = SCHEMA_MAP, MANY(all, labelled, labelled), .at_reload = true,
     .keys = labelled_keys, .help = "Structs by name."},
    {.name = NULL},
};
/* clang-format on */

static struct schema_doc *parse(const char *text, struct error *err)
{
    return schema_parse(all_keys, sizeof(struct all), "/e/f.yaml", text, strlen(text), err);
}

static struct schema_doc *parse_good(const char *text)
{
    struct error err = {0};
    struct schema_doc *doc = parse(text, &err);

    if (!doc)
        print_error("%s\n", err.text);
    assert_non_null(doc);
    return doc;
}

static void test_every_type_is_filled(void **state)
{
    struct schema_doc *doc = parse_good("number: -5\n"
                                        "is_on: false\n"
                                        "group: {path: f, workers: 4}\n"
                                        "sinks:\n"
                                        "  - {name: crm, types: [click, payment]}\n"
                                        "  - {name: log, types: click}\n"
                                        "  - {name: bus}\n"
                                        "samples:\n"
                                        "  acme: {view: 12, pay: 34}\n"
                                        "  un.brella: {}\n"
                                        "labelled:\n"
                                        "  x: {name: y}\n");
    const struct all *all = schema_doc_data(doc);

    (void)state;
    assert_int_equal(all->number, -5);
    assert_false(all->is_on);
    assert_string_equal(all->group.path, "/e/f");
    assert_int_equal(all->group.workers, 4);
    assert_int_equal(all->n_sinks, 3);
    assert_int_equal(all->sinks[0].n_types, 2);
    assert_string_equal(all->sinks[0].types[1], "payment");
    assert_int_equal(all->sinks[1].n_types, 1);
    assert_string_equal(all->sinks[1].types[0], "click");
    assert_string_equal(all->sinks[2].types[0], "click");
    assert_int_equal(all->n_brands, 2);
    assert_string_equal(all->brands[0].brand, "acme");
    assert_int_equal(all->brands[0].n_samples, 2);
    assert_string_equal(all->brands[0].samples[1].kind, "pay");
    assert_int_equal(all->brands[0].samples[1].object, 34);
    assert_int_equal(all->brands[1].n_samples, 0);
    assert_string_equal(all->labelled[0].name, "x");
    assert_string_equal(all->labelled[0].sink.name, "y");
    assert_int_equal(schema_doc_line(doc, "sinks[1].types"), 6);
    assert_int_equal(schema_doc_line(doc, "sinks[2].types"), 7);
    assert_int_equal(schema_doc_line(doc, "sinks[3].name"), 4);
    assert_int_equal(schema_doc_line(doc, "samples.acme.pay"), 9);
    assert_int_equal(schema_doc_line(doc, "samples.un.brella.pay"), 10);
    assert_int_equal(schema_doc_line(doc, "numbers"), 1);
    schema_doc_free(doc);
}

static void test_what_is_not_written_has_its_default(void **state)
{
    struct schema_doc *doc = parse_good("{}");
    const struct all *all = schema_doc_data(doc);

    (void)state;
    assert_int_equal(all->number, 3);
    assert_true(all->is_on);
    assert_null(all->group.path);
    assert_int_equal(all->group.workers, 0);
    assert_int_equal(all->n_sinks, 0);
    assert_int_equal(all->n_brands, 0);
    schema_doc_free(doc);
}

static void test_refusals(void **state)
{
    const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"a list where a map belongs", "samples: [a]", ":1: samples: wants 'name: value' lines"},
        {"a text where a map belongs", "samples: a", ":1: samples: wants 'name: value' lines"},
        {"a value of a map in a map", "samples:\n  acme:\n    view: 0\n",
         ":3: samples.acme.view: '0' is not valid; give a whole number from 1 to 99"},
        {"a name of a map that is too long", "samples: {acme: {renewal: 1}}",
         ":1: samples.acme.renewal: is 7 bytes long; at most 5 are allowed"},
        {"a name twice", "samples:\n  acme: {}\n  acme: {}\n",
         ":3: samples.acme: is there twice; remove one"},
        {"a list as name", "samples: {[a]: {}}", ":1: samples: wants 'key: value' lines here"},
        {"an empty name", "samples: {'': {}}", ":1: samples.: has no value; "},
        {"more names than allowed", "samples: {a: {}, b: {}, c: {}, d: {}}",
         ":1: samples: has too many entries; at most 3 are allowed"},
        {"an unknown key of a struct in a map", "labelled:\n  x: {name: a, tipes: b}\n",
         ":2: labelled.x.tipes: unknown key; did you mean 'types'?"},
        {"a missing key of a struct in a map", "labelled:\n  x: {}\n",
         ":2: labelled.x.name: is missing; add it: Its name."},
        {"an entry of a list that is none", "sinks:\n- {name: a}\n- b\n",
         ":3: sinks[1]: wants 'key: value' lines"},
        {"more than a list may hold", "sinks: [{name: a, types: [a, b, c]}]",
         ":1: sinks[0].types: has too many entries; at most 2 are allowed"},
        {"an alias of a list", "sinks: &a [{name: a}]\nsamples: *a\n",
         ":2: samples: aliases (*name) aren't supported"},
        {"a list that holds itself", "sinks: &a [*a]\n",
         ":1: sinks[0]: aliases (*name) aren't supported"},
        {"an alias of nothing", "sinks: *a\n", ":1: not readable as YAML: "},
        {"a key with a NUL behind its name", "\"number\\0\": 1\n",
         ":1: number: the key holds a NUL; "},
        {"UTF-16 that is cut", "\xff\xfen", ":1: not readable as YAML: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static const char file[] = "/e/f.yaml";
        struct error err = {0};

        print_message("%s\n", cases[i].name);
        assert_null(parse(cases[i].text, &err));
        if (strncmp(err.text, file, strlen(file)) != 0 ||
            strncmp(err.text + strlen(file), cases[i].want, strlen(cases[i].want)) != 0)
            assert_string_equal(err.text, cases[i].want);
    }
}

/* As editors on Windows save a text. */
static void test_a_byte_order_mark_is_left_out(void **state)
{
    static const char utf16[] = "\xff\xfen\0u\0m\0b\0e\0r\0:\0 \0"
                                "4\0\r\0\n\0";
    const struct {
        const char *name, *text;
        size_t len;
    } cases[] = {
        {"UTF-8", "\xef\xbb\xbfnumber: 4\r\n", 14},
        {"UTF-8, and a comment first", "\xef\xbb\xbf# x\r\nnumber: 4\r\n", 19},
        {"UTF-8, and a document mark first", "\xef\xbb\xbf---\r\nnumber: 4\r\n", 19},
        {"UTF-16", utf16, sizeof(utf16) - 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {0};
        struct schema_doc *doc = schema_parse(all_keys, sizeof(struct all), "/e/f.yaml",
                                              cases[i].text, cases[i].len, &err);

        print_message("%s\n", cases[i].name);
        assert_string_equal(err.text, "");
        assert_int_equal(((struct all *)schema_doc_data(doc))->number, 4);
        schema_doc_free(doc);
    }
}

static void test_restart_keys(void **state)
{
    const struct {
        const char *name, *old, *new, *want;
    } cases[] = {
        {"nothing changed", "number: 1\n", "# x\nnumber: 1\n", ""},
        {"a default that is written out now", "{}\n", "number: 3\n", ""},
        {"a number", "number: 1\n", "number: 2\n", "number"},
        {"what a reload applies", "group: {workers: 1}\n", "group: {workers: 2}\n", ""},
        {"beside it what it doesn't", "group: {workers: 1}\n", "group: {path: a, workers: 2}\n",
         "group.path"},
        {"a text that is another", "group: {path: a}\n", "group: {path: b}\n", "group.path"},
        {"two", "{}\n", "is_on: false\nnumber: 2\n", "number,is_on"},
        {"a list that is longer", "sinks: [{name: a}]\n", "sinks: [{name: a}, {name: b}]\n",
         "sinks"},
        {"a text in a list in a list", "sinks: [{name: a, types: [b, c]}]\n",
         "sinks: [{name: a, types: [b, d]}]\n", "sinks"},
        {"a list that was a single text", "sinks: [{name: a, types: b}]\n",
         "sinks: [{name: a, types: [b]}]\n", ""},
        {"a value in a map in a map", "samples: {a: {view: 1}}\n", "samples: {a: {view: 2}}\n",
         "samples"},
        {"a name in a map", "samples: {a: {view: 1}}\n", "samples: {b: {view: 1}}\n", "samples"},
        {"inside of what a reload applies", "labelled: {x: {name: a}}\n", "{}\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct schema_doc *old = parse_good(cases[i].old), *new = parse_good(cases[i].new);
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        unsigned n;

        print_message("%s\n", cases[i].name);
        assert_non_null(out);
        n = schema_print_restart_keys(all_keys, schema_doc_data(old), schema_doc_data(new), out);
        fclose(out);
        assert_string_equal(text, cases[i].want);
        assert_int_equal(n > 0, cases[i].want[0] != '\0');
        free(text);
        schema_doc_free(old);
        schema_doc_free(new);
    }
}

/* A new key says by itself what a reload does about it; these are the ones that one applies. */
static void test_what_a_reload_applies(void **state)
{
    char text[400] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");

    (void)state;
    assert_non_null(out);
    for (const struct schema_key *key = config_schema; key->name; key++) {
        if (key->at_reload)
            fprintf(out, "%s ", key->name);
        for (const struct schema_key *inner = key->keys; inner && inner->name; inner++) {
            if (inner->at_reload)
                fprintf(out, "%s.%s ", key->name, inner->name);
        }
    }
    fclose(out);
    assert_string_equal(text, "admin.api_keys admin.url admin.proxy admin.oidc admin.users "
                              "checks.retry_s checks.failures checks.timeout_ms checks.pace_ms "
                              "checks.redirects_max checks.tls_ca checks.samples keys brands ");
}

static void test_help_names_maps(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_non_null(out);
    schema_print_help(all_keys, out);
    fclose(out);
    assert_non_null(strstr(text,
                           "sinks[].types\n    What it gets.\n    takes text or list; default: "
                           "click\n"));
    assert_non_null(strstr(text, "labelled.NAME.name\n    Its name.\n    takes text; default: "
                                 "required; a reload applies it\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_is_filled),
        cmocka_unit_test(test_what_is_not_written_has_its_default),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_byte_order_mark_is_left_out),
        cmocka_unit_test(test_restart_keys),
        cmocka_unit_test(test_what_a_reload_applies),
        cmocka_unit_test(test_help_names_maps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
