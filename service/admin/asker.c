#include "service/admin/asker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <sodium.h>

#include "service/admin/mailbox.h"
#include "service/base/background.h"
#include "service/base/thread.h"

enum { IDLE_WAIT_MS = 3600 * 1000, BUSY_WAIT_MS = 1000, CONNECT_MS = 3000 };

/* The asker's thread has it from asker_ask() to the letter; `on_answer` is the API thread's alone.
 */
struct ask {
    struct letter letter;
    struct ask *next; /* of those that wait, or run */
    void (*on_answer)(void *owner, const struct ask_answer *answer); /* NULL = forgotten */
    void *owner;
    CURL *curl;
    struct curl_slist *fields;
    char *form, *body;
    size_t body_len;
    long status;
    int64_t clock_ms;
    bool is_too_long;
    char error[CURL_ERROR_SIZE];
};

struct asker {
    struct mailbox *answers;
    CURLM *multi;
    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock;
    struct ask *waiting; /* under the lock, the newest first */
    bool stop;           /* under the lock */
    struct ask *running; /* the thread's */
};

/* Forms and fields hold secrets and codes. */
static void wipe(char *text)
{
    if (text)
        sodium_memzero(text, strlen(text));
    free(text);
}

static void free_ask(struct ask *ask)
{
    if (!ask)
        return;
    curl_easy_cleanup(ask->curl);
    for (struct curl_slist *field = ask->fields; field; field = field->next)
        sodium_memzero(field->data, strlen(field->data));
    curl_slist_free_all(ask->fields);
    wipe(ask->form);
    if (ask->body)
        sodium_memzero(ask->body, ask->body_len);
    free(ask->body);
    free(ask);
}

/* --- the thread --- */

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct ask *ask = arg;
    size_t len = size * n;

    if (!ask->body && !(ask->body = malloc(ASKER_BODY_MAX)))
        return 0;
    if (len > ASKER_BODY_MAX - ask->body_len) {
        ask->is_too_long = true;
        return 0;
    }
    memcpy(ask->body + ask->body_len, bytes, len);
    ask->body_len += len;
    return len;
}

static void end(struct asker *asker, struct ask *ask, CURLcode code)
{
    struct ask **at = &asker->running;
    struct curl_header *date;
    time_t clock_s;

    while (*at != ask)
        at = &(*at)->next;
    *at = ask->next;
    curl_multi_remove_handle(asker->multi, ask->curl);
    if (ask->is_too_long)
        snprintf(ask->error, sizeof(ask->error), "the answer is longer than %d KiB",
                 ASKER_BODY_MAX >> 10);
    else if (code != CURLE_OK && !ask->error[0])
        snprintf(ask->error, sizeof(ask->error), "%s", curl_easy_strerror(code));
    if (code == CURLE_OK) {
        curl_easy_getinfo(ask->curl, CURLINFO_RESPONSE_CODE, &ask->status);
        ask->error[0] = '\0';
        if (curl_easy_header(ask->curl, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK &&
            (clock_s = curl_getdate(date->value, NULL)) > 0)
            ask->clock_ms = (int64_t)clock_s * 1000;
    }
    mailbox_post(asker->answers, &ask->letter);
}

/* Takes over what waits.  False: stop. */
static bool take_waiting(struct asker *asker)
{
    struct ask *ask, *next;
    bool stop;

    pthread_mutex_lock(&asker->lock);
    ask = asker->waiting;
    asker->waiting = NULL;
    stop = asker->stop;
    pthread_mutex_unlock(&asker->lock);
    for (; ask; ask = next) {
        next = ask->next;
        ask->next = asker->running;
        asker->running = ask;
        if (curl_multi_add_handle(asker->multi, ask->curl) != CURLM_OK)
            end(asker, ask, CURLE_OUT_OF_MEMORY);
    }
    return !stop;
}

static void *run(void *arg)
{
    struct asker *asker = arg;
    struct ask *ask;
    CURLMsg *message;
    int unused;

    background_enter("admin-ask");
    while (take_waiting(asker)) {
        curl_multi_perform(asker->multi, &unused);
        while ((message = curl_multi_info_read(asker->multi, &unused)) != NULL) {
            if (message->msg != CURLMSG_DONE)
                continue;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ask);
            end(asker, ask, message->data.result);
        }
        curl_multi_poll(asker->multi, NULL, 0, asker->running ? BUSY_WAIT_MS : IDLE_WAIT_MS, NULL);
    }
    return NULL;
}

