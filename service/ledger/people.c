#include "service/ledger/people.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "people_add_lua.h"
#include "people_done_lua.h"
#include "people_slots_lua.h"
#include "proto/bytes.h"
#include "proto/hll.h"
#include "proto/waiting.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/clicklog/clicklog.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/pack.h"
#include "service/ledger/people_sent.h"
#include "service/ledger/trust.h"
#include "service/redis/redis_link.h"

enum {
    PAGE_MAX = 128,        /* slots that are looked at, and counted, at a time; */
    BYTES_MAX = 1 << 20,   /* or of so many bytes, if they are more than one */
    WATCHED_MAX = 1 << 17, /* slots that are looked at: the earliest of two weeks */
    LOOKS = 8,             /* during the time that a slot waits */
    LOOK_MIN_MS = 200,
    LOOK_MAX_MS = 10000,
    PARCELS_SENT_MAX = 4,  /* commands that add people, under way: each is to be answered in time */
    RUNS_MAX = 128,        /* people of an hour and campaign each, in one command */
    RUN_PEOPLE_MAX = 4096, /* people in one command: Redis adds them in 1 to 2 ms */
    PERSON_BYTES = 10,     /* a visitor, with its head */
    RUN_BYTES = 10,        /* how many people, and keys, the hour, the head of records */
    RUN_KEYS_MAX = 3,      /* of a day's hours, a day, a month */
    RECORDS_MAX = 512,     /* in the string of a day's hours: a statistic reads two in 0.5 ms */
    PARCEL_KEYS = 3,       /* before those of runs */
    LEFT_TTL_S = 3600,     /* a relabelling that came before its click waits for it */
    HOUR_S = 3600,
    ARGV_HEAD = 3, /* EVAL, script, number of keys */
};

enum step { IDLE, LOOKING, LOADING, ADDING, ENDING };

/* A slot in which people wait, as last seen. */
struct seen {
    uint64_t score;   /* waiting_score(): another one when something is added */
    int64_t since_ms; /* monotonic */
};

/* Those of one look, by slot. */
struct look {
    struct seen *of;
    size_t n, room;
};

/* Somebody to be counted. */
struct person {
    struct waiting is;
    uint32_t hour; /* Unix time / 3600 */
};

/* People of one brand, hour and campaign, or of all campaigns, who are still to be sent. */
struct run {
    size_t first, n; /* the first of them in shard.persons, and how many there are */
    int32_t campaign;
};

/* A slot that is being counted. */
struct due {
    uint32_t slot;
    size_t at;       /* in shard.now */
    size_t len;      /* of what was loaded, */
    size_t last_len; /* and its end: a record, or what is no whole one */
    char last[WAITING_LEN];
    size_t rest_at, rest_len; /* in shard.rest: relabellings whose clicks haven't come */
};

struct shard_people {
    enum step step;
    uint64_t epoch; /* of the connection of `before` and `now`; see redis_link.h */
    int64_t look_ms;
    int64_t mark_ms, relabelled_ms; /* see note_relabellings() */
    int64_t as_of_ms; /* as of the last look, on this connection; 0 = there was none */

    /* A look goes through the set of slots page by page, and counts what is due of one before it
     * asks for the next. */
    struct look before, now;
    size_t old;        /* those of `before` that are of earlier slots than the next page */
    uint64_t page_at;  /* score from which the next page begins, */
    bool is_last_page; /* unless there is none */

    /* of the slots that are being counted */
    struct due due[PAGE_MAX];
    size_t n_due;
    struct person *persons;
    size_t n_persons;
    struct run *runs;
    size_t n_runs, run_at; /* those before `run_at` were sent */
    uint8_t *rest;
    unsigned n_sent;  /* commands under way */
    bool has_failed;  /* one of them; then the slots are counted again */
    bool is_aside;    /* a key is not ours: nobody may be taken for counted */
    bool was_refused; /* Redis has not done a page since it refused something */
};

