#include "service/config/pages.h"

#include <math.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STYLE_MAX = 2048, CSP_MAX = 256 };

/* The brand's colour is the line on top and the button; text never has it, so that its contrast is
 * ours.  The button's text is black or white, whichever reads better on it. */
static const char style_format[] =
    ":root{color-scheme:light dark;--b:%s;--t:%s;--p:#f3f4f6;--c:#fff;--f:#1f2937;--m:#4b5563;"
    "--l:#6b7280}"
    "@media(prefers-color-scheme:dark){:root{--p:#111827;--c:#1f2937;--f:#f3f4f6;--m:#d1d5db;"
    "--l:#9ca3af}}"
    "*{box-sizing:border-box}"
    "body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;"
    "padding:1rem;background:var(--p);color:var(--f);"
    "font:1.0625rem/1.6 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "main{width:100%%;max-width:32rem;background:var(--c);border-radius:.75rem;"
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

struct words {
    const char *title, *text;
};

static const struct words words[PAGES] = {
    [PAGE_BAD_REQUEST] = {"This request can’t be answered",
                          "What your program sent isn’t a request that this address understands. "
                          "Please open the link from the message again."},
    [PAGE_NOT_FOUND] =
        {"This link doesn’t work",
         "It may have been cut off or changed on its way to you. Please open it from "
         "the message again, or copy the whole link into the address bar."},
    [PAGE_EXPIRED] = {"This link has expired",
                      "Links in our messages work for a limited time. Everything is still in your "
                      "account, and a newer message has a newer link."},
    [PAGE_REVOKED] = {"This link doesn’t work any more",
                      "It was withdrawn. You will find everything in your account."},
    [PAGE_SETTLED] = {"There is nothing to pay",
                      "This invoice is settled or has been cancelled. You will find everything in "
                      "your account."},
    [PAGE_HOME] = {"Links from our messages start here",
                   "This address takes you from our messages to your invoices and your account. "
                   "There is nothing else to see."},
    [PAGE_ONWARD] = {"Your page opens in a moment",
                     "If it doesn’t, press the button. You only see this page because the link was "
                     "opened by an Office program, which hands it to your browser."},
    [PAGE_CONFIRM] = {"Just one more step",
                      "Press the button to go on. This keeps programs that check your mail from "
                      "using up the link before you do."},
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

/* Black on it or white: contrast is (l1 + .05) / (l2 + .05); both have 4.58 at luminance 0.179, so
 * that the better one always has the 4.5 that WCAG asks for. */
static const char *text_color(const char *color)
{
    return luminance(color) > 0.179 ? "#000" : "#fff";
}

/* --- writing --- */

static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            putc(*text, out);
        }
    }
}

static void put_link(FILE *out, const char *class, const char *prefix, const char *url,
                     const char *text)
{
    fprintf(out, "<a%s href=\"%s", class, prefix);
    put_escaped(out, url);
    fputs("\">", out);
    put_escaped(out, text);
    fputs("</a>", out);
}

/* A mail address by its looks: one '@' with something around it, and no blank. */
static bool is_mail(const char *text)
{
    const char *at = strchr(text, '@');

    return at && at != text && at[1] && !strchr(at + 1, '@') && !strpbrk(text, " :/?&\"<>");
}

static void put_support(FILE *out, const char *support)
{
    if (!support)
        return;
    fputs("<p class=\"s\">Need help? ", out);
    if (strncmp(support, "https://", 8) == 0)
        put_link(out, "", "", support, support);
    else if (is_mail(support))
        put_link(out, "", "mailto:", support, support);
    else
        put_escaped(out, support);
    fputs("</p>\n", out);
}

static void put_action(FILE *out, enum page page, const struct pages_options *options)
{
    if (page == PAGE_ONWARD) {
        fprintf(out, "<a class=\"b\" href=\"%c\">Go on</a>\n", PAGE_URL_MARK);
    } else if (page == PAGE_CONFIRM) {
        fputs("<form method=\"post\"><button class=\"b\">Go on</button></form>\n", out);
    } else if (options->account && page != PAGE_BAD_REQUEST) {
        put_link(out, " class=\"b\"", "", options->account, "Go to your account");
        putc('\n', out);
    }
}

static void put_page(FILE *out, enum page page, const char *style,
                     const struct pages_options *options)
{
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta name=\"robots\" content=\"noindex\">\n",
          out);
    if (page == PAGE_ONWARD)
        fprintf(out, "<meta http-equiv=\"refresh\" content=\"0;url=%c\">\n", PAGE_URL_MARK);
    fputs("<title>", out);
    fputs(words[page].title, out);
    if (options->name) {
        fputs(" – ", out);
        put_escaped(out, options->name);
    }
    fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n", style);
    if (options->name) {
        fputs("<p class=\"n\">", out);
        put_escaped(out, options->name);
        fputs("</p>\n", out);
    }
    fprintf(out, "<h1>%s</h1>\n<p>%s</p>\n", words[page].title, words[page].text);
    put_action(out, page, options);
    if (options->home) {
        fputs("<p class=\"s\">", out);
        put_link(out, "", "", options->home, "To our home page");
        fputs("</p>\n", out);
    }
    put_support(out, options->support);
    fputs("</main>\n</body>\n</html>\n", out);
}

/* --- making --- */

static bool set_body(struct pages *pages, enum page page, const char *style,
                     const struct pages_options *options)
{
    struct page_text *text = &pages->page[page];
    size_t len = 0;
    FILE *out = open_memstream(&pages->bodies[page], &len);

    if (!out)
        return false;
    if (page == PAGE_ROBOTS)
        fputs("User-agent: *\nDisallow: /\n", out);
    else
        put_page(out, page, style, options);
    if (fclose(out) != 0)
        return false;
    text->body = slice_make(pages->bodies[page], len);
    text->type =
        slice_of(page == PAGE_ROBOTS ? "text/plain; charset=utf-8" : "text/html; charset=utf-8");
    if (page != PAGE_ROBOTS)
        text->csp = slice_of(pages->csp[page == PAGE_CONFIRM]);
    return true;
}

/* CSP level 3, 2.3.1: the hash is of the bytes between the tags. */
static char *make_csp(const char *style, bool with_form)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char base64[sodium_base64_ENCODED_LEN(sizeof(hash), sodium_base64_VARIANT_ORIGINAL)];
    char *csp = malloc(CSP_MAX);

    if (!csp)
        return NULL;
    crypto_hash_sha256(hash, (const unsigned char *)style, strlen(style));
    sodium_bin2base64(base64, sizeof(base64), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
    /* form-action would forbid the redirect that answers the POST, so the page with a form has
     * none. */
    snprintf(csp, CSP_MAX,
             "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; %sframe-ancestors 'none'",
             base64, with_form ? "" : "form-action 'none'; ");
    return csp;
}

bool pages_init(struct pages *pages, const struct pages_options *options)
{
    char style[STYLE_MAX];

    *pages = (struct pages){0};
    snprintf(style, sizeof(style), style_format, options->color, text_color(options->color));
    for (int i = 0; i < 2; i++) {
        if (!(pages->csp[i] = make_csp(style, i == 1)))
            return false;
    }
    for (unsigned page = 0; page < PAGES; page++) {
        if (!set_body(pages, (enum page)page, style, options))
            return false;
    }
    return true;
}

void pages_clear(struct pages *pages)
{
    for (unsigned page = 0; page < PAGES; page++)
        free(pages->bodies[page]);
    free(pages->csp[0]);
    free(pages->csp[1]);
    *pages = (struct pages){0};
}
