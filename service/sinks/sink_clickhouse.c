/* ClickHouse by HTTP: a range is one INSERT of one block in RowBinary, which is there whole or not
 * at all, with the range as insert_deduplication_token.
 *
 * How long a server remembers tokens depends on its version and on the table, and a plain table
 * remembers none.  So before a range is sent that may have been sent before, the table is asked
 * whether it has it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <sodium.h>

#include "proto/click_names.h"
#include "proto/token.h"
#include "service/base/error.h"
#include "service/config/brand.h"
#include "service/config/config.h"
#include "service/sinks/sink.h"
#include "service/sinks/sink_batch.h"
#include "service/sinks/sink_http.h"
#include "service/sinks/sink_key.h"

enum {
    ROWS_MAX = 100000, /* 13 MB of RowBinary */
    ROW_MAX = 512,
    BODY_MIN = 1 << 20,
    LINGER_MS = 2000,
    ID_MAX = 96,
};

/* The columns of deploy/clickhouse/schema.sql, in the order of write_row(). */
static const char columns[] =
    "log,position,written_at,type,time,brand,kind,link,object,client,campaign,channel,variant,"
    "label,reason,old_label,old_reason,country,device,browser,system,referrer,value,amount,"
    "currency";

struct clickhouse {
    struct sink_options options;
    struct sink_http *http;
    struct sink_http_answer answer;
    char password[SINK_SECRET_MAX];
    char *insert_url, *ask_url;
    bool has_no_tokens; /* the server is too old to know them */
    uint8_t *body;
    size_t body_len, body_max;
    char id[ID_MAX]; /* of the range that was tried last; "" = of none since the start */
};

/* --- RowBinary: integers little-endian, texts with their length in LEB128 before them --- */

static uint8_t *put_int(uint8_t *at, uint64_t n, int len)
{
    for (int i = 0; i < len; i++, n >>= 8)
        *at++ = (uint8_t)n;
    return at;
}

static uint8_t *put_slice(uint8_t *at, const char *text, size_t len)
{
    *at++ = (uint8_t)len; /* all are shorter than 128 */
    memcpy(at, text, len);
    return at + len;
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
    return put_slice(at, text ? text : "", text ? strlen(text) : 0);
}

static uint8_t *put_click(uint8_t *at, const struct record *record)
{
    const struct click *click = &record->click;
    bool is_relabel = record->what == RECORD_RELABEL;

    at = put_text(at, click_label_name(click->label));
    at = put_text(at, click_reason_name(click->reason));
    at = put_text(at, is_relabel ? click_label_name(click->old_label) : NULL);
    at = put_text(at, is_relabel ? click_reason_name(click->old_reason) : NULL);
    at = put_slice(at, click->country, click->country[0] ? 2 : 0);
    at = put_text(at, click_device_name(click->device));
    at = put_text(at, click_browser_name(click->browser));
    at = put_text(at, click_system_name(click->system));
    return put_text(at, click_referrer_name(click->referrer));
}

/* What only events have, and nothing of a click. */
static uint8_t *put_event(uint8_t *at, const struct event *event)
{
    bool is_revocation = event->type == EVENT_REVOKED || event->type == EVENT_UNREVOKED;

    at = put_text(at, NULL);
    at = put_text(at, is_revocation ? event_scope_name(event->scope) : NULL);
    for (int i = 0; i < 7; i++)
        at = put_text(at, NULL);
    return at;
}