/* People on their way to Redis. */
struct parcel {
    struct counter_key keys[PARCEL_KEYS + RUN_KEYS_MAX * RUNS_MAX];
    size_t n_keys, n_people;
    struct pack pack;
    uint8_t bytes[PACK_HEAD_LEN + RUN_PEOPLE_MAX * (PERSON_BYTES + HLL_RECORD_LEN) +
                  RUNS_MAX * RUN_BYTES];
};

struct people {
    unsigned n_shards;
    int64_t hold_ms, look_every_ms;
    int64_t hours_from_s; /* people of earlier hours are counted by days only */
    struct parcel parcel;
    struct shard_people shards[];
};

struct people *people_new(unsigned n_shards, int64_t hold_ms)
{
    struct people *people = calloc(1, sizeof(*people) + n_shards * sizeof(people->shards[0]));

    if (!people)
        return NULL;
    people->n_shards = n_shards;
    people->hold_ms = hold_ms;
    people->look_every_ms = hold_ms / LOOKS;
    if (people->look_every_ms < LOOK_MIN_MS)
        people->look_every_ms = LOOK_MIN_MS;
    if (people->look_every_ms > LOOK_MAX_MS)
        people->look_every_ms = LOOK_MAX_MS;
    return people;
}

static void clear_due(struct shard_people *shard)
{
    free(shard->persons);
    free(shard->runs);
    free(shard->rest);
    shard->persons = NULL;
    shard->runs = NULL;
    shard->rest = NULL;
    shard->n_due = shard->n_persons = shard->n_runs = shard->run_at = 0;
    shard->has_failed = shard->is_aside = false;
}

void people_free(struct people *people)
{
    if (!people)
        return;
    for (unsigned s = 0; s < people->n_shards; s++) {
        clear_due(&people->shards[s]);
        free(people->shards[s].before.of);
        free(people->shards[s].now.of);
    }
    free(people);
}

int64_t people_as_of_ms(const struct people *people)
{
    int64_t as_of_ms = INT64_MAX;

    for (unsigned s = 0; s < people->n_shards; s++) {
        if (people->shards[s].as_of_ms < as_of_ms)
            as_of_ms = people->shards[s].as_of_ms;
    }
    return as_of_ms;
}

/* --- steps begin and end --- */

static bool send_words(struct ledger *ledger, unsigned s, const struct slice *argv, size_t argc)
{
    struct ledger_ticket ticket = {.what = LEDGER_PEOPLE, .shard = s};

    if (!trust_is_ready(ledger, s) ||
        !redis_link_send(ledger->link,
                         &(struct redis_command){.key = counter_key_slice(&ledger->shards[s].tag),
                                                 .argv = argv,
                                                 .argc = argc,
                                                 .ticket = ledger_ticket_pack(&ticket)}))
        return false;
    ledger->people->shards[s].n_sent++;
    return true;
}

/* Notes a slot of a page, and since when it has been as it is; NULL: out of memory. */
static struct seen *see(struct shard_people *shard, uint64_t score, int64_t now_ms)
{
    struct look *now = &shard->now;
    const struct look *before = &shard->before;
    struct seen *seen;

    if (now->n == now->room) {
        size_t room = now->room ? 2 * now->room : PAGE_MAX;
        struct seen *of = realloc(now->of, room * sizeof(*of));

        if (!of)
            return NULL;
        now->of = of;
        now->room = room;
    }
    while (shard->old < before->n && before->of[shard->old].score < score)
        shard->old++;
    seen = &now->of[now->n++];
    *seen = (struct seen){score, now_ms};
    if (shard->old < before->n && before->of[shard->old].score == score)
        seen->since_ms = before->of[shard->old].since_ms;
    return seen;
}

/* Ends the look, wherever it is: what it has not reached stays as it was. */
static void end(struct ledger *ledger, struct shard_people *shard)
{
    const struct look *before = &shard->before;

    while (!shard->is_last_page && shard->old < before->n && shard->now.n < WATCHED_MAX &&
           see(shard, before->of[shard->old].score, ledger->now_ms))
        shard->old++;
    clear_due(shard);
    shard->step = IDLE;
    shard->look_ms = ledger->now_ms + ledger->people->look_every_ms;
}

