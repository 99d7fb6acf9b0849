#include "service/config/linkform.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "service/base/error.h"
#include "service/config/brandlist.h"
#include "service/config/formvalue.h"
#include "service/config/site.h"

_Static_assert(255 + 1 + TOKEN_TEXT_MAX <= SITE_TARGET_MAX, "base_url and a token fit");

enum { TTL_DEFAULT = 9, CHANNEL_DEFAULT = 1, MINUTES_MAX = 0xffffff }; /* 30 days, mail */

/* People pay late, and those who get the mail of an invoice that is long overdue need time, too. */
enum { DAY_S = 86400, AFTER_DUE_S = 30 * DAY_S, AFTER_ISSUE_S = 10 * DAY_S };

/* Sets the detail; the caller knows the field.  Returns false. */
PRINTF_LIKE(2, 3)
static bool refuse(struct linkform_fault *fault, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fault->detail, sizeof(fault->detail), format, args);
    va_end(args);
    return false;
}

/* The place for a fault of `field`.  There is one for each field, and the callers see to it that
 * none has two. */
static struct linkform_fault *next_fault(struct linkform_faults *faults, const char *field)
{
    struct linkform_fault *fault = &faults->list[faults->n++];

    fault->why = LINKFORM_BAD_VALUE;
    fault->field = field;
    return fault;
}

/* --- one function per field; each gets a value that is not empty --- */

static bool take_number(struct slice value, uint32_t max, uint32_t *out,
                        struct linkform_fault *fault)
{
    struct formvalue_quoted q;

    if (formvalue_u32(value, max, out))
        return true;
    return refuse(fault, "%s is not a whole number from 0 to %u, written in digits alone",
                  formvalue_quote(&q, value), max);
}

static bool take_brand(struct linkform_maker *maker, struct slice value, struct link *out,
                       struct linkform_fault *fault)
{
    struct formvalue_quoted q;

    if (!maker->brand || !slice_equal(maker->brand->name, value))
        maker->brand = site_find_brand(maker->site, value);
    out->brand = maker->brand;
    if (!out->brand)
        return refuse(fault, "%s is no brand of the configuration", formvalue_quote(&q, value));
    if (brandlist_has(maker->brands, out->brand->name))
        return true;
    out->brand = NULL;
    fault->why = LINKFORM_NOT_YOURS;
    return refuse(fault, "%s is not a brand of %s", formvalue_quote(&q, value), maker->whose);
}

static bool take_kind(struct linkform_maker *maker, struct slice value, struct link *out,
                      struct linkform_fault *fault)
{
    struct formvalue_quoted q;
    size_t n;

    (void)maker;
    out->token.kind = brand_kind_find(out->brand, value);
    if (out->token.kind != 0)
        return true;
    refuse(fault, "%s is no kind of brand '%.*s', which has:", formvalue_quote(&q, value),
           SLICE_ARG(out->brand->name));
    n = strlen(fault->detail);
    for (uint8_t kind = 1; kind < 16 && n < sizeof(fault->detail); kind++) {
        const char *name = brand_kind_name(out->brand, kind);

        if (name)
            n += (size_t)snprintf(fault->detail + n, sizeof(fault->detail) - n, " %s", name);
    }
    return false;
}

static bool take_object(struct linkform_maker *maker, struct slice value, struct link *out,
                        struct linkform_fault *fault)
{
    (void)maker;
    return take_number(value, UINT32_MAX, &out->token.object, fault);
}

static bool take_client(struct linkform_maker *maker, struct slice value, struct link *out,
                        struct linkform_fault *fault)
{
    (void)maker;
    return take_number(value, UINT32_MAX, &out->token.client, fault);
}

static bool take_campaign(struct linkform_maker *maker, struct slice value, struct link *out,
                          struct linkform_fault *fault)
{
    uint32_t n = 0;
    bool ok = take_number(value, UINT16_MAX, &n, fault);

    (void)maker;
    out->token.campaign = (uint16_t)n;
    return ok;
}

static bool take_ttl(struct linkform_maker *maker, struct slice value, struct link *out,
                     struct linkform_fault *fault)
{
    int code = token_ttl_find(value);
    struct formvalue_quoted q;

