#include "service/sinks/webhook_preset.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/click_names.h"
#include "proto/compiler.h"
#include "proto/currency.h"
#include "proto/token.h"
#include "service/config/brand.h"

bool webhook_preset_has(const struct record *record)
{
    if (record->what == RECORD_CLICK)
        return true;
    return record->what == RECORD_EVENT && record->event.type == EVENT_PAID &&
           record->event.currency[0] && record->event.object != 0;
}

/* --- parts --- */

struct text {
    char *out; /* WEBHOOK_PRESET_MAX */
    size_t len;
};

/* All values have a length that is known: a record is far from filling the text. */
PRINTF_LIKE(2, 3)
static void add(struct text *text, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text->out + text->len, WEBHOOK_PRESET_MAX - text->len, format, args);
    va_end(args);
    if (n > 0)
        text->len += (size_t)n;
    if (text->len >= WEBHOOK_PRESET_MAX)
        text->len = WEBHOOK_PRESET_MAX - 1;
}

/* Who did it, never 0: that of the client, so that somebody's clicks belong together. */
static uint64_t visitor_of(const struct record_subject *subject)
{
    return subject->client ? subject->client : subject->link ? subject->link : subject->object;
}

static void add_amount(struct text *text, const struct event *event)
{
    char amount[CURRENCY_AMOUNT_MAX];

    add(text, "%s", currency_write(event->amount, event->currency, '.', amount));
}

static char variant_of(const struct record *record)
{
    return (char)('A' + record->click.variant - 1);
}

/* --- Google Analytics --- */

/* What clicks and payments have in common, each behind a comma. */
static void add_ga4_source(struct text *text, const struct record *record)
{
    if (record->brand)
        add(text, ",\"brand\":\"%.*s\"", (int)record->brand->name.len, record->brand->name.ptr);
    if (record->click.campaign)
        add(text, ",\"campaign_id\":\"%u\"", record->click.campaign);
    if (record->click.variant)
        add(text, ",\"variant\":\"%c\"", variant_of(record));
}

static void add_ga4_click(struct text *text, const struct record *record)
{
    const struct click *click = &record->click;

    add(text, "{\"name\":\"billing_link_click\",\"params\":{\"session_id\":\"%" PRId64 "\"",
        click->time_ms / 1000);
    add(text, ",\"engagement_time_msec\":1,\"link_kind\":\"%s\",\"channel\":\"%s\"",
        record_kind_name(record), token_channel_name(click->channel));
    add(text, ",\"label\":\"%s\"", click_label_name(click->label));
    add_ga4_source(text, record);
    add(text, "}}");
}

static void add_ga4_purchase(struct text *text, const struct record *record, uint64_t object)
{
    const struct event *event = &record->event;

    add(text, "{\"name\":\"purchase\",\"params\":{\"session_id\":\"%" PRId64 "\"",
        event->at_ms / 1000);
    add(text, ",\"engagement_time_msec\":1,\"transaction_id\":\"%016" PRIx64 "\"", object);
    add(text, ",\"currency\":\"%.3s\",\"value\":", event->currency);
    add_amount(text, event);
    add(text, ",\"items\":[{\"item_id\":\"invoice\",\"quantity\":1,\"price\":");
    add_amount(text, event);
    add(text, "}]");
    add_ga4_source(text, record);
    add(text, "}}");
}

size_t webhook_preset_ga4(const struct record *record, const struct record_form *form,
                          char out[static WEBHOOK_PRESET_MAX])
{
    const struct click *click = &record->click;
    struct text text = {.out = out};
    struct record_subject subject;

    record_subject(record, form, &subject);
    add(&text, "{\"client_id\":\"%016" PRIx64 "\",\"timestamp_micros\":%" PRId64,
        visitor_of(&subject), click->time_ms * 1000);
    /* Nobody has agreed to advertising by paying an invoice. */
    add(&text, ",\"consent\":{\"ad_user_data\":\"DENIED\",\"ad_personalization\":\"DENIED\"}");
    if (record->what == RECORD_CLICK && click->country[0])
        add(&text, ",\"user_location\":{\"country_id\":\"%.2s\"}", click->country);
    add(&text, ",\"events\":[");
    if (record->what == RECORD_CLICK)
        add_ga4_click(&text, record);
    else
        add_ga4_purchase(&text, record, subject.object);
    add(&text, "]}");
    return text.len;
}

/* --- Matomo --- */

static void add_encoded(struct text *text, const char *value)
{
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~')
            add(text, "%c", c);
        else
            add(text, "%%%02X", c);
    }
}

/* The address of a page that isn't there, by which Matomo knows the campaign of a visit.  The link
 * itself is a secret. */
static void add_matomo_url(struct text *text, const struct record *record)
{
    const struct click *click = &record->click;

    add(text, "&url=");
    add_encoded(text, record->brand->base_url);
    add(text, "%%2F%s%%3Fmtm_source%%3Dhopcount", record_kind_name(record));
    add(text, "%%26mtm_medium%%3D%s", token_channel_name(click->channel));
    if (click->campaign)
        add(text, "%%26mtm_campaign%%3D%u", click->campaign);
    if (click->variant)
        add(text, "%%26mtm_content%%3D%c", variant_of(record));
}

size_t webhook_preset_matomo(const struct record *record, const struct record_form *form,
                             int64_t site_id, char out[static WEBHOOK_PRESET_MAX])
{
    const struct click *click = &record->click;
    struct text text = {.out = out};
    struct record_subject subject;

    record_subject(record, form, &subject);
    add(&text, "?idsite=%" PRId64 "&rec=1&apiv=1&send_image=0&cid=%016" PRIx64 "&cdt=%" PRId64,
        site_id, visitor_of(&subject), click->time_ms / 1000);
    if (click->campaign)
        add(&text, "&_rcn=%u", click->campaign);
    if (record->what == RECORD_EVENT) {
        add(&text, "&idgoal=0&ec_id=%016" PRIx64 "&revenue=", subject.object);
        add_amount(&text, &record->event);
        return text.len;
    }
    if (click->country[0])
        add(&text, "&country=%c%c", click->country[0] | 0x20, click->country[1] | 0x20);
    if (record->brand)
        add_matomo_url(&text, record);
    add(&text, "&ca=1&e_c=");
    if (record->brand)
        add(&text, "%.*s", (int)record->brand->name.len, record->brand->name.ptr);
    else
        add(&text, "hopcount");
    add(&text, "&e_a=click_%s", record_kind_name(record));
    if (click->campaign)
        add(&text, "&e_n=campaign_%u", click->campaign);
    return text.len;
}
