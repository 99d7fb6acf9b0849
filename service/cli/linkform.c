#include "service/cli/linkform.h"

#include <stdio.h>
#include <string.h>

#include "service/base/error.h"
#include "service/base/log.h"
#include "service/config/site.h"

enum { TTL_DEFAULT = 9, CHANNEL_DEFAULT = 1, MINUTES_MAX = 0xffffff }; /* 30 days, mail */

/* A value for a message: quoted, cut, without control bytes. */
struct quoted {
    char text[LOG_QUOTE_MAX];
};

static const char *quote(struct quoted *out, struct slice value)
{
    char copy[64];
    size_t len = value.len < sizeof(copy) ? value.len : sizeof(copy) - 1;

    memcpy(copy, value.ptr, len);
    copy[len] = '\0';
    return log_quote(out->text, copy);
}

static bool parse_number(struct slice text, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;

    if (text.len == 0 || text.len > 10)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        n = n * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *out = (uint32_t)n;
    return n <= max;
}

static bool take_number(struct slice value, const char *name, uint32_t max, uint32_t *out,
                        struct error *err)
{
    struct quoted q;

    if (parse_number(value, max, out))
        return true;
    error_set(err, "%s: %s is not a whole number from 0 to %u", name, quote(&q, value), max);
    return false;
}

/* --- one function per field; each gets a value that is not empty --- */

static bool take_brand(struct linkform_maker *maker, struct slice value, struct link *out,
                       struct error *err)
{
    struct quoted q;

    if (!maker->brand || !slice_equal(maker->brand->name, value))
        maker->brand = site_find_brand(maker->site, value);
    out->brand = maker->brand;
    if (!out->brand)
        error_set(err, "brand: the configuration has no brand %s", quote(&q, value));
    return out->brand != NULL;
}

static bool take_kind(struct linkform_maker *maker, struct slice value, struct link *out,
                      struct error *err)
{
    struct quoted q;
    size_t n;

    (void)maker;
    out->token.kind = brand_kind_find(out->brand, value);
    if (out->token.kind != 0)
        return true;
    error_set(err, "kind: brand '%.*s' has no kind %s; it has:", SLICE_ARG(out->brand->name),
              quote(&q, value));
    n = err ? strlen(err->text) : ERROR_TEXT_MAX;
    for (uint8_t kind = 1; kind < 16 && n < ERROR_TEXT_MAX; kind++) {
        const char *name = brand_kind_name(out->brand, kind);

        if (name)
            n += (size_t)snprintf(err->text + n, ERROR_TEXT_MAX - n, " %s", name);
    }
    return false;
}

static bool take_object(struct linkform_maker *maker, struct slice value, struct link *out,
                        struct error *err)
{
    (void)maker;
    return take_number(value, "object", UINT32_MAX, &out->token.object, err);
}

static bool take_client(struct linkform_maker *maker, struct slice value, struct link *out,
                        struct error *err)
{
    (void)maker;
    return take_number(value, "client", UINT32_MAX, &out->token.client, err);
}

static bool take_campaign(struct linkform_maker *maker, struct slice value, struct link *out,
                          struct error *err)
{
    uint32_t n;

    (void)maker;
    if (!take_number(value, "campaign", UINT16_MAX, &n, err))
        return false;
    out->token.campaign = (uint16_t)n;
    return true;
}

static bool take_ttl(struct linkform_maker *maker, struct slice value, struct link *out,
                     struct error *err)
{
    int code = token_ttl_find(value);
    struct quoted q;

    (void)maker;
    out->token.ttl_code = (uint8_t)code;
    if (code < 0)
        error_set(err,
                  "ttl: %s is none of never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d "
                  "180d 366d",
                  quote(&q, value));
    return code >= 0;
}

static bool take_channel(struct linkform_maker *maker, struct slice value, struct link *out,
                         struct error *err)
{
    int channel = token_channel_find(value);
    struct quoted q;

    (void)maker;
    out->token.channel = (uint8_t)channel;
    if (channel < 0)
        error_set(err, "channel: %s is none of unknown mail sms pdf qr portal chat other",
                  quote(&q, value));
    return channel >= 0;
}

static bool take_variant(struct linkform_maker *maker, struct slice value, struct link *out,
                         struct error *err)
{
    char c = value.len == 1 ? slice_lower(value.ptr[0]) : 0;
    struct quoted q;

