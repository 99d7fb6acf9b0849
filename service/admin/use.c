/* POST /v1/links/{token}/use: the billing system's own login page uses a link up. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <jansson.h>
#include <sodium.h>

#include "proto/bytes.h"
#include "proto/event.h"
#include "proto/query.h"
#include "proto/token.h"
#include "service/admin/handlers.h"
#include "service/admin/links.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/use.h"
#include "service/base/clock.h"
#include "service/config/site.h"
#include "service/state/event_log.h"
#include "service/state/state_look_up.h"

enum { VIEW_MAX = 64 };

/* A request that waits for Redis; found by its ticket. */
struct use_job {
    struct use_job *next;
    uint64_t ticket;
    struct request *request;
    const struct brand *brand; /* of request->site */
    struct token token;
    uint8_t view[ONE_USE_VIEW_LEN];
    bool is_used;      /* the state table says so */
    bool is_aggregate; /* neither the client nor the object is kept of it */
};

/* The view that the body names, as the 8 bytes that Redis keeps; without one a view of its own.
 * False: replied to. */
static bool read_view(struct request *request, uint8_t view[static ONE_USE_VIEW_LEN])
{
    uint8_t hash[crypto_generichash_BYTES];
    json_t *body, *value;
    const char *text;
    bool ok;

    randombytes_buf(view, ONE_USE_VIEW_LEN);
    if (evbuffer_get_length(request->body) == 0)
        return true;
    body = request_read_json(request);
    if (!body)
        return false;
    value = json_object_get(body, "view");
    text = json_string_value(value);
    ok = json_is_object(body) && json_object_size(body) == (value != NULL) &&
         (!value ||
          (text && json_string_length(value) > 0 && json_string_length(value) <= VIEW_MAX &&
           query_is_clean_text(slice_make(text, json_string_length(value)))));
    if (ok && text) {
        crypto_generichash(hash, sizeof(hash), (const unsigned char *)text,
                           json_string_length(value), NULL, 0);
        memcpy(view, hash, ONE_USE_VIEW_LEN);
    }
    json_decref(body);
    if (!ok)
        request_fail_as(request, PROBLEM_INVALID_FIELDS, "view",
                        "must be a text of 1 to %d characters without controls, and the only "
                        "field",
                        (int)VIEW_MAX);
    return ok;
}

/* False: replied to. */
static bool may_be_used(struct request *request, const struct brand *brand,
                        const struct token *token, const struct state_of_link *state)
{
    if (!token->once && token->kind != TOKEN_KIND_LOGIN)
        request_fail(request, 409, NULL,
                     "only links of kind login, and those that were minted with once, are used up; "
                     "this one is of kind %s",
                     brand_kind_name(brand, token->kind) ? brand_kind_name(brand, token->kind)
                                                         : "unknown");
    else if (token_is_expired(token, clock_wall_ms() / 1000))
        request_fail(request, 410, NULL, "the link has expired");
    else if (state->is_revoked)
        request_fail(request, 410, NULL, "the link was revoked");
    else
        return true;
    return false;
}

static bool append_event(const struct use_job *job)
{
    struct event_log *log = job->request->server->sources.events;
    struct event event = event_of_token(EVENT_USED, job->brand->id, &job->token);

    event.at_ms = clock_wall_ms();
    event.id = be64_load(job->view) >> 24;
    event.value = job->token.kind;
    if (job->is_aggregate)
        event.object = event.client = 0;
    return log && event_log_append(log, &event);
}

static void finish(struct use_job *job, enum one_use_outcome outcome)
{
    struct request *request = job->request;
    char id[LINKS_ID_MAX];

    if (outcome == ONE_USE_FIRST && job->is_used)
        outcome = ONE_USE_USED; /* Redis has forgotten a use that the processes know of */
    if ((outcome == ONE_USE_FIRST || outcome == ONE_USE_REPEATED) && !append_event(job))
        outcome = ONE_USE_UNSURE;
    switch (outcome) {
    case ONE_USE_FIRST:
    case ONE_USE_REPEATED:
        request_reply_json(request, 200,
                           json_pack("{ss ss ss? sI sI}", "outcome",
                                     outcome == ONE_USE_FIRST ? "first" : "repeated", "id",
                                     links_id_text(job->token.link_id, id), "kind",
                                     brand_kind_name(job->brand, job->token.kind), "object",
                                     (json_int_t)job->token.object, "client",
                                     (json_int_t)job->token.client));
        break;
    case ONE_USE_USED:
        request_fail(request, 410, NULL, "the link has been used by another view");
        break;
    case ONE_USE_UNSURE:
        request_add_header(request, "Retry-After", "10");
        request_fail(request, 503, NULL,
                     "Redis can't confirm the use of the link now; ask again with the same view");
        break;
    }
    free(job);
}

void use_on_outcome(void *owner, uint64_t ticket, enum one_use_outcome outcome)
{
    struct server *server = owner;
    struct use_job **at = &server->use_jobs, *job;

    while (*at && (*at)->ticket != ticket)
        at = &(*at)->next;
    job = *at;
    if (!job)
        return;
    *at = job->next;
    finish(job, outcome);
}

void links_handle_use(struct request *request)
{
    struct server *server = request->server;
    struct token token;
    const struct brand *brand = links_find(request, &token);
    struct one_use_request ask;
    struct state_of_link state;
    struct use_job *job;

    if (!brand)
        return;
    state_look_up(server->sources.states, brand->id, &token,
                  brand_kind_is_of_invoices(brand, token.kind), &state);
    if (!may_be_used(request, brand, &token, &state))
        return;
    job = calloc(1, sizeof(*job));
    if (!job) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    if (!read_view(request, job->view)) {
        free(job);
        return;
    }
    job->request = request;
    job->brand = brand;
    job->token = token;
    job->is_used = state.is_used;
    job->is_aggregate = state.is_opted_out || brand->aggregate_kinds >> token.kind & 1;
    job->ticket = ++server->last_use;
    ask = (struct one_use_request){.link_id = token.link_id,
                                   .view = job->view,
                                   .ends_s = token_expires_s(&token),
                                   .ticket = job->ticket};
    if (!server->one_use || !one_use_ask(server->one_use, &ask)) {
        finish(job, ONE_USE_UNSURE);
        return;
    }
    job->next = server->use_jobs;
    server->use_jobs = job;
}

void use_drop_all(struct server *server)
{
    while (server->use_jobs) {
        struct use_job *job = server->use_jobs;

        server->use_jobs = job->next;
        finish(job, ONE_USE_UNSURE);
    }
}
