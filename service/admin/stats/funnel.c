/* GET /v1/funnel, and GET /v1/stats of payments: what was mailed, clicked and paid, by the time of
 * the mail.  Redis keeps sums per month and sums per day (UTC); those of a day tell its hours
 * apart. Whole months are read from the sums of months.  Of a month that is partly in the period,
 * either the days inside are added up, or the days outside are subtracted from the month, whichever
 * are fewer.  All shards are read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/csv.h"
#include "proto/funnel.h"
#include "service/admin/audit.h"
#include "service/admin/cache.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/pods.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/funnel_rows.h"
#include "service/admin/stats/stats_request.h"
#include "service/admin/stats/stats_write.h"
#include "service/base/clock.h"
#include "service/config/site.h"

enum {
    HOUR_S = 3600,
    DAY_S = 86400,
    KEYS_MAX = 16,  /* of a command: a month of many campaigns is long */
    GROUP_MAX = 32, /* a month and its days, which must be read at one time */
    MONTH_COST = 1, /* of reading a month, in days: it has no hours, and its steps are packed */
    READS_MAX = 8192,
    SPANS = 3, /* of quartiles */
};

/* A series that is read, of each shard. */
struct funnel_read {
    int64_t time_s; /* when its day or month begins */
    bool is_month, of_kinds;
    bool is_outside; /* hours outside of the period count, and are taken from the month before */
    uint8_t period;
};

/* Reads that are one command, of each shard. */
struct funnel_command {
    size_t first, n;
};

/* Payments by what became of them, whatever their campaign. */
struct funnel_payments {
    int64_t n[FUNNEL_OUTCOMES];
    struct funnel_amounts amounts[FUNNEL_OUTCOMES];
};

struct funnel_job {
    struct request *request;
    struct stats stats; /* its query, periods and names */
    unsigned kinds;     /* bits of the kinds wanted; 0 = all, an invoice counts once */
    bool by_kind;
    size_t n_reads, reads_room;
    struct funnel_read *reads;
    struct funnel_command *per_shard;
    size_t n_per_shard;
    size_t n_commands; /* of series; one more reads the names */
    struct funnel_rows rows[STATS_PERIODS];
    struct funnel_row total[STATS_PERIODS];
    struct funnel_payments payments[STATS_PERIODS];
    struct counter_key keys[GROUP_MAX]; /* of the command being made */
    bool has_foreign;                   /* a key holds what is not ours */
    int64_t now_s, kept_s;              /* Unix; sums from before that may have expired */
    int64_t asked_ms;
    char cache_key[STATS_KEY_MAX];
};

static void free_job(struct funnel_job *job)
{
    for (size_t i = 0; i < STATS_PERIODS; i++) {
        buckets_clear(&job->stats.buckets[i]);
        funnel_rows_clear(&job->rows[i]);
    }
    stats_query_clear(&job->stats.query);
    json_decref(job->stats.names);
    free(job->reads);
    free(job->per_shard);
    free(job);
}

/* --- what is read --- */

static bool add_read(struct funnel_job *job, const struct funnel_read *read)
{
    if (job->n_reads == job->reads_room) {
        size_t room = job->reads_room ? 2 * job->reads_room : 64;
        struct funnel_read *reads = realloc(job->reads, room * sizeof(*reads));

        if (!reads)
            return false;
        job->reads = reads;
        job->reads_room = room;
    }
    job->reads[job->n_reads++] = *read;
    return job->n_reads <= READS_MAX;
}

static bool is_by_time(const struct stats_query *query)
{
    return query->groups[0] == STATS_TIME;
}

/* Whether all hours from `from_s` to `to_s` go into one row of time; true without rows of time. */
static bool is_one_row(const struct stats *stats, size_t period, int64_t from_s, int64_t to_s)
{
    const struct buckets *buckets = &stats->buckets[period];

    return !is_by_time(&stats->query) ||
           buckets_find(buckets, from_s) == buckets_find(buckets, to_s - HOUR_S);
}

/* A month, as far as it is in the period. */
struct part {
    int64_t begin_s, end_s; /* of the month */
    int64_t from_s, to_s;   /* of what is in the period */
};

