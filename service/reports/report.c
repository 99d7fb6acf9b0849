#include "service/reports/report.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/rfc3339.h"
#include "service/reports/report_when.h"

enum {
    PATH_MAX_LEN = 512,
    ZONE_MAX = 200, /* encoded */
    CAMPAIGNS_SHOWN = 10,
    UNUSUAL_SHOWN = 10,
    PEOPLE_MIN = 50,         /* clicks in the period before: of fewer, their absence says nothing */
    STOPPED_PER_MILLE = 100, /* of those before */
    CLICKS_MIN = 50,         /* in either period: of fewer, a share says nothing */
    JUMP_PER_MILLE = 250,    /* by how much the machines' share must have grown */
};

/* Of the row that sums up all beyond the limit of /v1/stats. */
static const char rest_key[] = "(rest)";

/* The answers of the API for the period, and for the one before. */
struct answers {
    json_t *days, *campaigns, *funnel;
};

static void answers_clear(struct answers *answers)
{
    json_decref(answers->days);
    json_decref(answers->campaigns);
    json_decref(answers->funnel);
}

/* Names of zones hold a '+', which would be a blank in a query. */
static void encode_zone(const char *tz, char out[static ZONE_MAX])
{
    size_t at = 0;

    for (; *tz && at + 4 < ZONE_MAX; tz++)
        at += (size_t)snprintf(out + at, ZONE_MAX - at, *tz == '+' ? "%%2B" : "%c", *tz);
    out[at] = '\0';
}

static json_t *ask(const struct report_options *options, const char *what,
                   const struct report_period *period, const char *more)
{
    char path[PATH_MAX_LEN], zone[ZONE_MAX];

    encode_zone(options->tz, zone);
    snprintf(path, sizeof(path), "/v1/%s?brand=%s&from=%s&to=%s&tz=%s&%s", what, options->brand,
             period->first, period->last, zone, more);
    return options->ask(options->owner, path);
}

static bool ask_all(const struct report_options *options, const struct report_period *period,
                    struct answers *out)
{
    return (out->days = ask(options, "stats", period, "group_by=time&interval=day&clients=true")) !=
               NULL &&
           (out->campaigns = ask(options, "stats", period, "group_by=campaign&limit=10000")) !=
               NULL &&
           (out->funnel = ask(options, "funnel", period, "group_by=campaign&limit=10000")) != NULL;
}

/* --- figures --- */

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* What the totals of two answers have under a name, null where it isn't known. */
static json_t *both(const json_t *now, const json_t *before, const char *name)
{
    const json_t *a = json_object_get(json_object_get(now, "total"), name);
    const json_t *b = json_object_get(json_object_get(before, "total"), name);

    return json_pack(
        "{so so}", "now", json_is_integer(a) ? json_integer(json_integer_value(a)) : json_null(),
        "before", json_is_integer(b) ? json_integer(json_integer_value(b)) : json_null());
}

static json_t *figures_of(const struct answers *now, const struct answers *before)
{
    return json_pack("{so so so so so so}", "people", both(now->days, before->days, "human"),
                     "machines", both(now->days, before->days, "automated"), "clients",
                     both(now->days, before->days, "clients"), "sent",
                     both(now->funnel, before->funnel, "sent"), "clicked",
                     both(now->funnel, before->funnel, "clicked"), "paid",
                     both(now->funnel, before->funnel, "paid"));
}

/* Of each currency of either period. */
static json_t *amounts_of(const json_t *now, const json_t *before)
{
    json_t *a = json_object_get(json_object_get(now, "total"), "amount");
    json_t *b = json_object_get(json_object_get(before, "total"), "amount");
    json_t *all = json_object(), *out = json_array(), *amount;
    const char *currency;

    json_object_update(all, b);
    json_object_update(all, a);
    json_object_foreach(all, currency, amount)
        json_array_append_new(out, json_pack("{ss sI sI}", "currency", currency, "now",
                                             number(a, currency), "before", number(b, currency)));
    json_decref(all);
    return out;
}

/* --- campaigns --- */

/* Whether a row is of one campaign: not of links without any, nor of all beyond the limit. */
static bool is_campaign(const char *key)
{
    return key && strcmp(key, "0") != 0 && strcmp(key, rest_key) != 0;
}

