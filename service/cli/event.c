/* event: tells the service what became of invoices and clients, one event or a table of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "service/base/error.h"
#include "service/cli/api.h"
#include "service/cli/command.h"
#include "service/cli/rows.h"
#include "service/config/eventform.h"

enum {
    REQUEST_EVENTS = 1000,             /* what the API takes at once, and … */
    REQUEST_BYTES = 512 << 10,         /* … of values, which JSON makes up to six times as long */
    ID_BYTES = 16,                     /* of an id that is made here */
    OUT_LINE_MAX = 2 * (1 << 10) + 64, /* of the output: the line, an id, the outcome and why */
    OUT_TEXT_MAX = 400,                /* of the id and of why, in it */
};

/* The first ones are fields of an event. */
enum {
    EVENT_TYPE,
    EVENT_OBJECT,
    EVENT_CLIENT,
    EVENT_BRAND,
    EVENT_AT,
    EVENT_ID,
    EVENT_BY,
    EVENT_AMOUNT,
    EVENT_CURRENCY,
    EVENT_N,
    EVENT_CAMPAIGN,
    EVENT_VARIANT,
    EVENT_CHANNEL,
    EVENT_VALUES,
    EVENT_BATCH = EVENT_VALUES,
    EVENT_URL,
    EVENT_KEY_FILE,
    EVENT_KEY,
    EVENT_CONFIG,
};

#define TYPES                                                            \
    "invoice.paid invoice.partly_paid invoice.unpaid invoice.cancelled " \
    "invoice.refunded invoice.credited invoice.replaced mail.sent "      \
    "client.opted_out client.opted_in"

static const struct cli_option options[] = {
    [EVENT_TYPE] = {"type", "TYPE", "with --batch: the type of rows that name none", TYPES, 0},
    [EVENT_OBJECT] = {"object", "N", "number of the invoice", NULL, 0},
    [EVENT_CLIENT] = {"client", "N", "number of the client", NULL, 0},
    [EVENT_BRAND] = {"brand", "NAME", "needed when there are several", CLI_BRANDS, 0},
    [EVENT_AT] = {"at", "TIME", "when it happened, 2026-11-22T12:00:00Z (now)", NULL, 0},
    [EVENT_ID] = {"id", "TEXT", "names the event: told twice it counts once (a new one)", NULL, 0},
    [EVENT_BY] = {"by", "N", "of invoice.replaced: number of the new invoice", NULL, 0},
    [EVENT_AMOUNT] = {"amount", "N", "in cents, or the currency's smallest unit", NULL, 0},
    [EVENT_CURRENCY] = {"currency", "CODE", "of the amount: EUR …", NULL, 0},
    [EVENT_N] = {"n", "N", "mails sent; of client events: version of the text agreed to", NULL, 0},
    [EVENT_CAMPAIGN] = {"campaign", "N", "of mail.sent: its campaign", NULL, 0},
    [EVENT_VARIANT] = {"variant", "A…G", "of mail.sent: its variant", "A B C D E F G none", 0},
    [EVENT_CHANNEL] = {"channel", "NAME", "of mail.sent: what was sent (mail)",
                       "unknown mail sms pdf qr portal chat other", 0},
    [EVENT_BATCH] = {"batch", NULL, "a table on the input, an event per row", NULL, 0},
    [EVENT_URL] = API_URL_OPTION,
    [EVENT_KEY_FILE] = API_KEY_FILE_OPTION,
    [EVENT_KEY] = API_KEY_OPTION,
    [EVENT_CONFIG] = API_CONFIG_OPTION,
};

static const char *option_value(const struct cli_args *args, int option)
{
    if (option == EVENT_TYPE && args->n_words == 1)
        return args->words[0];
    return args->value[option];
}

static struct api_request make_request(const char *body)
{
    return (struct api_request){.method = "POST",
                                .path = "/v1/events",
                                .body = body,
                                .purpose = "tell events",
                                .scope = "events:write"};
}

/* --- one --- */

static json_t *event_json(const struct cli_args *args)
{
    unsigned char random[ID_BYTES];
    char id[sizeof("cli-") + 2 * ID_BYTES] = "cli-";
    json_t *event = json_object();

    for (int i = 0; i < EVENT_VALUES; i++) {
        const char *value = option_value(args, i);

        if (value)
            json_object_set_new(event, options[i].name, json_string(value));
    }
    if (!args->value[EVENT_ID]) {
        randombytes_buf(random, sizeof(random));
        sodium_bin2hex(id + strlen(id), 2 * ID_BYTES + 1, random, sizeof(random));
        json_object_set_new(event, "id", json_string(id));
    }
    return event;
}