static bool add_days(struct funnel_job *job, struct funnel_read read, int64_t from_s, int64_t to_s)
{
    for (read.time_s = from_s - from_s % DAY_S; read.time_s < to_s; read.time_s += DAY_S) {
        if (!add_read(job, &read))
            return false;
    }
    return true;
}

/* The number of days from one time to another or to now, counting days that are only partly in. */
static int64_t count_days(const struct funnel_job *job, int64_t from_s, int64_t to_s)
{
    if (to_s > job->now_s)
        to_s = job->now_s;
    return to_s > from_s ? (to_s + DAY_S - 1) / DAY_S - from_s / DAY_S : 0;
}

/* Whether to read the sums of the month, instead of those of its days in the period. */
static bool is_by_month(const struct funnel_job *job, size_t period, const struct part *part)
{
    int64_t inside = count_days(job, part->from_s, part->to_s);
    int64_t outside =
        count_days(job, part->begin_s, part->from_s) + count_days(job, part->to_s, part->end_s);

    /* Sums of a month are kept for as long as those of its first day. */
    return is_one_row(&job->stats, period, part->from_s, part->to_s) &&
           (part->from_s == part->begin_s || part->begin_s > job->kept_s) &&
           MONTH_COST + outside < inside;
}

static bool plan_part(struct funnel_job *job, const struct part *part, struct funnel_read read)
{
    if (!is_by_month(job, read.period, part))
        return add_days(job, read, part->from_s, part->to_s);
    read.is_month = true;
    read.time_s = part->begin_s;
    if (!add_read(job, &read))
        return false;
    read.is_month = false;
    read.is_outside = true;
    return (part->from_s == part->begin_s || add_days(job, read, part->begin_s, part->from_s)) &&
           (part->to_s == part->end_s || add_days(job, read, part->to_s, part->end_s));
}

static bool plan_period(struct funnel_job *job, size_t index)
{
    const struct period *period = stats_period(&job->stats, index);
    struct part part = {.begin_s = period_month_s(period->from_s)};

    for (; part.begin_s < period->to_s; part.begin_s = part.end_s) {
        struct funnel_read read = {.period = (uint8_t)index};

        part.end_s = counter_people_next_s(COUNTER_PEOPLE_OF_MONTH, part.begin_s);
        part.from_s = part.begin_s > period->from_s ? part.begin_s : period->from_s;
        part.to_s = part.end_s < period->to_s ? part.end_s : period->to_s;
        if (!plan_part(job, &part, read))
            return false;
        read.of_kinds = true;
        if ((job->by_kind || job->kinds) && !plan_part(job, &part, read))
            return false;
    }
    return true;
}

/* Cuts the reads into commands.  A month and the days that are subtracted from it go into one
 * command, because a click between two reads would make the difference wrong. */
static bool plan_commands(struct funnel_job *job)
{
    job->per_shard = calloc(job->n_reads + 1, sizeof(*job->per_shard));
    for (size_t i = 0, end; job->per_shard && i < job->n_reads; i = end) {
        struct funnel_command *last = &job->per_shard[job->n_per_shard - (job->n_per_shard > 0)];

        for (end = i + 1; end < job->n_reads && job->reads[end].is_outside;)
            end++;
        if (job->n_per_shard == 0 || last->n + (end - i) > KEYS_MAX)
            last = &job->per_shard[job->n_per_shard++];
        if (last->n == 0)
            last->first = i;
        last->n += end - i;
    }
    job->n_commands = job->n_per_shard * job->request->server->n_shards;
    return job->per_shard != NULL;
}

static void on_funnel_command(void *owner, size_t index, struct fetch_command *command)
{
    struct funnel_job *job = owner;
    struct counter_funnel of = {.brand = job->stats.query.brand->id};
    size_t n = 1;

    if (index == job->n_commands) {
        counter_key_names(&job->keys[0], of.brand);
        command->argv[0] = slice_of("HGETALL");
    } else {
        const struct funnel_command *reads = &job->per_shard[index % job->n_per_shard];

        command->argv[0] = slice_of("MGET");
        for (n = 0; n < reads->n; n++) {
            const struct funnel_read *read = &job->reads[reads->first + n];

            of.interval = read->is_month ? COUNTER_MONTHS : COUNTER_DAYS;
            of.of_kinds = read->of_kinds;
            counter_key_funnel(&job->keys[n], (unsigned)(index / job->n_per_shard), &of,
                               read->time_s);
        }
    }
    for (size_t i = 0; i < n; i++)
        command->argv[1 + i] = counter_key_slice(&job->keys[i]);
    command->argc = 1 + n;
    command->key = command->argv[1];
}

