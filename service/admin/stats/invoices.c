/* GET /v1/clicked, /v1/unclicked, /v1/unpaid: the invoices of a campaign that people clicked, did
 * not click, or have not paid; a page at a time, in the order of their numbers.
 *
 * Which blocks hold invoices of the campaign is listed by month; these blocks are read some at a
 * time, until the page is full.  So a page costs what it holds, and no list is ever in memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/bytes.h"
#include "proto/counter.h"
#include "proto/funnel.h"
#include "proto/number.h"
#include "proto/state.h"
#include "proto/token.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/pods.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/stats_query.h"
#include "service/base/clock.h"
#include "service/config/site.h"
#include "service/state/state_table.h"

enum {
    LIMIT_DEFAULT = 1000,
    LIMIT_MAX = 10000,
    MONTHS_MAX = 12 * 20 + 2,
    BLOCK_KEYS = 32,       /* blocks of a command */
    WAVE_BLOCKS = 512,     /* that are read before it is looked whether the page is full */
    PAGE_BLOCKS = 1 << 14, /* that are read for one page; then it ends, full or not */
};

enum list { LIST_CLICKED, LIST_UNCLICKED, LIST_UNPAID };

struct invoice_row {
    uint32_t object, client;
    uint8_t channel, variant;        /* of the newest mail or link of the campaign */
    int64_t sent_s, first_s, last_s; /* 0 = not known, never */
    const char *state;               /* NULL: not known */
};

/* A run of blocks of one shard, of a wave. */
struct command {
    size_t first, n;
};

struct invoices_job {
    struct request *request;
    struct stats_query query; /* brand, campaign, period */
    enum list list;
    size_t limit;
    uint32_t first_block, first_object; /* where the page begins */
    unsigned n_months;
    int64_t months[MONTHS_MAX]; /* when they begin */
    uint32_t *blocks;           /* of the campaign, sorted, each once */
    size_t n_blocks, blocks_room, at, wave_end, n_read;
    uint32_t wave[WAVE_BLOCKS]; /* those of the wave, by shard */
    struct command commands[WAVE_BLOCKS];
    size_t n_commands;
    struct invoice_row *rows;
    size_t n_rows, rows_room;
    bool failed; /* no memory */
    struct counter_key keys[BLOCK_KEYS];
};

static void free_job(struct invoices_job *job)
{
    stats_query_clear(&job->query);
    free(job->blocks);
    free(job->rows);
    free(job);
}

/* --- one invoice --- */

/* What is known of the object beyond its payments: cancelled, replaced … */
static unsigned state_of(const struct invoices_job *job, uint32_t object)
{
    const struct state_table *states = job->request->server->sources.states;
    const struct state_subject subject = {STATE_OBJECT, job->query.brand->id, object};

    return states ? state_what(state_table_find(states, &subject)) : STATE_UNKNOWN;
}

static bool is_opted_out(const struct invoices_job *job, uint32_t client)
{
    const struct state_table *states = job->request->server->sources.states;
    const struct state_subject subject = {STATE_OPTED_OUT, job->query.brand->id, client};

    return states && client != 0 && state_what(state_table_find(states, &subject)) != 0;
}

/* Sums the facts of the campaign up; false: no mail or link of it was made in the period. */
static bool read_invoice(const struct invoices_job *job, struct slice facts,
                         struct invoice_row *row)
{
    const struct period *period = &job->query.period;
    struct funnel_fact fact;
    size_t at = 0;
    bool is_of_period = false;

    while (funnel_next_fact(facts, &at, &fact)) {
        if (fact.type == FUNNEL_CLIENT)
            row->client = fact.client;
        if ((fact.type != FUNNEL_SENT && fact.type != FUNNEL_CLICK) || fact.is_taken_back ||
            fact.campaign != job->query.campaigns[0])
            continue;
        is_of_period =
            is_of_period || (fact.sent_s >= period->from_s && fact.sent_s < period->to_s);
        if (fact.sent_s >= row->sent_s) {
            row->sent_s = fact.sent_s;
            row->channel = fact.channel;
            row->variant = fact.variant;
        }
        if (fact.type != FUNNEL_CLICK)
            continue;
        if (row->first_s == 0 || fact.time_s < row->first_s)
            row->first_s = fact.time_s;
        if (fact.time_s > row->last_s)
            row->last_s = fact.time_s;
    }
    return is_of_period;
}

static bool is_listed(const struct invoices_job *job, const struct invoice_row *row,
                      struct slice facts, unsigned state)
{
    switch (job->list) {
    case LIST_CLICKED:
        return row->first_s != 0;
    case LIST_UNCLICKED:
        return row->first_s == 0;
    case LIST_UNPAID:
        return state == STATE_UNPAID || state == STATE_PARTLY_PAID ||
               (state == STATE_UNKNOWN && !funnel_is_paid(facts));
    }
    return false;
}

