/* POST /v1/events: what the billing system tells, one event or many. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/event.h"
#include "service/admin/audit.h"
#include "service/admin/auth.h"
#include "service/admin/faults.h"
#include "service/admin/fetch.h"
#include "service/admin/formjson.h"
#include "service/admin/handlers.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/config/eventform.h"
#include "service/config/site.h"
#include "service/state/event_log.h"
#include "service/state/state_table.h"

enum { EVENTS_MAX = 1000 };

enum outcome { OUTCOME_ACCEPTED, OUTCOME_DUPLICATE, OUTCOME_REFUSED };

/* One event of a request. */
struct posted {
    struct event event;
    uint64_t key; /* event_key() */
    enum outcome outcome;
    struct faults faults; /* of OUTCOME_REFUSED */
};

struct posting {
    struct request *request;
    json_t *json; /* the body, whose ids are answered */
    bool is_array;
    struct counter_key redis_key; /* of the command being made */
    size_t n;
    struct posted events[];
};

static enum formjson_type type_of(int field)
{
    switch (field) {
    case EVENT_FIELD_OBJECT:
    case EVENT_FIELD_CLIENT:
    case EVENT_FIELD_CAMPAIGN:
    case EVENT_FIELD_N:
    case EVENT_FIELD_AMOUNT:
    case EVENT_FIELD_BY:
        return FORMJSON_NUMBER;
    default:
        return FORMJSON_TEXT;
    }
}

_Static_assert((int)EVENT_FIELDS <= (int)FORMJSON_FIELDS_MAX, "all fields of an event fit");

static const struct formjson_spec event_spec = {"an event", eventform_field_find, type_of};

/* Adds what is wrong with the values; a field of another type has its fault already. */
static void add_faults(const struct eventform_faults *wrong, const struct formjson *texts,
                       struct faults *faults)
{
    for (size_t i = 0; i < wrong->n; i++) {
        const struct eventform_fault *fault = &wrong->list[i];
        int field = eventform_field_find(slice_of(fault->field));

        if (!(texts->wrong >> field & 1))
            faults_add(faults, fault->is_forbidden ? PROBLEM_OTHER_BRAND : PROBLEM_INVALID_FIELDS,
                       slice_of(texts->names[field] ? texts->names[field] : fault->field),
                       fault->detail);
    }
}

static void read_event(const struct eventform_maker *maker, const struct state_table *states,
                       json_t *json, struct posted *out)
{
    struct eventform_faults wrong;
    struct formjson texts;
    struct eventform form;
    struct event *event;

    out->outcome = OUTCOME_REFUSED;
    if (!formjson_read(&event_spec, json, &texts, &out->faults))
        return;
    memcpy(form.field, texts.field, sizeof(form.field));
    if (!eventform_make(maker, &form, &out->event, &wrong))
        add_faults(&wrong, &texts, &out->faults);
    if (out->faults.n > 0)
        return;
    event = &out->event;
    out->key = event_key(event);
    out->outcome = OUTCOME_ACCEPTED;
    /* A payment by a client who must not be tracked is credited to nothing.  The event says so
     * itself, for the clicks that it would be credited to may be counted by another process. */
    if (states && event->client != 0 &&
        (event->type == EVENT_PAID || event->type == EVENT_PARTLY_PAID)) {
        const struct state_subject client = {STATE_OPTED_OUT, event->brand, event->client};

        event->value = state_what(state_table_find(states, &client));
    }
}

static struct posting *read_posting(struct request *request, json_t *json)
{
    const struct eventform_maker maker = {
        .site = request->site,
        .brands = request->brands,
        .whose = auth_whose(request->who),
        .now_ms = clock_wall_ms(),
    };
    size_t n = json_is_array(json) ? json_array_size(json) : 1;
    struct posting *posting = calloc(1, sizeof(*posting) + n * sizeof(posting->events[0]));

    if (!posting)
        return NULL;
    posting->request = request;
    posting->json = json;
    posting->is_array = json_is_array(json);
    posting->n = n;
    for (size_t i = 0; i < n; i++)
        read_event(&maker, request->server->sources.states,
                   posting->is_array ? json_array_get(json, i) : json, &posting->events[i]);
    return posting;
}

/* --- what Redis knows already --- */

static void on_command(void *owner, size_t index, struct fetch_command *command)
{
    struct posting *posting = owner;
    const struct posted *posted = &posting->events[index];
    unsigned n_shards = posting->request->server->n_shards;

    counter_key_event(&posting->redis_key,
                      counter_shard_of_bucket(event_bucket(&posted->event), n_shards), posted->key);
    command->key = counter_key_slice(&posting->redis_key);
    command->argc = 2;
    command->argv[0] = slice_of("GET");
    command->argv[1] = command->key;
}

