#include "service/cli/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

#include "service/base/error.h"
#include "service/cli/command.h"
#include "service/config/config.h"
#include "service/config/linefile.h"

#define AGENT "hopcount/" HOPCOUNT_VERSION

enum {
    URL_MAX = API_URL_MAX + 8192,
    TIMEOUT_MS = 30000,
    BODY_MAX = 64 << 20,
    WAIT_S = 5,     /* when the key has asked too often in this minute … */
    WAITS_MAX = 14, /* … until another one has begun */
    TOO_OFTEN = 429,
    DETAIL_MAX = 4096, /* of what is told of a problem; the rest is cut off */
};

/* --- where and with what --- */

/* "0.0.0.0:8081" is where it listens, not where it can be asked. */
static bool url_of_config(const char *path, char *out, size_t max, struct error *err)
{
    struct config *config = config_load(path, err);
    const char *listen, *port;

    if (!config)
        return false;
    listen = config->admin.listen[0];
    port = strrchr(listen, ':');
    if (strncmp(listen, "0.0.0.0:", 8) == 0)
        snprintf(out, max, "http://127.0.0.1%s", port);
    else if (strncmp(listen, "[::]:", 5) == 0)
        snprintf(out, max, "http://[::1]%s", port);
    else
        snprintf(out, max, "http://%s", listen);
    config_free(config);
    return true;
}

static bool find_url(const struct api_options *options, char *out, size_t max, struct error *err)
{
    const char *url = options->url;
    size_t len;

    if (!url && options->config)
        return url_of_config(options->config, out, max, err);
    url = url ? url : API_URL_DEFAULT;
    len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    snprintf(out, max, "%.*s", (int)len, url);
    return true;
}

/* The last word of the first line, so that what `hopcount apikey` printed will do. */
static bool read_key_file(const char *path, char out[static API_KEY_MAX], struct error *err)
{
    struct linefile *file = linefile_load(path, 0, err);
    struct linefile_line line;
    bool ok = false;

    if (!file)
        return false;
    if (!linefile_next(file, &line) || line.n_fields != 1 || line.field[0].len >= API_KEY_MAX) {
        error_set(err,
                  "%s: holds no API key; its first line is the key that `hopcount apikey` "
                  "printed",
                  path);
    } else {
        memcpy(out, line.field[0].ptr, line.field[0].len);
        out[line.field[0].len] = '\0';
        ok = true;
    }
    linefile_free(file);
    return ok;
}

static bool find_key(const struct api_options *options, char out[static API_KEY_MAX],
                     struct error *err)
{
    const char *key = options->key ? options->key : getenv(API_KEY_VARIABLE);

    if (options->key_file)
        return read_key_file(options->key_file, out, err);
    if (!key) {
        error_set(err, "an API key is needed: --key-file FILE, or the variable " API_KEY_VARIABLE
                       "; `hopcount apikey` makes one");
        return false;
    }
    snprintf(out, API_KEY_MAX, "%s", key);
    return true;
}

bool api_find(const struct api_options *options, struct api *out, struct error *err)
{
    return find_url(options, out->url, sizeof(out->url), err) && find_key(options, out->key, err);
}

/* --- asking --- */

/* One HTTP request, by libcurl. */
struct exchange {
    const char *method; /* NULL = GET */
    const char *url;
    const char *api_key;
    const char *accept;
    const char *body; /* JSON; NULL = none */
};

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct api_reply *reply = arg;
    size_t len = size * n;
    char *grown;

    if (reply->body_len + len > BODY_MAX)
        return 0;
    if (!(grown = realloc(reply->body, reply->body_len + len + 1)))
        return 0;
    memcpy(grown + reply->body_len, data, len);
    reply->body = grown;
    reply->body_len += len;
    reply->body[reply->body_len] = '\0';
    return len;
}

static struct curl_slist *make_fields(const struct exchange *request)
{
    struct curl_slist *fields = NULL;
    char line[512];