/* The rows of an answer by their keys: a new object. */
static json_t *rows_by_key(const json_t *answer)
{
    json_t *by_key = json_object(), *row;
    size_t i;

    json_array_foreach(json_object_get(answer, "rows"), i, row)
    {
        const char *key = json_string_value(json_object_get(row, "key"));

        if (key)
            json_object_set(by_key, key, row);
    }
    return by_key;
}

static json_t *name_of(const json_t *row)
{
    json_t *name = json_object_get(row, "name");

    return name ? json_incref(name) : json_null();
}

static bool has_sent(const json_t *row)
{
    return number(row, "sent") > 0;
}

/* Clicked per sent; of equals the larger.  Where no mail was told: clicks by people. */
static int by_rate(const void *left, const void *right)
{
    const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
    double x, y;

    if (!has_sent(a) || !has_sent(b)) {
        x = has_sent(a) ? 1 : 0;
        y = has_sent(b) ? 1 : 0;
    } else {
        x = (double)number(a, "clicked") / (double)number(a, "sent");
        y = (double)number(b, "clicked") / (double)number(b, "sent");
    }
    if (x == y) {
        const char *volume = has_sent(a) && has_sent(b) ? "sent" : "people";

        x = (double)number(a, volume);
        y = (double)number(b, volume);
    }
    return (x < y) - (x > y);
}

/* Those of either answer, with all that is known of them. */
static json_t *merge_campaigns(const struct answers *now)
{
    json_t *by_key = json_object(), *row, *campaign;
    const json_t *lists[] = {now->campaigns, now->funnel};
    size_t i;

    for (size_t k = 0; k < 2; k++) {
        json_array_foreach(json_object_get(lists[k], "rows"), i, row)
        {
            const char *key = json_string_value(json_object_get(row, "key"));

            if (!is_campaign(key))
                continue;
            campaign = json_object_get(by_key, key);
            if (!campaign) {
                campaign = json_pack("{ss so sI sI sI sI}", "campaign", key, "name", name_of(row),
                                     "people", (json_int_t)0, "sent", (json_int_t)0, "clicked",
                                     (json_int_t)0, "paid", (json_int_t)0);
                json_object_set_new(by_key, key, campaign);
            }
            if (k == 0) {
                json_object_set_new(campaign, "people", json_integer(number(row, "human")));
                continue;
            }
            json_object_set_new(campaign, "sent", json_integer(number(row, "sent")));
            json_object_set_new(campaign, "clicked", json_integer(number(row, "clicked")));
            json_object_set_new(campaign, "paid", json_integer(number(row, "paid")));
        }
    }
    return by_key;
}

static json_t *campaigns_of(const struct answers *now)
{
    json_t *by_key = merge_campaigns(now), *out = json_array(), *campaign;
    size_t n = json_object_size(by_key), at = 0;
    json_t **sorted = calloc(n ? n : 1, sizeof(*sorted));
    const char *key;

    json_object_foreach(by_key, key, campaign)
    {
        if (sorted)
            sorted[at++] = campaign;
    }
    if (at > 1)
        qsort(sorted, at, sizeof(*sorted), by_rate);
    for (size_t i = 0; i < at && i < CAMPAIGNS_SHOWN; i++)
        json_array_append(out, sorted[i]);
    free(sorted);
    json_decref(by_key);
    return out;
}

static json_int_t share(const json_t *row)
{
    json_int_t total = number(row, "total");

    return total > 0 ? (number(row, "automated") * 1000 + total / 2) / total : 0;
}

/* What people stopped clicking, or machines took over, from one period to the next.  Of a campaign
 * that may be among the rest, which has but a sum, nothing is known. */
