#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <sodium.h>

#include "files.h"
#include "proto/click.h"
#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "temp_dir.h"

static const char KEY_LINE[] =
    "1 mint 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

struct files {
    char *dir;
    char config[128], keys[128];
};

/* A folder with a key file; tests write the configuration. */
static int set_up(void **state)
{
    struct files *files = calloc(1, sizeof(*files));

    files->dir = temp_dir_new();
    snprintf(files->config, sizeof(files->config), "%s/hopcount.yaml", files->dir);
    snprintf(files->keys, sizeof(files->keys), "%s/keys", files->dir);
    write_file(files->keys, KEY_LINE);
    *state = files;
    return 0;
}

static int tear_down(void **state)
{
    struct files *files = *state;

    temp_dir_free(files->dir);
    free(files);
    return 0;
}

/* The site of "keys: keys" and `brands`; NULL and `err` when it is refused. */
static struct site *load(const struct files *files, const char *brands, struct error *err)
{
    struct config *config = NULL;
    struct site *site;
    char text[4096];

    snprintf(text, sizeof(text), "keys: keys\nbrands:\n%s", brands);
    write_file(files->config, text);
    site = site_load(files->config, &config, err);
    assert_int_equal(site != NULL, config != NULL);
    config_free(config); /* a site needs its configuration no longer */
    return site;
}

static struct site *load_good(const struct files *files, const char *brands)
{
    struct error err = {0};
    struct site *site = load(files, brands, &err);

    if (!site)
        print_error("%s\n", err.text);
    assert_non_null(site);
    return site;
}

static const struct target_facts NO_FACTS;

/* Where `token` leads, as a string in `out`; "" for nowhere. */
static const char *target(const struct brand *brand, const struct token *token,
                          const struct target_facts *facts, char out[static SITE_TARGET_MAX + 1])
{
    size_t len = brand_target(brand, token, facts, out);

    out[len] = '\0';
    return out;
}

static struct token token_of(uint8_t kind, const char *arg)
{
    struct token token = {.kind = kind, .object = 1234, .client = 77, .campaign = 12, .channel = 1};

    token.arg_len = (uint8_t)strlen(arg);
    memcpy(token.arg, arg, token.arg_len);
    return token;
}

/*
 * Where the forms of the URLs are from.  No such system was at hand: what isn't in its source or
 * its documentation is said to be unconfirmed.
 */
#define WHMCS                                                                                    \
    "github.com/WHMCS/templates-twenty-one: clientareainvoices.tpl, homepage.tpl; the route of " \
    "payment: docs.whmcs.com/Friendly_URLs"
#define FOSSBILLING "github.com/FOSSBilling/FOSSBilling: src/modules/Invoice/Controller/Client.php"
#define PAYMENTER                                                                     \
    "github.com/Paymenter/Paymenter: routes/web.php, app/Livewire/Invoices/Show.php " \
    "(#[Url('pay')])"
#define INVOICENINJA "github.com/invoiceninja/invoiceninja: routes/client.php"
#define BLESTA                                                                                 \
    "docs.blesta.com, tag {payment_url} of the payment reminders; the list and the login are " \
    "unconfirmed"
#define HOSTBILL "the client themes, {$ca_url}clientarea/invoice/{$invoice.id}/"
#define CLIENTEXEC "github.com/clientexec/default-template: the list of invoices, the login form"
#define STRIPE "docs.stripe.com: Payment Links; the customer portal's login_page.url"