static uint8_t *write_row(const struct clickhouse *c, const struct sink_batch *batch,
                          const struct record *record, uint8_t *at)
{
    static const char *const variants[] = {NULL, "A", "B", "C", "D", "E", "F", "G"};
    bool is_omitted = record->what == RECORD_OMITTED, is_event = record->what == RECORD_EVENT;
    const struct record omitted = {.what = RECORD_OMITTED};
    const struct click *click = is_omitted ? &omitted.click : &record->click;
    const struct event *event = is_event ? &record->event : &omitted.event;
    struct record_subject subject;

    record_subject(record, &c->options.form, &subject);
    memcpy(at, clicklog_id(batch->log), CLICK_LOG_ID_LEN);
    at = put_int(at + CLICK_LOG_ID_LEN, record->position, 8);
    at = put_int(at, (uint64_t)(batch->at_ms / 1000), 4);
    at = put_text(at, record_type_name(record));
    at = put_int(at, (uint64_t)click->time_ms, 8);
    at = record->brand && !is_omitted
             ? put_slice(at, record->brand->name.ptr, record->brand->name.len)
             : put_text(at, NULL);
    at = put_text(at, is_omitted ? NULL : record_kind_name(record));
    at = put_int(at, subject.link, 8);
    at = put_int(at, subject.object, 8);
    at = put_int(at, subject.client, 8);
    at = put_int(at, click->campaign, 2);
    at = put_text(at, is_omitted ? NULL : token_channel_name(click->channel));
    at = put_text(at, variants[click->variant & 7u]);
    at = is_event || is_omitted ? put_event(at, event) : put_click(at, record);
    at = put_int(
        at,
        event->type == EVENT_REPLACED && c->options.form.fields != RECORD_ALL ? 0 : event->value,
        4);
    at = put_int(at, event->currency[0] ? (uint64_t)event->amount : 0, 8);
    return put_slice(at, event->currency, event->currency[0] ? EVENT_CURRENCY_LEN : 0);
}

static bool write_rows(struct clickhouse *c, struct sink_batch *batch, uint64_t *n_rows)
{
    struct record record;

    c->body_len = 0;
    while (sink_batch_next(batch, &record)) {
        if (c->body_len + ROW_MAX > c->body_max) {
            size_t max = c->body_max ? 2 * c->body_max : BODY_MIN;
            uint8_t *grown = realloc(c->body, max);

            if (!grown)
                return false;
            c->body = grown;
            c->body_max = max;
        }
        c->body_len = (size_t)(write_row(c, batch, &record, c->body + c->body_len) - c->body);
        ++*n_rows;
    }
    return true;
}

/* --- asking the server --- */

/* The first line of what it says of an error. */
static void explain(const struct clickhouse *c, struct sink_result *result)
{
    const struct sink_http_answer *answer = &c->answer;

    if (answer->status == 0)
        sink_result_why(result, "%s", answer->error);
    else
        sink_result_why(result, "ClickHouse answers %ld: %.*s", answer->status,
                        (int)strcspn(answer->body, "\n"), answer->body);
}

static bool is_fine(const struct clickhouse *c)
{
    return c->answer.status == 200 && !strstr(c->answer.body, "DB::Exception");
}

static void post(struct clickhouse *c, const char *url, const char *body, size_t len)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    const struct sink_http_request request = {
        .url = url, .headers = headers, .body = body, .body_len = len};

    sink_http_post(c->http, &request, &c->answer);
    curl_slist_free_all(headers);
}

enum has_range { RANGE_IS_THERE, RANGE_IS_NOT_THERE, RANGE_UNKNOWN };

/* A range is one block, so one row of it says that all are there. */
static enum has_range ask(struct clickhouse *c, const struct sink_batch *batch,
                          struct sink_result *result)
{
    char query[512], *end;
    int len = snprintf(query, sizeof(query),
                       "SELECT count(), max(position) FROM %s WHERE log = unhex('%s') AND "
                       "position >= %" PRIu64 " AND position < %" PRIu64 " FORMAT TabSeparated",
                       c->options.config->table, batch->log_hex, batch->from, batch->to);
    unsigned long long n;

    post(c, c->ask_url, query, (size_t)len);
    n = strtoull(c->answer.body, &end, 10);
    if (!is_fine(c) || end == c->answer.body || *end != '\t') {
        explain(c, result);
        return RANGE_UNKNOWN;
    }
    return n > 0 ? RANGE_IS_THERE : RANGE_IS_NOT_THERE;
}

static enum sink_outcome insert(struct clickhouse *c, struct sink_result *result)
{
    char *url = NULL;