/* --- what is answered --- */

static bool wants_campaign(const struct stats_query *query, unsigned campaign)
{
    for (size_t i = 0; i < query->n_campaigns; i++) {
        if (query->campaigns[i] == campaign)
            return true;
    }
    return query->n_campaigns == 0;
}

/* Whether the cell counts for the rows, and whether for the total.  Redis counts an invoice once
 * without a kind, and once for each kind that was clicked; money with its kind only, and mails
 * without a kind only. */
static void pick_cell(const struct funnel_job *job, const struct funnel_cell *cell, bool *for_row,
                      bool *for_total)
{
    bool is_wanted = !job->kinds || job->kinds >> cell->kind & 1;

    if (cell->metric == FUNNEL_N_SENT) {
        *for_row = !job->by_kind;
        *for_total = true;
    } else if (cell->metric == FUNNEL_AMOUNT) {
        *for_row = *for_total = is_wanted;
    } else {
        *for_row = job->kinds || job->by_kind ? cell->kind != 0 && is_wanted : cell->kind == 0;
        *for_total = job->kinds ? cell->kind != 0 && is_wanted : cell->kind == 0;
    }
}

static uint32_t value_of(enum stats_group group, const struct funnel_cell *cell, uint32_t bucket)
{
    switch (group) {
    case STATS_TIME:
        return bucket;
    case STATS_KIND:
        return cell->kind;
    case STATS_CAMPAIGN:
        return cell->campaign;
    case STATS_VARIANT:
        return cell->variant;
    default:
        return cell->channel;
    }
}

static void add_payments(struct funnel_payments *payments, const struct funnel_cell *cell, int sign)
{
    if (cell->metric < FUNNEL_OUTCOME_AMOUNT) {
        if (cell->metric - FUNNEL_N_OUTCOME < FUNNEL_OUTCOMES)
            payments->n[cell->metric - FUNNEL_N_OUTCOME] += sign * cell->count;
    } else if (cell->metric - FUNNEL_OUTCOME_AMOUNT < FUNNEL_OUTCOMES) {
        funnel_amounts_add(&payments->amounts[cell->metric - FUNNEL_OUTCOME_AMOUNT], cell->value,
                           sign * cell->count);
    }
}

/* The row of time that a read belongs to.  For a month, and for days that are subtracted from it,
 * it is the row of any hour that lies in both the month and the period. */
static uint32_t bucket_of(const struct funnel_job *job, const struct funnel_read *read,
                          int64_t time_s)
{
    const struct period *period = stats_period(&job->stats, read->period);
    int64_t month_s = period_month_s(read->time_s);

    if (read->is_month || read->is_outside)
        time_s = month_s > period->from_s ? month_s : period->from_s;
    return (uint32_t)buckets_find(&job->stats.buckets[read->period], time_s);
}

static void take_cell(struct funnel_job *job, const struct funnel_read *read,
                      const struct funnel_cell *cell)
{
    const struct stats_query *query = &job->stats.query;
    const struct period *period = stats_period(&job->stats, read->period);
    int64_t time_s = read->time_s + cell->hour * HOUR_S;
    bool is_inside = time_s >= period->from_s && time_s < period->to_s;
    int sign = read->is_outside ? -1 : 1;
    uint32_t bucket = 0, key[2] = {0, 0};
    bool for_row, for_total;
    struct funnel_row *row;

    if (!read->is_month && is_inside == read->is_outside)
        return;
    if (cell->metric >= FUNNEL_N_OUTCOME) {
        add_payments(&job->payments[read->period], cell, sign);
        return;
    }
    if (!wants_campaign(query, cell->campaign) ||
        !stats_query_wants_route(query, cell->variant, cell->channel))
        return;
    pick_cell(job, cell, &for_row, &for_total);
    if (for_total)
        funnel_row_add(&job->total[read->period], cell, sign);
    if (!for_row)
        return;
    if (is_by_time(query))
        bucket = bucket_of(job, read, time_s);
    for (size_t i = 0; i < query->n_groups; i++)
        key[i] = value_of(query->groups[i], cell, bucket);
    row = funnel_rows_find(&job->rows[read->period], key);
    if (row)
        funnel_row_add(row, cell, sign);
}