static void test_presets(void **state)
{
    const struct {
        const char *preset, *source, *billing_url, *arg;
        const char *view, *pay, *login; /* "" = nowhere */
    } cases[] = {
        {"whmcs", WHMCS, "https://b.example", "", "https://b.example/viewinvoice.php?id=1234",
         "https://b.example/index.php?rp=/invoice/1234/pay", "https://b.example/clientarea.php"},
        {"whmcs", WHMCS, "https://b.example/", "", "https://b.example/viewinvoice.php?id=1234",
         "https://b.example/index.php?rp=/invoice/1234/pay", "https://b.example/clientarea.php"},
        {"whmcs", WHMCS, "https://b.example:8443/members", "",
         "https://b.example:8443/members/viewinvoice.php?id=1234",
         "https://b.example:8443/members/index.php?rp=/invoice/1234/pay",
         "https://b.example:8443/members/clientarea.php"},
        {"whmcs", WHMCS, "http://b.example/members/", "",
         "http://b.example/members/viewinvoice.php?id=1234",
         "http://b.example/members/index.php?rp=/invoice/1234/pay",
         "http://b.example/members/clientarea.php"},
        {"fossbilling", FOSSBILLING, "https://b.example", "c0ffee",
         "https://b.example/invoice/c0ffee", "https://b.example/invoice/c0ffee",
         "https://b.example/login"},
        {"fossbilling", FOSSBILLING, "https://b.example", "", "", "", "https://b.example/login"},
        {"paymenter", PAYMENTER, "https://b.example", "", "https://b.example/invoices/1234",
         "https://b.example/invoices/1234?pay=true", "https://b.example/login"},
        {"invoiceninja", INVOICENINJA, "https://b.example", "k3y",
         "https://b.example/client/invoice/k3y", "https://b.example/client/pay/k3y",
         "https://b.example/client/login"},
        {"invoiceninja", INVOICENINJA, "https://b.example", "", "", "",
         "https://b.example/client/login"},
        {"blesta", BLESTA, "https://b.example", "", "https://b.example/client/invoices/",
         "https://b.example/client/pay/method/1234/", "https://b.example/client/login/"},
        {"hostbill", HOSTBILL, "https://b.example", "",
         "https://b.example/clientarea/invoice/1234/", "https://b.example/clientarea/invoice/1234/",
         "https://b.example/clientarea/"},
        {"hostbill", HOSTBILL, "https://b.example/index.php?/", "",
         "https://b.example/index.php?/clientarea/invoice/1234/",
         "https://b.example/index.php?/clientarea/invoice/1234/",
         "https://b.example/index.php?/clientarea/"},
        {"clientexec", CLIENTEXEC, "https://b.example", "",
         "https://b.example/index.php?fuse=billing&controller=invoice&view=invoice&id=1234",
         "https://b.example/index.php?fuse=billing&controller=invoice&view=invoice&id=1234",
         "https://b.example/index.php?fuse=home&view=login"},
        {"stripe", STRIPE, "https://billing.stripe.com/p/login/x", "5kA1", "",
         "https://buy.stripe.com/5kA1", "https://billing.stripe.com/p/login/x"},
        {"none", "", "https://b.example", "", "", "", ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512], out[SITE_TARGET_MAX + 1];
        const char *const want[] = {cases[i].view, cases[i].pay, cases[i].login};
        struct site *site;

        print_message("%s at %s with argument '%s' (%s)\n", cases[i].preset, cases[i].billing_url,
                      cases[i].arg, cases[i].source);
        snprintf(text, sizeof(text), "- {name: a, hosts: h, preset: %s, billing_url: '%s'}\n",
                 cases[i].preset, cases[i].billing_url);
        site = load_good(*state, text);
        for (uint8_t kind = 1; kind <= 3; kind++) {
            struct token token = token_of(kind, cases[i].arg);

            assert_string_equal(target(site_brand_at(site, 0), &token, &NO_FACTS, out),
                                want[kind - 1]);
        }
        site_unref(site);
    }
}

static void test_own_preset_file(void **state)
{
    static const char brand[] =
        "- {name: a, hosts: h, preset: ./own.yaml, billing_url: https://b.example}\n";
    const struct files *files = *state;
    struct token token = token_of(5, "");
    char path[160], out[SITE_TARGET_MAX + 1], want[256];
    struct error err = {0};
    struct site *site;

    snprintf(path, sizeof(path), "%s/own.yaml", files->dir);
    write_file(path, "name: own\ntargets:\n  - {kind: 5, name: ticket, url: 't/{object}'}\n");
    site = load_good(files, brand);
    assert_string_equal(target(site_brand_at(site, 0), &token, &NO_FACTS, out),
                        "https://b.example/t/1234");
    assert_int_equal(brand_kind_find(site_brand_at(site, 0), slice_of("ticket")), 5);
    site_unref(site);

    write_file(path, "name: own\ntargets:\n  - {kind: 5, name: ticket, url: 't/{id}'}\n");
    assert_null(load(files, brand, &err));
    snprintf(want, sizeof(want),
             "%s:3: brands[0].preset: %s/./own.yaml:3: targets[0].url: ", files->config,
             files->dir);
    assert_memory_equal(err.text, want, strlen(want));
    assert_non_null(strstr(err.text, "'https://b.example/t/{id}' names an unknown value; "));

    write_file(path, "name: own\ntargets:\n  - {kind: 5, url: 't/{object}'}\n");
    assert_null(load(files, brand, &err));
    assert_non_null(strstr(err.text, "targets[0].url: kind 5 needs a name"));
}

