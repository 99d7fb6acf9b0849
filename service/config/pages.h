/* pages.h - the pages for people, in their language, and robots.txt: what of them is a brand's.
 *
 * Small, one file each, no script, no external resource: the policy allows the one style by its
 * hash and nothing else.  They work in the dark, on a phone, with keyboard and screen reader.
 *
 * A page is put together for each reply: a thousand brands in eight languages would have eighty
 * thousand of them, of which few are ever asked for.
 */
#ifndef CONFIG_PAGES_H
#define CONFIG_PAGES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/config/pool.h"

struct texts;

enum page {
    PAGE_BAD_REQUEST, /* 400 */
    PAGE_NOT_FOUND,   /* 404 */
    PAGE_EXPIRED,     /* 410, with a button into the account; with `view` one for a fresh link */
    PAGE_VIEW,      /* 403: the button was pressed on no page of ours, or on one that is too old */
    PAGE_UNSURE,    /* 503: whether the link was used can't be said now */
    PAGE_REVOKED,   /* 410 */
    PAGE_LATER,     /* 503: what became of the link is not known yet */
    PAGE_USED,      /* 410: the link was used as often as it may be */
    PAGE_SETTLED,   /* 200: there is nothing to pay */
    PAGE_HOME,      /* 200 for `/`, when the brand has no home */
    PAGE_ONWARD,    /* 200: leads to a URL, by itself and by a button */
    PAGE_CONFIRM,   /* 200: a button whose POST, to the same URL, goes on; a GET uses nothing up */
    PAGE_OPT_OUT,   /* 200: a button whose POST opts the client out of tracking */
    PAGE_OPTED_OUT, /* 200 */
    PAGE_RENEWED,   /* 200: a fresh link was asked for */
    PAGE_ROBOTS,
    PAGES
};

enum { PAGE_PARTS_MAX = 64 };

/* What a form of a page may lead to, which is a part of its policy. */
enum page_form { PAGE_FORM_NONE, PAGE_FORM_ANYWHERE, PAGE_FORM_SELF, PAGE_FORMS };

/* A reply body and its head fields, pointing into the site and the page_wish.  The body is made of
 * parts, as most of it is the same for many brands and languages. */
struct page_text {
    struct slice type;     /* Content-Type */
    struct slice csp;      /* Content-Security-Policy, len 0 = none */
    struct slice language; /* Content-Language, len 0 = none */
    size_t body_len;       /* of all parts */
    unsigned n_parts;
    struct slice parts[PAGE_PARTS_MAX];
};

/* Which page, and for whom. */
struct page_wish {
    enum page page;
    struct slice accept_language; /* the field as it came; len 0 = none */
    struct slice url;             /* where PAGE_ONWARD leads, as HTML */
    struct slice view;            /* the hidden field of a page with a form, of proto/view.h */
};

/* What a page says; NULL = leave out.  Texts are escaped by the pages. */
struct pages_options {
    const struct texts *texts; /* borrowed as long as the pages live */
    int language;              /* for who wants none of the texts' languages; of texts_find() */
    const char *name;          /* of the brand */
    const char *color;         /* "#rrggbb" */
    const char *account;       /* URL of the way into the account */
    const char *home;
    const char *support; /* a mail address, an https URL or any text */
};

/* All as HTML, ptr NULL = left out. */
struct pages {
    struct pool pool; /* of what the slices point to */
    const struct texts *texts;
    int language;
    struct slice style; /* the brand's part of it */
    struct slice csp[PAGE_FORMS];
    struct slice name, account, home;
    struct slice support, support_scheme; /* the scheme is "mailto:" or empty; ptr NULL: no link */
};

/* Fills `*pages`; false: out of memory.  pages_clear() in either case. */
MUST_USE bool pages_init(struct pages *pages, const struct pages_options *options);
void pages_clear(struct pages *pages);

/* See site_page_version(). */
uint32_t pages_version(const struct pages *pages, const struct page_wish *wish);

/* See site_page(). */
void pages_compose(const struct pages *pages, const struct page_wish *wish, struct page_text *out);

#endif
