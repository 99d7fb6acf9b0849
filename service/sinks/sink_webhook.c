/* Webhooks by Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): a POST for each range, of
 * one record or of several, signed; its id is the range, the same however often it is sent.  Or, by
 * a preset, what web analytics understand. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <curl/curl.h>
#include <sodium.h>

#include "proto/rfc3339.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/linefile.h"
#include "service/sinks/sink.h"
#include "service/sinks/sink_batch.h"
#include "service/sinks/sink_http.h"
#include "service/sinks/sink_key.h"
#include "service/sinks/webhook_preset.h"

enum {
    ROWS_MAX = 500,
    /* Writing a range down and syncing it costs more of the processor than sending 500 records.
     * Then a crash repeats what a second has brought, and not one request. */
    PARTS_MAX = 16,
    SECRETS_MAX = 2,
    SECRET_MIN = 24, /* bytes, as the specification wants */
    SECRET_MAX = 64,
    ID_MAX = 96,
    HEADER_MAX = 512,
    LINGER_MS = 1000,
};

struct secret {
    uint8_t bytes[SECRET_MAX];
    size_t len;
};

struct webhook {
    struct sink_options options;
    struct sink_http *http;
    struct secret secrets[SECRETS_MAX]; /* the present one, then the one before it */
    unsigned n_secrets;
    bool is_single;              /* a request for each record */
    uint64_t part_max;           /* positions of a request */
    char token[SINK_SECRET_MAX]; /* of a preset */
    char *url;                   /* maybe with the token */
    char *body;
    size_t body_len, body_max;
    char id[ID_MAX];     /* of the range that was tried last … */
    unsigned n_attempts; /* … so often in vain */
};

/* --- the body --- */

static bool add_text(struct webhook *w, const char *text, size_t len)
{
    if (w->body_len + len > w->body_max) {
        size_t max = 2 * (w->body_len + len);
        char *grown = realloc(w->body, max);

        if (!grown)
            return false;
        w->body = grown;
        w->body_max = max;
    }
    memcpy(w->body + w->body_len, text, len);
    w->body_len += len;
    return true;
}

/* False: a preset has no words for it. */
static bool is_sent(const struct webhook *w, const struct record *record)
{
    return w->options.config->preset == CONFIG_SINK_OWN || webhook_preset_has(record);
}

/* Cuts the range behind its first record that is sent. */
static void cut_to_one(const struct webhook *w, struct sink_batch *batch)
{
    struct record record;

    while (sink_batch_next(batch, &record)) {
        if (is_sent(w, &record)) {
            batch->to = batch->at;
            break;
        }
    }
    sink_batch_start(batch);
}

static bool write_ga4(struct webhook *w, struct sink_batch *batch, uint64_t *n_rows)
{
    char text[WEBHOOK_PRESET_MAX];
    struct record record;

    w->body_len = 0;
    while (sink_batch_next(batch, &record)) {
        if (!is_sent(w, &record))
            continue;
        if (!add_text(w, text, webhook_preset_ga4(&record, &w->options.form, text)))
            return false;
        ++*n_rows;
    }
    return true;
}

/* {"requests":["?…",…],"token_auth":"…"} */
static bool write_matomo(struct webhook *w, struct sink_batch *batch, uint64_t *n_rows)
{
    static const char begin[] = "{\"requests\":[\"", next[] = "\",\"",
                      end[] = "\"],\"token_auth\":\"";
    char text[WEBHOOK_PRESET_MAX];
    struct record record;

    w->body_len = 0;
    while (sink_batch_next(batch, &record)) {
        size_t len;

        if (!is_sent(w, &record))
            continue;
        len = webhook_preset_matomo(&record, &w->options.form, w->options.config->site_id, text);
        if (!(*n_rows ? add_text(w, next, sizeof(next) - 1)
                      : add_text(w, begin, sizeof(begin) - 1)) ||
            !add_text(w, text, len))
            return false;
        ++*n_rows;
    }
    return *n_rows == 0 || (add_text(w, end, sizeof(end) - 1) &&
                            add_text(w, w->token, strlen(w->token)) && add_text(w, "\"}", 2));
}

