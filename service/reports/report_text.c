#include "service/reports/report_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/currency.h"
#include "proto/html.h"
#include "proto/rfc3339.h"
#include "service/base/json_text.h"

enum {
    NUMBER_MAX = 40,
    DATE_MAX = 32,
    CELL_MAX = 64,
    COLUMNS_MAX = 6,
    NAME_SHOWN = 40, /* characters of a campaign's name in the columns of plain text */
};

/* What a report says, in one language.  Why a page is down is told in English: other languages
 * have no `down_why`. */
struct words {
    const char *title; /* brand, period */
    const char *months[12];
    const char *none, *one, *many;
    const char *more, *less, *same, *new;
    const char *machines, *one_machine, *no_machines;
    const char *stopped, *stopped_one, *taken_over, *down, *down_why, *calm;
    const char *incomplete;
    const char *people, *automated, *clients, *sent, *clicked, *paid, *amount;
    const char *figure, *now, *change, *none_before, *unchanged;
    const char *campaign, *rate, *people_short;
    const char *best_rate, *best_people, *figures, *unusual;
    const char *link, *footer, *by_days;
    char thousands, point;
    const char *percent;
};

static const struct words english = {
    .title = "%s: clicks of %s",
    .months = {"January", "February", "March", "April", "May", "June", "July", "August",
               "September", "October", "November", "December"},
    .none = "People clicked no link.",
    .one = "People clicked one link%s.",
    .many = "People clicked %s times%s.",
    .more = ", %s%s more than in the %s before",
    .less = ", %s%s less than in the %s before",
    .same = ", as often as in the %s before",
    .new = ", after none in the %s before",
    .machines = "Another %s clicks came from machines, such as mail gateways.",
    .one_machine = "One more click came from a machine, such as a mail gateway.",
    .no_machines = "No click came from a machine.",
    .stopped =
        "%s: people have stopped clicking: %s clicks, %s in the %s before. Do its links still "
        "lead to their pages?",
    .stopped_one =
        "%s: people have stopped clicking: %s click, %s in the %s before. Do its links still "
        "lead to their pages?",
    .taken_over = "%s: %s of the clicks came from machines, in the %s before it was %s. A mail "
                  "gateway may be opening its links now.",
    .down = "The page %s is down.",
    .down_why = "The page %s is down: %s.",
    .calm = "Nothing unusual.",
    .incomplete = "Some clicks of these days are not counted yet: the figures may still grow.",
    .people = "Clicks by people",
    .automated = "Clicks by machines",
    .clients = "Clients who clicked",
    .sent = "Mails sent",
    .clicked = "Invoices clicked",
    .paid = "Invoices paid",
    .amount = "Paid after a click, %s",
    .figure = "Figure",
    .now = "Number",
    .change = "Change",
    .none_before = "none before",
    .unchanged = "unchanged",
    .campaign = "Campaign",
    .rate = "Clicked per mail",
    .people_short = "Clicks by people",
    .best_rate = "Campaigns whose mails were clicked most",
    .best_people = "Campaigns with the most clicks",
    .figures = "Figures",
    .unusual = "Worth a look",
    .link = "Open on the dashboard",
    .footer = "Days are those of the time zone %s. Clients are counted %swithin 1%%. "
              "Mails, invoices clicked and invoices paid are those of the mails of these days, as "
              "they stood when this report was made.",
    .by_days = "by days of UTC, ",
    .thousands = ',',
    .point = '.',
    .percent = "%",
};