    (void)maker;
    out->token.ttl_code = (uint8_t)code;
    return code >= 0 || refuse(fault,
                               "%s is none of never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d "
                               "180d 366d",
                               formvalue_quote(&q, value));
}

static bool take_channel(struct linkform_maker *maker, struct slice value, struct link *out,
                         struct linkform_fault *fault)
{
    int channel = token_channel_find(value);
    struct formvalue_quoted q;

    (void)maker;
    out->token.channel = (uint8_t)channel;
    return channel >= 0 || refuse(fault, "%s is none of unknown mail sms pdf qr portal chat other",
                                  formvalue_quote(&q, value));
}

static bool take_variant(struct linkform_maker *maker, struct slice value, struct link *out,
                         struct linkform_fault *fault)
{
    struct formvalue_quoted q;

    (void)maker;
    return formvalue_variant(value, &out->token.variant) ||
           refuse(fault, "%s is not a letter from A to G, or none", formvalue_quote(&q, value));
}

static bool take_arg(struct linkform_maker *maker, struct slice value, struct link *out,
                     struct linkform_fault *fault)
{
    struct formvalue_quoted q;

    (void)maker;
    if (value.len > TOKEN_ARG_MAX)
        return refuse(fault, "has %zu bytes, at most %d fit", value.len, TOKEN_ARG_MAX);
    for (size_t i = 0; i < value.len; i++) {
        char c = slice_lower(value.ptr[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !(c && strchr("._~-", c)))
            return refuse(fault, "%s holds other characters than A-Z a-z 0-9 . _ ~ -",
                          formvalue_quote(&q, value));
    }
    memcpy(out->token.arg, value.ptr, value.len);
    out->token.arg_len = (uint8_t)value.len;
    return true;
}

static bool set_issued(struct link *out, int64_t time_s)
{
    int64_t minute = (time_s - TOKEN_EPOCH_S) / 60;

    out->token.issued_min = (uint32_t)minute;
    return time_s >= TOKEN_EPOCH_S && minute <= MINUTES_MAX;
}

static bool take_issued(struct linkform_maker *maker, struct slice value, struct link *out,
                        struct linkform_fault *fault)
{
    struct formvalue_quoted q;
    int64_t time_s;

    (void)maker;
    if (rfc3339_parse(value, &time_s) && set_issued(out, time_s))
        return true;
    return refuse(fault, "%s is not a time as 2026-11-22T12:00:00Z, from 2024 to 2055",
                  formvalue_quote(&q, value));
}

static bool take_due(struct linkform_maker *maker, struct slice value, struct link *out,
                     struct linkform_fault *fault)
{
    int64_t issued_s = token_issued_s(&out->token), due_s;
    struct formvalue_quoted q;

    (void)maker;
    if (!formvalue_day(value, &due_s))
        return refuse(fault, "%s is not a day as 2026-12-31, nor a time as 2026-12-31T12:00:00Z",
                      formvalue_quote(&q, value));
    if (due_s - issued_s + AFTER_DUE_S > AFTER_ISSUE_S)
        out->token.ttl_code = token_ttl_code_for(due_s - issued_s + AFTER_DUE_S);
    else
        out->token.ttl_code = token_ttl_code_for(AFTER_ISSUE_S);
    return true;
}

static bool take_flag(struct slice value, bool *out, struct linkform_fault *fault)
{
    static const char *const yes[] = {"1", "true", "yes"}, *const no[] = {"0", "false", "no"};
    struct formvalue_quoted q;

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        *out = slice_equal_nocase(value, slice_of(yes[i]));
        if (*out || slice_equal_nocase(value, slice_of(no[i])))
            return true;
    }
    return refuse(fault, "%s is not yes or no", formvalue_quote(&q, value));
}

static bool take_silent(struct linkform_maker *maker, struct slice value, struct link *out,
                        struct linkform_fault *fault)
{
    (void)maker;
    return take_flag(value, &out->token.silent, fault);
}

static bool take_once(struct linkform_maker *maker, struct slice value, struct link *out,
                      struct linkform_fault *fault)
{
    (void)maker;
    return take_flag(value, &out->token.once, fault);
}