static void test_kinds(void **state)
{
    struct site *site = load_good(
        *state, "- name: a\n  hosts: h\n  preset: fossbilling\n  billing_url: https://b.example\n"
                "  targets:\n  - {kind: 4, name: renew, url: 'https://b.example/r/{object}'}\n"
                "  - {kind: 15, name: doc, url: 'https://b.example/d',"
                " rules: [{country: DE, url: 'https://b.example/{arg}'}]}\n");
    const struct brand *brand = site_brand_at(site, 0);
    const struct {
        const char *name, *text;
        uint8_t want;
    } cases[] = {
        {"a fixed kind", "pay", 2},
        {"an own kind", "renew", 4},
        {"a number", "4", 4},
        {"a number of two digits", "15", 15},
        {"an unknown name", "doc2", 0},
        {"nothing", "", 0},
        {"a kind it lacks", "5", 0},
        {"kind 0", "0", 0},
        {"kind 16", "16", 0},
        {"a leading zero", "04", 0},
        {"capitals", "Pay", 0},
        {"a number and more", "4x", 0},
        {"a number that would wrap to 4", "260", 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        assert_int_equal(brand_kind_find(brand, slice_of(cases[i].text)), cases[i].want);
    }
    assert_string_equal(brand_kind_name(brand, 1), "view");
    assert_string_equal(brand_kind_name(brand, 15), "doc");
    assert_null(brand_kind_name(brand, 0));
    assert_null(brand_kind_name(brand, 5));
    assert_null(brand_kind_name(brand, 16));
    assert_true(brand_kind_needs_arg(brand, 1));
    assert_false(brand_kind_needs_arg(brand, 3));
    assert_false(brand_kind_needs_arg(brand, 4));
    assert_true(brand_kind_needs_arg(brand, 15)); /* one of its templates does */
    assert_false(brand_kind_needs_arg(brand, 16));
    site_unref(site);
}

static void test_rules(void **state)
{
    struct site *site = load_good(
        *state,
        "- name: a\n  hosts: h\n  targets:\n  - kind: pay\n    url: https://b/\n    rules:\n"
        "    - {variant: [A, none], country: [DE, AT], url: 'https://b/1'}\n"
        "    - {language: [pt-br, de], url: 'https://b/2'}\n"
        "    - {device: [phone, tablet], url: 'https://b/3'}\n"
        "    - {variant: G, url: 'https://b/4/{arg}'}\n");
    const struct {
        const char *name;
        uint8_t variant;
        const char *country, *language;
        uint8_t device;
        const char *want;
    } cases[] = {
        {"no rule fits", 2, "", "", CLICK_DEVICE_OTHER, "https://b/"},
        {"variant and country", 1, "AT", "", CLICK_DEVICE_OTHER, "https://b/1"},
        {"no variant and country", 0, "DE", "", CLICK_DEVICE_OTHER, "https://b/1"},
        {"the variant alone isn't enough", 1, "FR", "", CLICK_DEVICE_OTHER, "https://b/"},
        {"the country alone isn't enough", 2, "DE", "", CLICK_DEVICE_OTHER, "https://b/"},
        {"an unknown country fits none", 1, "", "", CLICK_DEVICE_OTHER, "https://b/"},
        {"the first rule that fits is taken", 1, "DE", "de", CLICK_DEVICE_PHONE, "https://b/1"},
        {"a language", 2, "", "de", CLICK_DEVICE_OTHER, "https://b/2"},
        {"a language with a country", 2, "", "de-CH,en;q=0.5", CLICK_DEVICE_OTHER, "https://b/2"},
        {"a language with an underscore", 2, "", "pt_BR,pt;q=0.9", CLICK_DEVICE_OTHER,
         "https://b/2"},
        {"a language in capitals", 2, "", "PT-BR", CLICK_DEVICE_OTHER, "https://b/2"},
        {"a language more general than the rule", 2, "", "pt", CLICK_DEVICE_OTHER, "https://b/"},
        {"the second-best language", 2, "", "en,de;q=0.9", CLICK_DEVICE_OTHER, "https://b/"},
        {"the best comes last", 2, "", "en;q=0.8,de", CLICK_DEVICE_OTHER, "https://b/2"},
        {"a device", 2, "", "", CLICK_DEVICE_TABLET, "https://b/3"},
        {"another device", 2, "", "", CLICK_DEVICE_DESKTOP, "https://b/"},
        {"a rule's template needs an argument", 7, "", "", CLICK_DEVICE_OTHER, ""},
    };
    char out[SITE_TARGET_MAX + 1];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct token token = token_of(TOKEN_KIND_PAY, "");
        struct target_facts facts = {.device = cases[i].device,
                                     .language = slice_of(cases[i].language)};

        print_message("%s\n", cases[i].name);
        token.variant = cases[i].variant;
        memcpy(facts.country, cases[i].country, strlen(cases[i].country));
        assert_string_equal(target(site_brand_at(site, 0), &token, &facts, out), cases[i].want);
    }
    site_unref(site);
}

