#include "service/cli/http.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "service/base/error.h"

#define AGENT "hopcount/" HOPCOUNT_VERSION

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
        curl_easy_setopt(curl, CURLOPT_URL, request->url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_USERAGENT, AGENT);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->timeout_ms);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
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