static const struct {
    const char *name;
    bool (*take)(struct linkform_maker *maker, struct slice value, struct link *out,
                 struct linkform_fault *fault);
} fields[LINK_FIELDS] = {
    [LINK_BRAND] = {"brand", take_brand},
    [LINK_KIND] = {"kind", take_kind},
    [LINK_OBJECT] = {"object", take_object},
    [LINK_CLIENT] = {"client", take_client},
    [LINK_CAMPAIGN] = {"campaign", take_campaign},
    [LINK_TTL] = {"ttl", take_ttl},
    [LINK_CHANNEL] = {"channel", take_channel},
    [LINK_VARIANT] = {"variant", take_variant},
    [LINK_ARG] = {"arg", take_arg},
    [LINK_ISSUED] = {"issued", take_issued},
    [LINK_DUE] = {"due", take_due},
    [LINK_SILENT] = {"silent", take_silent},
    [LINK_ONCE] = {"once", take_once},
};

const char *linkform_field_name(enum link_field field)
{
    return fields[field].name;
}

int linkform_field_find(struct slice name)
{
    for (int i = 0; i < LINK_FIELDS; i++) {
        if (slice_equal_nocase(name, slice_of(fields[i].name)))
            return i;
    }
    /* As minted links are shown. */
    return slice_equal_nocase(name, slice_of("issued_at")) ? LINK_ISSUED : -1;
}

/* --- the whole --- */

void linkform_maker_init(struct linkform_maker *maker, const struct site *site, int64_t now_s)
{
    *maker = (struct linkform_maker){.site = site, .now_s = now_s};
}

/* What can be left out, and the brand, which the kind needs. */
static void set_defaults(struct linkform_maker *maker, const struct linkform *form,
                         struct link *out, struct linkform_faults *faults)
{
    out->brand = NULL;
    out->text[0] = out->expires_at[0] = '\0';
    out->text_len = 0;
    out->token = (struct token){.ttl_code = TTL_DEFAULT, .channel = CHANNEL_DEFAULT};
    if (!set_issued(out, maker->now_s)) {
        struct linkform_fault *fault = next_fault(faults, NULL);

        fault->why = LINKFORM_NO_KEY;
        refuse(fault,
               "the system's clock is not between 2024 and 2055; set it, or say when the link "
               "was issued");
        return;
    }
    if (form->field[LINK_BRAND].len > 0)
        return;
    out->brand = site_find_only_brand(maker->site, maker->brands);
    if (!out->brand)
        refuse(next_fault(faults, fields[LINK_BRAND].name),
               "is missing, and there are several brands");
}

/* What the target of the kind cannot do without. */
static void check_needs(const struct linkform *form, const struct link *out,
                        struct linkform_faults *faults)
{
    const struct {
        enum link_field field;
        bool is_needed;
    } needs[] = {
        {LINK_OBJECT, brand_kind_needs_object(out->brand, out->token.kind)},
        {LINK_CLIENT, brand_kind_is_opt_out(out->brand, out->token.kind)},
        {LINK_ARG, brand_kind_needs_arg(out->brand, out->token.kind)},
    };

    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        if (needs[i].is_needed && form->field[needs[i].field].len == 0)
            refuse(next_fault(faults, fields[needs[i].field].name),
                   "is missing, and the target of kind '%s' needs it",
                   brand_kind_name(out->brand, out->token.kind));
    }
}

static bool take_field(struct linkform_maker *maker, int field, struct slice value,
                       struct link *out, struct linkform_faults *faults)
{
    struct linkform_fault *fault = next_fault(faults, fields[field].name);

    if (fields[field].take(maker, value, out, fault)) {
        faults->n--;
        return true;
    }
    return false;
}

static void take_fields(struct linkform_maker *maker, const struct linkform *form, struct link *out,
                        struct linkform_faults *faults)
{
    bool has_ttl = form->field[LINK_TTL].len > 0, has_due = form->field[LINK_DUE].len > 0;
    bool is_ttl_wrong = false;