    if (asprintf(&url, "%s%s%s", c->insert_url,
                 c->has_no_tokens ? "" : "&insert_deduplicate=1&insert_deduplication_token=",
                 c->has_no_tokens ? "" : c->id) < 0) {
        sink_result_why(result, "out of memory");
        return SINK_LATER;
    }
    post(c, url, (const char *)c->body, c->body_len);
    free(url);
    if (is_fine(c))
        return SINK_DONE;
    if (c->answer.status && strstr(c->answer.body, "insert_deduplication_token")) {
        c->has_no_tokens = true; /* the table is asked instead */
        result->retry_ms = 1;
    }
    explain(c, result);
    return SINK_LATER;
}

static enum sink_outcome put(void *self, struct sink_batch *batch, struct sink_result *result)
{
    struct clickhouse *c = self;
    bool is_first = c->id[0] == '\0'; /* the process before may have sent it */
    char id[ID_MAX];

    snprintf(id, sizeof(id), "%s-%" PRIu64 "-%" PRIu64, batch->log_hex, batch->from, batch->to);
    if (!write_rows(c, batch, &result->n_sent)) {
        sink_result_why(result, "out of memory");
        return SINK_LATER;
    }
    if (result->n_sent == 0)
        return SINK_DONE;
    if (is_first || strcmp(id, c->id) == 0) {
        switch (ask(c, batch, result)) {
        case RANGE_IS_THERE:
            memcpy(c->id, id, sizeof(id));
            return SINK_DONE;
        case RANGE_IS_NOT_THERE:
            break;
        case RANGE_UNKNOWN:
            return SINK_LATER;
        }
    }
    memcpy(c->id, id, sizeof(id));
    return insert(c, result);
}

/* --- open and close --- */

static bool make_urls(struct clickhouse *c)
{
    const char *base = c->options.config->url, *mark = strchr(base, '?') ? "&" : "?";

    /* The columns need no escaping.  One block: it is inserted whole or not at all. */
    if (asprintf(&c->insert_url,
                 "%s%squery=INSERT+INTO+%s+(%s)+FORMAT+RowBinary&max_insert_block_size=1048576",
                 base, mark, c->options.config->table, columns) < 0)
        c->insert_url = NULL;
    if (asprintf(&c->ask_url, "%s", base) < 0)
        c->ask_url = NULL;
    return c->insert_url && c->ask_url;
}

static void clickhouse_close(void *self)
{
    struct clickhouse *c = self;

    if (!c)
        return;
    sink_http_free(c->http);
    sodium_memzero(c->password, sizeof(c->password));
    free(c->insert_url);
    free(c->ask_url);
    free(c->body);
    free(c);
}

static bool set_up(struct clickhouse *c, struct error *err)
{
    const struct config_sink *config = c->options.config;
    const struct sink_http_options http = {
        .timeout_ms = config->timeout_ms,
        .allow_private = true, /* where a ClickHouse is, as a rule */
        .tls_ca = config->tls_ca,
        .username = config->username,
        .password = c->password,
        .never_repeats = true, /* we ask first */
        .stopping = c->options.stopping,
    };
    static const char table_chars[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    const char *wrong = sink_http_check_url(config->url);

    if (wrong) {
        error_set(err, "url: %s", wrong);
        return false;
    }
    if (config->table[strspn(config->table, table_chars)] != '\0') {
        error_set(err, "table: '%s' is no name of a table; write database.table", config->table);
        return false;
    }
    if (config->password_file && !sink_password_load(config->password_file, c->password, err))
        return false;
    if (!make_urls(c) || !(c->http = sink_http_new(&http))) {
        error_set(err, "out of memory");
        return false;
    }
    return true;
}

static void *clickhouse_open(const struct sink_options *options, struct error *err)
{
    struct clickhouse *c = calloc(1, sizeof(*c));

    if (!c) {
        error_set(err, "out of memory");
        return NULL;
    }
    c->options = *options;
    if (!set_up(c, err)) {
        clickhouse_close(c);
        c = NULL;
    }
    return c;
}

const struct sink_type sink_type_clickhouse = {
    .has_intents = true,
    .rows_max = ROWS_MAX,
    .linger_ms = LINGER_MS,
    .open = clickhouse_open,
    .put = put,
    .close = clickhouse_close,
};