    (void)maker;
    if ((c < 'a' || c > 'g') && !slice_equal_nocase(value, slice_of("none"))) {
        error_set(err, "variant: %s is not a letter from A to G, or none", quote(&q, value));
        return false;
    }
    out->token.variant = (uint8_t)(c ? c - 'a' + 1 : 0);
    return true;
}

/* token_seal() checks its characters. */
static bool take_arg(struct linkform_maker *maker, struct slice value, struct link *out,
                     struct error *err)
{
    (void)maker;
    if (value.len > TOKEN_ARG_MAX) {
        error_set(err, "arg: %zu characters, at most %d", value.len, TOKEN_ARG_MAX);
        return false;
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
                        struct error *err)
{
    struct quoted q;
    int64_t time_s;

    (void)maker;
    if (rfc3339_parse(value, &time_s) && set_issued(out, time_s))
        return true;
    error_set(err, "issued: %s is not a time as 2026-11-22T12:00:00Z, from 2024 to 2055",
              quote(&q, value));
    return false;
}

static bool take_flag(struct slice value, const char *name, bool *out, struct error *err)
{
    static const char *const yes[] = {"1", "true", "yes"}, *const no[] = {"0", "false", "no"};
    struct quoted q;

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        *out = slice_equal_nocase(value, slice_of(yes[i]));
        if (*out || slice_equal_nocase(value, slice_of(no[i])))
            return true;
    }
    error_set(err, "%s: %s is not yes or no", name, quote(&q, value));
    return false;
}

static bool take_silent(struct linkform_maker *maker, struct slice value, struct link *out,
                        struct error *err)
{
    (void)maker;
    return take_flag(value, "silent", &out->token.silent, err);
}

static bool take_once(struct linkform_maker *maker, struct slice value, struct link *out,
                      struct error *err)
{
    (void)maker;
    return take_flag(value, "once", &out->token.once, err);
}

static const struct {
    const char *name;
    bool (*take)(struct linkform_maker *maker, struct slice value, struct link *out,
                 struct error *err);
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
    return -1;
}

/* --- the whole --- */

void linkform_maker_init(struct linkform_maker *maker, const struct site *site, int64_t now_s)
{
    *maker = (struct linkform_maker){.site = site, .now_s = now_s};
}

/* What can be left out, and the brand, which the kind needs. */
static bool set_defaults(struct linkform_maker *maker, const struct linkform *form,
                         struct link *out, struct error *err)
{
    out->brand = NULL;
    out->token = (struct token){
        .kid = site_keys(maker->site)->mint_kid,
        .ttl_code = TTL_DEFAULT,
        .channel = CHANNEL_DEFAULT,
    };
    if (out->token.kid == 0) {
        error_set(err, "no key of the key file mints; set one of them to `mint`");
        return false;
    }
    if (!set_issued(out, maker->now_s)) {
        error_set(err, "the system's clock is not between 2024 and 2055; set it, or give --issued");
        return false;
    }
    if (form->field[LINK_BRAND].len > 0)
        return true;
    if (site_n_brands(maker->site) > 1)
        error_set(err, "brand: is missing, and the configuration has several");
    else
        out->brand = site_brand_at(maker->site, 0);
    return out->brand != NULL;
}

static bool take_fields(struct linkform_maker *maker, const struct linkform *form, struct link *out,
                        struct error *err)
{
    for (int i = 0; i < LINK_FIELDS; i++) {
        if (form->field[i].len > 0 && !fields[i].take(maker, form->field[i], out, err))
            return false;
        if (form->field[i].len == 0 && (i == LINK_KIND || i == LINK_OBJECT)) {
            error_set(err, "%s: is missing", fields[i].name);
            return false;
        }
    }
    if (out->token.arg_len == 0 && brand_kind_needs_arg(out->brand, out->token.kind)) {
        error_set(err, "arg: is missing, and the target of kind '%s' needs it",
                  brand_kind_name(out->brand, out->token.kind));
        return false;
    }
    return true;
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

bool linkform_make(struct linkform_maker *maker, const struct linkform *form, struct link *out,
                   struct error *err)
{
    struct quoted q;

    if (!set_defaults(maker, form, out, err) || !take_fields(maker, form, out, err))
        return false;
    /* All but the argument's characters has been checked. */
    if (token_seal(site_keys(maker->site), out->brand->name, &out->token, out->text,
                   &out->text_len) != TOKEN_FAULT_NONE) {
        error_set(err, "arg: %s holds other characters than A-Z a-z 0-9 . _ ~ -",
                  quote(&q, form->field[LINK_ARG]));
        return false;
    }
    set_expiry(maker, out);
    return true;
}