static const struct words german = {
    .title = "%s: Klicks, %s",
    .months = {"Januar", "Februar", "M\xc3\xa4rz", "April", "Mai", "Juni", "Juli", "August",
               "September", "Oktober", "November", "Dezember"},
    .none = "Personen haben keinen Link angeklickt.",
    .one = "Personen haben einen Link angeklickt%s.",
    .many = "Personen haben %s-mal geklickt%s.",
    .more = ", %s%s mehr als %s davor",
    .less = ", %s%s weniger als %s davor",
    .same = ", so oft wie %s davor",
    .new = ", %s davor gar nicht",
    .machines = "Weitere %s Klicks stammen von Maschinen, zum Beispiel Mail-Gateways.",
    .one_machine = "Ein weiterer Klick stammt von einer Maschine, zum Beispiel einem Mail-Gateway.",
    .no_machines = "Kein Klick stammt von einer Maschine.",
    .stopped =
        "%s: Personen klicken nicht mehr: %s Klicks, %s %s davor. F\xc3\xbchren die Links noch "
        "auf ihre Seiten?",
    .stopped_one =
        "%s: Personen klicken nicht mehr: %s Klick, %s %s davor. F\xc3\xbchren die Links noch "
        "auf ihre Seiten?",
    .taken_over = "%s: %s der Klicks stammen von Maschinen, %s davor waren es %s. Vielleicht "
                  "\xc3\xb6"
                  "ffnet jetzt ein Mail-Gateway die Links.",
    .down = "Die Seite %s ist gest\xc3\xb6rt. Den Grund nennt die Seite Ziele im Dashboard.",
    .calm = "Nichts Auff\xc3\xa4lliges.",
    .incomplete =
        "Einige Klicks dieser Tage sind noch nicht gez\xc3\xa4hlt: Die Zahlen k\xc3\xb6nnen "
        "noch steigen.",
    .people = "Klicks von Personen",
    .automated = "Klicks von Maschinen",
    .clients = "Kunden, die geklickt haben",
    .sent = "Versendete Mails",
    .clicked = "Angeklickte Rechnungen",
    .paid = "Bezahlte Rechnungen",
    .amount = "Nach einem Klick bezahlt, %s",
    .figure = "Kennzahl",
    .now = "Anzahl",
    .change = "\xc3\x84nderung",
    .none_before = "davor keine",
    .unchanged = "unver\xc3\xa4ndert",
    .campaign = "Kampagne",
    .rate = "Angeklickt je Mail",
    .people_short = "Klicks von Personen",
    .best_rate = "Kampagnen, deren Mails am h\xc3\xa4ufigsten angeklickt wurden",
    .best_people = "Kampagnen mit den meisten Klicks",
    .figures = "Kennzahlen",
    .unusual = "Auff\xc3\xa4llig",
    .link = "Im Dashboard \xc3\xb6"
            "ffnen",
    .footer = "Tage sind die der Zeitzone %s. Kunden sind %sauf 1 %% genau gez\xc3\xa4hlt. "
              "Versendete Mails, angeklickte und bezahlte Rechnungen geh\xc3\xb6ren zu den Mails "
              "dieser Tage, Stand bei Erstellung dieses Berichts.",
    .by_days = "nach UTC-Tagen ",
    .thousands = '.',
    .point = ',',
    .percent = "\xc2\xa0%",
};

/* A week in "in the %s before". */
static const char *span_of(const struct words *w, bool is_week)
{
    if (w == &german)
        return is_week ? "in der Woche" : "im Monat";
    return is_week ? "week" : "month";
}

/* --- numbers and dates --- */