static void take_names(struct funnel_job *job, const struct redisReply *answer)
{
    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i + 1 < answer->elements; i += 2) {
        const struct redisReply *id = answer->element[i], *name = answer->element[i + 1];

        if (id->type == REDIS_REPLY_STRING && name->type == REDIS_REPLY_STRING)
            json_object_set_new(job->stats.names, id->str, json_stringn(name->str, name->len));
    }
}

static void on_funnel_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct funnel_job *job = owner;
    const struct funnel_command *command;
    bool has_month = false;

    if (index == job->n_commands) {
        take_names(job, answer);
        return;
    }
    command = &job->per_shard[index % job->n_per_shard];
    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i < answer->elements && i < command->n;
         i++) {
        const struct redisReply *series = answer->element[i];
        const struct funnel_read *read = &job->reads[command->first + i];
        struct funnel_cell cell;
        size_t at = 0;

        if (read->is_month)
            has_month = series->type == REDIS_REPLY_STRING;
        if (series->type != REDIS_REPLY_STRING || (read->is_outside && !has_month))
            continue;
        job->has_foreign = job->has_foreign || series->len % FUNNEL_CELL_LEN != 0;
        while (funnel_next_cell(slice_make(series->str, series->len), &at, &cell))
            take_cell(job, read, &cell);
    }
}

/* --- JSON --- */

static void currency_text(uint32_t currency, char out[static EVENT_CURRENCY_LEN + 1])
{
    snprintf(out, EVENT_CURRENCY_LEN + 1, "%c%c%c", (int)(currency >> 16 & 0x7f),
             (int)(currency >> 8 & 0x7f), (int)(currency & 0x7f));
}

static json_t *amounts_json(const struct funnel_amounts *amounts)
{
    json_t *object = json_object();

    for (size_t i = 0; i < FUNNEL_CURRENCIES_MAX && amounts->of[i].currency != 0; i++) {
        char currency[EVENT_CURRENCY_LEN + 1];

        currency_text(amounts->of[i].currency, currency);
        if (amounts->of[i].amount != 0)
            json_object_set_new(object, currency, json_integer(amounts->of[i].amount));
    }
    return object;
}

static json_t *rate_json(int64_t part, int64_t whole)
{
    return whole > 0 ? json_real((double)part / (double)whole) : json_null();
}

/* {q1, median, q3} in seconds, or null. */
static json_t *spread_json(const int32_t delays[static FUNNEL_DELAYS])
{
    if (funnel_quantile(delays, 2) < 0)
        return json_null();
    return json_pack("{sI sI sI}", "q1", (json_int_t)funnel_quantile(delays, 1), "median",
                     (json_int_t)funnel_quantile(delays, 2), "q3",
                     (json_int_t)funnel_quantile(delays, 3));
}

/* [{from_s, to_s, n}, …] of the steps that hold something. */
static json_t *histogram_json(const int32_t delays[static FUNNEL_DELAYS])
{
    json_t *steps = json_array();

    for (unsigned i = 0; i < FUNNEL_DELAYS; i++) {
        if (delays[i] != 0)
            json_array_append_new(
                steps, json_pack("{sI sI si}", "from_s", (json_int_t)funnel_delay_begin(i), "to_s",
                                 (json_int_t)funnel_delay_begin(i + 1), "n", delays[i]));
    }
    return steps;
}

