#include "service/ledger/invoices.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <openssl/sha.h>
#include <sodium.h>

#include "blocks_lua.h"
#include "facts_lua.h"
#include "invoices_lua.h"
#include "proto/counter.h"
#include "proto/funnel.h"
#include "service/base/background.h"
#include "service/base/log.h"
#include "service/ledger/invoice_change.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/pack.h"
#include "service/ledger/trust.h"
#include "service/redis/redis_link.h"

enum {
    JOBS_MAX = 4,    /* shards served at a time: one whose server hangs holds up no other */
    ENTRIES_MIN = 4, /* of a queue, read at a time: twice as many as were taken last */
    ENTRIES_MAX = 64,
    RECORDS_MAX =
        512, /* taken at a time, unless one entry has more: Redis writes them in 1 to 4 ms */
    LOOK_MS = 10000, /* between two looks where nothing is known to wait */
    TAKEN_MS = 100,  /* to the next look when another process takes the facts */
    TAKER_MS = 5000, /* so long the others wait for a process that has died */
    ID_MAX = 48,     /* of an entry of a stream: two numbers of 64 bits and a dash */
    TAKER_LEN = 16,
    WRITE_KEYS = 5, /* before those of blocks */
    WRITE_ARGS = 8, /* before the texts */
    ARGV_HEAD = 3,
};

enum step { FREE, READING, LOADING, WRITING };

/* A shard whose facts are being added. */
struct job {
    enum step step;
    unsigned shard;
    char *text; /* records, one after the other */
    size_t text_len;
    struct invoice_record *records; /* by invoice */
    size_t n_records;
    struct counter_key *blocks; /* those of the records, in their order */
    size_t n_blocks;
    char changes[24], behind[ID_MAX]; /* as of when they were read; the id after the last entry */
};

struct shard_facts {
    uint64_t epoch;  /* of the connection on which it was looked at first; see redis_link.h */
    bool is_known;   /* `n_waiting` is what the server answered on this connection */
    int64_t look_ms; /* not before, monotonic */
    int64_t n_waiting;
    unsigned n_entries; /* to be read at a time */
    bool is_busy;       /* has a job */
    bool with_text;     /* the server doesn't know invoices.lua */
    bool has_trouble;   /* the last try failed */
    bool was_refused;   /* and what Redis refused has not been written since */
};

struct invoices {
    unsigned n_shards, first; /* `first` is served first, so that none starves */
    char taker[TAKER_LEN + 1];
    char sha[2 * SHA_DIGEST_LENGTH + 1]; /* of invoices.lua */
    struct job jobs[JOBS_MAX];
    struct invoice_change change; /* of the job that is built: that waits for nothing */
    struct shard_facts shards[];
};

struct invoices *invoices_new(unsigned n_shards)
{
    struct invoices *invoices =
        calloc(1, sizeof(*invoices) + n_shards * sizeof(invoices->shards[0]));
    uint8_t random[TAKER_LEN / 2], digest[SHA_DIGEST_LENGTH];

    if (!invoices)
        return NULL;
    invoices->n_shards = n_shards;
    for (unsigned s = 0; s < n_shards; s++)
        invoices->shards[s].n_entries = ENTRIES_MIN;
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(invoices->taker, sizeof(invoices->taker), random, sizeof(random));
    SHA1((const uint8_t *)invoices_lua, sizeof(invoices_lua), digest);
    sodium_bin2hex(invoices->sha, sizeof(invoices->sha), digest, sizeof(digest));
    return invoices;
}

static void clear_job(struct job *job)
{
    free(job->text);
    free(job->records);
    free(job->blocks);
    *job = (struct job){.step = FREE};
}

void invoices_free(struct invoices *invoices)
{
    if (!invoices)
        return;
    for (unsigned i = 0; i < JOBS_MAX; i++)
        clear_job(&invoices->jobs[i]);
    invoice_change_clear(&invoices->change);
    free(invoices);
}

int64_t invoices_n_waiting(const struct invoices *invoices)
{
    int64_t n = 0;

    for (unsigned s = 0; s < invoices->n_shards; s++) {
        if (!invoices->shards[s].is_known)
            return -1;
        n += invoices->shards[s].n_waiting;
    }
    return n;
}

bool invoices_is_idle(const struct invoices *invoices)
{
    for (unsigned s = 0; s < invoices->n_shards; s++) {
        const struct shard_facts *shard = &invoices->shards[s];

        if ((!shard->is_known || shard->n_waiting > 0) && !shard->has_trouble)
            return false;
    }
    return true;
}

/* --- what is sent --- */

