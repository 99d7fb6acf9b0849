#include "service/config/eventform.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/rfc3339.h"
#include "proto/token.h"
#include "service/config/brandlist.h"
#include "service/config/formvalue.h"
#include "service/config/site.h"

enum {
    FUTURE_MAX_MS = 300000, /* clocks of two machines differ */
    MAIL = 1,               /* the channel */
};

/* What an event of a type needs, and what else it may have; bits of 1 << enum event_field. */
#define BIT(field) (1u << EVENT_FIELD_##field)
#define COMMON (BIT(ID) | BIT(TYPE) | BIT(BRAND) | BIT(AT))
#define MONEY (BIT(AMOUNT) | BIT(CURRENCY))

static const struct {
    unsigned needs, may;
} rules[EVENT_TYPES] = {
    [EVENT_PAID] = {BIT(OBJECT), BIT(CLIENT) | MONEY},
    [EVENT_PARTLY_PAID] = {BIT(OBJECT), BIT(CLIENT) | MONEY},
    [EVENT_UNPAID] = {BIT(OBJECT), BIT(CLIENT)},
    [EVENT_CANCELLED] = {BIT(OBJECT), BIT(CLIENT)},
    [EVENT_REFUNDED] = {BIT(OBJECT), BIT(CLIENT) | MONEY},
    [EVENT_CREDITED] = {BIT(OBJECT), BIT(CLIENT) | MONEY},
    [EVENT_REPLACED] = {BIT(OBJECT) | BIT(BY), BIT(CLIENT)},
    [EVENT_MAIL_SENT] = {BIT(CAMPAIGN),
                         BIT(OBJECT) | BIT(CLIENT) | BIT(VARIANT) | BIT(CHANNEL) | BIT(N)},
    [EVENT_OPTED_OUT] = {BIT(CLIENT), BIT(N)},
    [EVENT_OPTED_IN] = {BIT(CLIENT), BIT(N)},
};

PRINTF_LIKE(2, 3)
static bool refuse(struct eventform_fault *fault, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fault->detail, sizeof(fault->detail), format, args);
    va_end(args);
    return false;
}

static bool take_u32(struct slice value, uint32_t min, uint32_t max, uint32_t *out,
                     struct eventform_fault *fault)
{
    struct formvalue_quoted q;

    if (formvalue_u32(value, max, out) && *out >= min)
        return true;
    return refuse(fault, "%s is not a whole number from %u to %u", formvalue_quote(&q, value), min,
                  max);
}

/* --- one function per field; each gets a value that is not empty --- */

static bool take_id(const struct eventform_maker *maker, struct slice value, struct event *out,
                    struct eventform_fault *fault)
{
    (void)maker;
    if (value.len > EVENT_ID_MAX)
        return refuse(fault, "has %zu bytes, at most %d fit", value.len, EVENT_ID_MAX);
    out->id = event_id_hash(value);
    return true;
}

static bool take_type(const struct eventform_maker *maker, struct slice value, struct event *out,
                      struct eventform_fault *fault)
{
    struct formvalue_quoted q;
    unsigned type = event_type_find(value);
    size_t n;

    (void)maker;
    out->type = (enum event_type)type;
    if (type != 0 && rules[type].needs != 0)
        return true;
    refuse(fault, "%s is none of", formvalue_quote(&q, value));
    n = strlen(fault->detail);
    for (unsigned i = 1; i < EVENT_TYPES && n < sizeof(fault->detail); i++) {
        if (rules[i].needs != 0)
            n += (size_t)snprintf(fault->detail + n, sizeof(fault->detail) - n, " %s",
                                  event_type_name((enum event_type)i));
    }
    return false;
}

static bool take_brand(const struct eventform_maker *maker, struct slice value, struct event *out,
                       struct eventform_fault *fault)
{
    const struct brand *brand = site_find_brand(maker->site, value);
    struct formvalue_quoted q;

    if (!brand)
        return refuse(fault, "%s is no brand of the configuration", formvalue_quote(&q, value));
    out->brand = brand->id;
    fault->is_forbidden = !brandlist_has(maker->brands, brand->name);
    return !fault->is_forbidden ||
           refuse(fault, "%s is not a brand of %s", formvalue_quote(&q, value), maker->whose);
}

static bool take_at(const struct eventform_maker *maker, struct slice value, struct event *out,
                    struct eventform_fault *fault)
{
    struct formvalue_quoted q;

    if (!rfc3339_parse_ms(value, &out->at_ms) || out->at_ms < TOKEN_EPOCH_S * 1000)
        return refuse(fault, "%s is not a time as 2026-11-22T12:00:00Z, from 2024 on",
                      formvalue_quote(&q, value));
    if (out->at_ms > maker->now_ms + FUTURE_MAX_MS)
        return refuse(fault, "%s lies in the future; check the clocks of both machines",
                      formvalue_quote(&q, value));
    return true;
}