static void add_counts(const struct funnel_job *job, json_t *object, const struct funnel_row *row,
                       bool has_sent)
{
    enum stats_metric metric = job->stats.query.metric;

    if (metric == STATS_CONVERSIONS)
        json_object_set_new(object, "conversions", json_integer(row->paid));
    if (metric != STATS_CONVERSIONS)
        json_object_set_new(object, "amount", amounts_json(&row->amounts));
    if (metric != STATS_FUNNEL)
        return;
    json_object_set_new(object, "sent", has_sent ? json_integer(row->sent) : json_null());
    json_object_set_new(object, "clicked", json_integer(row->clicked));
    json_object_set_new(object, "paid", json_integer(row->paid));
    json_object_set_new(object, "click_rate", rate_json(row->clicked, has_sent ? row->sent : 0));
    json_object_set_new(object, "pay_rate", rate_json(row->paid, row->clicked));
    json_object_set_new(object, "conversion_rate", rate_json(row->paid, has_sent ? row->sent : 0));
    json_object_set_new(object, "sent_to_click_s", spread_json(row->click_delays));
    json_object_set_new(object, "click_to_pay_s", spread_json(row->pay_delays));
}

static json_t *row_json(const struct funnel_job *job, size_t period, const struct funnel_row *row)
{
    const struct stats_query *query = &job->stats.query;
    const struct stats_row names = {.key = {row->key[0], row->key[1]}};
    struct slice name = stats_campaign_name(&job->stats, &names);
    char values[STATS_GROUPS_MAX][STATS_NAME_MAX];
    json_t *object = json_object();

    for (size_t i = 0; i < query->n_groups; i++)
        stats_value_name(&job->stats, &job->stats.buckets[period], i, row->key[i], values[i]);
    if (query->n_groups == 1) {
        json_object_set_new(object, "key", json_string(values[0]));
    } else {
        json_object_set_new(object, "key", json_sprintf("%s,%s", values[0], values[1]));
        for (size_t i = 0; i < query->n_groups; i++)
            json_object_set_new(object, stats_group_name(query->groups[i]), json_string(values[i]));
    }
    if (name.ptr)
        json_object_set_new(object, "name", json_stringn(name.ptr, name.len));
    for (size_t i = 0; i < query->n_groups; i++) {
        if (query->groups[i] == STATS_CAMPAIGN)
            json_object_set_new(object, "campaign_id", json_integer(row->key[i]));
    }
    add_counts(job, object, row, !job->by_kind);
    return object;
}

static json_t *payments_json(const struct funnel_payments *payments)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < FUNNEL_OUTCOMES; i++)
        json_object_set_new(object, funnel_outcome_name(i),
                            json_pack("{sI so}", "n", (json_int_t)payments->n[i], "amount",
                                      amounts_json(&payments->amounts[i])));
    return object;
}

/* The end of the page in the rows. */
static size_t page_end(const struct funnel_job *job, size_t period)
{
    size_t n = job->rows[period].n, offset = job->stats.query.offset;
    size_t left = n > offset ? n - offset : 0, limit = job->stats.query.limit;

    return offset + (left < limit ? left : limit);
}

static void add_period(const struct funnel_job *job, json_t *object, size_t index)
{
    const struct period *period = stats_period(&job->stats, index);
    const struct funnel_row *sum = &job->total[index];
    json_t *rows = json_array(), *total = json_object();
    char text[RFC3339_TEXT_MAX];

    json_object_set_new(object, "from", json_string(rfc3339_format(period->from_s, 0, text)));
    json_object_set_new(object, "to", json_string(rfc3339_format(period->to_s, 0, text)));
    for (size_t i = job->stats.query.offset; i < page_end(job, index); i++)
        json_array_append_new(rows, row_json(job, index, &job->rows[index].rows[i]));
    json_object_set_new(object, "rows", rows);
    add_counts(job, total, sum, true);
    if (job->stats.query.metric == STATS_FUNNEL) {
        json_object_set_new(total, "sent_to_click", histogram_json(sum->click_delays));
        json_object_set_new(total, "click_to_pay", histogram_json(sum->pay_delays));
        json_object_set_new(object, "payments", payments_json(&job->payments[index]));
    }
    json_object_set_new(object, "total", total);
}