static bool send_words(struct ledger *ledger, struct job *job, enum ledger_what what,
                       const struct slice *argv, size_t argc)
{
    struct ledger_ticket ticket = {
        .what = what, .shard = job->shard, .log = (unsigned)(job - ledger->adder->jobs)};

    return redis_link_send(ledger->link,
                           &(struct redis_command){
                               .key = counter_key_slice(&ledger->shards[job->shard].tag),
                               .argv = argv,
                               .argc = argc,
                               .ticket = ledger_ticket_pack(&ticket),
                           });
}

static struct slice decimal(char text[static 24], int64_t number)
{
    return slice_make(text, (size_t)snprintf(text, 24, "%" PRId64, number));
}

/* Asks for the next facts of a shard, if it is time and a job is free. */
static void look(struct ledger *ledger, unsigned s)
{
    struct invoices *invoices = ledger->adder;
    struct shard_facts *shard = &invoices->shards[s];
    struct counter_key keys[5];
    char taker_ms[24], n[24], n_shards[24];
    struct slice argv[ARGV_HEAD + 5 + 4];
    struct job *job = NULL;

    /* The server may be another, or have lost what it wrote last: facts may wait again. */
    if (shard->epoch != ledger->shards[s].epoch) {
        shard->epoch = ledger->shards[s].epoch;
        shard->is_known = false;
        shard->look_ms = ledger->now_ms;
    }
    if (shard->is_busy || ledger->now_ms < shard->look_ms || !trust_is_ready(ledger, s))
        return;
    for (unsigned i = 0; i < JOBS_MAX && !job; i++) {
        if (invoices->jobs[i].step == FREE)
            job = &invoices->jobs[i];
    }
    if (!job)
        return;
    job->shard = s;
    counter_key_facts(&keys[0], s);
    counter_key_changes(&keys[1], s);
    counter_key_taker(&keys[2], s);
    counter_key_payments(&keys[3], s);
    counter_key_shards(&keys[4], s);
    argv[0] = slice_of("EVAL");
    argv[1] = slice_make(facts_lua, sizeof(facts_lua));
    argv[2] = slice_of("5");
    for (unsigned i = 0; i < 5; i++)
        argv[ARGV_HEAD + i] = counter_key_slice(&keys[i]);
    argv[ARGV_HEAD + 5] = slice_of(invoices->taker);
    argv[ARGV_HEAD + 6] = decimal(taker_ms, TAKER_MS);
    argv[ARGV_HEAD + 7] = decimal(n, shard->n_entries);
    argv[ARGV_HEAD + 8] = decimal(n_shards, ledger->options.n_shards);
    if (!send_words(ledger, job, LEDGER_FACTS, argv, sizeof(argv) / sizeof(argv[0])))
        return;
    job->step = READING;
    shard->is_busy = true;
}

void invoices_serve(struct ledger *ledger)
{
    struct invoices *invoices = ledger->adder;

    for (unsigned i = 0; i < invoices->n_shards; i++)
        look(ledger, (invoices->first + i) % invoices->n_shards);
    invoices->first++;
}

void invoices_on_batch(struct ledger *ledger, unsigned shard, int64_t n_waiting)
{
    struct shard_facts *facts = &ledger->adder->shards[shard];

    if (n_waiting > 0 && facts->n_waiting == 0 && !facts->has_trouble)
        facts->look_ms = ledger->now_ms;
    facts->n_waiting = n_waiting;
    facts->is_known = true;
    if (n_waiting > 0)
        look(ledger, shard);
}

/* Ends the job; the shard is looked at again after `wait_ms`. */
static void end_job(struct ledger *ledger, struct job *job, int64_t wait_ms)
{
    struct shard_facts *shard = &ledger->adder->shards[job->shard];

    shard->is_busy = false;
    if (shard->epoch == ledger->shards[job->shard].epoch)
        shard->look_ms = ledger->now_ms + wait_ms;
    clear_job(job);
}

static void give_up(struct ledger *ledger, struct job *job, const struct redisReply *answer)
{
    struct shard_facts *shard = &ledger->adder->shards[job->shard];
    bool knows_no_script = answer && answer->type == REDIS_REPLY_ERROR &&
                           strncmp(answer->str, "NOSCRIPT", 8) == 0 && !shard->with_text;

    if (knows_no_script) {
        shard->with_text = true;
        end_job(ledger, job, 0);
        look(ledger, job->shard);
        return;
    }
    if (answer)
        trust_on_error(ledger, job->shard,
                       answer->type == REDIS_REPLY_ERROR ? answer->str
                                                         : "an answer that is not the script's");
    shard->was_refused |= answer != NULL;
    shard->has_trouble = true;
    end_job(ledger, job, TAKEN_MS);
}

