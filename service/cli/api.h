/* api.h - the admin API, as commands ask it: where it is, with which key, and what went wrong. */
#ifndef CLI_API_H
#define CLI_API_H
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "proto/compiler.h"

struct error;

#define API_URL_DEFAULT "http://127.0.0.1:8081"
#define API_KEY_VARIABLE "HOPCOUNT_API_KEY"

enum { API_URL_MAX = 2048, API_KEY_MAX = 256 };

/* Rows of a command's table of options. */
#define API_URL_OPTION                                                           \
    {                                                                            \
        "url", "URL", "hopcountd's admin address (" API_URL_DEFAULT ")", NULL, 0 \
    }
#define API_KEY_FILE_OPTION                                            \
    {                                                                  \
        "key-file", "FILE", "file that holds an API key", CLI_FILES, 0 \
    }
#define API_KEY_OPTION                                                                  \
    {                                                                                   \
        "key", "KEY", "the API key; other users can see it: prefer --key-file", NULL, 0 \
    }
#define API_CONFIG_OPTION                                                                  \
    {                                                                                      \
        "config", "FILE", "take the admin address from this configuration", CLI_FILES, 'c' \
    }

/* Their values; NULL = not given. */
struct api_options {
    const char *url, *config, *key_file, *key;
};

struct api {
    char url[API_URL_MAX]; /* without a slash at its end */
    char key[API_KEY_MAX];
};

/* By the options, and the variable.  False and `*err` when there is no key, or a file is bad. */
MUST_USE bool api_find(const struct api_options *options, struct api *out, struct error *err);

struct api_request {
    const char *method;          /* NULL = GET */
    const char *path;            /* "/v1/…", encoded */
    const char *accept;          /* NULL = JSON */
    const char *body;            /* JSON; NULL = none */
    const char *purpose, *scope; /* "read statistics", for who has a key without the scope */
};

struct api_reply {
    long status;
    char *body; /* with a NUL behind it; free() */
    size_t body_len;
};

/* Asks, and waits when the key has asked too often in this minute.  CLI_OK, and the caller frees
 * reply->body, when the status is 2xx; else CLI_FAILED, after saying why on stderr. */
MUST_USE int api_ask(const struct api *api, const struct api_request *request,
                     struct api_reply *reply);

/* The same, and reads the reply; NULL after saying why on stderr.  The caller drops the reference.
 */
MUST_USE json_t *api_ask_json(const struct api *api, const struct api_request *request);

/* The text in the member `name` of a reply, or `fallback` where there is none. */
const char *api_text(const json_t *object, const char *name, const char *fallback);

#endif
