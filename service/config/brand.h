/* brand.h - one brand, built from its configuration: its kinds, where links of it lead, its pages.
 */
#ifndef CONFIG_BRAND_H
#define CONFIG_BRAND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "proto/token.h"

struct config;
struct error;
struct pages;
struct texts;

/* Borrowed from the site, as long as the reference to that is held. */
struct brand {
    struct slice name;
    uint32_t id;              /* click_brand_id() */
    unsigned index;           /* 0…site_n_brands() - 1, in the order of the file */
    const char *base_url;     /* "https://go.acme.example", no trailing slash */
    const char *home;         /* where `/` leads; NULL = to a small page, PAGE_HOME */
    bool has_revoked_page;    /* a revoked link says so; else it answers as an unknown one */
    bool renews;              /* the page of an expired link offers a fresh one */
    uint16_t aggregate_kinds; /* bit set: clicks count in sums of campaigns only */
    uint16_t closed_kinds;    /* bit set: lead nowhere while states are not known */
    uint16_t untracked_kinds; /* bit set: clicks don't count, and minting gives the target's URL */
    uint8_t mint_kid;         /* the key that mints its links; 0 = none */
    uint64_t kids[4]; /* the keys that its links may be sealed with: bit kid % 64 of kid / 64 */
    const struct pages *pages;
    const struct brand_private *priv;
};

/* By what a template of a kind is chosen. */
struct target_facts {
    char country[2];       /* two NULs = unknown */
    uint8_t device;        /* enum click_device */
    struct slice language; /* the Accept-Language field as it came */
    uint8_t state;         /* enum state_object: what became of the token's object, or of … */
    uint32_t newest;       /* … the object that has replaced it; 0 = none has */
};

/* Fills `*brand` from config->brands[index].  Borrows the texts that are built in as long as it
 * lives.  False and `*err` on failure; brand_clear() in either case. */
MUST_USE bool brand_init(struct brand *brand, const struct config *config, unsigned index,
                         const struct texts *built_in, struct error *err);
void brand_clear(struct brand *brand);

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
/* Whether one holds {client}. */
bool brand_kind_needs_client(const struct brand *brand, uint8_t kind);

enum { SITE_TARGET_MAX = 4096 };

/* Whether events of invoices are about objects of the kind. */
bool brand_kind_is_of_invoices(const struct brand *brand, uint8_t kind);

/* Whether a link of the kind is for opting out: minting one that names no client is refused. */
bool brand_kind_is_opt_out(const struct brand *brand, uint8_t kind);

/* How many clicks by people a link of the kind is good for; 0 = any number. */
uint32_t brand_kind_max_uses(const struct brand *brand, uint8_t kind);

enum brand_leads {
    BRAND_LEADS_NOWHERE,
    BRAND_LEADS_TO_URL,
    BRAND_LEADS_TO_BUTTON,  /* to a page whose button leads to the URL */
    BRAND_LEADS_TO_OPT_OUT, /* to the page whose button opts the client out of tracking */
    BRAND_LEADS_TO_PAGE,    /* there is nothing to pay, a page is to say so */
};

/* brand_target() by what became of the object, facts->state and ->newest.  `*len` is set with
 * BRAND_LEADS_TO_URL and _TO_BUTTON. */
MUST_USE enum brand_leads brand_lead(const struct brand *brand, const struct token *token,
                                     const struct target_facts *facts,
                                     char out[static SITE_TARGET_MAX], size_t *len);

/* The kind whose target brand_lead() uses, and the object that it is about.  0: a page, or a
 * template of this state alone. */
uint8_t brand_lead_kind(const struct brand *brand, const struct token *token,
                        const struct target_facts *facts, uint32_t *object);

/*
 * Writes the URL that `token`, opened or sealed, leads to.  Returns its length, without a NUL, or 0
 * when the brand has no target for the kind, or the target needs an argument that the token lacks
 * (a 404).
 */
MUST_USE size_t brand_target(const struct brand *brand, const struct token *token,
                             const struct target_facts *facts, char out[static SITE_TARGET_MAX]);

#endif