static void on_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct posting *posting = owner;
    struct posted *posted = &posting->events[index];

    if (answer->type == REDIS_REPLY_STRING && posted->outcome == OUTCOME_ACCEPTED)
        posted->outcome = OUTCOME_DUPLICATE;
}

/* --- the answer --- */

static json_t *answer_of(const struct posting *posting, size_t i)
{
    static const char *const outcomes[] = {"accepted", "duplicate", "refused"};
    const struct posted *posted = &posting->events[i];
    json_t *json = posting->is_array ? json_array_get(posting->json, i) : posting->json;
    json_t *id = json_object_get(json, "id"), *answer;

    /* The id as it came, or null: of what is no event at all. */
    answer = json_pack("{so ss}", "id", json_is_string(id) ? json_incref(id) : json_null(),
                       "outcome", outcomes[posted->outcome]);
    if (answer && posted->outcome == OUTCOME_REFUSED) {
        json_object_set_new(answer, "why", json_string(faults_first(&posted->faults)));
        json_object_set(answer, "errors", posted->faults.errors);
    }
    return answer;
}

static void reply(struct posting *posting)
{
    json_t *answers = json_array();

    if (!posting->is_array) {
        json_decref(answers);
        if (posting->events[0].outcome == OUTCOME_REFUSED)
            faults_reply(&posting->events[0].faults, posting->request);
        else
            request_reply_json(posting->request, 202, answer_of(posting, 0));
    } else {
        for (size_t i = 0; answers && i < posting->n; i++)
            json_array_append_new(answers, answer_of(posting, i));
        request_reply_json(posting->request, 202, answers);
    }
    for (size_t i = 0; i < posting->n; i++)
        faults_clear(&posting->events[i].faults);
    json_decref(posting->json);
    free(posting);
}

/* An event is accepted when it is in the log.  Redis is not needed for that: what it would have
 * known as a repetition is passed over when it is applied. */
static void append(struct posting *posting)
{
    struct event_log *log = posting->request->server->sources.events;

    for (size_t i = 0; i < posting->n; i++) {
        struct posted *posted = &posting->events[i];

        if (posted->outcome != OUTCOME_ACCEPTED || (log && event_log_add(log, &posted->event)))
            continue;
        posted->outcome = OUTCOME_REFUSED;
        faults_add(&posted->faults, PROBLEM_BUSY, (struct slice){0},
                   "there is no room in the log of events; send it again later");
    }
    if (log)
        event_log_sync(log);
}

static void note(const struct posting *posting)
{
    const struct site *site = posting->request->site;

    for (unsigned b = 0; b < site_n_brands(site); b++) {
        const struct brand *brand = site_brand_at(site, b);
        uint32_t n = 0;

        for (size_t i = 0; i < posting->n; i++)
            n += posting->events[i].outcome == OUTCOME_ACCEPTED &&
                 posting->events[i].event.brand == brand->id;
        if (n > 0)
            audit_note_events(posting->request, brand, n);
    }
}

static void on_done(void *owner, const char *cause)
{
    struct posting *posting = owner;

    (void)cause;
    append(posting);
    note(posting);
    reply(posting);
}

/* Takes the request, and the reference `json`. */
static void post(struct request *request, json_t *json)
{
    struct posting *posting;
    struct fetch_options fetch = {
        .on_command = on_command, .on_answer = on_answer, .on_done = on_done};

    if (json_is_array(json) && (json_array_size(json) == 0 || json_array_size(json) > EVENTS_MAX)) {
        request_fail(request, 413, NULL, "one request takes from 1 to %d events, not %zu",
                     (int)EVENTS_MAX, json_array_size(json));
        json_decref(json);
        return;
    }
    posting = read_posting(request, json);
    if (!posting) {
        json_decref(json);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    /* Repetitions within the request.  For those of other requests Redis is asked. */
    for (size_t i = 1; i < posting->n; i++) {
        for (size_t k = 0; k < i && posting->events[i].outcome == OUTCOME_ACCEPTED; k++) {
            if (posting->events[k].outcome == OUTCOME_ACCEPTED &&
                posting->events[k].key == posting->events[i].key)
                posting->events[i].outcome = OUTCOME_DUPLICATE;
        }
    }
    fetch.owner = posting;
    fetch.n_commands = posting->n;
    if (request->server->fetches)
        fetch_start(request->server->fetches, &fetch);
    else
        on_done(posting, NULL);
}

void events_handle_post(struct request *request)
{
    json_t *json = request_read_json(request);

    if (!json)
        return;
    if (json_is_array(json))
        request_deprecate(request, "/v1/events:batch");
    post(request, json);
}

void events_handle_post_batch(struct request *request)
{
    json_t *json = request_read_json(request);

    if (!json)
        return;
    if (json_is_array(json)) {
        post(request, json);
        return;
    }
    request_fail_as(request, PROBLEM_INVALID_FIELDS, NULL, "the body must be an array of events");
    json_decref(json);
}
