#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "service/base/error.h"
#include "service/config/pages.h"
#include "service/config/texts.h"

static struct texts *texts; /* that are built in */

static const struct pages_options ACME = {
    .name = "Acme <b>&\"'",
    .color = "#0e7490",
    .account = "https://billing.acme.example/clientarea.php?a=1&b=2",
    .home = "https://www.acme.example/",
    .support = "help@acme.example",
};

/* Pages with the texts that are built in; English for who wants none of them. */
static void make(struct pages *pages, const struct pages_options *options)
{
    struct pages_options with_texts = *options;

    with_texts.texts = texts;
    with_texts.language = texts_find(texts, slice_of("en"));
    assert_true(pages_init(pages, &with_texts));
}

static void compose(const struct pages *pages, enum page page, const char *accept_language,
                    struct page_text *out)
{
    const struct page_wish wish = {
        .page = page,
        .accept_language = slice_of(accept_language),
        .url = slice_of("https://x.example/?a&amp;b"),
        .view = {"7v", page == PAGE_CONFIRM || page == PAGE_OPT_OUT ? 2 : 0}};

    pages_compose(pages, &wish, out);
}

/* The body as a string; free it. */
static char *body_of(const struct page_text *text)
{
    char *body = malloc(text->body_len + 1);
    size_t len = 0;

    assert_non_null(body);
    for (unsigned i = 0; i < text->n_parts; i++) {
        if (text->parts[i].len)
            memcpy(body + len, text->parts[i].ptr, text->parts[i].len);
        len += text->parts[i].len;
    }
    assert_int_equal(len, text->body_len);
    body[len] = '\0';
    assert_int_equal(strlen(body), len);
    return body;
}

static bool holds_in(const struct pages *pages, enum page page, const char *language,
                     const char *wanted)
{
    struct page_text text;
    char *body;
    bool found;

    compose(pages, page, language, &text);
    body = body_of(&text);
    found = strstr(body, wanted) != NULL;
    free(body);
    return found;
}

static bool holds(const struct pages *pages, enum page page, const char *wanted)
{
    return holds_in(pages, page, NULL, wanted);
}

static void test_every_page(void **state)
{
    static const char *const needed[] = {"<!doctype html>",
                                         "<html lang=\"en\" dir=\"auto\">",
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
    make(&pages, &ACME);
    for (unsigned page = 0; page < PAGE_ROBOTS; page++) {
        struct page_text text;

        print_message("page %u\n", page);
        compose(&pages, (enum page)page, NULL, &text);
        assert_true(slice_equal(text.type, slice_of("text/html; charset=utf-8")));
        assert_true(slice_equal(text.language, slice_of("en")));
        assert_in_range(text.body_len, 1, 3000);
        for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
            assert_true(holds(&pages, (enum page)page, needed[i]));
        for (size_t i = 0; i < sizeof(banned) / sizeof(banned[0]); i++)
            assert_false(holds(&pages, (enum page)page, banned[i]));
    }
    pages_clear(&pages);
}

/* Every start tag has its end tag, in order; what is in between has no stray markup. */
static void assert_is_html(const char *body)
{
    static const char *const empty[] = {"!doctype", "meta", "input"};
    char open[16][16];
    size_t depth = 0;

    for (const char *p = strchr(body, '<'); p; p = strchr(p + 1, '<')) {
        bool is_end = p[1] == '/', is_empty = false;
        char name[16] = "";

        snprintf(name, sizeof(name), "%.*s", (int)strcspn(p + 1 + is_end, " >"), p + 1 + is_end);
        for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
            is_empty = is_empty || strcmp(name, empty[i]) == 0;
        if (is_empty)
            continue;
        if (is_end) {
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        } else {
            assert_true(depth < sizeof(open) / sizeof(open[0]));
            memcpy(open[depth++], name, sizeof(name));
        }
    }
    assert_int_equal(depth, 0);
}

/* Counts how often `what` is in `text`. */
static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

static void test_every_page_in_every_language(void **state)
{
    static const char *const languages[] = {"en", "de", "fr", "es", "pt", "it", "nl", "pl"};
    char *english[PAGE_ROBOTS] = {NULL};
    struct pages pages;

    (void)state;
    make(&pages, &ACME);
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        for (unsigned page = 0; page < PAGE_ROBOTS; page++) {
            struct page_text text;
            char lang[32], *body;

            print_message("page %u in %s\n", page, languages[i]);
            compose(&pages, (enum page)page, languages[i], &text);
            assert_true(slice_equal(text.language, slice_of(languages[i])));
            body = body_of(&text);
            snprintf(lang, sizeof(lang), "<html lang=\"%s\"", languages[i]);
            assert_non_null(strstr(body, lang));
            assert_is_html(body);
            assert_int_equal(count(body, "<h1>"), 1);
            assert_null(strstr(body, "<h1></h1>"));
            assert_null(strstr(body, "<p></p>"));
            if (i == 0) {
                english[page] = body;
                continue;
            }
            assert_string_not_equal(strstr(body, "<h1>"), strstr(english[page], "<h1>"));
            free(body);
        }
    }
    for (unsigned page = 0; page < PAGE_ROBOTS; page++)
        free(english[page]);
    pages_clear(&pages);
}