static int tell_one(const struct api *api, const struct cli_args *args)
{
    json_t *event = event_json(args), *answer;
    char *body = json_dumps(event, JSON_COMPACT);
    struct api_request request = make_request(body);

    json_decref(event);
    if (!body)
        return cli_fail("a value is not UTF-8");
    answer = api_ask_json(api, &request);
    free(body);
    if (!answer)
        return CLI_FAILED;
    printf("%s %s\n", api_text(answer, "outcome", ""), api_text(answer, "id", ""));
    json_decref(answer);
    return CLI_OK;
}

/* --- a table --- */

struct telling {
    const struct api *api;
    const struct cli_args *args;
    json_t *events; /* of the next request */
    size_t n_bytes; /* of their values */
    uint64_t lines[REQUEST_EVENTS];
    uint64_t n_accepted, n_duplicate, n_refused;
};

/* A value of a row of the output, and the separator before it. */
static size_t put_value(char *out, const char *text)
{
    size_t len = strnlen(text, OUT_TEXT_MAX);

    out[0] = ',';
    return 1 + csv_write(slice_make(text, len), out + 1);
}

static void print_outcome(struct telling *t, uint64_t line, const json_t *answer)
{
    const char *outcome = api_text(answer, "outcome", ""), *why = api_text(answer, "why", "");
    char out[OUT_LINE_MAX];
    size_t len = (size_t)snprintf(out, sizeof(out), "%" PRIu64, line);

    len += put_value(out + len, api_text(answer, "id", ""));
    len += put_value(out + len, outcome);
    len += put_value(out + len, why);
    out[len++] = '\n';
    fwrite(out, 1, len, stdout);
    t->n_accepted += strcmp(outcome, "accepted") == 0;
    t->n_duplicate += strcmp(outcome, "duplicate") == 0;
    if (strcmp(outcome, "refused") == 0) {
        t->n_refused++;
        rows_print_fault(line, why);
    }
}

