/* brand.h - one brand, built from its configuration: its kinds, templates, rules and pages. */
#ifndef CONFIG_BRAND_H
#define CONFIG_BRAND_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/state.h"
#include "proto/template.h"
#include "service/config/pages.h"
#include "service/config/pool.h"
#include "service/config/site.h"

struct config;
struct texts;

enum { BRAND_KINDS = 16 };

/* A template for some clicks only; an empty list or mask fits all. */
struct brand_rule {
    struct template tpl;
    uint8_t variants; /* bit set, bit 0 = none */
    uint8_t devices;  /* bit set of enum click_device */
    unsigned n_countries, n_languages;
    const char **countries; /* two letters each */
    struct slice *languages;
};

/* What a link does when its object is in a state. */
enum brand_when_what {
    BRAND_WHEN_DEFAULT, /* what it always does */
    BRAND_WHEN_SAME,    /* the same of the object that has replaced its own */
    BRAND_WHEN_PAGE,
    BRAND_WHEN_KIND,
    BRAND_WHEN_TEMPLATE,
};

struct brand_when {
    enum brand_when_what what;
    uint8_t kind;
    struct template *tpl;
};

struct brand_target {
    const char *name; /* of the kind */
    const char *text; /* of the template */
    unsigned needs;   /* bit set of (1 << enum template_value): what one of the templates holds */
    struct template tpl;
    unsigned n_rules;
    struct brand_rule *rules;
    const char *when_texts[STATE_OBJECTS]; /* as configured; NULL = nothing */
    struct brand_when when[STATE_OBJECTS];
    bool is_of_invoices; /* its object is what events of invoices are about */
};

/* All in the pool, nothing points into the configuration. */
struct brand_private {
    struct pool pool;
    struct brand_target *targets[BRAND_KINDS]; /* by kind; NULL = none */
    struct texts *texts;                       /* the brand's own; NULL = those that are built in */
    struct pages pages;
};

/* Fills `*brand` from config->brands[index].  Borrows the texts that are built in as long as it
 * lives.  False and `*err` on failure; brand_clear() in either case. */
MUST_USE bool brand_init(struct brand *brand, const struct config *config, unsigned index,
                         const struct texts *built_in, struct error *err);
void brand_clear(struct brand *brand);

#endif
