/* GET /v1/audit: the audit log, the newest entries first, as JSON or CSV. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/csv.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "service/admin/audit.h"
#include "service/admin/faults.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/config/brandlist.h"

enum {
    LIMIT_DEFAULT = 100,
    LIMIT_MAX = 1000,
    LOOKED_AT_MAX = 2000, /* entries that are read for a page, with a filter */
    NUMBER_MAX = 24,
    PAGE_MAX = 2 * NUMBER_MAX,
};

/* A page ends at a time, and says how many entries of that very millisecond it had. */
struct place {
    uint64_t at_ms, n_passed; /* INT64_MAX = from the newest on */
};

struct listing {
    struct request *request;
    bool is_csv;
    enum audit_action action; /* AUDIT_ACTIONS = all */
    char who[AUDIT_WHO_MAX + 1];
    uint32_t limit, n;
    struct place from, next;
    bool has_more;
    struct counter_key key;
    char max[NUMBER_MAX], skip[NUMBER_MAX], count[NUMBER_MAX];
    json_t *rows;
    struct evbuffer *csv;
};

static void free_listing(struct listing *listing)
{
    json_decref(listing->rows);
    if (listing->csv)
        evbuffer_free(listing->csv);
    free(listing);
}

/* --- one entry --- */

static void add_cell(struct evbuffer *out, const char *text, const char *end)
{
    char cell[2 * AUDIT_WHAT_MAX + 8], guarded[AUDIT_WHAT_MAX + 2];

    snprintf(guarded, sizeof(guarded), "%s%s", csv_is_formula(slice_of(text)) ? "'" : "", text);
    evbuffer_add(out, cell, csv_write(slice_of(guarded), cell));
    evbuffer_add(out, end, strlen(end));
}

static void add_csv(struct evbuffer *out, const struct audit_entry *entry, const char *at)
{
    char client[NUMBER_MAX] = "", n[NUMBER_MAX];

    if (entry->client)
        snprintf(client, sizeof(client), "%" PRIu32, entry->client);
    snprintf(n, sizeof(n), "%" PRIu32, entry->n);
    add_cell(out, at, ",");
    add_cell(out, audit_action_name(entry->action), ",");
    add_cell(out, entry->who, ",");
    add_cell(out, entry->address, ",");
    add_cell(out, entry->brand, ",");
    add_cell(out, entry->what, ",");
    add_cell(out, client, ",");
    add_cell(out, n, "\r\n");
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static void add(struct listing *listing, const struct audit_entry *entry)
{
    char at[RFC3339_TEXT_MAX], id[NUMBER_MAX];

    rfc3339_format(entry->at_ms / 1000, 0, at);
    listing->n++;
    if (listing->is_csv) {
        add_csv(listing->csv, entry, at);
        return;
    }
    snprintf(id, sizeof(id), "%016" PRIx64, entry->id);
    json_array_append_new(
        listing->rows,
        json_pack("{ss ss ss so so so so so sI}", "id", id, "at", at, "action",
                  audit_action_name(entry->action), "who", text_or_null(entry->who), "address",
                  text_or_null(entry->address), "brand", text_or_null(entry->brand), "what",
                  text_or_null(entry->what), "client",
                  entry->client ? json_integer(entry->client) : json_null(), "n",
                  (json_int_t)entry->n));
}

/* A key for some brands sees what was done to these. */
static bool is_wanted(const struct listing *listing, const struct audit_entry *entry)
{
    const char *brands = listing->request->brands;

    return (listing->action == AUDIT_ACTIONS || entry->action == listing->action) &&
           (!listing->who[0] || strcmp(entry->who, listing->who) == 0) &&
           (!brands || (entry->brand[0] && brandlist_has(brands, slice_of(entry->brand))));
}

/* --- the page --- */

static void on_command(void *owner, size_t index, struct fetch_command *command)
{
    struct listing *listing = owner;
    const struct slice argv[] = {slice_of("ZRANGE"),      counter_key_slice(&listing->key),
                                 slice_of(listing->max),  slice_of("-inf"),
                                 slice_of("BYSCORE"),     slice_of("REV"),
                                 slice_of("LIMIT"),       slice_of(listing->skip),
                                 slice_of(listing->count)};

    (void)index;
    command->key = counter_key_slice(&listing->key);
    memcpy(command->argv, argv, sizeof(argv));
    command->argc = sizeof(argv) / sizeof(argv[0]);
}

static void on_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct listing *listing = owner;
    struct place *next = &listing->next;

    (void)index;
    *next = listing->from;
    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i < answer->elements; i++) {
        const struct redisReply *member = answer->element[i];
        struct audit_entry entry;

        if (listing->n == listing->limit) {
            listing->has_more = true;
            return;
        }
        if (member->type != REDIS_REPLY_STRING ||
            !audit_entry_read(slice_make(member->str, member->len), &entry)) {
            next->n_passed++;
            continue;
        }
        next->n_passed = (uint64_t)entry.at_ms == next->at_ms ? next->n_passed + 1 : 1;
        next->at_ms = (uint64_t)entry.at_ms;
        if (is_wanted(listing, &entry))
            add(listing, &entry);
    }
    listing->has_more =
        answer->type == REDIS_REPLY_ARRAY && answer->elements == (size_t)LOOKED_AT_MAX;
}