static char *make_json(const struct funnel_job *job)
{
    const struct stats_query *query = &job->stats.query;
    json_t *body = json_object(), *previous;
    size_t end = page_end(job, 0);
    char *text;

    json_object_set_new(body, "brand",
                        json_stringn(query->brand->name.ptr, query->brand->name.len));
    json_object_set_new(body, "tz", json_string(query->zone_name));
    json_object_set_new(
        body, "group_by",
        json_sprintf("%s%s%s", stats_group_name(query->groups[0]), query->n_groups > 1 ? "," : "",
                     query->n_groups > 1 ? stats_group_name(query->groups[1]) : ""));
    if (query->metric != STATS_FUNNEL)
        json_object_set_new(body, "metric",
                            json_string(query->metric == STATS_AMOUNT ? "amount" : "conversions"));
    if (is_by_time(query))
        json_object_set_new(body, "interval", json_string(period_interval_name(query->interval)));
    add_period(job, body, 0);
    if (query->compare) {
        previous = json_object();
        add_period(job, previous, 1);
        json_object_set_new(body, "previous", previous);
    }
    json_object_set_new(body, "n_rows", json_integer((json_int_t)job->rows[0].n));
    json_object_set_new(body, "next_offset",
                        end < job->rows[0].n ? json_integer((json_int_t)end) : json_null());
    text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(body);
    return text;
}

/* --- CSV --- */

static int64_t amount_in(const struct funnel_amounts *amounts, uint32_t currency)
{
    for (size_t i = 0; i < FUNNEL_CURRENCIES_MAX; i++) {
        if (amounts->of[i].currency == currency)
            return amounts->of[i].amount;
    }
    return 0;
}

static void print_spread(FILE *out, const int32_t delays[static FUNNEL_DELAYS])
{
    for (unsigned i = 1; i <= SPANS; i++) {
        int64_t s = funnel_quantile(delays, i);

        if (s >= 0)
            fprintf(out, ",%lld", (long long)s);
        else
            fprintf(out, ",");
    }
}

static void print_name(FILE *out, struct slice name)
{
    fputs(csv_is_formula(name) ? "\"'" : "\"", out);
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            fputc('"', out);
        fputc(name.ptr[i], out);
    }
    fputs("\",", out);
}

static bool has_names(const struct stats_query *query)
{
    return query->groups[0] == STATS_CAMPAIGN ||
           (query->n_groups > 1 && query->groups[1] == STATS_CAMPAIGN);
}

static void print_head(FILE *out, const struct stats_query *query,
                       const struct funnel_amounts *currencies)
{
    for (size_t i = 0; i < query->n_groups; i++)
        fprintf(out, "%s,", stats_group_name(query->groups[i]));
    fprintf(out, "%s%s", has_names(query) ? "name," : "",
            query->metric == STATS_FUNNEL        ? "sent,clicked,paid"
            : query->metric == STATS_CONVERSIONS ? "conversions"
                                                 : "currencies");
    for (size_t i = 0; query->metric != STATS_CONVERSIONS && i < FUNNEL_CURRENCIES_MAX &&
                       currencies->of[i].currency != 0;
         i++) {
        char currency[EVENT_CURRENCY_LEN + 1];

        currency_text(currencies->of[i].currency, currency);
        fprintf(out, ",amount_%s", currency);
    }
    if (query->metric == STATS_FUNNEL)
        fprintf(out, ",sent_to_click_q1_s,sent_to_click_median_s,sent_to_click_q3_s,"
                     "click_to_pay_q1_s,click_to_pay_median_s,click_to_pay_q3_s");
    fprintf(out, "\r\n");
}

static unsigned count_currencies(const struct funnel_amounts *amounts)
{
    unsigned n = 0;

    for (size_t i = 0; i < FUNNEL_CURRENCIES_MAX && amounts->of[i].currency != 0; i++)
        n += amounts->of[i].amount != 0;
    return n;
}