static struct slice decimal(char text[static 24], uint64_t number)
{
    return slice_make(text, (size_t)snprintf(text, 24, "%" PRIu64, number));
}

/* Sets `relabelled_ms`, monotonic: all relabellings that this process had made by then are in
 * Redis. They may wait longer than clicks, when a batch has failed or a log is of an earlier start.
 */
static void note_relabellings(struct ledger *ledger, unsigned s)
{
    struct shard_people *shard = &ledger->people->shards[s];

    for (unsigned i = 0; i < ledger->n_logs; i++) {
        const struct cursor *cursor = &ledger->logs[i]->cursors[s];

        if (cursor->mark > clicklog_first(ledger->logs[i]->log) &&
            (cursor->covered < cursor->mark || cursor->state == CURSOR_UNKNOWN ||
             cursor->state == CURSOR_ASKED))
            return;
    }
    shard->relabelled_ms = shard->mark_ms;
    shard->mark_ms = ledger->now_ms;
    for (unsigned i = 0; i < ledger->n_logs; i++) {
        if (clicklog_holds_relabels(ledger->logs[i]->log))
            ledger->logs[i]->cursors[s].mark = clicklog_tail(ledger->logs[i]->log);
    }
}

/* --- which slots are due --- */

/* Asks for the next page of slots. */
static bool ask_page(struct ledger *ledger, unsigned s)
{
    struct shard_people *shard = &ledger->people->shards[s];
    struct counter_key keys[3];
    struct slice argv[ARGV_HEAD + 3 + 3], *to = argv;
    char n_shards[24], from[24], n_max[24];

    counter_key_shards(&keys[0], s);
    counter_key_waiting_slots(&keys[1], s);
    counter_key_waiting_list(&keys[2], s);
    *to++ = slice_of("EVAL");
    *to++ = slice_make(people_slots_lua, sizeof(people_slots_lua));
    *to++ = slice_of("3");
    for (size_t i = 0; i < 3; i++)
        *to++ = counter_key_slice(&keys[i]);
    *to++ = decimal(n_shards, ledger->options.n_shards);
    *to++ = decimal(from, shard->page_at);
    *to++ = decimal(n_max, PAGE_MAX);
    shard->step = LOOKING;
    return send_words(ledger, s, argv, (size_t)(to - argv));
}

void people_serve(struct ledger *ledger)
{
    struct people *people = ledger->people;

    for (unsigned s = 0; s < people->n_shards; s++) {
        struct shard_people *shard = &people->shards[s];
        struct look before;

        /* The server may be another, or have lost what it wrote last. */
        if (shard->epoch != ledger->shards[s].epoch) {
            shard->epoch = ledger->shards[s].epoch;
            shard->before.n = shard->now.n = shard->old = 0;
            shard->as_of_ms = shard->mark_ms = shard->relabelled_ms = 0;
        }
        if (shard->step != IDLE || ledger->now_ms < shard->look_ms)
            continue;
        note_relabellings(ledger, s);
        shard->page_at = 0;
        shard->is_last_page = false;
        if (!ask_page(ledger, s)) {
            shard->step = IDLE;
            shard->look_ms = ledger->now_ms + LOOK_MIN_MS;
            continue;
        }
        before = shard->now;
        shard->now = shard->before;
        shard->now.n = shard->old = 0;
        shard->before = before;
    }
}

static bool load(struct ledger *ledger, unsigned s)
{
    struct shard_people *shard = &ledger->people->shards[s];
    struct counter_key keys[PAGE_MAX];
    struct slice argv[1 + PAGE_MAX] = {slice_of("MGET")};

    for (size_t i = 0; i < shard->n_due; i++) {
        counter_key_waiting(&keys[i], s, shard->due[i].slot);
        argv[1 + i] = counter_key_slice(&keys[i]);
    }
    shard->step = LOADING;
    return send_words(ledger, s, argv, 1 + shard->n_due);
}

