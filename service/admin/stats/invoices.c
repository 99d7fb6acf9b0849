/* GET /v1/clicked, /v1/unclicked, /v1/unpaid: the invoices of a campaign that people clicked, did
 * not click, or have not paid, in the order of their numbers; a page, or all of them (`limit=all`).
 *
 * Which blocks hold invoices of the campaign is listed by month; these blocks are read some at a
 * time.  A page is sent when it is full.  A whole list is sent piece by piece, and the next blocks
 * are read when the client has taken the piece: so a list takes the memory of a piece and the
 * numbers of its blocks, however long it is and however slowly it is read. */
#include "service/admin/stats/invoices.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <hiredis/hiredis.h>

#include "proto/bytes.h"
#include "proto/counter.h"
#include "proto/funnel.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "proto/state.h"
#include "service/admin/audit.h"
#include "service/admin/auth.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/pods.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/invoice_row.h"
#include "service/admin/stats/period.h"
#include "service/admin/stats/stats_query.h"
#include "service/admin/stats/stats_request.h"
#include "service/config/apikeys.h"
#include "service/config/site.h"
#include "service/state/state_table.h"

enum {
    MONTHS_MAX = 12 * 20 + 2,
    BLOCK_KEYS = 32,       /* blocks of a command */
    WAVE_BLOCKS = 512,     /* that are read at a time, at most */
    WAVE_ROWS = 1000,      /* that a wave should find: as many blocks are read as had so many */
    PAGE_BLOCKS = 1 << 14, /* that are read for one page; then it ends, full or not */
    PIECE_MIN = 32768,     /* bytes; less is sent at the end only */
};

enum list { LIST_CLICKED, LIST_UNCLICKED, LIST_UNPAID };

/* A run of blocks of one shard, of a wave. */
struct command {
    size_t first, n;
};

struct invoices_job {
    struct invoices_job *next; /* of server->lists, while it is a whole list that is being sent */
    struct request *request;
    struct stats_query query; /* brand, campaign, period, variants, channels */
    unsigned kinds;           /* bits of those whose clicks count; 0 = all */
    enum list list;
    bool is_whole;                      /* all invoices, and not a page */
    bool has_ended;                     /* the last piece is on its way */
    uint32_t first_block, first_object; /* where the page begins */
    int64_t as_of_ms;
    unsigned n_months;
    int64_t months[MONTHS_MAX]; /* when they begin */
    uint32_t *blocks;           /* of the campaign, sorted, each once */
    size_t n_blocks, blocks_room, at, wave_end, n_read;
    size_t wave_blocks;         /* to be read the next time */
    uint32_t wave[WAVE_BLOCKS]; /* those of the wave, by shard */
    struct command commands[WAVE_BLOCKS];
    size_t n_commands;
    struct invoice_row *rows; /* of the wave */
    size_t n_rows, rows_room;
    size_t n_written;     /* rows in the reply */
    uint32_t next_object; /* where the next page begins; 0: this one is the last */
    struct evbuffer *out; /* what was not sent yet */
    bool failed;          /* no memory */
    struct counter_key keys[BLOCK_KEYS];
};

