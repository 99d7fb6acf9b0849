#include "service/sinks/record.h"

#include <string.h>

#include <sodium.h>

#include "proto/click_names.h"
#include "proto/rfc3339.h"
#include "proto/token.h"
#include "service/config/brand.h"

/* The columns, in order; JSON has them as names. */
/* clang-format off */
#define COLUMNS(X) \
    X(log) X(position) X(type) X(time) X(brand) X(kind) X(link) X(object) X(client) X(campaign) \
    X(channel) X(variant) X(label) X(reason) X(old_label) X(old_reason) X(country) X(device) \
    X(browser) X(system) X(referrer) X(value) X(amount) X(currency)

#define AS_ENUM(name) COLUMN_##name,
enum column { COLUMNS(AS_ENUM) N_COLUMNS };
#define AS_JSON(name) {",\"" #name "\":\"", sizeof(",\"" #name "\":\"") - 1},
/* clang-format on */

/* What stands before a text.  All have one size, so that a copy is a single instruction: a call of
 * memcpy() costs more than what it copies, and a line has forty. */
enum { JSON_NAME_MAX = 16 };
static const struct {
    char text[JSON_NAME_MAX];
    uint8_t len;
} json_names[N_COLUMNS] = {COLUMNS(AS_JSON)};

const char record_csv_head[] =
    "log,position,type,time,brand,kind,link,object,client,campaign,channel,variant,label,reason,"
    "old_label,old_reason,country,device,browser,system,referrer,value,amount,currency\n";

enum { VALUE_MAX = 32 };

/* A value of a column: text in quotes, a bare number, or nothing.  No text of ours has a byte that
 * JSON or CSV would have to escape: names of brands and kinds are a-z, 0-9, '-', '_' and '.'. */
struct value {
    char text[VALUE_MAX];
    const char *name; /* in place of `text` */
    size_t len;       /* 0: nothing */
    bool is_number;
};

static void set_name(struct value *value, const char *name)
{
    value->name = name;
    value->len = name ? strlen(name) : 0;
}

