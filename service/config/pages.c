#include "service/config/pages.h"

#include <assert.h>
#include <math.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bytes.h"
#include "service/config/texts.h"

enum { BRAND_STYLE_MAX = 64, CSP_MAX = 256 };

/* The brand's colour is the line on top and the button; text never has it, so that its contrast is
 * ours.  The button's text is black or white, whichever reads better on it. */
static const char brand_style_format[] = ":root{--b:%s;--t:%s}";
static const char style[] =
    ":root{color-scheme:light dark;--p:#f3f4f6;--c:#fff;--f:#1f2937;--m:#4b5563;--l:#6b7280}"
    "@media(prefers-color-scheme:dark){:root{--p:#111827;--c:#1f2937;--f:#f3f4f6;--m:#d1d5db;"
    "--l:#9ca3af}}"
    "*{box-sizing:border-box}"
    "body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;"
    "padding:1rem;background:var(--p);color:var(--f);"
    "font:1.0625rem/1.6 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "main{width:100%;max-width:32rem;background:var(--c);border-radius:.75rem;"
    "border-top:.375rem solid var(--b);padding:2rem 1.5rem;box-shadow:0 1px 3px #0003;"
    "overflow-wrap:anywhere}"
    ".n{margin:0 0 1.25rem;font-weight:600;color:var(--m)}"
    "h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25}"
    "p{margin:0 0 1rem}"
    "a{color:inherit;text-underline-offset:.2em}"
    ".b{display:inline-block;min-height:2.75rem;margin:.5rem 0 1rem;padding:.625rem 1.25rem;"
    "border:1px solid var(--l);border-radius:.5rem;background:var(--b);color:var(--t);"
    "font:inherit;font-weight:600;text-decoration:none;cursor:pointer}"
    ".b:hover{text-decoration:underline}"
    ":focus-visible{outline:.1875rem solid var(--f);outline-offset:.1875rem}"
    ".s{margin:.5rem 0 0;font-size:.9375rem;color:var(--m)}";

static const struct {
    enum text title, text;
} texts_of[] = {
    [PAGE_BAD_REQUEST] = {TEXT_BAD_REQUEST_TITLE, TEXT_BAD_REQUEST},
    [PAGE_NOT_FOUND] = {TEXT_NOT_FOUND_TITLE, TEXT_NOT_FOUND},
    [PAGE_EXPIRED] = {TEXT_EXPIRED_TITLE, TEXT_EXPIRED},
    [PAGE_VIEW] = {TEXT_VIEW_TITLE, TEXT_VIEW},
    [PAGE_UNSURE] = {TEXT_UNSURE_TITLE, TEXT_UNSURE},
    [PAGE_REVOKED] = {TEXT_REVOKED_TITLE, TEXT_REVOKED},
    [PAGE_USED] = {TEXT_USED_TITLE, TEXT_USED},
    [PAGE_LATER] = {TEXT_LATER_TITLE, TEXT_LATER},
    [PAGE_SETTLED] = {TEXT_SETTLED_TITLE, TEXT_SETTLED},
    [PAGE_OPT_OUT] = {TEXT_OPT_OUT_TITLE, TEXT_OPT_OUT},
    [PAGE_OPTED_OUT] = {TEXT_OPTED_OUT_TITLE, TEXT_OPTED_OUT},
    [PAGE_RENEWED] = {TEXT_RENEWED_TITLE, TEXT_RENEWED},
    [PAGE_HOME] = {TEXT_HOME_TITLE, TEXT_HOME},
    [PAGE_ONWARD] = {TEXT_ONWARD_TITLE, TEXT_ONWARD},
    [PAGE_CONFIRM] = {TEXT_CONFIRM_TITLE, TEXT_CONFIRM},
};

/* --- colours --- */

/* WCAG 2.2, "relative luminance", of "#rrggbb". */
static double luminance(const char *color)
{
    static const double weights[] = {0.2126, 0.7152, 0.0722};
    unsigned long rgb = strtoul(color + 1, NULL, 16);
    double sum = 0;

    for (int i = 0; i < 3; i++) {
        double c = (double)(rgb >> (16 - 8 * i) & 0xff) / 255;

        sum += weights[i] * (c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
}

/* --- making --- */

/* A mail address by its looks: one '@' with something around it, and no blank. */
static bool is_mail(const char *text)
{
    const char *at = strchr(text, '@');

    return at && at != text && at[1] && !strchr(at + 1, '@') && !strpbrk(text, " :/?&\"<>");
}

/* CSP level 3, 2.3.1: the hash is of the bytes between the tags. */
static struct slice make_csp(struct pool *pool, struct slice brand_style, enum page_form form)
{
    static const char *const actions[PAGE_FORMS] = {
        [PAGE_FORM_NONE] = "form-action 'none'; ",
        /* It would forbid the redirect that answers the POST, too. */
        [PAGE_FORM_ANYWHERE] = "",
        [PAGE_FORM_SELF] = "form-action 'self'; ",
    };
    unsigned char hash[crypto_hash_sha256_BYTES];
    char base64[sodium_base64_ENCODED_LEN(sizeof(hash), sodium_base64_VARIANT_ORIGINAL)];
    crypto_hash_sha256_state sha256;
    char csp[CSP_MAX];

    crypto_hash_sha256_init(&sha256);
    crypto_hash_sha256_update(&sha256, (const unsigned char *)brand_style.ptr, brand_style.len);
    crypto_hash_sha256_update(&sha256, (const unsigned char *)style, strlen(style));
    crypto_hash_sha256_final(&sha256, hash);
    sodium_bin2base64(base64, sizeof(base64), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
    snprintf(csp, sizeof(csp),
             "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; %sframe-ancestors 'none'",
             base64, actions[form]);
    return slice_of(pool_text(pool, csp));
}

/* `text` may be NULL; false: out of memory. */
static bool set_html(struct pages *pages, struct slice *out, const char *text)
{
    if (text)
        *out = pool_html(&pages->pool, text);
    return !text || out->ptr;
}

bool pages_init(struct pages *pages, const struct pages_options *options)
{
    char brand_style[BRAND_STYLE_MAX];
    const char *support = options->support;

    *pages = (struct pages){.texts = options->texts, .language = options->language};
    /* Text on the color is black or white: contrast is (l1 + .05) / (l2 + .05); both have 4.58 at
     * luminance 0.179, so that the better one always has the 4.5 that WCAG asks for. */
    snprintf(brand_style, sizeof(brand_style), brand_style_format, options->color,
             luminance(options->color) > 0.179 ? "#000" : "#fff");
    pages->style = slice_of(pool_text(&pages->pool, brand_style));
    if (!pages->style.ptr)
        return false;
    for (int i = 0; i < PAGE_FORMS; i++) {
        pages->csp[i] = make_csp(&pages->pool, pages->style, (enum page_form)i);
        if (!pages->csp[i].ptr)
            return false;
    }
    if (support && strncmp(support, "https://", 8) == 0)
        pages->support_scheme = slice_of("");
    else if (support && is_mail(support))
        pages->support_scheme = slice_of("mailto:");
    return set_html(pages, &pages->name, options->name) &&
           set_html(pages, &pages->account, options->account) &&
           set_html(pages, &pages->home, options->home) &&
           set_html(pages, &pages->support, support);
}

void pages_clear(struct pages *pages)
{
    pool_clear(&pages->pool);
    *pages = (struct pages){0};
}

/* --- putting together --- */

static void put(struct page_text *out, struct slice part)
{
    assert(out->n_parts < PAGE_PARTS_MAX);
    out->parts[out->n_parts++] = part;
    out->body_len += part.len;
}

/* Puts three parts, the middle one between two pieces of markup. */
static void put_in(struct page_text *out, const char *before, struct slice part, const char *after)
{
    put(out, slice_of(before));
    put(out, part);
    put(out, slice_of(after));
}

static void put_head(struct page_text *out, const struct pages *pages, const struct page_wish *wish,
                     struct slice title)
{
    /* A brand may add a language that is written from right to left: `auto` looks at the title. */
    put_in(out, "<!doctype html>\n<html lang=\"", out->language,
           "\" dir=\"auto\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
           "<meta name=\"robots\" content=\"noindex\">\n");
    if (wish->page == PAGE_ONWARD)
        put_in(out, "<meta http-equiv=\"refresh\" content=\"0;url=", wish->url, "\">\n");
    put_in(out, "<title>", title, pages->name.ptr ? " – " : "");
    put(out, pages->name);
    put_in(out, "</title>\n<style>", pages->style, style);
    put(out, slice_of("</style>\n</head>\n<body>\n<main>\n"));
    if (pages->name.ptr)
        put_in(out, "<p class=\"n\">", pages->name, "</p>\n");
}

static enum page_form form_of(const struct page_wish *wish)
{
    if (wish->page == PAGE_CONFIRM)
        return PAGE_FORM_ANYWHERE;
    return wish->page == PAGE_OPT_OUT || (wish->page == PAGE_EXPIRED && wish->view.len > 0)
               ? PAGE_FORM_SELF
               : PAGE_FORM_NONE;
}

static void put_form(struct page_text *out, const struct page_wish *wish, struct slice button)
{
    put_in(out, "<form method=\"post\"><input type=\"hidden\" name=\"view\" value=\"", wish->view,
           "\">");
    put_in(out, "<button class=\"b\">", button, "</button></form>\n");
}

static void put_action(struct page_text *out, const struct pages *pages,
                       const struct page_wish *wish, const struct slice text[TEXTS])
{
    if (wish->page == PAGE_ONWARD) {
        put_in(out, "<a class=\"b\" href=\"", wish->url, "\">");
        put_in(out, "", text[TEXT_GO_ON], "</a>\n");
    } else if (wish->page == PAGE_CONFIRM) {
        put_form(out, wish, text[TEXT_GO_ON]);
    } else if (wish->page == PAGE_OPT_OUT) {
        put_form(out, wish, text[TEXT_OPT_OUT_BUTTON]);
    } else if (wish->page == PAGE_VIEW) {
        /* The page's own address: a GET of it makes a new page with a button. */
        put_in(out, "<a class=\"b\" href=\"\">", text[TEXT_AGAIN], "</a>\n");
    } else if (form_of(wish) != PAGE_FORM_NONE) {
        put_form(out, wish, text[TEXT_RENEW_BUTTON]);
        if (pages->account.ptr) {
            put_in(out, "<p class=\"s\"><a href=\"", pages->account, "\">");
            put_in(out, "", text[TEXT_ACCOUNT_LINK], "</a></p>\n");
        }
    } else if (pages->account.ptr && wish->page != PAGE_BAD_REQUEST) {
        put_in(out, "<a class=\"b\" href=\"", pages->account, "\">");
        put_in(out, "", text[TEXT_ACCOUNT_LINK], "</a>\n");
    }
}

static void put_ways_out(struct page_text *out, const struct pages *pages,
                         const struct slice text[TEXTS])
{
    if (pages->home.ptr) {
        put_in(out, "<p class=\"s\"><a href=\"", pages->home, "\">");
        put_in(out, "", text[TEXT_HOME_LINK], "</a></p>\n");
    }
    if (!pages->support.ptr)
        return;
    put_in(out, "<p class=\"s\">", text[TEXT_HELP], " ");
    if (pages->support_scheme.ptr) {
        put_in(out, "<a href=\"", pages->support_scheme, "");
        put_in(out, "", pages->support, "\">");
        put_in(out, "", pages->support, "</a></p>\n");
    } else {
        put_in(out, "", pages->support, "</p>\n");
    }
}

/* Of the text as HTML, for so it is kept. */
uint32_t pages_version(const struct pages *pages, const struct page_wish *wish)
{
    const struct texts_language *language =
        texts_choose(pages->texts, wish->accept_language, pages->language);
    struct slice title = language->text[texts_of[wish->page].title];
    struct slice text = language->text[texts_of[wish->page].text];
    crypto_generichash_state state;
    uint8_t hash[crypto_generichash_BYTES];
    uint32_t version;

    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    crypto_generichash_update(&state, (const unsigned char *)title.ptr, title.len);
    crypto_generichash_update(&state, (const unsigned char *)"\n", 1);
    crypto_generichash_update(&state, (const unsigned char *)text.ptr, text.len);
    crypto_generichash_final(&state, hash, sizeof(hash));
    version = be32_load(hash);
    return version ? version : 1;
}

void pages_compose(const struct pages *pages, const struct page_wish *wish, struct page_text *out)
{
    const struct texts_language *language;

    *out = (struct page_text){.type = slice_of("text/plain; charset=utf-8")};
    if (wish->page == PAGE_ROBOTS) {
        put(out, slice_of("User-agent: *\nDisallow: /\n"));
        return;
    }
    language = texts_choose(pages->texts, wish->accept_language, pages->language);
    out->type = slice_of("text/html; charset=utf-8");
    out->csp = pages->csp[form_of(wish)];
    out->language = language->tag;
    put_head(out, pages, wish, language->text[texts_of[wish->page].title]);
    put_in(out, "<h1>", language->text[texts_of[wish->page].title], "</h1>\n");
    put_in(out, "<p>", language->text[texts_of[wish->page].text], "</p>\n");
    put_action(out, pages, wish, language->text);
    put_ways_out(out, pages, language->text);
    put(out, slice_of("</main>\n</body>\n</html>\n"));
}