static bool take_object(const struct eventform_maker *maker, struct slice value, struct event *out,
                        struct eventform_fault *fault)
{
    (void)maker;
    return take_u32(value, 1, UINT32_MAX, &out->object, fault);
}

static bool take_client(const struct eventform_maker *maker, struct slice value, struct event *out,
                        struct eventform_fault *fault)
{
    (void)maker;
    return take_u32(value, 1, UINT32_MAX, &out->client, fault);
}

static bool take_campaign(const struct eventform_maker *maker, struct slice value,
                          struct event *out, struct eventform_fault *fault)
{
    uint32_t campaign = 0;
    bool ok = take_u32(value, 0, UINT16_MAX, &campaign, fault);

    (void)maker;
    out->campaign = (uint16_t)campaign;
    return ok;
}

static bool take_variant(const struct eventform_maker *maker, struct slice value, struct event *out,
                         struct eventform_fault *fault)
{
    struct formvalue_quoted q;

    (void)maker;
    return formvalue_variant(value, &out->variant) ||
           refuse(fault, "%s is not a letter from A to G, or none", formvalue_quote(&q, value));
}

static bool take_channel(const struct eventform_maker *maker, struct slice value, struct event *out,
                         struct eventform_fault *fault)
{
    struct formvalue_quoted q;

    int channel = token_channel_find(value);

    (void)maker;
    out->channel = (uint8_t)channel;
    return channel >= 0 || refuse(fault, "%s is none of unknown mail sms pdf qr portal chat other",
                                  formvalue_quote(&q, value));
}

/* Mails sent, or the version of a text; both go where other events have another number. */
static bool take_n(const struct eventform_maker *maker, struct slice value, struct event *out,
                   struct eventform_fault *fault)
{
    (void)maker;
    return take_u32(value, 0, UINT32_MAX, &out->value, fault);
}

static bool take_amount(const struct eventform_maker *maker, struct slice value, struct event *out,
                        struct eventform_fault *fault)
{
    struct formvalue_quoted q;
    uint64_t amount;

    (void)maker;
    if (!formvalue_number(value, EVENT_AMOUNT_MAX, &amount))
        return refuse(fault,
                      "%s is not a whole number of cents (of the currency's smallest unit) from 0 "
                      "to %lld",
                      formvalue_quote(&q, value), (long long)EVENT_AMOUNT_MAX);
    out->amount = (int64_t)amount;
    return true;
}

/* ISO 4217, those in use and those that old invoices may be in; without funds, metals and tests. */
static const char currencies[] =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP "
    "BYN BZD CAD CDF CHF CLF CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD "
    "FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY "
    "KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU "
    "MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD "
    "RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP "
    "TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG "
    "ZWL ";

static bool is_currency(const char code[static EVENT_CURRENCY_LEN])
{
    for (const char *at = currencies; *at; at += EVENT_CURRENCY_LEN + 1) {
        if (memcmp(at, code, EVENT_CURRENCY_LEN) == 0)
            return true;
    }
    return false;
}

static bool take_currency(const struct eventform_maker *maker, struct slice value,
                          struct event *out, struct eventform_fault *fault)
{
    struct formvalue_quoted q;

    (void)maker;
    for (size_t i = 0; i < value.len && value.len == EVENT_CURRENCY_LEN; i++) {
        char c = slice_lower(value.ptr[i]);

        if (c < 'a' || c > 'z')
            break;
        out->currency[i] = (char)(c - 'a' + 'A');
        if (i == EVENT_CURRENCY_LEN - 1 && is_currency(out->currency))
            return true;
    }
    return refuse(fault, "%s is not a currency of ISO 4217, three letters as EUR",
                  formvalue_quote(&q, value));
}

static bool take_by(const struct eventform_maker *maker, struct slice value, struct event *out,
                    struct eventform_fault *fault)
{
    (void)maker;
    return take_u32(value, 1, UINT32_MAX, &out->value, fault);
}

static const struct {
    const char *name;
    bool (*take)(const struct eventform_maker *maker, struct slice value, struct event *out,
                 struct eventform_fault *fault);
} fields[EVENT_FIELDS] = {
    [EVENT_FIELD_ID] = {"id", take_id},
    [EVENT_FIELD_TYPE] = {"type", take_type},
    [EVENT_FIELD_BRAND] = {"brand", take_brand},
    [EVENT_FIELD_AT] = {"at", take_at},
    [EVENT_FIELD_OBJECT] = {"object", take_object},
    [EVENT_FIELD_CLIENT] = {"client", take_client},
    [EVENT_FIELD_CAMPAIGN] = {"campaign", take_campaign},
    [EVENT_FIELD_VARIANT] = {"variant", take_variant},
    [EVENT_FIELD_CHANNEL] = {"channel", take_channel},
    [EVENT_FIELD_N] = {"n", take_n},
    [EVENT_FIELD_AMOUNT] = {"amount", take_amount},
    [EVENT_FIELD_CURRENCY] = {"currency", take_currency},
    [EVENT_FIELD_BY] = {"by", take_by},
};