static void add_row(struct invoices_job *job, const struct invoice_row *row)
{
    if (job->n_rows == job->rows_room) {
        size_t room = job->rows_room ? 2 * job->rows_room : 256;
        struct invoice_row *rows = realloc(job->rows, room * sizeof(*rows));

        if (!rows) {
            job->failed = true;
            return;
        }
        job->rows = rows;
        job->rows_room = room;
    }
    job->rows[job->n_rows++] = *row;
}

static void take_block(struct invoices_job *job, uint32_t number, struct slice block)
{
    struct slice facts;
    unsigned place;
    size_t at = 0;

    while (funnel_next_invoice(block, &at, &place, &facts)) {
        struct invoice_row row = {.object = number * FUNNEL_BLOCK + place};
        unsigned state;

        if (row.object < job->first_object || !read_invoice(job, facts, &row) ||
            is_opted_out(job, row.client))
            continue;
        state = state_of(job, row.object);
        if (state == STATE_UNKNOWN && funnel_is_paid(facts))
            state = STATE_PAID;
        row.state = state_object_name(state);
        if (is_listed(job, &row, facts, state))
            add_row(job, &row);
    }
}

/* --- the reply --- */

static int by_object(const void *left, const void *right)
{
    const struct invoice_row *a = left, *b = right;

    return (a->object > b->object) - (a->object < b->object);
}

static json_t *time_json(int64_t time_s)
{
    char text[RFC3339_TEXT_MAX];

    return time_s ? json_string(rfc3339_format(time_s, 0, text)) : json_null();
}

static const char *variant_name(uint8_t variant)
{
    static const char *const names[] = {"none", "A", "B", "C", "D", "E", "F", "G"};

    return names[variant & 7];
}

static json_t *row_json(const struct invoice_row *row)
{
    return json_pack("{sI so so so so ss ss ss?}", "object", (json_int_t)row->object, "client",
                     row->client ? json_integer(row->client) : json_null(), "sent_at",
                     time_json(row->sent_s), "first_click_at", time_json(row->first_s),
                     "last_click_at", time_json(row->last_s), "channel",
                     token_channel_name(row->channel), "variant", variant_name(row->variant),
                     "state", row->state);
}

/* Where the next page begins; 0: this one is the last. */
static uint32_t next_page(const struct invoices_job *job)
{
    if (job->n_rows > job->limit)
        return job->rows[job->limit].object;
    return job->at < job->n_blocks ? job->blocks[job->at] * FUNNEL_BLOCK : 0;
}

static size_t n_on_page(const struct invoices_job *job)
{
    return job->n_rows < job->limit ? job->n_rows : job->limit;
}

static void reply_json(struct invoices_job *job)
{
    const struct stats_query *query = &job->query;
    struct pods_age age = pods_age(job->request->server->pods);
    uint32_t next = next_page(job);
    json_t *rows = json_array();

    for (size_t i = 0; i < n_on_page(job); i++)
        json_array_append_new(rows, row_json(&job->rows[i]));
    request_reply_json(job->request, 200,
                       json_pack("{ss# si so so so so so}", "brand", query->brand->name.ptr,
                                 (int)query->brand->name.len, "campaign", (int)query->campaigns[0],
                                 "from", time_json(query->period.from_s), "to",
                                 time_json(query->period.to_s), "rows", rows, "next_page",
                                 next ? json_integer(next) : json_null(), "as_of",
                                 age.as_of_ms > 0 ? time_json(age.as_of_ms / 1000) : json_null()));
}

static void print_time(FILE *out, int64_t time_s)
{
    char text[RFC3339_TEXT_MAX];

    fprintf(out, ",%s", time_s ? rfc3339_format(time_s, 0, text) : "");
}

static void reply_csv(struct invoices_job *job)
{
    struct reply reply = {.status = 200, .type = "text/csv; charset=utf-8; header=present"};
    uint32_t next = next_page(job);
    char *text = NULL, page[16];
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (!out) {
        request_fail(job->request, 503, NULL, "out of memory");
        return;
    }
    fprintf(out, "object,client,sent_at,first_click_at,last_click_at,channel,variant,state\r\n");
    for (size_t i = 0; i < n_on_page(job); i++) {
        const struct invoice_row *row = &job->rows[i];

        fprintf(out, "%" PRIu32 ",", row->object);
        if (row->client)
            fprintf(out, "%" PRIu32, row->client);
        print_time(out, row->sent_s);
        print_time(out, row->first_s);
        print_time(out, row->last_s);
        fprintf(out, ",%s,%s,%s\r\n", token_channel_name(row->channel), variant_name(row->variant),
                row->state ? row->state : "");
    }
    if (fclose(out) != 0) {
        free(text);
        request_fail(job->request, 503, NULL, "out of memory");
        return;
    }
    if (next) {
        snprintf(page, sizeof(page), "%" PRIu32, next);
        request_add_header(job->request, "Next-Page", page);
    }
    reply.body = slice_make(text, len);
    request_reply(job->request, &reply);
    free(text);
}