    for (int i = 0; i < LINK_FIELDS; i++) {
        if (i == LINK_KIND && form->field[i].len == 0)
            refuse(next_fault(faults, fields[i].name), "is missing");
        else if (i == LINK_DUE && has_due && has_ttl)
            refuse(next_fault(faults, fields[i].name),
                   "and ttl both say how long the link is valid: give one of them");
        /* Of which brand's kinds a wrong brand doesn't say. */
        else if (form->field[i].len > 0 && (i != LINK_KIND || out->brand) &&
                 !take_field(maker, i, form->field[i], out, faults))
            is_ttl_wrong = is_ttl_wrong || i == LINK_TTL;
    }
    if (!out->brand || out->token.kind == 0)
        return;
    check_needs(form, out, faults);
    /* Uses are forgotten some time after the last one (batch.h), and then the link must have
     * ended. */
    if (!is_ttl_wrong && out->token.ttl_code == 0 &&
        brand_kind_max_uses(out->brand, out->token.kind) > 0)
        refuse(next_fault(faults, fields[LINK_TTL].name),
               "is never, but links of kind '%s' are good for %u use%s and need an end",
               brand_kind_name(out->brand, out->token.kind),
               brand_kind_max_uses(out->brand, out->token.kind),
               brand_kind_max_uses(out->brand, out->token.kind) == 1 ? "" : "s");
}

/* Rows of one table are often of one minute: the calendar is asked once. */
static void set_expiry(struct linkform_maker *maker, struct link *out)
{
    const struct token *token = &out->token;
    int64_t expires_s = token_expires_s(token);

    if (expires_s == INT64_MAX) {
        out->expires_at[0] = '\0';
        return;
    }
    if (maker->expires_at[0] == '\0' || maker->expires_min != token->issued_min ||
        maker->expires_ttl != token->ttl_code) {
        rfc3339_format(expires_s, 0, maker->expires_at);
        maker->expires_min = token->issued_min;
        maker->expires_ttl = token->ttl_code;
    }
    memcpy(out->expires_at, maker->expires_at, sizeof(out->expires_at));
}

static bool seal(const struct linkform_maker *maker, struct link *out, struct linkform_fault *fault)
{
    size_t base_len = strlen(out->brand->base_url);

    out->token.kid = out->brand->mint_kid;
    if (out->token.kid == 0) {
        fault->why = LINKFORM_NO_KEY;
        return refuse(fault,
                      "no key of the key file mints for brand '%.*s'; set one of them to `mint`",
                      SLICE_ARG(out->brand->name));
    }
    /* Each field has been checked. */
    if (token_seal(site_keys(maker->site), out->brand->name, &out->token, out->text,
                   &out->text_len) != TOKEN_FAULT_NONE)
        return refuse(fault, "the fields make no link");
    memcpy(out->url, out->brand->base_url, base_len);
    out->url[base_len] = '/';
    memcpy(out->url + base_len + 1, out->text, out->text_len + 1);
    out->url_len = base_len + 1 + out->text_len;
    return true;
}

bool linkform_make(struct linkform_maker *maker, const struct linkform *form, struct link *out,
                   struct linkform_faults *faults)
{
    faults->n = 0;
    set_defaults(maker, form, out, faults);
    take_fields(maker, form, out, faults);
    if (faults->n > 0 || !out->brand)
        return false;
    /* A link to opt out has no URL of its own to give. */
    if (out->brand->untracked_kinds >> out->token.kind & 1 &&
        !brand_kind_is_opt_out(out->brand, out->token.kind)) {
        static const struct target_facts facts = {.country = {0}};

        if (out->token.once)
            return refuse(next_fault(faults, fields[LINK_ONCE].name),
                          "is yes, but links of kind '%s' are not tracked: the plain URL in "
                          "their place works any number of times",
                          brand_kind_name(out->brand, out->token.kind));
        /* There is nothing to count: the URL is the target itself. */
        out->url_len = brand_target(out->brand, &out->token, &facts, out->url);
        out->url[out->url_len] = '\0';
        return out->url_len > 0 || refuse(next_fault(faults, NULL), "the fields lead nowhere");
    }
    if (!seal(maker, out, next_fault(faults, NULL)))
        return false;
    faults->n = 0;
    set_expiry(maker, out);
    return true;
}

void linkform_set_error(struct error *err, const struct linkform_faults *faults)
{
    size_t len = 0;

    err->text[0] = '\0';
    for (size_t i = 0; i < faults->n && len < sizeof(err->text); i++) {
        const struct linkform_fault *fault = &faults->list[i];

        len += (size_t)snprintf(err->text + len, sizeof(err->text) - len, "%s%s%s%s",
                                i > 0 ? "; " : "", fault->field ? fault->field : "",
                                fault->field ? ": " : "", fault->detail);
    }
}