/* {"type":…,"timestamp":…,"data":RECORD} for one, "data":[RECORD,…] for ranges of several. */
static bool write_records(struct webhook *w, struct sink_batch *batch, uint64_t *n_rows)
{
    bool is_single = w->is_single;
    char record_text[RECORD_TEXT_MAX], head[160], time[RFC3339_TEXT_MAX];
    struct record record;

    w->body_len = 0;
    while (sink_batch_next(batch, &record)) {
        size_t len = record_json(&record, &w->options.form, record_text);
        int64_t at_s = (is_single ? record.click.time_ms : batch->at_ms) / 1000;
        int head_len = 0;

        if (*n_rows == 0)
            head_len =
                snprintf(head, sizeof(head), "{\"type\":\"%s\",\"timestamp\":\"%s\",\"data\":%s",
                         is_single ? record_type_name(&record) : "hopcount.records",
                         rfc3339_format(at_s, 0, time), is_single ? "" : "[");
        if (!add_text(w, head, (size_t)head_len) || (*n_rows > 0 && !add_text(w, ",", 1)) ||
            !add_text(w, record_text, len - 1)) /* without its line feed */
            return false;
        ++*n_rows;
    }
    return *n_rows == 0 || add_text(w, is_single ? "}" : "]}", is_single ? 1 : 2);
}

static bool write_body(struct webhook *w, struct sink_batch *batch, uint64_t *n_rows)
{
    switch (w->options.config->preset) {
    case CONFIG_SINK_GA4:
        return write_ga4(w, batch, n_rows);
    case CONFIG_SINK_MATOMO:
        return write_matomo(w, batch, n_rows);
    case CONFIG_SINK_OWN:
        break;
    }
    return write_records(w, batch, n_rows);
}

/* --- headers --- */

static bool add_header(struct curl_slist **headers, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*headers, text);

    if (longer)
        *headers = longer;
    return longer != NULL;
}

/* One signature for each secret, so that either may be checked while it is changed. */
static void sign(const struct webhook *w, const char *timestamp, char out[static HEADER_MAX])
{
    size_t at = (size_t)snprintf(out, HEADER_MAX, "webhook-signature:");

    for (unsigned i = 0; i < w->n_secrets; i++) {
        crypto_auth_hmacsha256_state state;
        uint8_t mac[crypto_auth_hmacsha256_BYTES];
        char text[sodium_base64_ENCODED_LEN(crypto_auth_hmacsha256_BYTES,
                                            sodium_base64_VARIANT_ORIGINAL)];

        crypto_auth_hmacsha256_init(&state, w->secrets[i].bytes, w->secrets[i].len);
        crypto_auth_hmacsha256_update(&state, (const uint8_t *)w->id, strlen(w->id));
        crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
        crypto_auth_hmacsha256_update(&state, (const uint8_t *)timestamp, strlen(timestamp));
        crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
        crypto_auth_hmacsha256_update(&state, (const uint8_t *)w->body, w->body_len);
        crypto_auth_hmacsha256_final(&state, mac);
        sodium_bin2base64(text, sizeof(text), mac, sizeof(mac), sodium_base64_VARIANT_ORIGINAL);
        at += (size_t)snprintf(out + at, HEADER_MAX - at, " v1,%s", text);
    }
}

static struct curl_slist *make_headers(const struct webhook *w)
{
    char timestamp[24], line[HEADER_MAX];
    struct curl_slist *headers = NULL;
    bool is_own = w->options.config->preset == CONFIG_SINK_OWN, ok;

