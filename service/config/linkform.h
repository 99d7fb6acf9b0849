/* linkform.h - makes a link from texts, as a person, a table or a request gives them: the result is
 * a sealed token.  The command line and the API have the same fields, values and faults. */
#ifndef CONFIG_LINKFORM_H
#define CONFIG_LINKFORM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/rfc3339.h"
#include "proto/slice.h"
#include "proto/token.h"
#include "service/config/brand.h"

struct error;
struct site;

enum link_field {
    LINK_BRAND,
    LINK_KIND,
    LINK_OBJECT,
    LINK_CLIENT,
    LINK_CAMPAIGN,
    LINK_TTL,
    LINK_CHANNEL,
    LINK_VARIANT,
    LINK_ARG,
    LINK_ISSUED,
    LINK_DUE, /* instead of LINK_TTL; counts from LINK_ISSUED, so it comes after */
    LINK_SILENT,
    LINK_ONCE,
    LINK_FIELDS
};

/* An empty value counts as absent. */
struct linkform {
    struct slice field[LINK_FIELDS];
};

enum { LINKFORM_DETAIL_MAX = 256 };

/* Why a form makes no link. */
enum linkform_why {
    LINKFORM_BAD_VALUE, /* of `field` */
    LINKFORM_NOT_YOURS, /* the brand is not among linkform_maker.brands */
    LINKFORM_NO_KEY,    /* no key mints for the brand, or the clock is wrong: nothing of the form */
};

struct linkform_fault {
    enum linkform_why why;
    const char *field;                /* its name; NULL = none in particular */
    char detail[LINKFORM_DETAIL_MAX]; /* goes on behind the field's name: "is missing" */
};

/* All of them; at most one of a field, and one of none. */
struct linkform_faults {
    size_t n;
    struct linkform_fault list[LINK_FIELDS + 1];
};

struct link {
    const struct brand *brand; /* borrowed from the site */
    struct token token;
    char text[TOKEN_TEXT_MAX + 1]; /* "": the kind is not tracked, `url` is the target's */
    size_t text_len;
    char url[SITE_TARGET_MAX + 1];
    size_t url_len;
    char expires_at[RFC3339_TEXT_MAX]; /* "" = never */
};

/* "brand", "kind", … */
const char *linkform_field_name(enum link_field field);
/* The field of that name, in any case, "issued_at" being "issued"; or -1. */
int linkform_field_find(struct slice name);

/* Makes links of one site; remembers what the last link looked up, as the next is often alike. */
struct linkform_maker {
    const struct site *site;
    const char *brands; /* that links may be made of (brandlist.h); NULL = all */
    const char *whose;  /* whose brands they are, for an error: "this API key"; with `brands` */
    int64_t now_s;      /* `issued` of links that say nothing */
    const struct brand *brand;
    uint32_t expires_min;
    uint8_t expires_ttl;
    char expires_at[RFC3339_TEXT_MAX];
};

void linkform_maker_init(struct linkform_maker *maker, const struct site *site, int64_t now_s);

/*
 * Checks the form and seals its link.  `due` is the day an invoice is due: the link is valid until
 * 30 days after it, at least 10 days from when it was issued, and then to the next ttl code.  Of a
 * kind with tracking: off it gives the target's own URL, which needs no key.  False and `*faults`
 * when fields are wrong.
 */
MUST_USE bool linkform_make(struct linkform_maker *maker, const struct linkform *form,
                            struct link *out, struct linkform_faults *faults);

/* Writes them as one line, "object: is missing; ttl: …", cut to fit. */
void linkform_set_error(struct error *err, const struct linkform_faults *faults);

#endif
