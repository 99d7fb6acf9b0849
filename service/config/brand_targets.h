/* brand_targets.h - compiles the targets of a brand: its preset's, then its own over them. */
#ifndef CONFIG_BRAND_TARGETS_H
#define CONFIG_BRAND_TARGETS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "proto/state.h"
#include "proto/template.h"

struct config;
struct error;
struct pool;

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

/* What clicks are counted by; in the order of the configuration's words. */
enum brand_tracking {
    BRAND_TRACKING_FULL,
    BRAND_TRACKING_AGGREGATE,
    BRAND_TRACKING_OFF,
    BRAND_TRACKINGS
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
    bool is_opt_out;     /* a page to opt out of tracking, and no URL */
    bool confirms;       /* a page with a button comes before the target */
    bool is_of_invoices; /* its object is what events of invoices are about */
    uint32_t max_uses;   /* 0 = any number */
    enum brand_tracking tracking;
    bool is_closed_until_known; /* leads nowhere while states are not known */
};

struct brand_targets {
    size_t url_max;    /* bytes of the longest URL that one may lead to */
    struct pool *pool; /* of all below; nothing points into the configuration */
    struct brand_target *kind[BRAND_KINDS]; /* NULL = none */
};

/* The number of the kind that a target of the configuration names, which the schema has checked. */
uint8_t brand_targets_kind(const char *text);

/* Fills targets->kind, which must be empty, from config->brands[index]; the caller has set the
 * rest.  False and `*err` on failure. */
MUST_USE bool brand_targets_build(struct brand_targets *targets, const struct config *config,
                                  unsigned index, struct error *err);

#endif