    snprintf(timestamp, sizeof(timestamp), "%" PRId64, clock_wall_ms() / 1000);
    ok = add_header(&headers, "Content-Type: application/json") && add_header(&headers, "Expect:");
    snprintf(line, sizeof(line), "webhook-id: %s", w->id);
    ok = ok && (!is_own || add_header(&headers, line));
    snprintf(line, sizeof(line), "webhook-timestamp: %s", timestamp);
    ok = ok && (!is_own || add_header(&headers, line));
    if (w->n_secrets > 0) {
        sign(w, timestamp, line);
        ok = ok && add_header(&headers, line);
    }
    if (!ok) {
        curl_slist_free_all(headers);
        headers = NULL;
    }
    return headers;
}

/* --- the answer --- */

/* When to try again.  Ranges go in order, so a pause holds back all that follows: the longest is a
 * quarter of an hour, and not hours as for a message of its own. */
static int64_t retry_after(const struct webhook *w, const struct sink_http_answer *answer)
{
    static const int64_t steps_ms[] = {1000, 5000, 30000, 120000, 300000, 900000};
    enum { N_STEPS = sizeof(steps_ms) / sizeof(steps_ms[0]) };
    int64_t wait_ms = steps_ms[w->n_attempts < N_STEPS ? w->n_attempts : N_STEPS - 1];

    if (answer->retry_after_ms > 0 && (answer->status == 429 || answer->status == 503))
        return answer->retry_after_ms;
    return wait_ms - wait_ms / 5 + randombytes_uniform((uint32_t)(2 * wait_ms / 5));
}

static enum sink_outcome judge(struct webhook *w, const struct sink_batch *batch,
                               const struct sink_http_answer *answer, struct sink_result *result)
{
    if (answer->status >= 200 && answer->status < 300)
        return SINK_DONE;
    if (answer->status == 0)
        sink_result_why(result, "%s", answer->error);
    else if (answer->status >= 300 && answer->status < 400)
        sink_result_why(result,
                        "the endpoint answers %ld, and no redirect is followed; give the "
                        "URL that it leads to",
                        answer->status);
    else
        sink_result_why(result, "the endpoint answers %ld", answer->status);
    if (answer->status == 410)
        return SINK_OFF;
    if (clock_wall_ms() - batch->at_ms >= w->options.config->give_up_s * 1000)
        return SINK_FAILED;
    result->retry_ms = retry_after(w, answer);
    w->n_attempts++;
    return SINK_LATER;
}

static enum sink_outcome put(void *self, struct sink_batch *batch, struct sink_result *result)
{
    struct webhook *w = self;
    struct sink_http_answer answer;
    struct sink_http_request request = {.url = w->url};
    enum sink_outcome outcome;
    char id[ID_MAX];

    if (w->is_single)
        cut_to_one(w, batch);
    else if (batch->to - batch->from > w->part_max)
        batch->to = batch->from + w->part_max;
    result->to = batch->to;
    snprintf(id, sizeof(id), "%s-%" PRIu64 "-%" PRIu64, batch->log_hex,
             w->is_single ? batch->to - 1 : batch->from, batch->to);
    if (strcmp(id, w->id) != 0)
        w->n_attempts = 0;
    memcpy(w->id, id, sizeof(id));
    if (!write_body(w, batch, &result->n_sent)) {
        sink_result_why(result, "out of memory");
        return SINK_LATER;
    }
    if (result->n_sent == 0)
        return SINK_DONE;
    request.body = w->body;
    request.body_len = w->body_len;
    request.headers = make_headers(w);
    if (!request.headers) {
        sink_result_why(result, "out of memory");
        return SINK_LATER;
    }
    sink_http_post(w->http, &request, &answer);
    curl_slist_free_all(request.headers);
    outcome = judge(w, batch, &answer, result);
    if (outcome == SINK_DONE) {
        w->n_attempts = 0;
        /* Who takes records one by one, and web analytics, may not look at ids. */
        result->goes_on = !w->is_single && w->options.config->preset == CONFIG_SINK_OWN;
    }
    return outcome;
}

/* --- open and close --- */