/* Puts the separator between thousands; a fraction behind w->point is left as it is. */
static void group(const struct words *w, const char *digits, char out[static NUMBER_MAX])
{
    size_t len = digits[0] == '-' ? 1 : 0, at = 0, whole;

    whole = len + strspn(digits + len, "0123456789");
    for (size_t i = 0; digits[i] && at + 2 < NUMBER_MAX; i++) {
        if (i > len && i < whole && (whole - i) % 3 == 0)
            out[at++] = w->thousands;
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

static const char *count(const struct words *w, json_int_t n, char out[static NUMBER_MAX])
{
    char digits[NUMBER_MAX];

    snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, n);
    group(w, digits, out);
    return out;
}

/* 123 per mille as "12.3%". */
static const char *per_mille(const struct words *w, json_int_t n, char out[static NUMBER_MAX])
{
    snprintf(out, NUMBER_MAX, "%" JSON_INTEGER_FORMAT "%c%" JSON_INTEGER_FORMAT "%s", n / 10,
             w->point, n % 10, w->percent);
    return out;
}

/* By how many percent `now` differs from `before`, which is not 0. */
static json_int_t difference(json_int_t now, json_int_t before)
{
    double percent = ((double)now - (double)before) * 100 / (double)before;

    return (json_int_t)(percent < 0 ? percent - 0.5 : percent + 0.5);
}

static const char *change(const struct words *w, const json_t *figure, char out[static CELL_MAX])
{
    json_int_t now = json_integer_value(json_object_get(figure, "now"));
    json_int_t before = json_integer_value(json_object_get(figure, "before")), percent;
    char digits[NUMBER_MAX];

    if (!json_is_integer(json_object_get(figure, "before")))
        snprintf(out, CELL_MAX, "\xe2\x80\x93"); /* – */
    else if (now == before)
        snprintf(out, CELL_MAX, "%s", w->unchanged);
    else if (before == 0)
        snprintf(out, CELL_MAX, "%s", w->none_before);
    else {
        percent = difference(now, before);
        snprintf(out, CELL_MAX, "%s%s%s", percent < 0 ? "\xe2\x88\x92" : "+", /* − */
                 count(w, percent < 0 ? -percent : percent, digits), w->percent);
    }
    return out;
}

static const char *written_date(const struct words *w, const char *date, char out[static DATE_MAX])
{
    struct civil civil = {.month = 1};

    if (!rfc3339_parse_date(slice_of(date), &civil))
        snprintf(out, DATE_MAX, "%.12s", date);
    else if (w == &german)
        snprintf(out, DATE_MAX, "%u.%u.%d", civil.day, civil.month, civil.year);
    else
        snprintf(out, DATE_MAX, "%u %.12s %d", civil.day, w->months[civil.month - 1], civil.year);
    return out;
}

/* --- what is said, before it gets a form --- */

/* {title, lead: [sentence], figures: [[cell]], campaigns: [[cell]], campaigns_title, unusual:
 * [sentence], footer}; the first row of a table is its head. */
struct draft {
    const json_t *report;
    const struct words *w;
    bool is_week;
    json_t *said;
};

PRINTF_LIKE(2, 3)
static void say(json_t *list, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    json_array_append_new(list, json_vsprintf(format, args));
    va_end(args);
}

static json_t *title_of(const struct draft *d)
{
    char first[DATE_MAX], last[DATE_MAX], period[3 * DATE_MAX];
    struct civil civil;

    if (!d->is_week && rfc3339_parse_date(slice_of(json_get_text(d->report, "from")), &civil))
        snprintf(period, sizeof(period), "%s %d", d->w->months[civil.month - 1], civil.year);
    else
        snprintf(period, sizeof(period), "%s \xe2\x80\x93 %s",
                 written_date(d->w, json_get_text(d->report, "from"), first),
                 written_date(d->w, json_get_text(d->report, "to"), last));
    return json_sprintf(d->w->title, json_get_text(d->report, "brand"), period);
}

static void say_people(const struct draft *d, json_t *lead)
{
    const json_t *people = json_object_get(json_object_get(d->report, "figures"), "people");
    json_int_t now = json_integer_value(json_object_get(people, "now"));
    json_int_t before = json_integer_value(json_object_get(people, "before")), percent;
    const char *span = span_of(d->w, d->is_week);
    char than[4 * CELL_MAX], digits[NUMBER_MAX];

    if (now == before)
        snprintf(than, sizeof(than), d->w->same, span);
    else if (before == 0)
        snprintf(than, sizeof(than), d->w->new, span);
    else {
        percent = difference(now, before);
        snprintf(than, sizeof(than), now > before ? d->w->more : d->w->less,
                 count(d->w, percent < 0 ? -percent : percent, digits), d->w->percent, span);
    }
    if (now == 0)
        say(lead, "%s", d->w->none);
    else if (now == 1)
        say(lead, d->w->one, than);
    else
        say(lead, d->w->many, count(d->w, now, digits), than);
}

static json_t *lead_of(const struct draft *d)
{
    const json_t *machines = json_object_get(json_object_get(d->report, "figures"), "machines");
    json_int_t n = json_integer_value(json_object_get(machines, "now"));
    json_t *lead = json_array();
    char digits[NUMBER_MAX];

    say_people(d, lead);
    if (n == 1)
        say(lead, "%s", d->w->one_machine);
    else if (n > 0)
        say(lead, d->w->machines, count(d->w, n, digits));
    else
        say(lead, "%s", d->w->no_machines);
    if (!json_is_true(json_object_get(d->report, "is_complete")))
        say(lead, "%s", d->w->incomplete);
    return lead;
}

/* "Name (12)", or "Campaign 12". */
static const char *campaign_name(const struct words *w, const json_t *campaign, char *out,
                                 size_t max)
{
    const char *name = json_string_value(json_object_get(campaign, "name"));

    if (name)
        snprintf(out, max, "%s (%s)", name, json_get_text(campaign, "campaign"));
    else
        snprintf(out, max, "%s %s", w->campaign, json_get_text(campaign, "campaign"));
    return out;
}

static json_t *unusual_of(const struct draft *d)
{
    const char *span = span_of(d->w, d->is_week);
    json_t *list = json_array(), *each;
    char name[512], now[NUMBER_MAX], before[NUMBER_MAX];
    size_t i;

    json_array_foreach(json_object_get(d->report, "unusual"), i, each)
    {
        json_int_t is = json_integer_value(json_object_get(each, "now"));
        json_int_t was = json_integer_value(json_object_get(each, "before"));

        campaign_name(d->w, each, name, sizeof(name));
        if (strcmp(json_get_text(each, "what"), "stopped") == 0)
            say(list, is == 1 ? d->w->stopped_one : d->w->stopped, name, count(d->w, is, now),
                count(d->w, was, before), span);
        else
            say(list, d->w->taken_over, name, per_mille(d->w, is, now), span,
                per_mille(d->w, was, before));
    }
    json_array_foreach(json_object_get(d->report, "down"), i, each)
    {
        const char *target = json_get_text(each, "target"), *why = json_get_text(each, "why");

        if (d->w->down_why && *why)
            say(list, d->w->down_why, target, why);
        else
            say(list, d->w->down, target);
    }
    if (json_array_size(list) == 0)
        say(list, "%s", d->w->calm);
    return list;
}

static json_t *figures_of(const struct draft *d)
{
    const struct words *w = d->w;
    const struct {
        const char *name, *label;
        bool of_mails; /* left out where no mail was ever told */
    } rows[] = {
        {"people", w->people, false},   {"machines", w->automated, false},
        {"clients", w->clients, false}, {"sent", w->sent, true},
        {"clicked", w->clicked, true},  {"paid", w->paid, true},
    };
    const json_t *figures = json_object_get(d->report, "figures");
    json_t *table = json_array(), *amount;
    char digits[NUMBER_MAX], cell[CELL_MAX], label[2 * CELL_MAX];
    size_t i;

    json_array_append_new(table, json_pack("[sss]", w->figure, w->now, w->change));
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *figure = json_object_get(figures, rows[i].name);
        const json_t *now = json_object_get(figure, "now");

        if (!json_is_integer(now) || (rows[i].of_mails && json_integer_value(now) == 0 &&
                                      json_integer_value(json_object_get(figure, "before")) == 0))
            continue;
        json_array_append_new(table, json_pack("[sss]", rows[i].label,
                                               count(w, json_integer_value(now), digits),
                                               change(w, figure, cell)));
    }
    json_array_foreach(json_object_get(d->report, "amount"), i, amount)
    {
        const char *currency = json_get_text(amount, "currency");
        char plain[CURRENCY_AMOUNT_MAX];

        if (strlen(currency) != 3)
            continue;
        currency_write(json_integer_value(json_object_get(amount, "now")), currency, w->point,
                       plain);
        group(w, plain, digits);
        snprintf(label, sizeof(label), w->amount, currency);
        json_array_append_new(table, json_pack("[sss]", label, digits, change(w, amount, cell)));
    }
    return table;
}