/* Sends what is there. */
static bool send_events(struct telling *t, struct error *err)
{
    size_t n = json_array_size(t->events);
    char *body = n > 0 ? json_dumps(t->events, JSON_COMPACT) : NULL;
    const struct api_request request = make_request(body);
    json_t *answers;

    if (n == 0)
        return true;
    answers = body ? api_ask_json(t->api, &request) : NULL;
    free(body);
    if (!answers || json_array_size(answers) != n) {
        json_decref(answers);
        error_set(err,
                  "what lines %" PRIu64 " to %" PRIu64 " became is not known, and nothing behind "
                  "them was sent; send the table again: an event that was accepted counts once",
                  t->lines[0], t->lines[n - 1]);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        print_outcome(t, t->lines[i], json_array_get(answers, i));
    json_decref(answers);
    json_array_clear(t->events);
    t->n_bytes = 0;
    return true;
}

static const char *field_name(int field)
{
    return eventform_field_name((enum event_field)field);
}

static bool is_option(int field)
{
    for (int i = 0; i < EVENT_VALUES && field != EVENT_FIELD_ID; i++) {
        if (strcmp(options[i].name, field_name(field)) == 0)
            return true;
    }
    return false;
}

static enum rows_then on_row(void *owner, const struct rows_row *row, struct error *err)
{
    struct telling *t = owner;
    json_t *event = json_object();

    /* What the options say holds where the row is empty. */
    for (int i = 0; i < EVENT_VALUES; i++) {
        const char *value = option_value(t->args, i);

        if (value)
            json_object_set_new(event, options[i].name, json_string(value));
    }
    for (unsigned i = 0; i < row->n_columns; i++) {
        struct slice value = row->column[i] < EVENT_FIELDS ? rows_value(row, i) : (struct slice){0};

        if (value.len == 0)
            continue;
        if (json_object_set_new(event, field_name(row->column[i]),
                                json_stringn(value.ptr, value.len)) != 0) {
            error_set(err, "%s: is not UTF-8", field_name(row->column[i]));
            json_decref(event);
            return ROWS_BAD;
        }
        t->n_bytes += value.len;
    }
    t->lines[json_array_size(t->events)] = row->line;
    json_array_append_new(t->events, event);
    if (json_array_size(t->events) < REQUEST_EVENTS && t->n_bytes < REQUEST_BYTES)
        return ROWS_GOOD;
    return send_events(t, err) ? ROWS_GOOD : ROWS_STOP;
}

static void on_header(void *owner, const struct rows_row *header)
{
    (void)owner;
    (void)header;
    puts("line,id,outcome,why");
}

static int tell_all(const struct api *api, const struct cli_args *args)
{
    struct telling t = {.api = api, .args = args, .events = json_array()};
    const struct rows_options rows = {
        .in_fd = STDIN_FILENO,
        .n_fields = EVENT_FIELDS,
        .field_name = field_name,
        .field_find = eventform_field_find,
        .is_option = is_option,
        .needed =
            1U << EVENT_FIELD_ID | (option_value(args, EVENT_TYPE) ? 0 : 1U << EVENT_FIELD_TYPE),
        .example = "id,type,object,at,…",
        .owner = &t,
        .on_header = on_header,
        .on_row = on_row,
    };
    struct rows_result result;
    struct error err = {0};
    bool ok = rows_read(&rows, &result);

    if (ok && !send_events(&t, &err)) {
        cli_fail_error(&err);
        ok = false;
    }
    json_decref(t.events);
    result.n_bad += t.n_refused;
    if (result.has_header && result.n_bad > 0)
        fprintf(stderr,
                "hopcount: %" PRIu64 " %s refused, %" PRIu64 " %s accepted, %" PRIu64
                " had been before\n",
                result.n_bad, cli_noun(result.n_bad, "row was", "rows were"), t.n_accepted,
                cli_noun(t.n_accepted, "event", "events"), t.n_duplicate);
    return ok && result.n_bad == 0 ? CLI_OK : CLI_FAILED;
}

static int check_words(const struct cli_args *args)
{
    if (args->n_words > 1)
        return cli_usage(&cli_event, "'%s' is one word too many", args->words[1]);
    if (args->n_words == 1 && args->value[EVENT_TYPE])
        return cli_usage(&cli_event, "the type is given twice");
    if (!args->value[EVENT_BATCH] && !option_value(args, EVENT_TYPE))
        return cli_usage(&cli_event, "which TYPE of event? For a table on the input, say --batch");
    if (args->value[EVENT_BATCH] && args->value[EVENT_ID])
        return cli_usage(&cli_event, "--id names one event; a table has a column `id`");
    return CLI_OK;
}

static int run_event(const struct cli_args *args)
{
    const struct api_options where = {.url = args->value[EVENT_URL],
                                      .config = args->value[EVENT_CONFIG],
                                      .key_file = args->value[EVENT_KEY_FILE],
                                      .key = args->value[EVENT_KEY]};
    struct error err = {0};
    struct api api;
    int status = check_words(args);

    if (status != CLI_OK)
        return status;
    if (!api_find(&where, &api, &err))
        return cli_fail_error(&err);
    return args->value[EVENT_BATCH] ? tell_all(&api, args) : tell_one(&api, args);
}

const struct cli_command cli_event = {
    .name = "event",
    .usage = "TYPE --object N --key-file FILE [--url URL | -c FILE] [OPTION…]\n"
             "       hopcount event --batch --key-file FILE [OPTION…] < rows.csv > outcomes.csv",
    .summary = "tells what became of invoices and clients",
    .notes =
        "TYPE is invoice.paid, invoice.partly_paid, invoice.unpaid, invoice.cancelled,\n"
        "invoice.refunded, invoice.credited, invoice.replaced (--by), mail.sent (--campaign),\n"
        "client.opted_out or client.opted_in. Links lead by it within a second, at every pod. The "
        "key needs the scope\n"
        "events:write; it may also stand in the variable " API_KEY_VARIABLE ".\n"
        "\n"
        "With --batch the first line names the fields: id, type, brand, at, object, client, by,\n"
        "amount, currency, n, campaign, variant, channel; in any order. `id` is needed: an event "
        "sent again under its id "
        "counts\n"
        "once. Options stand in for columns that are missing or empty. Tables are read as those "
        "of\n"
        "`hopcount mint --batch`. Writes line, id, outcome (accepted, duplicate, refused) and "
        "why,\n"
        "for each row that was sent. A bad row is reported with its line, the others are sent, "
        "and\n"
        "the exit code is 1.\n",
    .words = TYPES,
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_event,
};