static void test_utm(void **state)
{
    const struct {
        const char *name, *brand, *preset, *target, *want;
    } cases[] = {
        {"not asked for", "false", "whmcs", "", "https://b/clientarea.php"},
        {"by the brand", "true", "whmcs", "",
         "https://b/clientarea.php?utm_source=a&utm_medium=email&utm_campaign=12"},
        {"by the brand but not the target", "true", "whmcs", "{kind: login, utm: false}",
         "https://b/clientarea.php"},
        {"by the target", "false", "whmcs", "{kind: login, utm: true}",
         "https://b/clientarea.php?utm_source=a&utm_medium=email&utm_campaign=12"},
        {"as the brand says", "true", "whmcs", "{kind: login, utm: brand, url: 'https://c/'}",
         "https://c/?utm_source=a&utm_medium=email&utm_campaign=12"},
        {"a preset whose addresses must not change", "true", "stripe", "", "https://b"},
        {"such a preset, overridden", "false", "stripe", "{kind: login, utm: true}",
         "https://b?utm_source=a&utm_medium=email&utm_campaign=12"},
    };
    char text[512], out[SITE_TARGET_MAX + 1];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct token token = token_of(TOKEN_KIND_LOGIN, "");
        struct site *site;

        print_message("%s\n", cases[i].name);
        snprintf(text, sizeof(text),
                 "- {name: a, hosts: h, preset: %s, billing_url: https://b, utm: %s,"
                 " targets: [%s]}\n",
                 cases[i].preset, cases[i].brand, cases[i].target);
        site = load_good(*state, text);
        assert_string_equal(target(site_brand_at(site, 0), &token, &NO_FACTS, out), cases[i].want);
        site_unref(site);
    }
}