static bool load_secrets(struct webhook *w, const char *path, struct error *err)
{
    static const char prefix[] = "whsec_";
    const size_t skip = sizeof(prefix) - 1;
    struct linefile *file = linefile_load(path, S_IRWXO | S_IWGRP, err);
    struct linefile_line line;
    bool ok = true;

    if (!file)
        return false;
    while (ok && linefile_next(file, &line)) {
        struct secret *secret = &w->secrets[w->n_secrets];
        struct slice text = line.field[0];

        ok = w->n_secrets < SECRETS_MAX && line.n_fields == 1 && text.len > skip &&
             memcmp(text.ptr, prefix, skip) == 0 &&
             sodium_base642bin(secret->bytes, sizeof(secret->bytes), text.ptr + skip,
                               text.len - skip, NULL, &secret->len, NULL,
                               sodium_base64_VARIANT_ORIGINAL) == 0 &&
             secret->len >= SECRET_MIN;
        if (!ok)
            error_set(err,
                      "%s:%u: is no secret; write at most two lines whsec_ and %d to %d bytes "
                      "in base64, made with: echo whsec_$(openssl rand -base64 32)",
                      path, line.number, SECRET_MIN, SECRET_MAX);
        w->n_secrets++;
    }
    if (ok && w->n_secrets == 0)
        error_set(err, "%s: holds no secret", path);
    linefile_free(file);
    return ok && w->n_secrets > 0;
}

static void webhook_close(void *self)
{
    struct webhook *w = self;

    if (!w)
        return;
    sink_http_free(w->http);
    sodium_memzero(w->secrets, sizeof(w->secrets));
    sodium_memzero(w->token, sizeof(w->token));
    free(w->url);
    free(w->body);
    free(w);
}

/* Letters, digits, hyphens and underscores: it stands in a URL and in JSON as it is. */
static bool load_token(struct webhook *w, struct error *err)
{
    const char *path = w->options.config->token_file;

    if (!path)
        return true;
    if (!sink_password_load(path, w->token, err))
        return false;
    if (w->token[strspn(w->token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "_-")] == '\0')
        return true;
    error_set(err, "%s: holds no token; one has letters, digits, '-' and '_' only", path);
    return false;
}

/* Google wants stream and secret in the URL. */
static bool make_url(struct webhook *w)
{
    const struct config_sink *config = w->options.config;
    int len;

    if (config->preset == CONFIG_SINK_GA4)
        len = asprintf(&w->url, "%s%smeasurement_id=%s&api_secret=%s", config->url,
                       strchr(config->url, '?') ? "&" : "?", config->measurement_id, w->token);
    else
        len = asprintf(&w->url, "%s", config->url);
    if (len < 0)
        w->url = NULL;
    return w->url != NULL;
}

static void *webhook_open(const struct sink_options *options, struct error *err)
{
    const struct config_sink *config = options->config;
    const struct sink_http_options http = {
        .timeout_ms = config->timeout_ms,
        .allow_private = config->allow_private,
        .tls_ca = config->tls_ca,
        .stopping = options->stopping,
    };
    const char *wrong = sink_http_check_url(config->url);
    struct webhook *w = calloc(1, sizeof(*w));
    bool ok = false;

    if (!w || !(w->http = sink_http_new(&http))) {
        error_set(err, "out of memory");
    } else if (wrong) {
        error_set(err, "url: %s", wrong);
    } else {
        w->options = *options;
        w->is_single = config_sink_is_single(config);
        w->part_max = config_sink_rows_max(config, ROWS_MAX);
        ok = (!config->secret_file || load_secrets(w, config->secret_file, err)) &&
             load_token(w, err);
        if (ok && !make_url(w)) {
            error_set(err, "out of memory");
            ok = false;
        }
    }
    if (!ok) {
        webhook_close(w);
        w = NULL;
    }
    return w;
}

const struct sink_type sink_type_webhook = {
    .has_intents = true,
    .holds_people = true,
    .leaves_out_omitted = true,
    .rows_max = ROWS_MAX,
    .parts_max = PARTS_MAX,
    .linger_ms = LINGER_MS,
    .open = webhook_open,
    .put = put,
    .close = webhook_close,
};
