#include "service/cli/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "service/base/error.h"
#include "service/cli/command.h"
#include "service/config/config.h"
#include "service/config/linefile.h"

enum {
    URL_MAX = API_URL_MAX + 8192,
    TIMEOUT_MS = 30000,
    WAIT_S = 5,     /* when the key has asked too often in this minute … */
    WAITS_MAX = 14, /* … until another one has begun */
    TOO_OFTEN = 429,
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

static int explain(const struct api_request *request, const struct http_reply *reply,
                   const char *url)
{
    json_t *problem = json_loadb(reply->body, reply->body_len, 0, NULL);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *parameter = json_string_value(json_object_get(problem, "parameter"));

    if (reply->status == 401)
        cli_fail("hopcountd does not know this API key; `hopcount apikey --add` adds one, and "
                 "hopcountd reads it at its reload (SIGHUP)");
    else if (reply->status == 403 && !parameter) /* a brand is the only other thing refused so */
        cli_fail("this API key may not %s; make one with --scope %s", request->purpose,
                 request->scope);
    else
        cli_fail("%.*s answers %ld%s%s%s%s", (int)strcspn(url, "?"), url, reply->status,
                 parameter ? ": " : "", parameter ? parameter : "", detail ? ": " : "",
                 detail ? detail : "");
    json_decref(problem);
    return CLI_FAILED;
}

int api_ask(const struct api *api, const struct api_request *request, struct http_reply *reply)
{
    char url[URL_MAX];
    const struct http_request http = {
        .method = request->method,
        .url = url,
        .api_key = api->key,
        .accept = request->accept ? request->accept : "application/json",
        .body = request->body,
        .timeout_ms = TIMEOUT_MS,
    };
    struct error err = {0};
    int status;

    snprintf(url, sizeof(url), "%s%s", api->url, request->path);
    for (int i = 0;; i++) {
        if (!http_ask(&http, reply, &err))
            return cli_fail("%s; is hopcountd running, and is that its admin address?", err.text);
        if (reply->status != TOO_OFTEN || i == WAITS_MAX)
            break;
        free(reply->body);
        sleep(WAIT_S);
    }
    if (reply->status >= 200 && reply->status < 300)
        return CLI_OK;
    status = explain(request, reply, url);
    free(reply->body);
    return status;
}

json_t *api_ask_json(const struct api *api, const struct api_request *request)
{
    struct http_reply reply;
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