static void reply_page(struct invoices_job *job)
{
    if (job->n_rows > 0)
        qsort(job->rows, job->n_rows, sizeof(*job->rows), by_object);
    if (job->query.csv)
        reply_csv(job);
    else
        reply_json(job);
}

/* --- blocks --- */

static void on_block_command(void *owner, size_t index, struct fetch_command *command)
{
    struct invoices_job *job = owner;
    const struct command *of = &job->commands[index];

    command->argv[0] = slice_of("MGET");
    for (size_t i = 0; i < of->n; i++) {
        counter_key_block(&job->keys[i], job->query.brand->id, job->wave[of->first + i],
                          job->request->server->n_shards);
        command->argv[1 + i] = counter_key_slice(&job->keys[i]);
    }
    command->argc = 1 + of->n;
    command->key = command->argv[1];
}

static void on_block_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct invoices_job *job = owner;
    const struct command *of = &job->commands[index];

    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i < answer->elements && i < of->n;
         i++) {
        const struct redisReply *block = answer->element[i];

        if (block->type == REDIS_REPLY_STRING)
            take_block(job, job->wave[of->first + i], slice_make(block->str, block->len));
    }
}

static void read_wave(struct invoices_job *job);

static void on_wave_done(void *owner, const char *cause)
{
    struct invoices_job *job = owner;

    if (cause || job->failed) {
        request_fail_redis(job->request, cause ? cause : "out of memory");
        free_job(job);
        return;
    }
    job->at = job->wave_end;
    if (job->at < job->n_blocks && job->n_rows <= job->limit && job->n_read < PAGE_BLOCKS) {
        read_wave(job);
        return;
    }
    reply_page(job);
    free_job(job);
}

/* The blocks of the wave by shard, each shard's cut into commands. */
static void plan_wave(struct invoices_job *job)
{
    unsigned n_shards = job->request->server->n_shards;
    size_t n = 0;

    job->wave_end = job->at + WAVE_BLOCKS < job->n_blocks ? job->at + WAVE_BLOCKS : job->n_blocks;
    job->n_commands = 0;
    for (unsigned s = 0; s < n_shards; s++) {
        size_t first = n;

        for (size_t i = job->at; i < job->wave_end; i++) {
            unsigned bucket = counter_bucket_of_block(job->query.brand->id, job->blocks[i]);

            if (counter_shard_of_bucket(bucket, n_shards) == s)
                job->wave[n++] = job->blocks[i];
        }
        for (; first < n; first += BLOCK_KEYS)
            job->commands[job->n_commands++] =
                (struct command){first, n - first < BLOCK_KEYS ? n - first : (size_t)BLOCK_KEYS};
    }
    job->n_read += n;
}

static void read_wave(struct invoices_job *job)
{
    const struct fetch_options options = {
        .on_command = on_block_command,
        .on_answer = on_block_answer,
        .on_done = on_wave_done,
        .is_long = true,
        .owner = job,
    };
    struct fetch_options fetch = options;

    plan_wave(job);
    fetch.n_commands = job->n_commands;
    fetch_start(job->request->server->fetches, &fetch);
}

/* --- which blocks --- */

static void on_list_command(void *owner, size_t index, struct fetch_command *command)
{
    struct invoices_job *job = owner;

    counter_key_mailed(&job->keys[0], (unsigned)(index / job->n_months), job->query.brand->id,
                       job->query.campaigns[0], job->months[index % job->n_months]);
    command->argv[0] = slice_of("GET");
    command->argv[1] = counter_key_slice(&job->keys[0]);
    command->argc = 2;
    command->key = command->argv[1];
}

static void on_list_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct invoices_job *job = owner;
    size_t n = answer->type == REDIS_REPLY_STRING ? answer->len / sizeof(uint32_t) : 0;

    (void)index;
    if (job->n_blocks + n > job->blocks_room) {
        size_t room = 2 * (job->n_blocks + n);
        uint32_t *blocks = realloc(job->blocks, room * sizeof(*blocks));

        if (!blocks) {
            job->failed = true;
            return;
        }
        job->blocks = blocks;
        job->blocks_room = room;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t block = be32_load((const uint8_t *)answer->str + i * sizeof(uint32_t));

        if (block >= job->first_block)
            job->blocks[job->n_blocks++] = block;
    }
}