static void reply_csv(struct listing *listing, const char *page)
{
    struct reply reply = {.status = 200, .type = "text/csv; charset=utf-8; header=present"};
    size_t len = evbuffer_get_length(listing->csv);

    reply.body = slice_make((const char *)evbuffer_pullup(listing->csv, -1), len);
    request_add_header(listing->request, "Content-Disposition",
                       "attachment; filename=\"hopcount-audit.csv\"");
    if (listing->has_more)
        request_add_header(listing->request, "Next-Page", page);
    audit_reply(listing->request, &reply);
}

static void on_done(void *owner, const char *cause)
{
    struct listing *listing = owner;
    char page[PAGE_MAX];

    snprintf(page, sizeof(page), "%" PRIu64 "-%" PRIu64, listing->next.at_ms,
             listing->next.n_passed);
    if (cause)
        request_fail_redis(listing->request, cause);
    else if (listing->is_csv)
        reply_csv(listing, page);
    else
        request_reply_json(listing->request, 200,
                           json_pack("{sO so}", "entries", listing->rows, "next_page",
                                     listing->has_more ? json_string(page) : json_null()));
    free_listing(listing);
}

/* --- the request --- */

static bool read_page(struct slice text, struct place *out)
{
    struct slice at, n;

    return slice_next_part(&text, '-', &at) && slice_next_part(&text, '-', &n) && text.len == 0 &&
           number_parse(at, INT64_MAX, &out->at_ms) && number_parse(n, INT32_MAX, &out->n_passed);
}

/* False: replied to. */
static bool read_params(struct request *request, struct listing *out)
{
    const struct query *query = &request->query;
    struct slice action = query_find(query, "action"), who = query_find(query, "who"),
                 limit = query_find(query, "limit"), page = query_find(query, "page");
    char quoted[REQUEST_QUOTE_MAX], rest[REQUEST_QUOTE_MAX + 64];
    struct faults faults = {.n = 0};

    faults_add_strays(&faults, request);
    out->action = action.ptr ? audit_action_find(action) : AUDIT_ACTIONS;
    out->limit = LIMIT_DEFAULT;
    out->from.at_ms = INT64_MAX;
    audit_set_text(out->who, sizeof(out->who), who);
    if (action.ptr && out->action == AUDIT_ACTIONS) {
        snprintf(rest, sizeof(rest), "%s is no action of the audit log",
                 request_quote(action, quoted));
        faults_add(&faults, PROBLEM_INVALID_PARAMETERS, slice_of("action"), rest);
    }
    if (limit.ptr && (!number_parse_u32(limit, LIMIT_MAX, &out->limit) || out->limit == 0))
        faults_add(&faults, PROBLEM_INVALID_PARAMETERS, slice_of("limit"),
                   "must be a number from 1 to 1000");
    if (page.ptr && !read_page(page, &out->from))
        faults_add(&faults, PROBLEM_INVALID_PARAMETERS, slice_of("page"),
                   "is not what `next_page` of a page before said");
    if (faults.n > 0)
        faults_reply(&faults, request);
    else if (!request->server->fetches)
        request_fail_redis(request, "no Redis is configured");
    else
        return true;
    return false;
}

static bool is_csv(struct slice path)
{
    return path.len > 4 && memcmp(path.ptr + path.len - 4, ".csv", 4) == 0;
}

void audit_list_handle(struct request *request)
{
    static const char head[] = "at,action,who,address,brand,what,client,n\r\n";
    struct fetch_options options = {
        .n_commands = 1, .on_command = on_command, .on_answer = on_answer, .on_done = on_done};
    struct listing want = {.request = request, .is_csv = is_csv(request->path)};
    struct listing *listing;

    if (!read_params(request, &want))
        return;
    listing = malloc(sizeof(*listing));
    if (listing) {
        *listing = want;
        listing->rows = json_array();
        listing->csv = evbuffer_new();
    }
    if (!listing || !listing->rows || !listing->csv) {
        if (listing)
            free_listing(listing);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    evbuffer_add(listing->csv, head, sizeof(head) - 1);
    counter_key_audit(&listing->key);
    if (listing->from.at_ms == INT64_MAX)
        snprintf(listing->max, NUMBER_MAX, "+inf");
    else
        snprintf(listing->max, NUMBER_MAX, "%" PRIu64, listing->from.at_ms);
    snprintf(listing->skip, NUMBER_MAX, "%" PRIu64, listing->from.n_passed);
    snprintf(listing->count, NUMBER_MAX, "%d", (int)LOOKED_AT_MAX);
    options.owner = listing;
    fetch_start(request->server->fetches, &options);
}
