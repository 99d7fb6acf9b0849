/* pages.h - the pages for people and robots.txt, made ready at load.
 *
 * Small, one file each, no script, no external resource: the policy allows the one style by its
 * hash and nothing else.  They work in the dark, on a phone, with keyboard and screen reader.
 */
#ifndef CONFIG_PAGES_H
#define CONFIG_PAGES_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "service/config/site.h"

/* What a page says; NULL = leave out.  Texts are escaped by the pages. */
struct pages_options {
    const char *name;    /* of the brand */
    const char *color;   /* "#rrggbb" */
    const char *account; /* URL of the way into the account */
    const char *home;
    const char *support; /* a mail address, an https URL or any text */
};

struct pages {
    struct page_text page[PAGES];
    char *bodies[PAGES]; /* owned */
    char *csp[2];        /* owned; without and with a form */
};

/* Fills `*pages`; false: out of memory.  pages_clear() in either case. */
MUST_USE bool pages_init(struct pages *pages, const struct pages_options *options);
void pages_clear(struct pages *pages);

#endif