static void print_row(FILE *out, const struct funnel_job *job, const struct funnel_row *row,
                      const struct funnel_amounts *currencies)
{
    const struct stats_query *query = &job->stats.query;
    const struct stats_row names = {.key = {row->key[0], row->key[1]}};
    char value[STATS_NAME_MAX];

    for (size_t i = 0; i < query->n_groups; i++)
        fprintf(out, "%s,",
                stats_value_name(&job->stats, &job->stats.buckets[0], i, row->key[i], value));
    if (has_names(query))
        print_name(out, stats_campaign_name(&job->stats, &names));
    if (query->metric == STATS_CONVERSIONS) {
        fprintf(out, "%lld", (long long)row->paid);
    } else if (query->metric == STATS_AMOUNT) {
        fprintf(out, "%u", count_currencies(&row->amounts));
    } else {
        if (!job->by_kind)
            fprintf(out, "%lld", (long long)row->sent);
        fprintf(out, ",%lld,%lld", (long long)row->clicked, (long long)row->paid);
    }
    for (size_t i = 0; query->metric != STATS_CONVERSIONS && i < FUNNEL_CURRENCIES_MAX &&
                       currencies->of[i].currency != 0;
         i++)
        fprintf(out, ",%lld", (long long)amount_in(&row->amounts, currencies->of[i].currency));
    if (query->metric == STATS_FUNNEL) {
        print_spread(out, row->click_delays);
        print_spread(out, row->pay_delays);
    }
    fprintf(out, "\r\n");
}