/* Behind a page: the next one, unless the look ends here. */
static void go_on(struct ledger *ledger, unsigned s)
{
    struct shard_people *shard = &ledger->people->shards[s];

    clear_due(shard);
    if (shard->is_last_page || shard->now.n >= WATCHED_MAX || !ask_page(ledger, s))
        end(ledger, shard);
}

/* {1, score, …} */
static void on_page(struct ledger *ledger, unsigned s, const struct redisReply *answer)
{
    struct shard_people *shard = &ledger->people->shards[s];
    uint64_t bytes = 0;

    if (answer->element[0]->integer != 1) {
        end(ledger, shard); /* the counts are being moved to another number of shards */
        return;
    }
    /* An older click may be under way from another process; that its statistics say. */
    if (shard->page_at == 0) {
        shard->as_of_ms = ledger->now.as_of_ms;
        if (answer->elements > 1) {
            uint32_t first = waiting_score_slot((uint64_t)answer->element[1]->integer);

            if ((int64_t)first * WAITING_SLOT_S * 1000 < shard->as_of_ms)
                shard->as_of_ms = (int64_t)first * WAITING_SLOT_S * 1000;
        }
    }
    shard->is_last_page = answer->elements < 1 + PAGE_MAX;
    for (size_t i = 1; i < answer->elements; i++) {
        uint64_t score = (uint64_t)answer->element[i]->integer;
        struct seen *seen = see(shard, score, ledger->now_ms);

        if (!seen) {
            end(ledger, shard);
            return;
        }
        shard->page_at = waiting_score_next(score);
        if (shard->relabelled_ms - seen->since_ms < ledger->people->hold_ms)
            continue;
        bytes += waiting_score_bytes(score);
        if (shard->n_due > 0 && bytes > BYTES_MAX) {
            /* The page ends before this slot. */
            shard->now.n--;
            shard->page_at = score;
            shard->is_last_page = false;
            break;
        }
        shard->due[shard->n_due++] =
            (struct due){.slot = waiting_score_slot(score), .at = shard->now.n - 1};
    }
    if (shard->n_due == 0)
        go_on(ledger, s);
    else if (!load(ledger, s))
        end(ledger, shard);
}

/* --- who is counted --- */

static int by_key(const void *left, const void *right)
{
    const struct person *a = left, *b = right;

    if (a->is.brand != b->is.brand)
        return a->is.brand < b->is.brand ? -1 : 1;
    if (a->is.is_visitor != b->is.is_visitor)
        return a->is.is_visitor ? 1 : -1;
    if (a->hour != b->hour)
        return a->hour < b->hour ? -1 : 1;
    return (a->is.campaign > b->is.campaign) - (a->is.campaign < b->is.campaign);
}

static struct people_sent_person who_is(const struct person *person)
{
    unsigned scope = (person->is.n_campaign > 0 ? WAITING_CAMPAIGN : 0U) |
                     (person->is.n_all > 0 ? WAITING_ALL : 0U);

    return (struct people_sent_person){
        .id = person->is.id,
        .brand = person->is.brand,
        .campaign = person->is.campaign,
        .scope = (uint8_t)scope,
        .is_visitor = person->is.is_visitor,
        .hour = person->hour,
    };
}

/* What was taken back before it came stays under the key. */
static void leave(struct shard_people *shard, struct due *due, const struct waiting *who,
                  unsigned scope, int32_t n)
{
    if (n >= 0)
        return;
    waiting_put(shard->rest + due->rest_at + due->rest_len, who, scope,
                n < -WAITING_CHANGE_MAX ? -WAITING_CHANGE_MAX : n);
    due->rest_len += WAITING_LEN;
}