/* --- the API thread --- */

/* An answer has come. */
static void on_letter(void *owner, struct letter *letter)
{
    struct ask *ask = (struct ask *)letter;
    struct ask_answer answer = {.status = ask->status,
                                .error = ask->error,
                                .clock_ms = ask->clock_ms,
                                .body = slice_make(ask->body ? ask->body : "", ask->body_len)};

    (void)owner;
    if (ask->on_answer)
        ask->on_answer(ask->owner, &answer);
    free_ask(ask);
}

struct asker *asker_new(struct event_base *base)
{
    struct asker *asker = calloc(1, sizeof(*asker));

    if (!asker)
        return NULL;
    pthread_mutex_init(&asker->lock, NULL);
    asker->answers = mailbox_new(base, on_letter, asker);
    asker->multi = curl_multi_init();
    if (!asker->answers || !asker->multi) {
        asker_free(asker);
        return NULL;
    }
    return asker;
}

void asker_free(struct asker *asker)
{
    struct letter *letter;
    struct ask *ask;

    if (!asker)
        return;
    if (asker->is_running) {
        pthread_mutex_lock(&asker->lock);
        asker->stop = true;
        pthread_mutex_unlock(&asker->lock);
        curl_multi_wakeup(asker->multi);
        pthread_join(asker->thread, NULL);
    }
    while ((ask = asker->running)) {
        asker->running = ask->next;
        curl_multi_remove_handle(asker->multi, ask->curl);
        free_ask(ask);
    }
    while (asker->answers && (letter = mailbox_take(asker->answers)))
        free_ask((struct ask *)letter);
    mailbox_free(asker->answers);
    curl_multi_cleanup(asker->multi);
    pthread_mutex_destroy(&asker->lock);
    free(asker);
}

static bool add_field(struct ask *ask, const char *name, const char *value)
{
    size_t room = strlen(name) + strlen(value) + 3;
    char *line = malloc(room);
    struct curl_slist *grown = NULL;

    if (line && snprintf(line, room, "%s: %s", name, value) > 0)
        grown = curl_slist_append(ask->fields, line);
    wipe(line);
    if (grown)
        ask->fields = grown;
    return grown != NULL;
}

static bool set_options(struct ask *ask, const struct ask_options *o)
{
    CURL *curl = ask->curl;

    return curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           /* A name server that stalls holds up no end. */
           curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_URL, o->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, "hopcount/" HOPCOUNT_VERSION) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ASKER_TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, ask->error) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, ask) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PRIVATE, ask) == CURLE_OK &&
           (!o->tls_ca || curl_easy_setopt(curl, CURLOPT_CAINFO, o->tls_ca) == CURLE_OK) &&
           (!ask->form || curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ask->form) == CURLE_OK) &&
           add_field(ask, "Accept", "application/json") &&
           (!o->authorization || add_field(ask, "Authorization", o->authorization)) &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, ask->fields) == CURLE_OK;
}

struct ask *asker_ask(struct asker *asker, const struct ask_options *options)
{
    struct ask *ask = calloc(1, sizeof(*ask));

    if (!ask || (options->form && !(ask->form = strdup(options->form))) ||
        !(ask->curl = curl_easy_init()) || !set_options(ask, options)) {
        free_ask(ask);
        return NULL;
    }
    if (!asker->is_running)
        asker->is_running = thread_start(&asker->thread, NULL, run, asker) == 0;
    if (!asker->is_running) {
        free_ask(ask);
        return NULL;
    }
    ask->on_answer = options->on_answer;
    ask->owner = options->owner;
    pthread_mutex_lock(&asker->lock);
    ask->next = asker->waiting;
    asker->waiting = ask;
    pthread_mutex_unlock(&asker->lock);
    curl_multi_wakeup(asker->multi);
    return ask;
}

void ask_forget(struct ask *ask)
{
    if (ask)
        ask->on_answer = NULL;
}