/* What was refused is written, by this process or another.  Without clicks no batch would say that
 * Redis no longer refuses. */
static void end_refusal(struct ledger *ledger, unsigned s)
{
    struct shard_facts *shard = &ledger->adder->shards[s];

    if (shard->was_refused)
        trust_on_write(ledger, s);
    shard->was_refused = false;
}

/* --- the facts are read --- */

/* The id after that of an entry, "milliseconds-number". */
static bool set_behind(struct job *job, const struct redisReply *id)
{
    const char *dash = strchr(id->str, '-');

    if (!dash || dash - id->str > 20)
        return false;
    snprintf(job->behind, sizeof(job->behind), "%.*s-%llu", (int)(dash - id->str), id->str,
             strtoull(dash + 1, NULL, 10) + 1);
    return true;
}

/* The records of an entry, {id, {"f", records}}; NULL: it is not ours. */
static const struct redisReply *records_of(const struct redisReply *entry)
{
    const struct redisReply *fields;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
        entry->element[0]->type != REDIS_REPLY_STRING)
        return NULL;
    fields = entry->element[1];
    return fields->type == REDIS_REPLY_ARRAY && fields->elements == 2 &&
                   fields->element[1]->type == REDIS_REPLY_STRING
               ? fields->element[1]
               : NULL;
}

static size_t count_records(struct slice text)
{
    struct funnel_record record;
    size_t at = 0, n = 0;

    while (funnel_next_record(text, &at, &record))
        n++;
    return n;
}

/* Copies whole entries, up to RECORDS_MAX records or one entry; `*n_taken`: how many entries.
 * False: out of memory, or what is there is no queue of ours. */
static bool take_entries(struct job *job, const struct redisReply *entries, size_t *n_taken)
{
    struct slice text;
    size_t n = 0, len = 0, at = 0, end = 0;

    for (; end < entries->elements; end++) {
        const struct redisReply *records = records_of(entries->element[end]);
        size_t more = records ? count_records(slice_make(records->str, records->len)) : 0;

        if (end > 0 && n + more > RECORDS_MAX)
            break;
        if (!records || !set_behind(job, entries->element[end]->element[0]))
            return false;
        n += more;
        len += records->len;
    }
    job->text = malloc(len + 1);
    job->records = calloc(n + 1, sizeof(*job->records));
    job->blocks = calloc(n + 1, sizeof(*job->blocks));
    if (!job->text || !job->records || !job->blocks)
        return false;
    *n_taken = end;
    for (size_t i = 0; i < end; i++) {
        const struct redisReply *records = records_of(entries->element[i]);

        memcpy(job->text + job->text_len, records->str, records->len);
        text = slice_make(job->text + job->text_len, records->len);
        job->text_len += records->len;
        for (at = 0;
             job->n_records < n && funnel_next_record(text, &at, &job->records[job->n_records].is);)
            job->n_records++;
    }
    for (size_t i = 0; i < job->n_records; i++)
        job->records[i].order = (uint32_t)i;
    qsort(job->records, job->n_records, sizeof(*job->records), invoice_by_number);
    return true;
}

static bool load_blocks(struct ledger *ledger, struct job *job)
{
    struct slice *argv = calloc(ARGV_HEAD + job->n_records, sizeof(*argv));
    char n_keys[24];
    bool sent = false;

    if (!argv)
        return false;
    for (size_t first = 0; first < job->n_records;
         first = invoice_block_end(job->records, job->n_records, first)) {
        const struct funnel_record *record = &job->records[first].is;
        struct counter_key *key = &job->blocks[job->n_blocks];

        if (record->object == 0)
            continue;
        counter_key_block(key, record->brand, funnel_block(record->object),
                          ledger->options.n_shards);
        argv[ARGV_HEAD + job->n_blocks++] = counter_key_slice(key);
    }
    argv[0] = slice_of("EVAL");
    argv[1] = slice_make(blocks_lua, sizeof(blocks_lua));
    argv[2] = decimal(n_keys, (int64_t)job->n_blocks);
    job->step = LOADING;
    if (job->n_blocks > 0)
        sent = send_words(ledger, job, LEDGER_BLOCKS, argv, ARGV_HEAD + job->n_blocks);
    free(argv);
    return sent || job->n_blocks == 0;
}

/* --- they are written --- */

static void pack_count(struct pack *pack, struct slice name, int64_t n)
{
    char number[24];

    if (n == 0)
        return;
    pack_text(pack, name);
    pack_text(pack, decimal(number, n));
}