static void test_hosts(void **state)
{
    struct site *site = load_good(
        *state, "- {name: a, hosts: [Go.A.example, '[2001:db8::1]']}\n"
                "- {name: b, hosts: go.b.example., base_url: 'https://GO.b.example:8443/'}\n");
    const struct {
        const char *name, *host, *want; /* "" = none */
    } cases[] = {
        {"as written", "Go.A.example", "a"},
        {"in small letters", "go.a.example", "a"},
        {"in capitals", "GO.A.EXAMPLE", "a"},
        {"with a port", "go.a.example:8080", "a"},
        {"with a dot at the end", "go.a.example.", "a"},
        {"with dot and port", "go.a.example.:80", "a"},
        {"with an empty port", "go.a.example:", "a"},
        {"an IPv6 address", "[2001:DB8::1]", "a"},
        {"an IPv6 address with a port", "[2001:db8::1]:80", "a"},
        {"the other brand, written with a dot", "go.b.example", "b"},
        {"unknown", "go.c.example", ""},
        {"the end of a host", "a.example", ""},
        {"more than a host", "x.go.a.example", ""},
        {"nothing", "", ""},
        {"a dot", ".", ""},
        {"a port alone", ":80", ""},
        {"two dots at the end", "go.a.example..", ""},
        {"two ports", "go.a.example:80:80", ""},
        {"an IPv6 address without brackets", "2001:db8::1", ""},
    };
    char longest[300];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct brand *brand = site_find_host(site, slice_of(cases[i].host));

        print_message("%s\n", cases[i].name);
        assert_int_equal(brand != NULL, cases[i].want[0] != '\0');
        if (brand)
            assert_true(slice_equal(brand->name, slice_of(cases[i].want)));
    }
    memset(longest, 'a', sizeof(longest));
    for (size_t len = 250; len <= sizeof(longest); len++)
        assert_null(site_find_host(site, slice_make(longest, len)));
    assert_string_equal(site_brand_at(site, 0)->base_url, "https://Go.A.example");
    assert_string_equal(site_brand_at(site, 1)->base_url, "https://GO.b.example:8443");
    assert_int_equal(site_brand_at(site, 0)->id, click_brand_id(slice_of("a")));
    assert_int_equal(site_n_brands(site), 2);
    assert_null(site_brand_at(site, 2));
    assert_ptr_equal(site_find_brand(site, slice_of("b")), site_brand_at(site, 1));
    assert_null(site_find_brand(site, slice_of("c")));
    site_unref(site);
}

static void test_many_brands(void **state)
{
    const struct files *files = *state;
    struct config *config;
    struct error err = {0};
    struct site *site;
    FILE *file = fopen(files->config, "w");
    char host[32];

    fputs("keys: keys\nbrands:\n", file);
    for (int i = 0; i < 1000; i++)
        fprintf(file, "- {name: b%d, hosts: [h%d.example, g%d.example]}\n", i, i, i);
    fclose(file);
    site = site_load(files->config, &config, &err);
    assert_non_null(site);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(host, sizeof(host), "H%u.example:80", i);
        assert_ptr_equal(site_find_host(site, slice_of(host)), site_brand_at(site, i));
        snprintf(host, sizeof(host), "g%u.example", i);
        assert_ptr_equal(site_find_host(site, slice_of(host)), site_brand_at(site, i));
    }
    assert_null(site_find_host(site, slice_of("h1000.example")));
    site_unref(site);
    config_free(config);
}