const char *eventform_field_name(enum event_field field)
{
    return fields[field].name;
}

int eventform_field_find(struct slice name)
{
    for (int i = 0; i < EVENT_FIELDS; i++) {
        if (slice_equal_nocase(name, slice_of(fields[i].name)))
            return i;
    }
    return -1;
}

/* --- the whole --- */

/* The faults of a form while it is read; `wrong`, bits of 1 << field, are the fields that have one.
 */
struct check {
    const struct eventform *form;
    struct event *event;
    struct eventform_faults *faults;
    unsigned wrong;
};

/* The place for a fault of a field; NULL: it has one. */
static struct eventform_fault *next_fault(struct check *check, enum event_field field)
{
    struct eventform_fault *fault;

    if (check->wrong >> field & 1)
        return NULL;
    check->wrong |= 1u << field;
    fault = &check->faults->list[check->faults->n++];
    fault->field = fields[field].name;
    fault->is_forbidden = false;
    return fault;
}

PRINTF_LIKE(3, 4)
static void add(struct check *check, enum event_field field, const char *format, ...)
{
    struct eventform_fault *fault = next_fault(check, field);
    va_list args;

    if (!fault)
        return;
    va_start(args, format);
    vsnprintf(fault->detail, sizeof(fault->detail), format, args);
    va_end(args);
}

static bool has(const struct check *check, enum event_field field)
{
    return check->form->field[field].len > 0;
}

/* What can be left out. */
static void set_defaults(const struct eventform_maker *maker, struct check *check)
{
    const struct brand *brand;

    *check->event = (struct event){.at_ms = maker->now_ms};
    if (has(check, EVENT_FIELD_BRAND))
        return;
    brand = site_find_only_brand(maker->site, maker->brands);
    if (brand)
        check->event->brand = brand->id;
    else
        add(check, EVENT_FIELD_BRAND, "is missing, and there are several brands");
}

static void take_fields(const struct eventform_maker *maker, struct check *check)
{
    for (unsigned i = 0; i < EVENT_FIELDS; i++) {
        if (!has(check, i)) {
            if (i == EVENT_FIELD_TYPE || i == EVENT_FIELD_ID)
                add(check, i, "is missing");
            continue;
        }
        if (fields[i].take(maker, check->form->field[i], check->event, next_fault(check, i))) {
            check->faults->n--;
            check->wrong &= ~(1u << i);
        }
    }
}

/* Which fields are there, and which the type wants. */
static void check_rule(struct check *check)
{
    const char *type = event_type_name(check->event->type);
    unsigned needs = COMMON & ~(BIT(BRAND) | BIT(AT)), may;

    needs |= rules[check->event->type].needs;
    may = COMMON | rules[check->event->type].needs | rules[check->event->type].may;
    for (unsigned i = 0; i < EVENT_FIELDS; i++) {
        if (!has(check, i) && needs >> i & 1)
            add(check, i, "is missing; an event %s needs it", type);
        if (has(check, i) && !(may >> i & 1))
            add(check, i, "says nothing of an event %s", type);
    }
    if (has(check, EVENT_FIELD_AMOUNT) != has(check, EVENT_FIELD_CURRENCY))
        add(check, EVENT_FIELD_CURRENCY, "and amount go together: give both or none");
    if (check->event->type == EVENT_REPLACED && check->event->value == check->event->object)
        add(check, EVENT_FIELD_BY, "is the object itself");
}

/* How many mails: one of an object, or so many of the campaign.  A mail is one unless said. */
static void check_mails(struct check *check)
{
    struct event *event = check->event;
    bool has_n = has(check, EVENT_FIELD_N), has_object = has(check, EVENT_FIELD_OBJECT);

    if (has_object && has_n && event->value != 1)
        add(check, EVENT_FIELD_N,
            "is 1 of one object; send an event for each, or n without object");
    if (!has_object && (!has_n || event->value == 0))
        add(check, EVENT_FIELD_N, "is missing: how many mails were sent, 1 or more");
    if (event->value == 0)
        event->value = 1;
    if (!has_object && has(check, EVENT_FIELD_CLIENT))
        add(check, EVENT_FIELD_CLIENT, "goes with object only");
    if (!has(check, EVENT_FIELD_CHANNEL))
        event->channel = MAIL;
}

bool eventform_make(const struct eventform_maker *maker, const struct eventform *form,
                    struct event *out, struct eventform_faults *faults)
{
    struct check check = {.form = form, .event = out, .faults = faults};

    faults->n = 0;
    set_defaults(maker, &check);
    take_fields(maker, &check);
    /* Of an unknown type nothing follows for the others. */
    if (!(check.wrong & BIT(TYPE))) {
        check_rule(&check);
        if (out->type == EVENT_MAIL_SENT)
            check_mails(&check);
    }
    return faults->n == 0;
}