static json_t *unusual_of(const json_t *now, const json_t *before)
{
    json_t *out = json_array(), *by_key = rows_by_key(now), *old;
    bool has_rest = json_object_get(by_key, rest_key) != NULL;
    size_t i;

    json_array_foreach(json_object_get(before, "rows"), i, old)
    {
        const char *key = json_string_value(json_object_get(old, "key"));
        const json_t *row = key ? json_object_get(by_key, key) : NULL;
        json_int_t people = number(row, "human"), usual = number(old, "human");

        if (!is_campaign(key) || (!row && has_rest) || json_array_size(out) >= UNUSUAL_SHOWN)
            continue;
        if (usual >= PEOPLE_MIN && people * 1000 <= usual * STOPPED_PER_MILLE)
            json_array_append_new(out, json_pack("{ss so ss sI sI}", "campaign", key, "name",
                                                 name_of(old), "what", "stopped", "now", people,
                                                 "before", usual));
        else if (number(row, "total") >= CLICKS_MIN && number(old, "total") >= CLICKS_MIN &&
                 share(row) - share(old) >= JUMP_PER_MILLE)
            json_array_append_new(out, json_pack("{ss so ss sI sI}", "campaign", key, "name",
                                                 name_of(old), "what", "machines", "now",
                                                 share(row), "before", share(old)));
    }
    json_decref(by_key);
    return out;
}

/* Pages of the brand that are down now. */
static json_t *down_of(const struct report_options *options)
{
    json_t *answer = options->ask(options->owner, "/v1/targets"), *out = json_array(), *target;
    size_t i;

    json_array_foreach(json_object_get(answer, "targets"), i, target)
    {
        const char *brand = json_string_value(json_object_get(target, "brand"));
        const char *state = json_string_value(json_object_get(target, "state"));
        const char *way = json_string_value(json_object_get(target, "way"));
        json_t *why = json_object_get(target, "why");

        if (brand && strcmp(brand, options->brand) == 0 && state && strcmp(state, "down") == 0 &&
            way && strcmp(way, "direct") == 0)
            json_array_append_new(out,
                                  json_pack("{sO so}", "target", json_object_get(target, "target"),
                                            "why", why ? json_incref(why) : json_null()));
    }
    json_decref(answer);
    return out;
}

/* --- the report --- */

/* Whether all that happened in the period is counted: clicks, and the people behind them. */
static bool is_complete(const json_t *days, const struct report_period *period)
{
    static const char *const names[] = {"as_of", "clients_as_of"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = json_string_value(json_object_get(days, names[i]));
        int64_t at_s;

        if (!text || !rfc3339_parse(slice_of(text), &at_s) || at_s < period->end_s)
            return false;
    }
    return true;
}

/* Whether clients are of the hours of the period, and not of days of UTC that stand for them. */
static bool are_clients_by_hours(const json_t *days)
{
    const char *by = json_string_value(json_object_get(days, "clients_by"));

    return by && strcmp(by, "hours") == 0;
}

static json_t *dashboard_of(const struct report_options *options)
{
    const char *url = options->dashboard;
    size_t len = url ? strlen(url) : 0;

    if (!url)
        return json_null();
    if (len > 0 && url[len - 1] == '/')
        len--;
    return json_sprintf("%.*s/dashboard/?brand=%s&from=%s&to=%s", (int)len, url, options->brand,
                        options->period->first, options->period->last);
}

json_t *report_make(const struct report_options *options)
{
    const struct report_period *period = options->period;
    struct answers now = {0}, old = {0};
    struct report_period before;
    json_t *report = NULL, *as_of;

    report_period_before(period, options->zone, &before);
    if (!ask_all(options, period, &now) || !ask_all(options, &before, &old))
        goto out;
    as_of = json_object_get(now.days, "as_of");
    report = json_pack(
        "{ss ss ss ss ss s{ss ss} so sb ss so so so so so so}", "brand", options->brand, "every",
        report_every_name(period->every), "from", period->first, "to", period->last, "tz",
        options->tz, "before", "from", before.first, "to", before.last, "as_of",
        as_of ? json_incref(as_of) : json_null(), "is_complete", (int)is_complete(now.days, period),
        "clients_by",
        are_clients_by_hours(now.days) && are_clients_by_hours(old.days) ? "hours" : "days",
        "figures", figures_of(&now, &old), "amount", amounts_of(now.funnel, old.funnel),
        "campaigns", campaigns_of(&now), "unusual", unusual_of(now.campaigns, old.campaigns),
        "down", down_of(options), "dashboard", dashboard_of(options));
out:
    answers_clear(&now);
    answers_clear(&old);
    return report;
}
