#include "service/cli/http.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "service/base/error.h"

#define AGENT "hopcount/" HOPCOUNT_VERSION

/* What every request has in common. */
static void set_common(CURL *curl, const char *url, long timeout_ms, char *error)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, AGENT);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
}

/* --- one request --- */

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct http_reply *reply = arg;
    size_t len = size * n;
    char *grown;

    if (reply->body_len + len > HTTP_BODY_MAX)
        return 0;
    if (!(grown = realloc(reply->body, reply->body_len + len + 1)))
        return 0;
    memcpy(grown + reply->body_len, data, len);
    reply->body = grown;
    reply->body_len += len;
    reply->body[reply->body_len] = '\0';
    return len;
}

static struct curl_slist *make_fields(const struct http_request *request)
{
    struct curl_slist *fields = NULL;
    char line[512];

    snprintf(line, sizeof(line), "Accept: %s", request->accept);
    fields = curl_slist_append(fields, line);
    if (request->api_key) {
        snprintf(line, sizeof(line), "Authorization: Bearer %s", request->api_key);
        fields = curl_slist_append(fields, line);
    }
    if (request->body)
        fields = curl_slist_append(fields, "Content-Type: application/json");
    return fields;
}

bool http_ask(const struct http_request *request, struct http_reply *reply, struct error *err)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *fields = make_fields(request);
    char error[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_OUT_OF_MEMORY;

    *reply = (struct http_reply){0};
    if (curl && fields) {
        set_common(curl, request->url, request->timeout_ms, error);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
        if (request->body)
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
        if (request->method)
            curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
        code = curl_easy_perform(curl);
    }
    if (code == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
        if (!reply->body && !(reply->body = calloc(1, 1)))
            code = CURLE_OUT_OF_MEMORY;
    }
    if (code != CURLE_OK) {
        error_set(err, "%s: %s", request->url, error[0] ? error : curl_easy_strerror(code));
        free(reply->body);
        *reply = (struct http_reply){0};
    }
    curl_slist_free_all(fields);
    curl_easy_cleanup(curl);
    return code == CURLE_OK;
}

/* --- many --- */

/* The page itself is not wanted: the transfer ends with its first bytes. */
static size_t on_probe_body(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)size;
    (void)n;
    (void)arg;
    return 0;
}

static bool start(CURLM *multi, struct http_probe *probe, long timeout_ms)
{
    CURL *curl = curl_easy_init();

    if (!curl)
        return false;
    _Static_assert(sizeof(probe->error) >= CURL_ERROR_SIZE, "libcurl writes that much");
    set_common(curl, probe->url, timeout_ms, probe->error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_probe_body);
    curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
    if (probe->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, probe->ca_file);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, probe);
    if (curl_multi_add_handle(multi, curl) != CURLM_OK) {
        curl_easy_cleanup(curl);
        return false;
    }
    probe->handle = curl;
    return true;
}

static void close_handle(CURLM *multi, struct http_probe *probe)
{
    if (!probe->handle)
        return;
    curl_multi_remove_handle(multi, probe->handle);
    curl_easy_cleanup(probe->handle);
    probe->handle = NULL;
}

/* The first certificate of the chain is the server's own. */
static void find_certificate(CURL *curl, struct http_probe *probe)
{
    static const char field[] = "Expire date:";
    struct curl_certinfo *info = NULL;

    if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
        info->num_of_certs < 1)
        return;
    for (const struct curl_slist *line = info->certinfo[0]; line; line = line->next) {
        if (strncmp(line->data, field, sizeof(field) - 1) != 0)
            continue;
        probe->certificate_s = curl_getdate(line->data + sizeof(field) - 1, NULL);
        probe->has_certificate = probe->certificate_s > 0;
    }
}

static void finish(CURLM *multi, CURL *curl, CURLcode code,
                   void (*on_done)(const struct http_probe *probe))
{
    struct http_probe *probe;
    const char *location = NULL;
    curl_off_t time_us = 0;

    curl_easy_getinfo(curl, CURLINFO_PRIVATE, &probe);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &time_us);
    probe->time_ms = (long)(time_us / 1000);
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &probe->status);
        curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
        probe->location = location ? strdup(location) : NULL;
        find_certificate(curl, probe);
        probe->error[0] = '\0';
    } else if (probe->error[0] == '\0') {
        snprintf(probe->error, sizeof(probe->error), "%s", curl_easy_strerror(code));
    }
    close_handle(multi, probe);
    on_done(probe);
}

/* Those that have answered; returns how many. */
static unsigned take_finished(CURLM *multi, void (*on_done)(const struct http_probe *probe))
{
    unsigned n = 0;
    int n_queued;
    CURLMsg *message;

    while ((message = curl_multi_info_read(multi, &n_queued)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            finish(multi, message->easy_handle, message->data.result, on_done);
            n++;
        }
    }
    return n;
}

bool http_probe_all(struct http_probe *probes, size_t n, unsigned parallel, long timeout_ms,
                    void (*on_done)(const struct http_probe *probe), struct error *err)
{
    CURLM *multi = curl_multi_init();
    size_t n_started = 0;
    unsigned n_running = 0, n_finished;
    bool ok = multi != NULL;
    int unused;

    while (ok && (n_started < n || n_running > 0)) {
        while (ok && n_started < n && n_running < parallel) {
            ok = start(multi, &probes[n_started], timeout_ms);
            n_started += ok;
            n_running += ok;
        }
        ok = ok && curl_multi_perform(multi, &unused) == CURLM_OK;
        n_finished = take_finished(multi, on_done);
        n_running -= n_finished;
        /* With nothing to wait for, a poll would last its whole time. */
        if (ok && n_finished == 0 && n_running > 0)
            ok = curl_multi_poll(multi, NULL, 0, 1000, NULL) == CURLM_OK;
    }
    for (size_t i = 0; i < n_started; i++)
        close_handle(multi, &probes[i]);
    if (!ok)
        error_set(err, "libcurl: out of memory or descriptors");
    curl_multi_cleanup(multi);
    return ok;
}