/* Sums a slot up: who has clicked is to be counted.  `all` has room for its records. */
static void take_slot(struct ledger *ledger, struct shard_people *shard, struct due *due,
                      struct slice text, struct waiting *all)
{
    size_t n = 0;

    due->len = text.len;
    due->last_len = text.len < WAITING_LEN ? text.len : WAITING_LEN;
    for (size_t i = 0; i < due->last_len; i++)
        due->last[i] = text.ptr[text.len - due->last_len + i];
    for (size_t at = 0; waiting_next(text, &at, &all[n]);)
        n++;
    n = waiting_sum(all, n);
    for (size_t i = 0; i < n; i++) {
        struct person person = {all[i], due->slot / (HOUR_S / WAITING_SLOT_S)};
        struct people_sent_person who = who_is(&person);

        if (who.scope != 0 && !people_sent_has(ledger->people_sent, &who))
            shard->persons[shard->n_persons++] = person;
        leave(shard, due, &all[i], WAITING_CAMPAIGN, all[i].n_campaign);
        leave(shard, due, &all[i], WAITING_ALL, all[i].n_all);
    }
    background_yield();
}

/* False: out of memory. */
static bool take_slots(struct ledger *ledger, struct shard_people *shard,
                       const struct redisReply *texts)
{
    size_t n = 0, rest_at = 0;
    struct waiting *all;

    for (size_t i = 0; i < shard->n_due; i++)
        n += texts->element[i]->len / WAITING_LEN;
    all = calloc(n + 1, sizeof(*all));
    shard->persons = calloc(n + 1, sizeof(*shard->persons));
    shard->rest = calloc(n + 1, (size_t)2 * WAITING_LEN);
    if (!all || !shard->persons || !shard->rest) {
        free(all);
        return false;
    }
    for (size_t i = 0; i < shard->n_due; i++) {
        const struct redisReply *text = texts->element[i]; /* nil has no length */

        shard->due[i].rest_at = rest_at;
        take_slot(ledger, shard, &shard->due[i], slice_make(text->str, text->len), all);
        rest_at += shard->due[i].rest_len;
    }
    free(all);
    if (shard->n_persons > 0)
        qsort(shard->persons, shard->n_persons, sizeof(*shard->persons), by_key);
    return true;
}

/* --- who is sent together --- */

static bool is_of(const struct person *person, int32_t campaign)
{
    return (campaign == COUNTER_ALL_CAMPAIGNS ? person->is.n_all : person->is.n_campaign) > 0;
}

static bool is_same_hour(const struct person *a, const struct person *b)
{
    return a->is.brand == b->is.brand && a->is.is_visitor == b->is.is_visitor && a->hour == b->hour;
}

static void add_run(struct shard_people *shard, int32_t campaign, size_t first, size_t end)
{
    struct run run = {.first = first, .campaign = campaign};

    for (size_t i = first; i < end; i++)
        run.n += is_of(&shard->persons[i], campaign);
    if (run.n > 0)
        shard->runs[shard->n_runs++] = run;
}

/* Parts the sorted people by hours and campaigns; those of an hour also make a run for all
 * campaigns.  False: out of memory. */
static bool part_persons(struct shard_people *shard)
{
    const struct person *all = shard->persons;
    size_t n = shard->n_persons;

    shard->runs = calloc(2 * n + 1, sizeof(*shard->runs));
    if (!shard->runs)
        return false;
    for (size_t hour = 0, end; hour < n; hour = end) {
        size_t first = hour;

        for (end = hour; end < n && is_same_hour(&all[end], &all[hour]); end++) {
            if (all[end].is.campaign == all[first].is.campaign)
                continue;
            add_run(shard, all[first].is.campaign, first, end);
            first = end;
        }
        add_run(shard, all[first].is.campaign, first, end);
        add_run(shard, COUNTER_ALL_CAMPAIGNS, hour, end);
    }
    return true;
}

/* --- they are sent --- */

