#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "service/config/pages.h"

static const struct pages_options ACME = {
    .name = "Acme <b>&\"'",
    .color = "#0e7490",
    .account = "https://billing.acme.example/clientarea.php?a=1&b=2",
    .home = "https://www.acme.example/",
    .support = "help@acme.example",
};

/* The body as a string; free it. */
static char *body_of(const struct pages *pages, enum page page)
{
    struct slice body = pages->page[page].body;

    return strndup(body.ptr, body.len);
}

static bool holds(const struct pages *pages, enum page page, const char *text)
{
    char *body = body_of(pages, page);
    bool found = strstr(body, text) != NULL;

    free(body);
    return found;
}

static void test_every_page(void **state)
{
    static const char *const needed[] = {"<!doctype html>",
                                         "<html lang=\"en\">",
                                         "<meta charset=\"utf-8\">",
                                         "name=\"viewport\" content=\"width=device-width",
                                         "<title>",
                                         "<main>",
                                         "<h1>",
                                         "prefers-color-scheme:dark",
                                         ":focus-visible",
                                         "Acme &lt;b&gt;&amp;&quot;&#39;"};
    static const char *const banned[] = {"<script", "<img",    "<link", "@import",
                                         "url(",    " style=", "<b>",   "onclick"};
    struct pages pages;

    (void)state;
    assert_true(pages_init(&pages, &ACME));
    for (unsigned page = 0; page < PAGE_ROBOTS; page++) {
        const struct page_text *text = &pages.page[page];

        print_message("page %u\n", page);
        assert_true(slice_equal(text->type, slice_of("text/html; charset=utf-8")));
        assert_in_range(text->body.len, 1, 3000);
        for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
            assert_true(holds(&pages, (enum page)page, needed[i]));
        for (size_t i = 0; i < sizeof(banned) / sizeof(banned[0]); i++)
            assert_false(holds(&pages, (enum page)page, banned[i]));
    }
    pages_clear(&pages);
}

static void test_robots(void **state)
{
    struct pages pages;

    (void)state;
    assert_true(pages_init(&pages, &ACME));
    assert_true(
        slice_equal(pages.page[PAGE_ROBOTS].body, slice_of("User-agent: *\nDisallow: /\n")));
    assert_true(slice_equal(pages.page[PAGE_ROBOTS].type, slice_of("text/plain; charset=utf-8")));
    assert_int_equal(pages.page[PAGE_ROBOTS].csp.len, 0);
    pages_clear(&pages);
}

/* The policy must allow the style that is in the page: the hash is taken here from the page. */
static void test_policy(void **state)
{
    struct pages pages;

    (void)state;
    assert_true(pages_init(&pages, &ACME));
    for (unsigned page = 0; page < PAGE_ROBOTS; page++) {
        char *body = body_of(&pages, (enum page)page);
        char *style = strstr(body, "<style>") + strlen("<style>");
        char base64[64], want[256];
        unsigned char hash[crypto_hash_sha256_BYTES];

        crypto_hash_sha256(hash, (const unsigned char *)style,
                           (size_t)(strstr(style, "</style>") - style));
        sodium_bin2base64(base64, sizeof(base64), hash, sizeof(hash),
                          sodium_base64_VARIANT_ORIGINAL);
        snprintf(want, sizeof(want),
                 "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; "
                 "%sframe-ancestors 'none'",
                 base64, page == PAGE_CONFIRM ? "" : "form-action 'none'; ");
        assert_true(slice_equal(pages.page[page].csp, slice_of(want)));
        free(body);
    }
    pages_clear(&pages);
}

static void test_the_way_on(void **state)
{
    static const char button[] = "<a class=\"b\" href=\"https://billing.acme.example/"
                                 "clientarea.php?a=1&amp;b=2\">Go to your account</a>";
    struct pages_options without = {.color = "#000000"};
    struct pages pages;

    (void)state;
    assert_true(pages_init(&pages, &ACME));
    assert_true(holds(&pages, PAGE_EXPIRED, button));
    assert_true(holds(&pages, PAGE_NOT_FOUND, button));
    assert_false(holds(&pages, PAGE_BAD_REQUEST, button));
    assert_false(holds(&pages, PAGE_CONFIRM, button));
    assert_true(holds(&pages, PAGE_CONFIRM, "<form method=\"post\"><button class=\"b\">"));
    assert_true(holds(&pages, PAGE_ONWARD, "<a class=\"b\" href=\"\x01\">"));
    assert_true(holds(&pages, PAGE_ONWARD, "content=\"0;url=\x01\">"));
    assert_false(holds(&pages, PAGE_EXPIRED, "\x01"));
    assert_false(holds(&pages, PAGE_EXPIRED, "<form"));
    assert_true(holds(&pages, PAGE_EXPIRED, "href=\"https://www.acme.example/\""));
    pages_clear(&pages);
    assert_true(pages_init(&pages, &without));
    assert_false(holds(&pages, PAGE_EXPIRED, "<a "));
    assert_false(holds(&pages, PAGE_EXPIRED, "class=\"n\""));
    assert_false(holds(&pages, PAGE_EXPIRED, "Need help?"));
    pages_clear(&pages);
}

static void test_support(void **state)
{
    const struct {
        const char *name, *support, *want;
    } cases[] = {
        {"a mail address", "help@a.example",
         "<a href=\"mailto:help@a.example\">help@a.example</a>"},
        {"a page", "https://a.example/help?a&b",
         "<a href=\"https://a.example/help?a&amp;b\">https://a.example/help?a&amp;b</a>"},
        {"a phone number", "+49 30 1234", "Need help? +49 30 1234</p>"},
        {"a sentence with an address", "mail help@a.example", "Need help? mail help@a.example</p>"},
        {"markup", "<i>@x", "Need help? &lt;i&gt;@x</p>"},
        {"an address with options", "a@b?bcc=c", "Need help? a@b?bcc=c</p>"},
        {"a script", "javascript:alert(1)", "Need help? javascript:alert(1)</p>"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pages_options options = {.color = "#ffffff", .support = cases[i].support};
        struct pages pages;

        print_message("%s\n", cases[i].name);
        assert_true(pages_init(&pages, &options));
        assert_true(holds(&pages, PAGE_NOT_FOUND, cases[i].want));
        pages_clear(&pages);
    }
}

/* The button's text has a contrast of 4.5 at least with every one of these. */
static void test_text_on_the_button(void **state)
{
    const struct {
        const char *color, *text;
    } cases[] = {
        {"#ffffff", "--t:#000"}, {"#000000", "--t:#fff"}, {"#ffff00", "--t:#000"},
        {"#0000ff", "--t:#fff"}, {"#FF0000", "--t:#000"}, {"#1d4ed8", "--t:#fff"},
        {"#00ff00", "--t:#000"}, {"#0e7490", "--t:#fff"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pages_options options = {.color = cases[i].color};
        struct pages pages;

        print_message("%s\n", cases[i].color);
        assert_true(pages_init(&pages, &options));
        assert_true(holds(&pages, PAGE_HOME, cases[i].text));
        assert_true(holds(&pages, PAGE_HOME, cases[i].color));
        pages_clear(&pages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_page), cmocka_unit_test(test_robots),
        cmocka_unit_test(test_policy),     cmocka_unit_test(test_the_way_on),
        cmocka_unit_test(test_support),    cmocka_unit_test(test_text_on_the_button),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