static char *make_csv(const struct funnel_job *job)
{
    const struct funnel_amounts *total = &job->total[0].amounts;
    struct funnel_amounts currencies = {0}; /* each a column; a month less its days may have none */
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return NULL;
    for (size_t i = 0, n = 0; i < FUNNEL_CURRENCIES_MAX; i++) {
        if (total->of[i].amount != 0)
            currencies.of[n++] = total->of[i];
    }

    if (job->stats.query.download) /* spreadsheets need a byte order mark to read UTF-8 */
        fputs("\xef\xbb\xbf", out);
    print_head(out, &job->stats.query, &currencies);
    for (size_t i = job->stats.query.offset; i < page_end(job, 0); i++)
        print_row(out, job, &job->rows[0].rows[i], &currencies);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* --- the reply --- */

/* The text with the fields behind it that change every second: malloc()ed, or NULL. */
static char *add_end(const struct funnel_job *job, char *text, size_t *etag_len)
{
    char end[256], *whole;

    if (!text)
        return NULL;
    *etag_len = strlen(text);
    if (job->stats.query.csv)
        return text;
    stats_json_end(&job->stats, end, sizeof(end));
    *etag_len -= 1; /* the brace, which comes behind them */
    whole = realloc(text, *etag_len + strlen(end) + 1);
    if (!whole) {
        free(text);
        return NULL;
    }
    memcpy(whole + *etag_len, end, strlen(end) + 1);
    return whole;
}

static void reply(struct funnel_job *job)
{
    struct server *server = job->request->server;
    struct reply out = {.status = 200, .type = "application/json"};
    size_t etag_len = 0;
    char *text = job->stats.query.csv ? make_csv(job) : make_json(job);

    text = add_end(job, text, &etag_len);
    if (!text) {
        request_fail(job->request, 503, NULL, "out of memory");
        return;
    }
    if (job->stats.query.csv)
        out.type = "text/csv; charset=utf-8; header=present";
    out.body = slice_of(text);
    out.etag_of = slice_make(text, etag_len);
    /* Not if the configuration was reloaded meanwhile: the answer was made from the old one. */
    if (job->stats.site == server->site)
        cache_put(server->cache, slice_of(job->cache_key), &out, job->asked_ms, clock_mono_ms());
    audit_reply(job->request, &out);
    free(text);
}

static void on_funnel_done(void *owner, const char *cause)
{
    struct funnel_job *job = owner;
    bool failed = false;

    if (!cause && job->has_foreign)
        cause = "a key hc:*:fs:* or hc:*:fk:* holds data that hopcount did not write";
    for (size_t i = 0; i < job->stats.n_periods && !cause; i++) {
        /* An hour, day or month in which nothing happened has a row, too. */
        for (uint32_t k = 0; is_by_time(&job->stats.query) && job->stats.query.n_groups == 1 &&
                             k < job->stats.buckets[i].n && !job->rows[i].failed;
             k++)
            failed = !funnel_rows_find(&job->rows[i], (const uint32_t[2]){k, 0}) || failed;
        failed = failed || job->rows[i].failed;
        if (!is_by_time(&job->stats.query) || job->stats.query.n_groups > 1)
            funnel_rows_drop_empty(&job->rows[i]);
        funnel_rows_sort(&job->rows[i], job->stats.query.sort);
    }
    if (cause)
        request_fail_redis(job->request, cause);
    else if (failed)
        request_fail(
            job->request, 400, "group_by",
            "gives more than %d rows; ask for a shorter time, a longer interval, or by name for "
            "up to %d campaigns",
            (int)FUNNEL_ROWS_MAX, (int)STATS_CAMPAIGNS_MAX);
    else
        reply(job);
    free_job(job);
}

/* --- the request --- */

static bool read_query(struct funnel_job *job, enum stats_asked asked)
{
    bool is_funnel = asked == STATS_ASKED_FUNNEL;
    struct stats_query *query = &job->stats.query;
    struct slice bad;

    if (!stats_request_read(job->request, asked,
                            is_funnel ? "hopcount-funnel.csv" : "hopcount-stats.csv", query))
        return false;
    stats_query_key(query, job->cache_key);
    if (query->kinds.ptr)
        job->kinds = stats_query_kinds(query, query->brand, &bad);
    for (size_t i = 0; i < query->n_groups; i++)
        job->by_kind = job->by_kind || query->groups[i] == STATS_KIND;
    return true;
}

static bool plan_job(struct funnel_job *job)
{
    struct server *server = job->request->server;
    struct stats *stats = &job->stats;
    struct pods_age age = pods_age(server->pods);

    stats->site = job->request->site;
    stats->names = json_object();
    stats->n_periods = stats->query.compare ? 2 : 1;
    stats->as_of_ms = age.as_of_ms;
    stats->lag_ms = age.lag_ms;
    job->now_s = clock_wall_ms() / 1000;
    job->kept_s = job->now_s - server->retention_days_s;
    stats->complete_s =
        stats->query.period.from_s > job->kept_s ? stats->query.period.from_s : job->kept_s;
    for (size_t i = 0; i < stats->n_periods; i++) {
        if (!buckets_init(&stats->buckets[i], stats_period(stats, i), stats->query.interval,
                          stats->query.zone)) {
            request_fail(
                job->request, 400, "interval",
                "gives more than %d rows of time; ask for a longer interval or a shorter time",
                (int)PERIOD_BUCKETS_MAX);
            return false;
        }
    }
    for (size_t i = 0; i < stats->n_periods; i++) {
        if (!plan_period(job, i))
            goto too_much;
    }
    if (plan_commands(job) && job->n_commands < FETCH_COMMANDS_MAX)
        return true;
too_much:
    request_fail(job->request, 400, "from",
                 "is too long ago: there is too much to read at once; ask for a shorter time or a "
                 "longer interval");
    return false;
}

static bool reply_early(struct funnel_job *job)
{
    struct server *server = job->request->server;
    const struct reply *cached =
        cache_find(server->cache, slice_of(job->cache_key), clock_mono_ms());

    if (cached)
        audit_reply(job->request, cached);
    else if (!server->fetches)
        request_fail_redis(job->request, "no Redis is configured");
    else
        return false;
    return true;
}

static void handle(struct request *request, enum stats_asked asked)
{
    struct fetch_options options = {
        .on_command = on_funnel_command,
        .on_answer = on_funnel_answer,
        .on_done = on_funnel_done,
        .is_long = true,
    };
    struct funnel_job *job = calloc(1, sizeof(*job));

    if (!job) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    job->request = request;
    job->asked_ms = clock_mono_ms();
    if (!read_query(job, asked) || reply_early(job) || !plan_job(job)) {
        free_job(job);
        return;
    }
    options.owner = job;
    options.n_commands = job->n_commands + 1;
    fetch_start(request->server->fetches, &options);
}

void funnel_handle(struct request *request)
{
    handle(request, STATS_ASKED_FUNNEL);
}

void funnel_handle_stats(struct request *request)
{
    handle(request, STATS_ASKED_STATS);
}

void funnel_handle_conversions(struct request *request)
{
    handle(request, STATS_ASKED_CONVERSIONS);
}