static void begin_parcel(struct parcel *parcel, unsigned s)
{
    parcel->n_keys = parcel->n_people = 0;
    counter_key_shards(&parcel->keys[parcel->n_keys++], s);
    counter_key_rejected(&parcel->keys[parcel->n_keys++], s);
    counter_key_moment(&parcel->keys[parcel->n_keys++], s);
    parcel->pack.bytes = parcel->bytes;
    parcel->pack.size = sizeof(parcel->bytes);
    pack_begin(&parcel->pack);
}

static void send_parcel(struct ledger *ledger, unsigned s)
{
    struct parcel *parcel = &ledger->people->parcel;
    struct slice argv[ARGV_HEAD + PARCEL_KEYS + RUN_KEYS_MAX * RUNS_MAX + 6], *to = argv;
    char n_keys[24], n_shards[24], hours[24], days[24], months[24], len_max[24];

    *to++ = slice_of("EVAL");
    *to++ = slice_make(people_add_lua, sizeof(people_add_lua));
    *to++ = decimal(n_keys, parcel->n_keys);
    for (size_t i = 0; i < parcel->n_keys; i++)
        *to++ = counter_key_slice(&parcel->keys[i]);
    *to++ = decimal(n_shards, ledger->options.n_shards);
    *to++ = decimal(hours, (uint64_t)ledger->options.retention_client_hours_s);
    *to++ = decimal(days, (uint64_t)ledger->options.retention_hours_s);
    *to++ = decimal(months, (uint64_t)ledger->options.retention_days_s);
    *to++ = decimal(len_max, (uint64_t)RECORDS_MAX * HLL_RECORD_LEN);
    *to++ = pack_end(&parcel->pack);
    if (!send_words(ledger, s, argv, (size_t)(to - argv)))
        ledger->people->shards[s].has_failed = true;
}

/* A client's number has 4 bytes, a visitor's hash 8: both big-endian. */
static struct slice element(const struct person *person, char bytes[static 8])
{
    be64_store((uint8_t *)bytes, person->is.id);
    return person->is.is_visitor ? slice_make(bytes, 8) : slice_make(bytes + 4, 4);
}

/* Puts the next `n` people of the run, their records before them; returns where the others begin.
 */
static size_t put_people(struct pack *pack, const struct person *persons, const struct run *run,
                         size_t n, bool has_records)
{
    uint8_t *to = has_records ? pack_open(pack, n * HLL_RECORD_LEN) : NULL;
    const struct person *person = persons + run->first;
    char bytes[8];

    for (size_t left = n; to && left > 0; person++) {
        if (!is_of(person, run->campaign))
            continue;
        be32_store(to, hll_record(person->hour % 24, element(person, bytes)));
        to += HLL_RECORD_LEN;
        left--;
    }
    if (to)
        pack_close(pack, n * HLL_RECORD_LEN);
    else
        pack_text(pack, slice_of(""));
    for (person = persons + run->first; n > 0; person++) {
        if (!is_of(person, run->campaign))
            continue;
        pack_text(pack, element(person, bytes));
        n--;
    }
    return (size_t)(person - persons);
}

/* Puts as many people of the run into the parcel as it has room for. */
static void put_run(struct ledger *ledger, const struct shard_people *shard, struct run *run)
{
    struct parcel *parcel = &ledger->people->parcel;
    const struct person *first = &shard->persons[run->first];
    struct counter_people keys = {
        .brand = first->is.brand, .campaign = run->campaign, .are_visitors = first->is.is_visitor};
    int64_t hour_s = (int64_t)first->hour * HOUR_S;
    bool has_hours = hour_s >= ledger->people->hours_from_s;
    size_t room = RUN_PEOPLE_MAX - parcel->n_people, n = run->n < room ? run->n : room;

    pack_number(&parcel->pack, (uint32_t)n);
    pack_number(&parcel->pack, has_hours ? RUN_KEYS_MAX : RUN_KEYS_MAX - 1);
    pack_number(&parcel->pack, first->hour % 24);
    if (has_hours)
        counter_key_people_hours(&parcel->keys[parcel->n_keys++], &keys, hour_s,
                                 ledger->options.n_shards);
    for (unsigned of = COUNTER_PEOPLE_OF_DAY; of <= COUNTER_PEOPLE_OF_MONTH; of++) {
        keys.of = (enum counter_people_of)of;
        counter_key_people(&parcel->keys[parcel->n_keys++], &keys, hour_s,
                           ledger->options.n_shards);
    }
    run->first = put_people(&parcel->pack, shard->persons, run, n, has_hours && n <= RECORDS_MAX);
    run->n -= n;
    parcel->n_people += n;
}

