/* places.h - the list of what is looked at: every page that links lead to, once directly and once
 * through a link of its own, with the samples of the configuration.  Read-only once built. */
#ifndef CHECKS_PLACES_H
#define CHECKS_PLACES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/token.h"
#include "service/checks/probe.h"
#include "service/config/brand.h"

struct config;
struct error;
struct site;

enum { PLACE_NAME_MAX = 64, PLACE_URL_MAX = SITE_TARGET_MAX + 1 };

struct place {
    uint64_t id; /* of brand, name and way: the same in every process */
    const struct brand *brand;
    char name[PLACE_NAME_MAX]; /* "pay", "pay rules[0]", "pay when paid", "home" */
    uint8_t kind;              /* 0: the home page */
    bool by_link;              /* through a link that isn't counted, else directly */
    bool lacks_sample;         /* it is not looked at: checks.samples has none of the kind */
    bool lands_on_page;        /* the link asks for a press first, or leads to a page of ours */
    struct token token;        /* what the link holds, not sealed yet */
    struct target_facts facts; /* by which the template is chosen */
    char *must_contain;        /* NULL = anything */
    char *language;            /* Accept-Language; NULL = none */
    char *shown;               /* its URL without the token, which is a secret */
};

/* What is put in where the configuration has no sample. */
struct places_options {
    const struct config *config; /* borrowed for the call */
    struct site *site;           /* of that configuration; a reference is taken */
    const char *only_brand;      /* NULL = all */
    bool has_fallback;           /* else kinds that need a sample and have none lack it */
    uint32_t object, client;     /* of the fallback */
    const char *arg;
    bool no_links; /* directly only */
};

struct places {
    struct site *site;
    size_t n, max;
    struct place *items;
};

/* Whether the samples are of kinds that there are.  False and `*err` (file, line, key). */
MUST_USE bool places_check(const struct config *config, const struct site *site, struct error *err);

/* NULL and `*err` on failure. */
MUST_USE struct places *places_new(const struct places_options *options, struct error *err);
void places_free(struct places *places);

/*
 * What to ask of a place now: seals its token, which is good for an hour from `now_s` on, Unix
 * seconds.  Fills `out` with the URL and what probe.h calls the caller's, but for `owner`. `secret`
 * gets the token's text, "" when the URL holds none.  False: no key mints for the brand any more.
 */
MUST_USE bool place_ask(const struct places *places, const struct place *place, int64_t now_s,
                        char url[static PLACE_URL_MAX], char secret[static TOKEN_TEXT_MAX + 1],
                        struct probe *out);

/* Writes `url` with "…" in place of `secret`, cut to `size` bytes with the NUL. */
void place_hide(const char *url, const char *secret, char *out, size_t size);

#endif
