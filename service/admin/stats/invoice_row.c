#include "service/admin/stats/invoice_row.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/funnel.h"
#include "proto/rfc3339.h"
#include "proto/token.h"
#include "service/admin/stats/stats_query.h"

static const char *const variant_names[] = {"none", "A", "B", "C", "D", "E", "F", "G"};

const char invoice_row_csv_head[] =
    "object,client,sent_at,first_click_at,last_click_at,channel,variant,state\r\n";

bool invoice_row_read(struct slice facts, const struct stats_query *query, unsigned kinds,
                      struct invoice_row *row)
{
    const struct period *period = &query->period;
    struct funnel_fact fact;
    size_t at = 0;
    bool is_of_period = false;

    while (funnel_next_fact(facts, &at, &fact)) {
        if (fact.type == FUNNEL_CLIENT)
            row->client = fact.client;
        if ((fact.type != FUNNEL_SENT && fact.type != FUNNEL_CLICK) || fact.is_taken_back ||
            fact.campaign != query->campaigns[0] ||
            !stats_query_wants_route(query, fact.variant, fact.channel))
            continue;
        is_of_period =
            is_of_period || (fact.sent_s >= period->from_s && fact.sent_s < period->to_s);
        if (fact.sent_s >= row->sent_s) {
            row->sent_s = fact.sent_s;
            row->channel = fact.channel;
            row->variant = fact.variant;
        }
        if (fact.type != FUNNEL_CLICK || (kinds && !(kinds >> fact.kind & 1)))
            continue;
        if (row->first_s == 0 || fact.time_s < row->first_s)
            row->first_s = fact.time_s;
        if (fact.time_s > row->last_s)
            row->last_s = fact.time_s;
    }
    return is_of_period;
}

/* `quote` around the time, or `absent` in its place. */
struct time_form {
    const char *quote, *absent;
};

static const char *put_time(int64_t time_s, const struct time_form *form,
                            char out[static RFC3339_TEXT_MAX + 2])
{
    char text[RFC3339_TEXT_MAX];

    if (time_s == 0)
        return form->absent;
    snprintf(out, RFC3339_TEXT_MAX + 2, "%s%s%s", form->quote, rfc3339_format(time_s, 0, text),
             form->quote);
    return out;
}

static const char *put_client(uint32_t client, const char *absent, char out[static 11])
{
    if (client == 0)
        return absent;
    snprintf(out, 11, "%" PRIu32, client);
    return out;
}

size_t invoice_row_put_csv(char out[static INVOICE_ROW_MAX], const struct invoice_row *row)
{
    static const struct time_form form = {"", ""};
    char client[11], times[3][RFC3339_TEXT_MAX + 2];

    return (size_t)snprintf(
        out, INVOICE_ROW_MAX, "%" PRIu32 ",%s,%s,%s,%s,%s,%s,%s\r\n", row->object,
        put_client(row->client, "", client), put_time(row->sent_s, &form, times[0]),
        put_time(row->first_s, &form, times[1]), put_time(row->last_s, &form, times[2]),
        token_channel_name(row->channel), variant_names[row->variant & 7],
        row->state ? row->state : "");
}

size_t invoice_row_put_json(char out[static INVOICE_ROW_MAX], const struct invoice_row *row)
{
    static const struct time_form form = {"\"", "null"};
    char client[11], times[3][RFC3339_TEXT_MAX + 2];
    const char *quote = row->state ? "\"" : "";

    return (size_t)snprintf(
        out, INVOICE_ROW_MAX,
        "{\"object\":%" PRIu32 ",\"client\":%s,\"sent_at\":%s,\"first_click_at\":%s,"
        "\"last_click_at\":%s,\"channel\":\"%s\",\"variant\":\"%s\",\"state\":%s%s%s}",
        row->object, put_client(row->client, "null", client),
        put_time(row->sent_s, &form, times[0]), put_time(row->first_s, &form, times[1]),
        put_time(row->last_s, &form, times[2]), token_channel_name(row->channel),
        variant_names[row->variant & 7], quote, row->state ? row->state : "null", quote);
}