static int by_number(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

static void on_list_done(void *owner, const char *cause)
{
    struct invoices_job *job = owner;
    size_t n = 0;

    if (cause || job->failed) {
        request_fail_redis(job->request, cause ? cause : "out of memory");
        free_job(job);
        return;
    }
    if (job->n_blocks > 0)
        qsort(job->blocks, job->n_blocks, sizeof(*job->blocks), by_number);
    for (size_t i = 0; i < job->n_blocks; i++) {
        if (n == 0 || job->blocks[i] != job->blocks[n - 1])
            job->blocks[n++] = job->blocks[i];
    }
    job->n_blocks = n;
    if (n > 0) {
        read_wave(job);
        return;
    }
    reply_page(job);
    free_job(job);
}

/* --- the request --- */

static bool take_page(struct invoices_job *job)
{
    struct request *request = job->request;
    struct slice limit = query_find(&request->query, "limit");
    struct slice page = query_find(&request->query, "page");
    uint32_t n = LIMIT_DEFAULT;

    if (limit.ptr && (!number_parse_u32(limit, LIMIT_MAX, &n) || n == 0)) {
        request_fail(request, 400, "limit", "must be a number from 1 to %d", (int)LIMIT_MAX);
        return false;
    }
    job->limit = n;
    if (page.ptr && !number_parse_u32(page, UINT32_MAX, &job->first_object)) {
        request_fail(request, 400, "page", "is not what `next_page` of a page before said");
        return false;
    }
    job->first_block = funnel_block(job->first_object);
    return true;
}

static bool take_months(struct invoices_job *job)
{
    const struct period *period = &job->query.period;

    for (int64_t at_s = period_month_s(period->from_s);
         at_s < period->to_s && job->n_months < MONTHS_MAX;
         at_s = counter_people_next_s(COUNTER_DAYS, at_s))
        job->months[job->n_months++] = at_s;
    if (job->n_months * job->request->server->n_shards <= FETCH_COMMANDS_MAX)
        return true;
    request_fail(job->request, 400, "from", "too much to read at once; ask for a shorter time");
    return false;
}

static const char *const file_names[] = {
    [LIST_CLICKED] = "attachment; filename=\"hopcount-clicked.csv\"",
    [LIST_UNCLICKED] = "attachment; filename=\"hopcount-unclicked.csv\"",
    [LIST_UNPAID] = "attachment; filename=\"hopcount-unpaid.csv\"",
};

static bool read_query(struct invoices_job *job)
{
    struct request *request = job->request;
    const char *accept = request_header(request, "Accept");
    const struct stats_asker asker = {
        .site = request->site,
        .brands = request->brands,
        .now_s = clock_wall_ms() / 1000,
        .accepts_csv = accept && strstr(accept, "text/csv"),
        .is_funnel = true,
    };
    struct stats_fault fault;

    if (!stats_query_init(&job->query, &request->query, &asker, &fault)) {
        request_fail(request, fault.status, fault.parameter, "%s", fault.detail);
        return false;
    }
    if (job->query.n_campaigns != 1) {
        request_fail(request, 400, "campaign", "is needed: the number of one campaign");
        return false;
    }
    if (job->query.download)
        request_add_header(request, "Content-Disposition", file_names[job->list]);
    return take_page(job) && take_months(job);
}

static void handle(struct request *request, enum list list)
{
    struct fetch_options options = {
        .on_command = on_list_command,
        .on_answer = on_list_answer,
        .on_done = on_list_done,
        .is_long = true,
    };
    struct invoices_job *job = calloc(1, sizeof(*job));

    request_add_header(request, "Vary", "Accept, Accept-Encoding, Authorization");
    if (!job) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    job->request = request;
    job->list = list;
    if (!read_query(job)) {
        free_job(job);
        return;
    }
    if (!request->server->fetches) {
        request_fail_redis(request, "no Redis is configured");
        free_job(job);
        return;
    }
    options.owner = job;
    options.n_commands = job->n_months * request->server->n_shards;
    fetch_start(request->server->fetches, &options);
}

void invoices_handle_clicked(struct request *request)
{
    handle(request, LIST_CLICKED);
}

void invoices_handle_unclicked(struct request *request)
{
    handle(request, LIST_UNCLICKED);
}

void invoices_handle_unpaid(struct request *request)
{
    handle(request, LIST_UNPAID);
}