static void free_job(struct invoices_job *job)
{
    stats_query_clear(&job->query);
    if (job->out)
        evbuffer_free(job->out);
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

        if (row.object < job->first_object ||
            !invoice_row_read(facts, &job->query, job->kinds, &row) ||
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

static const char *type_of(const struct invoices_job *job)
{
    return job->query.csv ? "text/csv; charset=utf-8; header=present" : "application/json";
}

static void write_begin(struct invoices_job *job)
{
    const struct stats_query *query = &job->query;
    char from[RFC3339_TEXT_MAX], to[RFC3339_TEXT_MAX];

    if (query->csv) {
        evbuffer_add(job->out, invoice_row_csv_head, strlen(invoice_row_csv_head));
        return;
    }
    /* A brand's name needs no escaping: it has letters, digits and hyphens only. */
    evbuffer_add_printf(
        job->out, "{\"brand\":\"%.*s\",\"campaign\":%d,\"from\":\"%s\",\"to\":\"%s\",\"rows\":[",
        (int)query->brand->name.len, query->brand->name.ptr, (int)query->campaigns[0],
        rfc3339_format(query->period.from_s, 0, from), rfc3339_format(query->period.to_s, 0, to));
}

/* The rows of a wave, as far as they are on the page. */
static void write_rows(struct invoices_job *job)
{
    if (job->n_rows > 1)
        qsort(job->rows, job->n_rows, sizeof(*job->rows), by_object);
    for (size_t i = 0; i < job->n_rows; i++) {
        char text[INVOICE_ROW_MAX];

        if (!job->is_whole && job->n_written == job->query.limit) {
            job->next_object = job->rows[i].object;
            break;
        }
        if (job->query.csv) {
            evbuffer_add(job->out, text, invoice_row_put_csv(text, &job->rows[i]));
        } else {
            evbuffer_add(job->out, ",", job->n_written > 0);
            evbuffer_add(job->out, text, invoice_row_put_json(text, &job->rows[i]));
        }
        job->n_written++;
    }
    job->n_rows = 0;
}

static void write_end(struct invoices_job *job)
{
    char as_of[RFC3339_TEXT_MAX];

    if (job->query.csv)
        return;
    evbuffer_add_printf(job->out, "],\"next_page\":");
    if (job->next_object)
        evbuffer_add_printf(job->out, "%" PRIu32, job->next_object);
    else
        evbuffer_add_printf(job->out, "null");
    if (job->as_of_ms > 0)
        evbuffer_add_printf(job->out, ",\"as_of\":\"%s\"}",
                            rfc3339_format(job->as_of_ms / 1000, 0, as_of));
    else
        evbuffer_add_printf(job->out, ",\"as_of\":null}");
}

static struct slice written(const struct invoices_job *job)
{
    const char *bytes = (const char *)evbuffer_pullup(job->out, -1);

    return slice_make(bytes, bytes ? evbuffer_get_length(job->out) : 0);
}

static void reply_page(struct invoices_job *job)
{
    struct reply reply = {.status = 200, .type = type_of(job)};
    char page[16];

    write_end(job);
    reply.body = written(job);
    if (job->query.csv && job->next_object) {
        snprintf(page, sizeof(page), "%" PRIu32, job->next_object);
        request_add_header(job->request, "Next-Page", page);
    }
    audit_reply(job->request, &reply);
    free_job(job);
}

/* --- a whole list --- */

/* False: there are too many; a reply says so. */
static bool start_list(struct invoices_job *job)
{
    struct request *request = job->request;
    unsigned n = 0, n_of_key = 0;

    for (const struct invoices_job *other = request->server->lists; other; other = other->next) {
        n++;
        n_of_key += strcmp(other->request->who, request->who) == 0;
    }
    if (n >= INVOICES_LISTS_MAX || n_of_key >= INVOICES_LISTS_PER_KEY_MAX) {
        request_add_header(request, "Retry-After", "10");
        request_fail(request, 503, NULL, "too many whole lists at once; ask for pages, or later");
        free_job(job);
        return false;
    }
    job->next = request->server->lists;
    request->server->lists = job;
    audit_note_export(request);
    request_stream_start(request, type_of(job));
    return true;
}

/* `is_complete` false: the client must not take what it has for the whole. */
static void end_list(struct invoices_job *job, bool is_complete)
{
    struct invoices_job **at = &job->request->server->lists;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    if (is_complete)
        request_stream_end(job->request);
    else
        request_stream_cut(job->request);
    free_job(job);
}

static void go_on(struct invoices_job *job);

/* The client has taken a piece of the list, or is gone. */
static void on_room(void *owner)
{
    struct invoices_job *job = owner;

    if (job->has_ended)
        end_list(job, true);
    else if (atomic_load(&job->request->gone) ||
             !auth_still_allows(job->request->server->auth, job->request, APIKEY_STATS_READ))
        end_list(job, false);
    else
        go_on(job);
}

static void send_piece(struct invoices_job *job)
{
    struct slice piece = written(job);
    bool sent = piece.ptr && request_stream_piece(job->request, piece, on_room, job);

    evbuffer_drain(job->out, SIZE_MAX);
    if (!sent)
        end_list(job, job->request->is_head);
}

void invoices_drop_all(struct server *server)
{
    struct invoices_job *job;

    while ((job = server->lists)) {
        server->lists = job->next;
        free_job(job);
    }
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

static void on_wave_done(void *owner, const char *cause)
{
    struct invoices_job *job = owner;
    size_t n_rows = job->n_rows ? job->n_rows : 1;

    if (job->failed)
        cause = "out of memory";
    if (cause && job->is_whole) {
        counter64_add(&job->request->server->n_queries_failed, 1);
        end_list(job, false);
        return;
    }
    if (cause) {
        request_fail_redis(job->request, cause);
        free_job(job);
        return;
    }
    job->wave_blocks = (job->wave_end - job->at) * WAVE_ROWS / n_rows;
    job->at = job->wave_end;
    write_rows(job);
    if (job->is_whole && evbuffer_get_length(job->out) >= PIECE_MIN)
        send_piece(job);
    else
        go_on(job);
}

/* The blocks of the wave by shard, each shard's cut into commands. */
static void plan_wave(struct invoices_job *job)
{
    unsigned n_shards = job->request->server->n_shards;
    size_t n = 0, n_blocks = job->wave_blocks;

    if (n_blocks < BLOCK_KEYS)
        n_blocks = BLOCK_KEYS;
    if (n_blocks > WAVE_BLOCKS)
        n_blocks = WAVE_BLOCKS;
    job->wave_end = job->at + n_blocks < job->n_blocks ? job->at + n_blocks : job->n_blocks;
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

/* Reads the next blocks, or ends the reply. */
static void go_on(struct invoices_job *job)
{
    struct fetch_options options = {
        .on_command = on_block_command,
        .on_answer = on_block_answer,
        .on_done = on_wave_done,
        .is_long = true,
        .owner = job,
    };
    bool is_full = !job->is_whole && (job->next_object != 0 || job->n_read >= PAGE_BLOCKS);

    if (job->at < job->n_blocks && !is_full) {
        plan_wave(job);
        options.n_commands = job->n_commands;
        fetch_start(job->request->server->fetches, &options);
    } else if (!job->is_whole) {
        if (job->next_object == 0 && job->at < job->n_blocks)
            job->next_object = job->blocks[job->at] * FUNNEL_BLOCK;
        reply_page(job);
    } else {
        job->has_ended = true;
        write_end(job);
        if (evbuffer_get_length(job->out) > 0)
            send_piece(job);
        else
            end_list(job, true);
    }
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
    uint32_t *exact;
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
    if (n > 0 && (exact = realloc(job->blocks, n * sizeof(*exact))))
        job->blocks = exact;
    write_begin(job);
    if (!job->is_whole || start_list(job))
        go_on(job);
}

/* --- the request --- */

static bool take_page(struct invoices_job *job)
{
    struct request *request = job->request;
    struct slice page = query_find(&request->query, "page");

    job->is_whole = job->query.limit == STATS_NO_LIMIT;
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
         at_s = counter_people_next_s(COUNTER_PEOPLE_OF_MONTH, at_s))
        job->months[job->n_months++] = at_s;
    if (job->n_months * job->request->server->n_shards <= FETCH_COMMANDS_MAX)
        return true;
    request_fail(job->request, 400, "from",
                 "is too long ago: there is too much to read at once; ask for a shorter time");
    return false;
}

static const char *const file_names[] = {
    [LIST_CLICKED] = "hopcount-clicked.csv",
    [LIST_UNCLICKED] = "hopcount-unclicked.csv",
    [LIST_UNPAID] = "hopcount-unpaid.csv",
};

static bool read_query(struct invoices_job *job)
{
    struct request *request = job->request;
    struct slice bad;

    if (!stats_request_read(request, STATS_ASKED_LIST, file_names[job->list], &job->query))
        return false;
    if (job->query.kinds.ptr)
        job->kinds = stats_query_kinds(&job->query, job->query.brand, &bad);
    if (job->query.n_campaigns != 1) {
        request_fail(request, 400, "campaign", "is needed: the number of one campaign");
        return false;
    }
    if (!take_page(job) || !take_months(job))
        return false;
    if (!request->server->fetches) {
        request_fail_redis(request, "no Redis is configured");
        return false;
    }
    return true;
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

    if (!job || !(job->out = evbuffer_new())) {
        free(job);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    job->request = request;
    job->list = list;
    job->as_of_ms = pods_age(request->server->pods).as_of_ms;
    if (!read_query(job)) {
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
