/* site.h - what a click is answered from: keys, brands, hosts, targets, pages.
 *
 * Built whole from a configuration, read-only afterwards, shared by all threads by reference count,
 * and replaced by a new one at reload.
 */
#ifndef CONFIG_SITE_H
#define CONFIG_SITE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "proto/token.h"

struct config;
struct error;
struct site;

/* What of a brand the other parts may read; borrowed from the site, as long as the reference. */
struct brand {
    struct slice name;
    uint32_t id;           /* click_brand_id() */
    unsigned index;        /* 0…site_n_brands() - 1, in the order of the file */
    const char *base_url;  /* "https://go.acme.example", no trailing slash */
    const char *home;      /* where `/` leads; NULL = to a small page, PAGE_HOME */
    bool has_revoked_page; /* a revoked link says so; else it answers as an unknown one */
    bool is_aggregate;     /* clicks count in sums of campaigns only */
    uint8_t mint_kid;      /* the key that mints its links; 0 = none */
    uint64_t kids[4]; /* the keys that its links may be sealed with: bit kid % 64 of kid / 64 */
    const struct brand_private *priv;
};

/* What may decide between the templates of one kind. */
struct target_facts {
    char country[2];       /* two NULs = unknown */
    uint8_t device;        /* enum click_device */
    struct slice language; /* the Accept-Language field as it came */
    uint8_t state;         /* enum state_object: what became of the token's object, or of … */
    uint32_t newest;       /* … the object that has replaced it; 0 = none has */
};

/* Reads keys, presets and templates named by `config`.  NULL and `*err` (file, line, key, remedy)
 * on failure.  Borrows `config` for the call only. */
MUST_USE struct site *site_new(const struct config *config, struct error *err);

/* Both steps: reads the configuration at `path` and builds its site.  On failure returns NULL, sets
 * `*err` and leaves `*config` alone, so that a reload keeps what it has.  The caller frees both. */
MUST_USE struct site *site_load(const char *path, struct config **config, struct error *err);

struct site *site_ref(struct site *site);
/* Drops a reference; the last one frees.  NULL is allowed. */
void site_unref(struct site *site);

const struct token_keyring *site_keys(const struct site *site);

/* token_open() for a brand; TOKEN_UNKNOWN_KEY also when the key is not for that brand. */
MUST_USE enum token_status site_open_token(const struct site *site, const struct brand *brand,
                                           struct slice text, struct token *out);

/* Of a list of brands as a key has it (brandlist.h): the first name that is no brand of the site,
 * or an absent slice; and the only brand of the site that is in it, NULL when there are several or
 * none. */
struct slice site_find_unknown_brand(const struct site *site, const char *list);
const struct brand *site_find_only_brand(const struct site *site, const char *list);

/* The brand of a Host field value (any case, port ignored), or NULL. */
const struct brand *site_find_host(const struct site *site, struct slice host);
/* The brand of that name, or NULL. */
const struct brand *site_find_brand(const struct site *site, struct slice name);
unsigned site_n_brands(const struct site *site);
const struct brand *site_brand_at(const struct site *site, unsigned index);

/* "view", "pay", "login" or the brand's own name of a kind 1…15; NULL if the brand has no such
 * kind. */
const char *brand_kind_name(const struct brand *brand, uint8_t kind);
/* The kind of that name (or of its decimal number), or 0. */
uint8_t brand_kind_find(const struct brand *brand, struct slice name);
/* Whether a template of the kind holds {arg}: a link of it without an argument leads nowhere, so
 * minting one is refused and a click on one is a 404. */
bool brand_kind_needs_arg(const struct brand *brand, uint8_t kind);
/* Whether a template of the kind holds {object}: minting a link that names none is refused. */
bool brand_kind_needs_object(const struct brand *brand, uint8_t kind);

enum { SITE_TARGET_MAX = 4096 };

/* Whether events of invoices are about objects of the kind. */
bool brand_kind_is_of_invoices(const struct brand *brand, uint8_t kind);

enum brand_leads { BRAND_LEADS_NOWHERE, BRAND_LEADS_TO_URL, BRAND_LEADS_TO_PAGE };

/* brand_target() by what became of the object, facts->state and ->newest.  BRAND_LEADS_TO_PAGE:
 * there is nothing to pay, a page is to say so.  `*len` is set with BRAND_LEADS_TO_URL. */
MUST_USE enum brand_leads brand_lead(const struct brand *brand, const struct token *token,
                                     const struct target_facts *facts,
                                     char out[static SITE_TARGET_MAX], size_t *len);

/* Of a link of which kind, about which object, the target is that brand_lead() takes.  The kind is
 * 0 for a page, or a template of this state alone. */
uint8_t brand_lead_kind(const struct brand *brand, const struct token *token,
                        const struct target_facts *facts, uint32_t *object);

/*
 * Writes the URL that `token`, opened or sealed, leads to.  Returns its length, without a NUL, or 0
 * when the brand has no target for the kind, or the target needs an argument that the token lacks
 * (a 404).
 */
MUST_USE size_t brand_target(const struct brand *brand, const struct token *token,
                             const struct target_facts *facts, char out[static SITE_TARGET_MAX]);

enum page {
    PAGE_BAD_REQUEST, /* 400 */
    PAGE_NOT_FOUND,   /* 404 */
    PAGE_EXPIRED,     /* 410, with a button into the account */
    PAGE_REVOKED,     /* 410 */
    PAGE_SETTLED,     /* 200: there is nothing to pay */
    PAGE_HOME,        /* 200 for `/`, when the brand has no home */
    PAGE_ONWARD,      /* 200: leads to a URL, by itself and by a button */
    PAGE_CONFIRM, /* 200: a button whose POST, to the same URL, goes on; a GET uses nothing up */
    PAGE_ROBOTS,
    PAGES
};

enum { PAGE_PARTS_MAX = 48 };

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
};

/* Fills `*out`.  `brand` NULL for requests of no known brand. */
void site_page(const struct site *site, const struct brand *brand, const struct page_wish *wish,
               struct page_text *out);

#endif