static json_t *campaigns_of(const struct draft *d, bool with_rates)
{
    const struct words *w = d->w;
    json_t *table = json_array(), *each;
    char name[512], rate[NUMBER_MAX], cells[4][NUMBER_MAX];
    size_t i;

    if (with_rates)
        json_array_append_new(table, json_pack("[ssssss]", w->campaign, w->rate, w->sent,
                                               w->clicked, w->paid, w->people_short));
    else
        json_array_append_new(table, json_pack("[ss]", w->campaign, w->people_short));
    json_array_foreach(json_object_get(d->report, "campaigns"), i, each)
    {
        json_int_t sent = json_integer_value(json_object_get(each, "sent"));
        json_int_t clicked = json_integer_value(json_object_get(each, "clicked"));

        campaign_name(w, each, name, sizeof(name));
        count(w, json_integer_value(json_object_get(each, "people")), cells[3]);
        if (!with_rates) {
            json_array_append_new(table, json_pack("[ss]", name, cells[3]));
            continue;
        }
        count(w, sent, cells[0]);
        count(w, clicked, cells[1]);
        count(w, json_integer_value(json_object_get(each, "paid")), cells[2]);
        json_array_append_new(
            table, json_pack("[ssssss]", name,
                             sent > 0 ? per_mille(w, (clicked * 1000 + sent / 2) / sent, rate)
                                      : "\xe2\x80\x93",
                             cells[0], cells[1], cells[2], cells[3]));
    }
    return table;
}