static void set_number(struct value *value, uint64_t n)
{
    char digits[20];
    size_t len = 0;

    do {
        digits[len++] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    value->is_number = true;
    for (size_t i = 0; i < len; i++)
        value->text[i] = digits[len - 1 - i];
    value->len = len;
}

static void set_hex(struct value *value, uint64_t n)
{
    for (int i = 15; i >= 0; i--, n >>= 4)
        value->text[i] = "0123456789abcdef"[n & 15];
    value->len = 16;
}

static void put_two(char *out, unsigned n)
{
    out[0] = (char)('0' + n / 10);
    out[1] = (char)('0' + n % 10);
}

static void set_time(struct value *value, int64_t time_ms)
{
    unsigned ms = (unsigned)(time_ms % 1000);
    struct civil c;
    char *t = value->text;

    civil_from_s(time_ms / 1000, &c);
    put_two(t, (unsigned)c.year / 100);
    put_two(t + 2, (unsigned)c.year % 100);
    memcpy(t + 4, "-00-00T00:00:00.000Z", 20);
    put_two(t + 5, c.month);
    put_two(t + 8, c.day);
    put_two(t + 11, c.hour);
    put_two(t + 14, c.minute);
    put_two(t + 17, c.second);
    t[20] = (char)('0' + ms / 100);
    put_two(t + 21, ms % 100);
    value->len = 24;
}

const char *record_type_name(const struct record *record)
{
    switch (record->what) {
    case RECORD_CLICK:
        return "click";
    case RECORD_RELABEL:
        return "relabel";
    case RECORD_EVENT:
        return event_type_name(record->event.type);
    case RECORD_OMITTED:
        break;
    }
    return "omitted";
}

const char *record_kind_name(const struct record *record)
{
    static const char *const names[16] = {NULL, "view", "pay", "login", "4",  "5",  "6",  "7",
                                          "8",  "9",    "10",  "11",    "12", "13", "14", "15"};
    unsigned kind = record->click.kind & 15u;
    const char *name = NULL;

    if (record->what == RECORD_EVENT)
        return NULL;
    if (record->brand && kind > 3)
        name = brand_kind_name(record->brand, (uint8_t)kind);
    return name ? name : names[kind];
}

/* Never 0 for a value that is there. */
static uint64_t hash_of(const struct record_form *form, char what, uint32_t brand, uint64_t n)
{
    uint8_t in[13] = {(uint8_t)what}, out[crypto_shorthash_BYTES];
    uint64_t hash = 0;

    for (int i = 0; i < 4; i++)
        in[1 + i] = (uint8_t)(brand >> (24 - 8 * i));
    for (int i = 0; i < 8; i++)
        in[5 + i] = (uint8_t)(n >> (56 - 8 * i));
    crypto_shorthash(out, in, sizeof(in), form->key);
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | out[i];
    return hash ? hash : 1;
}

void record_subject(const struct record *record, const struct record_form *form,
                    struct record_subject *out)
{
    const struct click *click = &record->click;

    *out = (struct record_subject){0};
    if (form->fields == RECORD_COUNTS || record->what == RECORD_OMITTED)
        return;
    out->link = click->link_id;
    out->object = click->object;
    out->client = click->client;
    if (form->fields == RECORD_ALL)
        return;
    if (out->link)
        out->link = hash_of(form, 'l', 0, out->link);
    if (out->object)
        out->object = hash_of(form, 'o', click->brand, out->object);
    if (out->client)
        out->client = hash_of(form, 'c', click->brand, out->client);
}

static void set_id(struct value *value, const struct record_form *form, uint64_t n)
{
    if (n == 0)
        return;
    if (form->fields == RECORD_HASHED)
        set_hex(value, n);
    else
        set_number(value, n);
}

/* What clicks and events have in common. */
static void set_common(struct value values[static N_COLUMNS], const struct record *record,
                       const struct record_form *form)
{
    static const char *const variants[] = {NULL, "A", "B", "C", "D", "E", "F", "G"};
    const struct click *click = &record->click;
    struct record_subject subject;

    set_time(&values[COLUMN_time], click->time_ms);
    if (record->brand) {
        values[COLUMN_brand].name = record->brand->name.ptr;
        values[COLUMN_brand].len = record->brand->name.len;
    }
    set_name(&values[COLUMN_kind], record_kind_name(record));
    record_subject(record, form, &subject);
    if (subject.link)
        set_hex(&values[COLUMN_link], subject.link);
    set_id(&values[COLUMN_object], form, subject.object);
    set_id(&values[COLUMN_client], form, subject.client);
    if (click->campaign)
        set_number(&values[COLUMN_campaign], click->campaign);
    set_name(&values[COLUMN_variant], variants[click->variant & 7u]);
}

static void set_click(struct value values[static N_COLUMNS], const struct record *record)
{
    const struct click *click = &record->click;

    set_name(&values[COLUMN_channel], token_channel_name(click->channel));
    set_name(&values[COLUMN_label], click_label_name(click->label));
    set_name(&values[COLUMN_reason], click_reason_name(click->reason));
    if (record->what == RECORD_RELABEL) {
        set_name(&values[COLUMN_old_label], click_label_name(click->old_label));
        set_name(&values[COLUMN_old_reason], click_reason_name(click->old_reason));
    }
    if (click->country[0]) {
        memcpy(values[COLUMN_country].text, click->country, 2);
        values[COLUMN_country].len = 2;
    }
    set_name(&values[COLUMN_device], click_device_name(click->device));
    set_name(&values[COLUMN_browser], click_browser_name(click->browser));
    set_name(&values[COLUMN_system], click_system_name(click->system));
    set_name(&values[COLUMN_referrer], click_referrer_name(click->referrer));
}

static void set_event(struct value values[static N_COLUMNS], const struct event *event,
                      enum record_fields fields)
{
    bool is_revocation = event->type == EVENT_REVOKED || event->type == EVENT_UNREVOKED;

    if (is_revocation) /* where the channel would be is the scope */
        set_name(&values[COLUMN_reason], event_scope_name(event->scope));
    else if (event->channel)
        set_name(&values[COLUMN_channel], token_channel_name(event->channel));
    /* The value of a replacement is an object. */
    if (event->value && (event->type != EVENT_REPLACED || fields == RECORD_ALL))
        set_number(&values[COLUMN_value], event->value);
    if (event->currency[0]) {
        struct value *amount = &values[COLUMN_amount];

        set_number(amount, event->amount < 0 ? (uint64_t)-event->amount : (uint64_t)event->amount);
        if (event->amount < 0) {
            memmove(amount->text + 1, amount->text, amount->len++);
            amount->text[0] = '-';
        }
        memcpy(values[COLUMN_currency].text, event->currency, EVENT_CURRENCY_LEN);
        values[COLUMN_currency].len = EVENT_CURRENCY_LEN;
    }
}

static void find_values(const struct record *record, const struct record_form *form,
                        struct value values[static N_COLUMNS])
{
    for (int i = 0; i < N_COLUMNS; i++) {
        values[i].name = NULL;
        values[i].len = 0;
        values[i].is_number = false;
    }
    values[COLUMN_log].name = record->log;
    values[COLUMN_log].len = (size_t)2 * CLICK_LOG_ID_LEN;
    set_number(&values[COLUMN_position], record->position);
    set_name(&values[COLUMN_type], record_type_name(record));
    if (record->what == RECORD_OMITTED)
        return;
    set_common(values, record, form);
    if (record->what == RECORD_EVENT)
        set_event(values, &record->event, form->fields);
    else
        set_click(values, record);
}

/* What is made here is copied whole; what follows a short one is overwritten by the next. */
static char *append_value(char *at, const struct value *value)
{
    if (value->name)
        memcpy(at, value->name, value->len);
    else
        memcpy(at, value->text, VALUE_MAX);
    return at + value->len;
}

size_t record_json(const struct record *record, const struct record_form *form,
                   char out[static RECORD_TEXT_MAX])
{
    struct value values[N_COLUMNS];
    char *at = out;

    find_values(record, form, values);
    for (int i = 0; i < N_COLUMNS; i++) {
        const struct value *value = &values[i];

        if (value->len == 0)
            continue;
        memcpy(at, json_names[i].text, JSON_NAME_MAX);
        at = append_value(at + json_names[i].len - value->is_number, value);
        *at = '"';
        at += !value->is_number;
    }
    out[0] = '{';
    *at++ = '}';
    *at++ = '\n';
    return (size_t)(at - out);
}

size_t record_csv(const struct record *record, const struct record_form *form,
                  char out[static RECORD_TEXT_MAX])
{
    struct value values[N_COLUMNS];
    char *at = out;

    find_values(record, form, values);
    for (int i = 0; i < N_COLUMNS; i++) {
        at = append_value(at, &values[i]);
        *at++ = i + 1 < N_COLUMNS ? ',' : '\n';
    }
    return (size_t)(at - out);
}