/* The case gives the line and what follows, and what stands further on. */
static void test_refusals(void **state)
{
    const struct {
        const char *name, *brands, *want, *more;
    } cases[] = {
        {"an unknown preset", "- {name: a, hosts: h, preset: whmsc}\n",
         ":3: brands[0].preset: unknown preset 'whmsc'; one of: blesta, ", "whmcs"},
        {"a preset without billing_url", "- name: a\n  hosts: h\n  preset: whmcs\n",
         ":5: brands[0].preset: preset whmcs starts from the billing system's address; ",
         "add billing_url"},
        {"a preset file that isn't there", "- {name: a, hosts: h, preset: ./x.yaml}\n",
         ":3: brands[0].preset: ", "/x.yaml: cannot open: No such file"},
        {"a host twice in a brand", "- {name: a, hosts: [h, H]}\n",
         ":3: brands[0].hosts[1]: 'H' is a host of brand a already; ", "remove one"},
        {"a host in two brands", "- {name: a, hosts: h}\n- {name: b, hosts: [g, h.]}\n",
         ":4: brands[1].hosts[1]: 'h.' is a host of brand a already; ", ""},
        {"a name twice", "- {name: a, hosts: h}\n- {name: a, hosts: g}\n",
         ":4: brands[1].name: 'a' is the name of brands[0] already; ", ""},
        {"a base URL that leads elsewhere", "- {name: a, hosts: h, base_url: 'https://g'}\n",
         ":3: brands[0].base_url: 'g' is not one of the brand's hosts", "add it to hosts"},
        {"a base URL of another brand",
         "- {name: a, hosts: h}\n- {name: b, hosts: g, base_url: 'https://h'}\n",
         ":4: brands[1].base_url: 'h' is not one of the brand's hosts", ""},
        {"a kind twice",
         "- {name: a, hosts: h, targets: [{kind: pay, url: 'https://x'},\n"
         "    {kind: 2, url: 'https://y'}]}\n",
         ":4: brands[0].targets[1].kind: is there twice ", ""},
        {"an own kind without name",
         "- {name: a, hosts: h, targets: [{kind: 4, url: 'https://x'}]}",
         ":3: brands[0].targets[0].name: is missing; ", ""},
        {"another name for pay",
         "- {name: a, hosts: h, targets: [{kind: 2, name: x, url: 'https://x'}]}",
         ":3: brands[0].targets[0].name: kinds 1 to 3 are view, pay and login; ", ""},
        {"an own kind called pay",
         "- {name: a, hosts: h, targets: [{kind: 4, name: pay, url: 'https://x'}]}",
         ":3: brands[0].targets[0].name: view, pay and login are kinds 1 to 3; ", ""},
        {"two kinds of one name",
         "- {name: a, hosts: h, targets: [{kind: 4, name: x, url: 'https://x'},"
         " {kind: 5, name: x, url: 'https://x'}]}",
         ":3: brands[0].targets: kinds 4 and 5 are both called 'x'; ", ""},
        {"no template and no preset", "- {name: a, hosts: h, targets: [{kind: pay}]}",
         ":3: brands[0].targets[0].url: is missing; the preset has no template ", ""},
        {"a bad template",
         "- name: a\n  hosts: h\n  targets:\n  - kind: pay\n"
         "    url: https://x/{invoice}\n",
         ":7: brands[0].targets[0].url: 'https://x/{invoice}' names an unknown value; ",
         "(at character 11)"},
        {"a template that isn't of the web",
         "- {name: a, hosts: h, targets: [{kind: pay, url: 'javascript:alert(1)'}]}\n",
         ":3: brands[0].targets[0].url: 'javascript:alert(1)' is not a web address; ",
         "(at character 1)"},
        {"a bad template in a rule",
         "- {name: a, hosts: h, targets: [{kind: pay, url: 'https://x', rules: [\n"
         "    {device: phone, url: 'https://{arg}/'}]}]}\n",
         ":4: brands[0].targets[0].rules[0].url: 'https://{arg}/' has a value in its host; ", ""},
        {"utm twice",
         "- {name: a, hosts: h, targets: [{kind: pay, utm: true, url: 'https://x/?utm_id=1'}]}",
         ":3: brands[0].targets[0].url: 'https://x/?utm_id=1' holds utm_", ""},
    };
    const struct files *files = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char want[256];
        struct error err = {0};

        print_message("%s\n", cases[i].name);
        assert_null(load(files, cases[i].brands, &err));
        snprintf(want, sizeof(want), "%s%s", files->config, cases[i].want);
        if (strncmp(err.text, want, strlen(want)) != 0)
            assert_string_equal(err.text, want);
        assert_non_null(strstr(err.text, cases[i].more));
        assert_null(strchr(err.text, '\n'));
    }
}

static void test_unreadable_keys(void **state)
{
    const struct files *files = *state;
    struct error err = {0};
    char want[512];

    assert_int_equal(remove(files->keys), 0);
    assert_null(load(files, "- {name: a, hosts: h}\n", &err));
    snprintf(want, sizeof(want), "%s:1: keys: %s", files->config, files->keys);
    assert_memory_equal(err.text, want, strlen(want));
    write_file(files->keys, "1 mint 00\n");
    assert_null(load(files, "- {name: a, hosts: h}\n", &err));
    assert_memory_equal(err.text, want, strlen(want));
}

static void test_a_bad_reload_leaves_the_old_one(void **state)
{
    const struct files *files = *state;
    struct error err = {0};
    struct config *config = NULL, *old;
    struct site *site;

    write_file(files->config, "keys: keys\nbrands: [{name: a, hosts: h}]\n");
    site = site_load(files->config, &config, &err);
    assert_non_null(site);
    old = config;
    write_file(files->config, "keys: keys\nbrands: [{name: a, hosts: h, preset: x}]\n");
    assert_null(site_load(files->config, &config, &err));
    assert_ptr_equal(config, old);
    assert_non_null(site_find_host(site, slice_of("h")));
    site_unref(site);
    config_free(config);
}