/* No line of one language is another's by mistake. */
static void test_texts_are_translated(void **state)
{
    static const char *const languages[] = {"de", "fr", "es", "pt", "it", "nl", "pl"};
    const struct texts_language *english = texts_choose(texts, slice_of("en"), 0);

    (void)state;
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        const struct texts_language *other = texts_choose(texts, slice_of(languages[i]), 0);

        for (unsigned text = 0; text < TEXTS; text++) {
            print_message("text %u in %s\n", text, languages[i]);
            assert_true(other->text[text].len > 0);
            assert_false(slice_equal(other->text[text], english->text[text]));
        }
    }
}

static void test_robots(void **state)
{
    struct page_text text;
    struct pages pages;

    (void)state;
    make(&pages, &ACME);
    compose(&pages, PAGE_ROBOTS, "de", &text);
    assert_int_equal(text.n_parts, 1);
    assert_true(slice_equal(text.parts[0], slice_of("User-agent: *\nDisallow: /\n")));
    assert_true(slice_equal(text.type, slice_of("text/plain; charset=utf-8")));
    assert_int_equal(text.csp.len, 0);
    assert_int_equal(text.language.len, 0);
    pages_clear(&pages);
}

/* The policy must allow the style that is in the page: the hash is taken here from the page. */
static void test_policy(void **state)
{
    struct pages pages;

    (void)state;
    make(&pages, &ACME);
    for (unsigned page = 0; page < PAGE_ROBOTS; page++) {
        struct page_text text;
        char *body, *style;
        char base64[64], want[256];
        unsigned char hash[crypto_hash_sha256_BYTES];

        compose(&pages, (enum page)page, page % 2 ? "de" : NULL, &text);
        body = body_of(&text);
        style = strstr(body, "<style>") + strlen("<style>");
        crypto_hash_sha256(hash, (const unsigned char *)style,
                           (size_t)(strstr(style, "</style>") - style));
        sodium_bin2base64(base64, sizeof(base64), hash, sizeof(hash),
                          sodium_base64_VARIANT_ORIGINAL);
        snprintf(want, sizeof(want),
                 "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; "
                 "%sframe-ancestors 'none'",
                 base64,
                 page == PAGE_CONFIRM   ? ""
                 : page == PAGE_OPT_OUT ? "form-action 'self'; "
                                        : "form-action 'none'; ");
        assert_true(slice_equal(text.csp, slice_of(want)));
        free(body);
    }
    pages_clear(&pages);
}

static void test_the_way_on(void **state)
{
    static const char button[] = "<a class=\"b\" href=\"https://billing.acme.example/"
                                 "clientarea.php?a=1&amp;b=2\">Go to your account</a>";
    struct pages_options without = {.color = "#000000"};
    struct page_text renewing;
    char *body;
    struct pages pages;

    (void)state;
    make(&pages, &ACME);
    assert_true(holds(&pages, PAGE_EXPIRED, button));
    assert_true(holds(&pages, PAGE_NOT_FOUND, button));
    assert_false(holds(&pages, PAGE_BAD_REQUEST, button));
    assert_false(holds(&pages, PAGE_CONFIRM, button));
    assert_true(holds(&pages, PAGE_CONFIRM,
                      "<form method=\"post\"><input type=\"hidden\" name=\"view\" value=\"7v\">"
                      "<button class=\"b\">"));
    assert_true(holds(&pages, PAGE_OPT_OUT, "value=\"7v\"><button class=\"b\">Opt out</button>"));
    pages_compose(&pages, &(struct page_wish){.page = PAGE_EXPIRED, .view = slice_of("7v")},
                  &renewing);
    body = body_of(&renewing);
    assert_non_null(strstr(body, "value=\"7v\"><button class=\"b\">Send me a fresh link</button>"));
    assert_non_null(strstr(body, "clientarea.php?a=1&amp;b=2\">Go to your account</a></p>"));
    assert_non_null(memmem(renewing.csp.ptr, renewing.csp.len, "form-action 'self'", 18));
    free(body);
    assert_true(holds(&pages, PAGE_VIEW, "<a class=\"b\" href=\"\">Open it again</a>"));
    assert_true(
        holds(&pages, PAGE_ONWARD, "<a class=\"b\" href=\"https://x.example/?a&amp;b\">Go on</a>"));
    assert_true(holds(&pages, PAGE_ONWARD, "content=\"0;url=https://x.example/?a&amp;b\">"));
    assert_false(holds(&pages, PAGE_EXPIRED, "x.example"));
    assert_false(holds(&pages, PAGE_EXPIRED, "<form"));
    assert_true(holds(&pages, PAGE_EXPIRED, "href=\"https://www.acme.example/\""));
    pages_clear(&pages);
    make(&pages, &without);
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
        make(&pages, &options);
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
        make(&pages, &options);
        assert_true(holds(&pages, PAGE_HOME, cases[i].text));
        assert_true(holds(&pages, PAGE_HOME, cases[i].color));
        pages_clear(&pages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_page),
        cmocka_unit_test(test_every_page_in_every_language),
        cmocka_unit_test(test_texts_are_translated),
        cmocka_unit_test(test_robots),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_the_way_on),
        cmocka_unit_test(test_support),
        cmocka_unit_test(test_text_on_the_button),
    };
    struct error err;
    int failed;

    if (sodium_init() < 0)
        return 1;
    texts = texts_new(&err);
    if (!texts) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    texts_free(texts);
    return failed;
}