static bool send_change(struct ledger *ledger, struct job *job)
{
    struct invoices *invoices = ledger->adder;
    const struct invoice_change *out = &invoices->change;
    uint8_t aside_bytes[256], payments_bytes[512];
    struct pack aside = {.bytes = aside_bytes, .size = sizeof(aside_bytes)};
    struct pack payments = {.bytes = payments_bytes, .size = sizeof(payments_bytes)};
    struct counter_key keys[WRITE_KEYS];
    char n_keys[24], ttl_blocks[24], ttl_sums[24], n_blocks[24], n_lists[24];
    bool with_text = invoices->shards[job->shard].with_text, sent;
    struct slice *argv =
                     calloc(ARGV_HEAD + WRITE_KEYS + WRITE_ARGS + 2 * out->n_texts, sizeof(*argv)),
                 *to = argv;

    if (!argv)
        return false;
    counter_key_changes(&keys[0], job->shard);
    counter_key_rejected(&keys[1], job->shard);
    counter_key_facts(&keys[2], job->shard);
    counter_key_taker(&keys[3], job->shard);
    counter_key_payments(&keys[4], job->shard);
    pack_begin(&aside);
    pack_count(&aside, counter_key_slice(&out->aside), out->n_aside);
    pack_begin(&payments);
    pack_count(&payments, slice_of("in"), out->payments_in);
    for (unsigned i = 0; i < FUNNEL_OUTCOMES; i++)
        pack_count(&payments, slice_of(funnel_outcome_name(i)), out->payments[i]);
    *to++ = slice_of(with_text ? "EVAL" : "EVALSHA");
    *to++ = with_text ? slice_make(invoices_lua, sizeof(invoices_lua)) : slice_of(invoices->sha);
    *to++ = decimal(n_keys, (int64_t)(WRITE_KEYS + out->n_texts));
    for (unsigned i = 0; i < WRITE_KEYS; i++)
        *to++ = counter_key_slice(&keys[i]);
    for (size_t i = 0; i < out->n_texts; i++)
        *to++ = counter_key_slice(&out->texts[i].key);
    *to++ = slice_of(job->changes);
    *to++ = slice_of(job->behind);
    *to++ = decimal(ttl_blocks, ledger->options.retention_invoices_s);
    *to++ = decimal(ttl_sums, ledger->options.retention_days_s);
    *to++ = decimal(n_blocks, (int64_t)out->n_blocks);
    *to++ = decimal(n_lists, (int64_t)out->n_lists);
    *to++ = pack_end(&aside);
    *to++ = pack_end(&payments);
    for (size_t i = 0; i < out->n_texts; i++)
        *to++ = slice_make((const char *)out->bytes + out->texts[i].at, out->texts[i].len);
    sent = send_words(ledger, job, LEDGER_INVOICES, argv, (size_t)(to - argv));
    job->step = WRITING;
    free(argv);
    return sent;
}

/* --- answers --- */

/* Fields and numbers of the shard's payments. */
static void take_payments(struct shard *shard, const struct redisReply *pairs)
{
    shard->knows_payments = true;
    shard->payments_in = 0;
    memset(shard->payments, 0, sizeof(shard->payments));
    for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
        const struct redisReply *name = pairs->element[i], *number = pairs->element[i + 1];

        if (name->type != REDIS_REPLY_STRING || number->type != REDIS_REPLY_STRING)
            continue;
        if (strcmp(name->str, "in") == 0)
            shard->payments_in = strtoll(number->str, NULL, 10);
        for (unsigned k = 0; k < FUNNEL_OUTCOMES; k++) {
            if (strcmp(name->str, funnel_outcome_name(k)) == 0)
                shard->payments[k] = strtoll(number->str, NULL, 10);
        }
    }
}

static bool is_array(const struct redisReply *answer, size_t n)
{
    return answer->type == REDIS_REPLY_ARRAY && answer->elements == n;
}

/* `blocks` are those of the job; NULL: there are none. */
static void write_change(struct ledger *ledger, struct job *job, const struct redisReply *blocks)
{
    const struct invoice_input input = {
        .shard = job->shard,
        .window_s = ledger->options.window_s,
        .records = job->records,
        .n_records = job->n_records,
        .keys = job->blocks,
        .blocks = blocks,
    };

    if (!invoice_change_build(&ledger->adder->change, &input) || !send_change(ledger, job))
        give_up(ledger, job, NULL);
}

