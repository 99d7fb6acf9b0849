/* template.h - target templates (FORMATS.md "Target templates"): a URL with values to fill in.
 *
 *     https://billing.acme.example/viewinvoice.php?id={object}
 *
 * Pure: no I/O, no clock, no allocation.  A template is compiled once into parts; expanding copies
 * them.  Scheme, host and port are literal, so no value can lead elsewhere.
 */
#ifndef PROTO_TEMPLATE_H
#define PROTO_TEMPLATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum {
    TEMPLATE_TEXT_MAX = 2048, /* bytes of a template */
    TEMPLATE_PARTS_MAX = 24,
    TEMPLATE_SOURCE_MAX = 64,  /* bytes of a utm_source before encoding */
    TEMPLATE_CHANNEL_MAX = 16, /* bytes of a channel's name */
};

/* The values that braces may name; the last four are those that `utm` appends. */
enum template_value {
    TEMPLATE_LITERAL,
    TEMPLATE_OBJECT,   /* decimal */
    TEMPLATE_CLIENT,   /* decimal, 0 = none */
    TEMPLATE_CAMPAIGN, /* decimal, 0 = none */
    TEMPLATE_VARIANT,  /* "A" … "G", nothing when none */
    TEMPLATE_CHANNEL,
    TEMPLATE_ARG,
    TEMPLATE_TOKEN,
    TEMPLATE_UTM_SOURCE,
    TEMPLATE_UTM_MEDIUM,
    TEMPLATE_UTM_CAMPAIGN, /* nothing, its name neither, when there is no campaign */
    TEMPLATE_UTM_CONTENT,  /* nothing, its name neither, when there is no variant */
};

struct template_part {
    const char *text; /* of a LITERAL: borrowed from the compiled text, or constant */
    uint16_t len;
    uint8_t value; /* enum template_value */
};

struct template
{
    struct template_part parts[TEMPLATE_PARTS_MAX];
    uint8_t n_parts;
    bool needs_arg;    /* it holds {arg} */
    uint16_t uses;     /* bit set of (1 << enum template_value) */
    size_t expand_max; /* the largest length of an expansion, in bytes */
};

enum template_status {
    TEMPLATE_OK,
    TEMPLATE_BAD_LENGTH,    /* empty or over TEMPLATE_TEXT_MAX */
    TEMPLATE_BAD_SCHEME,    /* neither http:// nor https:// */
    TEMPLATE_BAD_HOST,      /* none, or a character that no host name has; user names too */
    TEMPLATE_BAD_PORT,      /* not 1…65535 */
    TEMPLATE_VALUE_IN_HOST, /* a value before the first '/', '?' or '#' after the host */
    TEMPLATE_BAD_CHARACTER, /* a control, a blank, non-ASCII, or not allowed by RFC 3986 */
    TEMPLATE_BAD_PERCENT,   /* '%' without two hex digits */
    TEMPLATE_UNKNOWN_VALUE,
    TEMPLATE_UNCLOSED, /* '{' without '}' */
    TEMPLATE_STRAY_BRACE,
    TEMPLATE_TWO_FRAGMENTS,
    TEMPLATE_UTM_TWICE, /* utm asked for, and the template holds utm_… itself */
    TEMPLATE_TOO_MANY_VALUES,
};

/* The fault and its remedy, for people. */
const char *template_status_text(enum template_status status);

/*
 * Compiles `text`; with `utm`, utm_source, utm_medium, utm_campaign and utm_content follow the
 * query, before a fragment.  The template borrows `text` as long as it is used.
 *
 * Returns TEMPLATE_OK; else sets `*position` to the offset of what is wrong.
 */
MUST_USE enum template_status template_compile(struct template *tpl, struct slice text, bool utm,
                                               size_t *position);

/* What is filled in; slices may be empty and are percent-encoded (RFC 3986, all but unreserved). */
struct template_values {
    uint32_t object;
    uint32_t client;
    uint16_t campaign;
    uint8_t variant;      /* 0 none, 1…7 */
    struct slice channel; /* at most TEMPLATE_CHANNEL_MAX */
    struct slice medium;  /* the same, for utm_medium */
    struct slice source;  /* at most TEMPLATE_SOURCE_MAX */
    struct slice arg;     /* at most TOKEN_ARG_MAX */
    struct slice token;   /* at most TOKEN_TEXT_MAX */
};

/* Writes the URL to `out`, which has room for tpl->expand_max bytes; returns its length, no NUL. */
MUST_USE size_t template_expand(const struct template *tpl, const struct template_values *values,
                                char *out);

#endif