static bool is_full(const struct parcel *parcel)
{
    return parcel->n_people == RUN_PEOPLE_MAX ||
           parcel->n_keys > PARCEL_KEYS + RUN_KEYS_MAX * (RUNS_MAX - 1);
}

/* Sends what follows, until so much is under way that its answers are waited for. */
static void send_persons(struct ledger *ledger, unsigned s)
{
    struct shard_people *shard = &ledger->people->shards[s];
    int64_t kept_s = ledger->options.retention_client_hours_s;

    ledger->people->hours_from_s = kept_s > 0 ? clock_wall_ms() / 1000 - kept_s : INT64_MAX;
    while (shard->run_at < shard->n_runs && shard->n_sent < PARCELS_SENT_MAX &&
           !shard->has_failed) {
        begin_parcel(&ledger->people->parcel, s);
        while (shard->run_at < shard->n_runs && !is_full(&ledger->people->parcel)) {
            struct run *run = &shard->runs[shard->run_at];

            put_run(ledger, shard, run);
            shard->run_at += run->n == 0;
        }
        send_parcel(ledger, s);
        background_yield();
    }
}

/* --- the slots are done --- */

static bool send_done(struct ledger *ledger, unsigned s)
{
    struct shard_people *shard = &ledger->people->shards[s];
    struct counter_key keys[2 + PAGE_MAX];
    struct slice argv[ARGV_HEAD + 2 + PAGE_MAX + 2 + 4 * PAGE_MAX], *to = argv;
    char n_keys[24], n_shards[24], ttl[24], lens[PAGE_MAX][24], slots[PAGE_MAX][24];

    counter_key_shards(&keys[0], s);
    counter_key_waiting_slots(&keys[1], s);
    for (size_t i = 0; i < shard->n_due; i++)
        counter_key_waiting(&keys[2 + i], s, shard->due[i].slot);
    *to++ = slice_of("EVAL");
    *to++ = slice_make(people_done_lua, sizeof(people_done_lua));
    *to++ = decimal(n_keys, 2 + shard->n_due);
    for (size_t i = 0; i < 2 + shard->n_due; i++)
        *to++ = counter_key_slice(&keys[i]);
    *to++ = decimal(n_shards, ledger->options.n_shards);
    *to++ = decimal(ttl, LEFT_TTL_S);
    for (size_t i = 0; i < shard->n_due; i++) {
        const struct due *due = &shard->due[i];

        *to++ = decimal(slots[i], due->slot);
        *to++ = decimal(lens[i], due->len);
        *to++ = slice_make(due->last, due->last_len);
        *to++ = slice_make((const char *)shard->rest + due->rest_at, due->rest_len);
    }
    shard->step = ENDING;
    return send_words(ledger, s, argv, (size_t)(to - argv));
}

static void finish(struct ledger *ledger, unsigned s)
{
    struct shard_people *shard = &ledger->people->shards[s];

    if (shard->has_failed) {
        end(ledger, shard);
        return;
    }
    for (size_t i = 0; i < shard->n_persons && !shard->is_aside; i++) {
        struct people_sent_person who = who_is(&shard->persons[i]);

        people_sent_add(ledger->people_sent, &who);
    }
    if (!send_done(ledger, s))
        end(ledger, shard);
}

/* --- answers --- */