static void on_facts(struct ledger *ledger, struct job *job, const struct redisReply *answer)
{
    struct shard_facts *shard = &ledger->adder->shards[job->shard];
    bool has_entries = is_array(answer, 4);
    size_t n_taken;

    if ((!has_entries && !is_array(answer, 2)) || answer->element[0]->type != REDIS_REPLY_INTEGER ||
        answer->element[1]->type != REDIS_REPLY_ARRAY ||
        (has_entries && (answer->element[2]->type != REDIS_REPLY_STRING ||
                         answer->element[2]->len >= sizeof(job->changes) ||
                         answer->element[3]->type != REDIS_REPLY_ARRAY))) {
        give_up(ledger, job, answer);
        return;
    }
    shard->n_waiting = answer->element[0]->integer;
    shard->is_known = true;
    take_payments(&ledger->shards[job->shard], answer->element[1]);
    if (!has_entries || answer->element[3]->elements == 0) {
        shard->has_trouble = false;
        if (shard->n_waiting == 0)
            end_refusal(ledger, job->shard);
        end_job(ledger, job, shard->n_waiting > 0 ? TAKEN_MS : LOOK_MS);
        return;
    }
    memcpy(job->changes, answer->element[2]->str, answer->element[2]->len + 1);
    if (!take_entries(job, answer->element[3], &n_taken)) {
        log_error("ledger.facts",
                  "shard=%u err=\"the queue hc:{s%02x}:fq can't be read: it holds what is not "
                  "ours, or memory is short\"",
                  job->shard, job->shard);
        give_up(ledger, job, NULL);
        return;
    }
    /* Entries of a busy process are long, and two of them all that is taken: what is read beyond
     * costs Redis more than it does to write those. */
    shard->n_entries = 2 * (unsigned)n_taken;
    if (shard->n_entries < ENTRIES_MIN)
        shard->n_entries = ENTRIES_MIN;
    if (shard->n_entries > ENTRIES_MAX)
        shard->n_entries = ENTRIES_MAX;
    if (!load_blocks(ledger, job)) {
        give_up(ledger, job, NULL);
        return;
    }
    if (job->n_blocks == 0)
        write_change(ledger, job, NULL);
}

static void on_blocks(struct ledger *ledger, struct job *job, const struct redisReply *answer)
{
    if (is_array(answer, job->n_blocks))
        write_change(ledger, job, answer);
    else
        give_up(ledger, job, answer);
}

static const struct redisReply *on_written(struct ledger *ledger, struct job *job,
                                           const struct redisReply *answer)
{
    struct shard_facts *shard = &ledger->adder->shards[job->shard];
    unsigned s = job->shard;
    int64_t n_aside;

    if (is_array(answer, 1)) { /* blocks were changed meanwhile */
        end_job(ledger, job, 0);
        look(ledger, s);
        return NULL;
    }
    if (!is_array(answer, 6) || answer->element[1]->type != REDIS_REPLY_INTEGER ||
        answer->element[2]->type != REDIS_REPLY_STRING ||
        answer->element[3]->type != REDIS_REPLY_ARRAY ||
        answer->element[4]->type != REDIS_REPLY_INTEGER ||
        answer->element[5]->type != REDIS_REPLY_ARRAY) {
        give_up(ledger, job, answer);
        return NULL;
    }
    n_aside = answer->element[1]->integer;
    if (n_aside > 0) {
        char quoted[LOG_QUOTE_MAX];

        ledger->now.rejected += (uint64_t)n_aside;
        log_error("ledger.set_aside", "shard=%u n=%" PRId64 " err=%s", s, n_aside,
                  log_quote(quoted, answer->element[2]->str));
    }
    shard->n_waiting = answer->element[4]->integer;
    shard->with_text = shard->has_trouble = false;
    end_refusal(ledger, s);
    take_payments(&ledger->shards[s], answer->element[5]);
    end_job(ledger, job, shard->n_waiting > 0 ? 0 : LOOK_MS);
    if (shard->n_waiting > 0)
        look(ledger, s);
    return answer->element[3];
}

const struct redisReply *invoices_on_answer(struct ledger *ledger,
                                            const struct ledger_ticket *ticket,
                                            const struct redisReply *answer)
{
    struct job *job = &ledger->adder->jobs[ticket->log];

    background_yield();
    if (!answer || answer->type == REDIS_REPLY_ERROR) {
        give_up(ledger, job, answer);
        return NULL;
    }
    switch (job->step) {
    case READING:
        on_facts(ledger, job, answer);
        break;
    case LOADING:
        on_blocks(ledger, job, answer);
        break;
    case WRITING:
        return on_written(ledger, job, answer);
    case FREE:
        break;
    }
    return NULL;
}