    snprintf(line, sizeof(line), "Accept: %s", request->accept);
    fields = curl_slist_append(fields, line);
    snprintf(line, sizeof(line), "Authorization: Bearer %s", request->api_key);
    fields = curl_slist_append(fields, line);
    if (request->body)
        fields = curl_slist_append(fields, "Content-Type: application/json");
    return fields;
}

/* Follows no redirect.  False and `*err` when there is no reply; then nothing is to be freed. */
static bool ask_once(const struct exchange *request, struct api_reply *reply, struct error *err)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *fields = make_fields(request);
    char error[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_OUT_OF_MEMORY;

    *reply = (struct api_reply){0};
    if (curl && fields) {
        curl_easy_setopt(curl, CURLOPT_URL, request->url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_USERAGENT, AGENT);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
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
        *reply = (struct api_reply){0};
    }
    curl_slist_free_all(fields);
    curl_easy_cleanup(curl);
    return code == CURLE_OK;
}

/* What a problem document says.  `detail` is the first of several faults and refers to the list for
 * the others, which nobody sees on a terminal: then all of them, one behind the other. */
static const char *find_detail(const json_t *problem, char all[static DETAIL_MAX])
{
    const json_t *errors = json_object_get(problem, "errors");
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    size_t n = json_array_size(errors), len = 0;

    for (size_t i = 0; n > 1 && i < n && len < DETAIL_MAX; i++) {
        const char *one = json_string_value(json_object_get(json_array_get(errors, i), "detail"));

        if (!one)
            return detail;
        len += (size_t)snprintf(all + len, DETAIL_MAX - len, "%s%s", i ? " " : "", one);
    }
    return len > 0 ? all : detail;
}

static void explain(const struct api_request *request, const struct api_reply *reply,
                    const char *url)
{
    json_t *problem = json_loadb(reply->body, reply->body_len, 0, NULL);
    char all[DETAIL_MAX];
    const char *detail = find_detail(problem, all);
    bool names_brand = json_object_get(problem, "parameter") != NULL;

    if (reply->status == 401)
        cli_fail("hopcountd does not know this API key; `hopcount apikey --add` adds one, and "
                 "hopcountd reads it at its reload (SIGHUP)");
    else if (reply->status == 403 && !names_brand) /* a brand is the only other thing refused so */
        cli_fail("this API key may not %s; make one with --scope %s", request->purpose,
                 request->scope);
    else
        cli_fail("%.*s answers %ld%s%s", (int)strcspn(url, "?"), url, reply->status,
                 detail ? ": " : "", detail ? detail : "; is that hopcountd's admin address?");
    json_decref(problem);
}

int api_ask(const struct api *api, const struct api_request *request, struct api_reply *reply)
{
    char url[URL_MAX];
    const struct exchange exchange = {
        .method = request->method,
        .url = url,
        .api_key = api->key,
        .accept = request->accept ? request->accept : "application/json",
        .body = request->body,
    };
    struct error err = {0};

    snprintf(url, sizeof(url), "%s%s", api->url, request->path);
    for (int i = 0;; i++) {
        if (!ask_once(&exchange, reply, &err))
            return cli_fail("%s; is hopcountd running, and is that its admin address?", err.text);
        if (reply->status != TOO_OFTEN || i == WAITS_MAX)
            break;
        free(reply->body);
        sleep(WAIT_S);
    }
    if (reply->status >= 200 && reply->status < 300)
        return CLI_OK;
    explain(request, reply, url);
    free(reply->body);
    return CLI_FAILED;
}

json_t *api_ask_json(const struct api *api, const struct api_request *request)
{
    struct api_reply reply;
    json_t *json;

    if (api_ask(api, request, &reply) != CLI_OK)
        return NULL;
    json = json_loadb(reply.body, reply.body_len, 0, NULL);
    free(reply.body);
    if (!json)
        cli_fail("%s%s answers something else than JSON; is that hopcountd's admin address?",
                 api->url, request->path);
    return json;
}

const char *api_text(const json_t *object, const char *name, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : fallback;
}