#define KEY_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER_KEY_HEX "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* Kid 200 is in another word of the set than the low ones. */
static void test_keys_for_some_brands(void **state)
{
    const struct {
        const char *name, *keys;
        unsigned a_mints, b_mints; /* kid, 0 = none */
        unsigned kid;              /* that links are sealed with */
        bool a_opens, b_opens;
    } cases[] = {
        {"a key for all", "1 mint " KEY_HEX "\n", 1, 1, 1, true, true},
        {"a key for one", "1 mint " KEY_HEX " a\n", 1, 0, 1, true, false},
        {"a key for both by name", "1 mint " KEY_HEX " b,a\n", 1, 1, 1, true, true},
        {"each its own", "1 mint " KEY_HEX " a\n200 mint " OTHER_KEY_HEX " b\n", 1, 200, 200, false,
         true},
        {"one that opens what it may", "1 mint " OTHER_KEY_HEX "\n200 verify " KEY_HEX " b\n", 1, 1,
         200, false, true},
        {"none for the other", "64 verify " KEY_HEX " a\n", 0, 0, 64, true, false},
    };
    const struct files *files = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct brand *brands[2];
        struct site *site;

        print_message("%s\n", cases[i].name);
        write_file(files->keys, cases[i].keys);
        site = load_good(files, "- {name: a, hosts: h}\n- {name: b, hosts: i}\n");
        for (unsigned b = 0; b < 2; b++) {
            struct token token = token_of(1, ""), out = {.object = 99};
            char text[TOKEN_TEXT_MAX + 1];
            size_t len;

            brands[b] = site_brand_at(site, b);
            token.kid = (uint8_t)cases[i].kid;
            assert_int_equal(token_seal(site_keys(site), brands[b]->name, &token, text, &len),
                             TOKEN_FAULT_NONE);
            assert_int_equal(site_open_token(site, brands[b], slice_make(text, len), &out) ==
                                 TOKEN_OK,
                             b ? cases[i].b_opens : cases[i].a_opens);
            assert_int_equal(out.object, (b ? cases[i].b_opens : cases[i].a_opens) ? 1234 : 99);
        }
        assert_int_equal(brands[0]->mint_kid, cases[i].a_mints);
        assert_int_equal(brands[1]->mint_kid, cases[i].b_mints);
        site_unref(site);
    }
}

static void test_a_key_for_a_brand_that_is_not_there(void **state)
{
    const struct files *files = *state;
    struct error err = {0};

    write_file(files->keys, "# keys\n1 mint " KEY_HEX " a,acme\n");
    assert_null(load(files, "- {name: a, hosts: h}\n", &err));
    assert_non_null(strstr(err.text, ":2: key 1 is for the brand 'acme', which the configuration"));
}

static void test_references(void **state)
{
    struct site *site = load_good(*state, "- {name: a, hosts: h}\n");

    assert_ptr_equal(site_ref(site), site);
    site_unref(site);
    assert_non_null(site_find_host(site, slice_of("h")));
    assert_int_equal(site_keys(site)->mint_kid, 1);
    site_unref(site);
    site_unref(NULL);
}

static void *use_site(void *arg)
{
    struct site *site = arg;

    for (int i = 0; i < 10000; i++) {
        site_ref(site);
        if (!site_find_host(site, slice_of("h")))
            abort();
        site_unref(site);
    }
    site_unref(site);
    return NULL;
}

/* The last of the threads frees it, whichever that is. */
static void test_references_of_threads(void **state)
{
    struct site *site = load_good(*state, "- {name: a, hosts: h}\n");
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_site, site_ref(site)), 0);
    site_unref(site);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_presets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_preset_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_utm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hosts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_brands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unreadable_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bad_reload_leaves_the_old_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_for_some_brands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_key_for_a_brand_that_is_not_there, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_references, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_references_of_threads, set_up, tear_down),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