static void on_slots(struct ledger *ledger, unsigned s, const struct redisReply *answer)
{
    struct shard_people *shard = &ledger->people->shards[s];

    if (!take_slots(ledger, shard, answer) || !part_persons(shard)) {
        end(ledger, shard);
        return;
    }
    shard->step = ADDING;
    send_persons(ledger, s);
    if (shard->n_sent == 0)
        finish(ledger, s);
}

static void on_added(struct ledger *ledger, unsigned s, const struct redisReply *answer)
{
    struct shard_people *shard = &ledger->people->shards[s];
    char quoted[LOG_QUOTE_MAX];

    if (answer->elements != 3 || answer->element[1]->type != REDIS_REPLY_INTEGER ||
        answer->element[2]->type != REDIS_REPLY_STRING) {
        shard->has_failed = true; /* the counts are being moved to another number of shards */
        return;
    }
    if (answer->element[1]->integer > 0) {
        ledger->now.rejected += (uint64_t)answer->element[1]->integer;
        shard->is_aside = true;
        log_error("ledger.set_aside", "shard=%u n=%lld err=%s", s, answer->element[1]->integer,
                  log_quote(quoted, answer->element[2]->str));
    }
}

/* Whether an answer has the form that the step wants. */
static bool is_right(const struct shard_people *shard, const struct redisReply *answer)
{
    switch (shard->step) {
    case LOOKING:
        if (answer->type != REDIS_REPLY_ARRAY || answer->elements == 0)
            return false;
        for (size_t i = 0; i < answer->elements; i++) {
            if (answer->element[i]->type != REDIS_REPLY_INTEGER)
                return false;
        }
        return true;
    case LOADING:
        if (answer->type != REDIS_REPLY_ARRAY || answer->elements != shard->n_due)
            return false;
        for (size_t i = 0; i < answer->elements; i++) {
            if (answer->element[i]->type != REDIS_REPLY_STRING &&
                answer->element[i]->type != REDIS_REPLY_NIL)
                return false;
        }
        return true;
    case ADDING:
    case ENDING:
        return answer->type == REDIS_REPLY_ARRAY && answer->elements > 0;
    case IDLE:
        break;
    }
    return false;
}

void people_on_answer(struct ledger *ledger, const struct ledger_ticket *ticket,
                      const struct redisReply *answer)
{
    struct shard_people *shard = &ledger->people->shards[ticket->shard];

    background_yield();
    shard->n_sent--;
    if (!answer || !is_right(shard, answer)) {
        /* A set of slots that is not ours: the batches say so, and go on. */
        bool is_foreign = answer && answer->type == REDIS_REPLY_ERROR && shard->step == LOOKING &&
                          strncmp(answer->str, "WRONGTYPE", 9) == 0;

        shard->was_refused |= answer && !is_foreign;
        if (answer && !is_foreign)
            trust_on_error(ledger, ticket->shard,
                           answer->type == REDIS_REPLY_ERROR ? answer->str
                                                             : "an answer that can't be of people");
        shard->has_failed = true;
        if (shard->n_sent == 0)
            end(ledger, shard);
        return;
    }
    switch (shard->step) {
    case LOOKING:
        on_page(ledger, ticket->shard, answer);
        break;
    case LOADING:
        on_slots(ledger, ticket->shard, answer);
        break;
    case ADDING:
        on_added(ledger, ticket->shard, answer);
        send_persons(ledger, ticket->shard);
        if (shard->n_sent == 0)
            finish(ledger, ticket->shard);
        break;
    case ENDING: /* a slot to which clicks are added from now on has to wait anew */
        for (size_t i = 0; i < shard->n_due; i++)
            shard->now.of[shard->due[i].at].since_ms = ledger->now_ms;
        /* Without clicks no batch would say that Redis no longer refuses. */
        if (shard->was_refused)
            trust_on_write(ledger, ticket->shard);
        shard->was_refused = false;
        go_on(ledger, ticket->shard);
        break;
    case IDLE:
        break;
    }
}