static bool draft_init(struct draft *d, const json_t *report, enum report_language language)
{
    const json_t *first = json_array_get(json_object_get(report, "campaigns"), 0);
    bool with_rates = json_integer_value(json_object_get(first, "sent")) > 0;
    bool is_by_days = strcmp(json_get_text(report, "clients_by"), "days") == 0;

    d->report = report;
    d->w = language == REPORT_GERMAN ? &german : &english;
    d->is_week = strcmp(json_get_text(report, "every"), "week") == 0;
    d->said = json_pack(
        "{so so so so ss so so}", "title", title_of(d), "lead", lead_of(d), "figures",
        figures_of(d), "campaigns", campaigns_of(d, with_rates), "campaigns_title",
        with_rates ? d->w->best_rate : d->w->best_people, "unusual", unusual_of(d), "footer",
        json_sprintf(d->w->footer, json_get_text(report, "tz"), is_by_days ? d->w->by_days : ""));
    return d->said != NULL;
}

static json_t *part(const struct draft *d, const char *name)
{
    return json_object_get(d->said, name);
}

/* Without its head a table of campaigns has no row: there were none. */
static bool has_campaigns(const struct draft *d)
{
    return json_array_size(part(d, "campaigns")) > 1;
}

/* --- plain text --- */

/* Code points; as many columns of a terminal, for what is written in the tables. */
static size_t width(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* The bytes of the first `max` code points. */
static size_t bytes_of(const char *text, size_t max)
{
    size_t at = 0;

    while (text[at]) {
        if (((unsigned char)text[at] & 0xc0) != 0x80 && max-- == 0)
            break;
        at++;
    }
    return at;
}

static void write_plain_table(FILE *out, const json_t *table)
{
    size_t widths[COLUMNS_MAX] = {0}, i, k;
    json_t *row, *cell;

    json_array_foreach(table, i, row)
    {
        json_array_foreach(row, k, cell)
        {
            size_t n = width(json_string_value(cell));

            n = k == 0 && n > NAME_SHOWN ? NAME_SHOWN : n;
            if (k < COLUMNS_MAX && n > widths[k])
                widths[k] = n;
        }
    }
    json_array_foreach(table, i, row)
    {
        json_array_foreach(row, k, cell)
        {
            const char *text = json_string_value(cell);
            size_t len = bytes_of(text, widths[k]), gap = widths[k] - width(text);

            if (width(text) > widths[k])
                gap = 0;
            if (k == 0)
                fprintf(out, "  %.*s%*s", (int)len, text, (int)gap, "");
            else
                fprintf(out, "  %*s%.*s", (int)gap, "", (int)len, text);
        }
        fputc('\n', out);
    }
}

static void write_plain(const struct draft *d, FILE *out)
{
    const char *link = json_get_text(d->report, "dashboard");
    json_t *sentence;
    size_t i;

    fprintf(out, "%s\n\n", json_get_text(d->said, "title"));
    json_array_foreach(part(d, "lead"), i, sentence)
        fprintf(out, "%s\n", json_string_value(sentence));
    fprintf(out, "\n%s\n", d->w->unusual);
    json_array_foreach(part(d, "unusual"), i, sentence)
        fprintf(out, "  %s\n", json_string_value(sentence));
    fprintf(out, "\n%s\n", d->w->figures);
    write_plain_table(out, part(d, "figures"));
    if (has_campaigns(d)) {
        fprintf(out, "\n%s\n", json_get_text(d->said, "campaigns_title"));
        write_plain_table(out, part(d, "campaigns"));
    }
    if (*link)
        fprintf(out, "\n%s: %s\n", d->w->link, link);
    fprintf(out, "\n%s\n", json_get_text(d->said, "footer"));
}

/* --- HTML --- */

static void put(FILE *out, const char *text)
{
    struct slice plain = slice_of(text);
    size_t len = html_escaped_len(plain);
    char *escaped = malloc(len ? len : 1);

    if (!escaped)
        return;
    html_escape(plain, escaped);
    fwrite(escaped, 1, len, out);
    free(escaped);
}

/* Mail programs know styles of elements, and few of them a style sheet. */
#define CELL_STYLE "padding:6px 12px 6px 0;border-bottom:1px solid #d4d4d8;"

static void write_html_table(FILE *out, const json_t *table)
{
    json_t *row, *cell;
    size_t i, k;

    fputs("<table style=\"border-collapse:collapse;width:100%;font-size:14px\">\n", out);
    json_array_foreach(table, i, row)
    {
        fputs("<tr style=\"page-break-inside:avoid\">", out);
        json_array_foreach(row, k, cell)
        {
            const char *tag = i == 0 || k == 0 ? "th" : "td";

            fprintf(out, "<%s%s style=\"" CELL_STYLE "text-align:%s;font-weight:%s%s\">", tag,
                    i == 0   ? " scope=\"col\""
                    : k == 0 ? " scope=\"row\""
                             : "",
                    k == 0 ? "left" : "right", i == 0 ? "600" : "400",
                    k == 0 && i > 0 ? ";overflow-wrap:anywhere" : "");
            put(out, json_string_value(cell));
            fprintf(out, "</%s>", tag);
        }
        fputs("</tr>\n", out);
    }
    fputs("</table>\n", out);
}

static void write_heading(FILE *out, const char *text)
{
    fputs("<h2 style=\"font-size:16px;margin:28px 0 8px;page-break-after:avoid\">", out);
    put(out, text);
    fputs("</h2>\n", out);
}

static void write_html(const struct draft *d, FILE *out)
{
    const char *link = json_get_text(d->report, "dashboard");
    json_t *sentence;
    size_t i;

    fprintf(out, "<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"><title>",
            d->w == &german ? "de" : "en");
    put(out, json_get_text(d->said, "title"));
    fputs("</title><meta name=\"viewport\" content=\"width=device-width\">"
          "<meta name=\"color-scheme\" content=\"light\">"
          "<style>@page{size:A4;margin:18mm}</style></head>\n"
          "<body style=\"margin:0 auto;padding:24px;max-width:680px;background:#fff;color:#18181b;"
          "font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif\">\n"
          "<h1 style=\"font-size:22px;line-height:1.3;margin:0 0 12px\">",
          out);
    put(out, json_get_text(d->said, "title"));
    fputs("</h1>\n<p style=\"margin:0 0 8px\">", out);
    json_array_foreach(part(d, "lead"), i, sentence)
    {
        put(out, json_string_value(sentence));
        fputc(' ', out);
    }
    fputs("</p>\n", out);
    write_heading(out, d->w->unusual);
    fputs("<ul style=\"margin:0;padding-left:20px\">", out);
    json_array_foreach(part(d, "unusual"), i, sentence)
    {
        fputs("<li>", out);
        put(out, json_string_value(sentence));
        fputs("</li>", out);
    }
    fputs("</ul>\n", out);
    write_heading(out, d->w->figures);
    write_html_table(out, part(d, "figures"));
    if (has_campaigns(d)) {
        write_heading(out, json_get_text(d->said, "campaigns_title"));
        write_html_table(out, part(d, "campaigns"));
    }
    if (*link) {
        fputs("<p style=\"margin:28px 0\"><a style=\"color:#1d4ed8\" href=\"", out);
        put(out, link);
        fputs("\">", out);
        put(out, d->w->link);
        fputs("</a></p>\n", out);
    }
    fputs("<p style=\"font-size:13px;color:#52525b\">", out);
    put(out, json_get_text(d->said, "footer"));
    fputs("</p>\n</body></html>\n", out);
}

/* --- chats --- */

/* A table as lines "Figure: 12 (+3%)" or "Campaign: 12 · 3 · 4". */
static char *lines_of(const json_t *table, bool is_campaigns)
{
    const json_t *head = json_array_get(table, 0);
    char *text = NULL;
    size_t len, i, k;
    FILE *out = open_memstream(&text, &len);
    json_t *row, *cell;

    if (!out)
        return NULL;
    json_array_foreach(table, i, row)
    {
        if (i == 0)
            continue;
        json_array_foreach(row, k, cell)
        {
            const char *value = json_string_value(cell);

            if (k == 0)
                fprintf(out, "%s%s: ", i > 1 ? "\n" : "", value);
            else if (is_campaigns)
                fprintf(out, "%s%s %s", k > 1 ? ", " : "",
                        json_string_value(json_array_get(head, k)), value);
            else
                fprintf(out, k == 1 ? "%s" : " (%s)", value);
        }
    }
    return fclose(out) == 0 ? text : NULL;
}

static char *sentences_of(const json_t *list)
{
    char *text = NULL;
    size_t len, i;
    FILE *out = open_memstream(&text, &len);
    json_t *sentence;

    if (!out)
        return NULL;
    json_array_foreach(list, i, sentence)
        fprintf(out, "%s%s", i > 0 ? "\n" : "", json_string_value(sentence));
    return fclose(out) == 0 ? text : NULL;
}

/* The parts of a message below its title: a heading, or NULL, and lines. */
struct chat_part {
    const char *heading;
    char *text;
};

enum { CHAT_PARTS = 4, SLACK_TEXT_MAX = 3000, SLACK_TITLE_MAX = 150 };

static void chat_parts(const struct draft *d, struct chat_part out[static CHAT_PARTS])
{
    out[0] = (struct chat_part){NULL, sentences_of(part(d, "lead"))};
    out[1] = (struct chat_part){d->w->unusual, sentences_of(part(d, "unusual"))};
    out[2] = (struct chat_part){d->w->figures, lines_of(part(d, "figures"), false)};
    out[3] = (struct chat_part){has_campaigns(d) ? json_get_text(d->said, "campaigns_title") : NULL,
                                has_campaigns(d) ? lines_of(part(d, "campaigns"), true) : NULL};
}

/* Plain text, in which neither a name's markup nor its @channel means anything to Slack. */
static json_t *slack_text(const char *type, const char *heading, const char *text, size_t max)
{
    char *whole = NULL;
    json_t *block;

    if (asprintf(&whole, "%s%s%s", heading ? heading : "", heading ? "\n" : "", text) < 0)
        return NULL;
    block = json_pack("{ss s{ss ss% sb}}", "type", type, "text", "type", "plain_text", "text",
                      whole, bytes_of(whole, max), "emoji", 0);
    free(whole);
    return block;
}

static json_t *slack_of(const struct draft *d)
{
    const char *title = json_get_text(d->said, "title"),
               *link = json_get_text(d->report, "dashboard");
    struct chat_part parts[CHAT_PARTS];
    json_t *blocks = json_array();

    chat_parts(d, parts);
    json_array_append_new(blocks, slack_text("header", NULL, title, SLACK_TITLE_MAX));
    for (size_t i = 0; i < CHAT_PARTS; i++) {
        if (parts[i].text)
            json_array_append_new(
                blocks, slack_text("section", parts[i].heading, parts[i].text, SLACK_TEXT_MAX));
        free(parts[i].text);
    }
    if (*link)
        json_array_append_new(blocks, json_pack("{ss s{ss so}}", "type", "section", "text", "type",
                                                "mrkdwn", "text",
                                                json_sprintf("<%s|%s>", link, d->w->link)));
    return json_pack("{ss so}", "text", title, "blocks", blocks);
}

/* A RichTextBlock, whose runs know no Markdown. */
static json_t *teams_text(const char *text, bool is_heading)
{
    return json_pack("{ss so}", "type", "RichTextBlock", "inlines",
                     json_pack("[{ss ss ss ss}]", "type", "TextRun", "text", text, "weight",
                               is_heading ? "bolder" : "default", "size",
                               is_heading ? "medium" : "default"));
}

static json_t *teams_of(const struct draft *d)
{
    const char *link = json_get_text(d->report, "dashboard");
    struct chat_part parts[CHAT_PARTS];
    json_t *body = json_array(), *card;

    chat_parts(d, parts);
    json_array_append_new(body, teams_text(json_get_text(d->said, "title"), true));
    for (size_t i = 0; i < CHAT_PARTS; i++) {
        if (parts[i].heading)
            json_array_append_new(body, teams_text(parts[i].heading, true));
        if (parts[i].text)
            json_array_append_new(body, teams_text(parts[i].text, false));
        free(parts[i].text);
    }
    card = json_pack("{ss ss ss so s{ss}}", "$schema",
                     "http://adaptivecards.io/schemas/adaptive-card.json", "type", "AdaptiveCard",
                     "version", "1.4", "body", body, "msteams", "width", "Full");
    if (*link)
        json_object_set_new(
            card, "actions",
            json_pack("[{ss ss ss}]", "type", "Action.OpenUrl", "title", d->w->link, "url", link));
    return json_pack("{ss s[{ss so so}]}", "type", "message", "attachments", "contentType",
                     "application/vnd.microsoft.card.adaptive", "contentUrl", json_null(),
                     "content", card);
}

static char *dump(json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

char *report_write(const json_t *report, enum report_language language, enum report_form form)
{
    struct draft draft;
    char *text = NULL;
    size_t len;
    FILE *out;

    if (!draft_init(&draft, report, language))
        return NULL;
    switch (form) {
    case REPORT_TITLE:
        text = strdup(json_get_text(draft.said, "title"));
        break;
    case REPORT_SLACK:
        text = dump(slack_of(&draft));
        break;
    case REPORT_TEAMS:
        text = dump(teams_of(&draft));
        break;
    case REPORT_PLAIN:
    case REPORT_HTML:
        if (!(out = open_memstream(&text, &len)))
            break;
        if (form == REPORT_PLAIN)
            write_plain(&draft, out);
        else
            write_html(&draft, out);
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
        break;
    }
    json_decref(draft.said);
    return text;
}
