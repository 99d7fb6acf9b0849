/* reshard: spreads the counts in Redis over another number of shards, or moves them to another
 * Redis. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hiredis/hiredis.h>
#include <jansson.h>

#include "proto/number.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/cli/reshard_keys.h"
#include "service/cli/talk.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/daemon/redis_settings.h"
#include "service/gateway/pod.h"

enum {
    TIMEOUT_MS = 30000,    /* of a command: a table may be long */
    LOOK_MS = 4500,        /* a process writes its line every two seconds, */
    LOOK_PER_POD_MS = 140, /* of n > 32 every n/16 s: twice as long as that, and some */
    LOOK_STEP_MS = 500,
    SYNC_MS = 2000, /* appendfsync everysec */
    REPLICAS_MS = 10000,
    NUMBER_MAX = 32,
    STEP_MAX = 16,
};

enum { RESHARD_CONFIG, RESHARD_FROM, RESHARD_PREPARE, RESHARD_LOST };

static const struct cli_option options[] = {
    [RESHARD_CONFIG] = CONFIG_OPTION,
    [RESHARD_FROM] = {"from", "URL", "the counts are in this Redis; they go to that of FILE", NULL,
                      0},
    [RESHARD_PREPARE] =
        {"prepare", NULL,
         "only reserve the Redis of FILE: processes there count nothing until all is "
         "done",
         NULL, 0},
    [RESHARD_LOST] = {"lost", "LOG,…", "logs that were lost with their disk (fewer shards only)",
                      NULL, 0},
};

/* What Redis says of a move that was begun: the key `reshard`. */
struct begun {
    bool is_begun, is_other; /* from another Redis */
    struct reshard_numbers n;
    char step[STEP_MAX]; /* "copy", "delete" or "rename" */
};

struct reshard {
    struct reshard_move move;
    struct begun begun;
    unsigned in_target; /* the number of shards of the counts there; 0 = none */
    char marked[NUMBER_MAX];
};

/* --- what there is --- */

struct text {
    char text[256];
    bool exists;
};

static void on_text(void *owner, const struct redisReply *answer)
{
    struct text *text = owner;

    text->exists = answer->type == REDIS_REPLY_STRING;
    if (text->exists)
        snprintf(text->text, sizeof(text->text), "%s", answer->str);
}

static bool get(struct talk *talk, const struct counter_key *key, struct text *out)
{
    const struct slice argv[2] = {slice_of("GET"), counter_key_slice(key)};

    *out = (struct text){.exists = false};
    return talk_send(talk, argv[1], argv, 2, on_text, out) && talk_wait(talk);
}

static bool set(struct talk *talk, const struct counter_key *key, const char *value)
{
    const struct slice argv[3] = {slice_of("SET"), counter_key_slice(key), slice_of(value)};

    return talk_send(talk, argv[1], argv, 3, NULL, NULL);
}

static bool read_begun(struct talk *target, struct begun *out)
{
    struct counter_key key;
    struct text text;
    char origin[STEP_MAX];

    *out = (struct begun){.is_begun = false};
    counter_key_reshard(&key);
    if (!get(target, &key, &text))
        return false;
    if (!text.exists)
        return true;
    if (sscanf(text.text, "%u %u %15s %15s", &out->n.from, &out->n.to, origin, out->step) != 4 ||
        !counter_n_shards_ok(out->n.from) || !counter_n_shards_ok(out->n.to)) {
        talk_fail(target, "the key %s says \"%s\", which this version does not understand",
                  key.text, text.text);
        return false;
    }
    out->is_begun = true;
    out->is_other = strcmp(origin, "other") == 0;
    return true;
}

static bool write_step(struct reshard *r, const char *step)
{
    struct counter_key key;
    char text[96];

    counter_key_reshard(&key);
    snprintf(text, sizeof(text), "%u %u %s %s", r->move.n.from, r->move.n.to,
             r->move.source == r->move.target ? "same" : "other", step);
    snprintf(r->begun.step, sizeof(r->begun.step), "%s", step);
    return set(r->move.target, &key, text) && talk_wait(r->move.target);
}

/* Writes the number of shards, or what takes its place, into all shards of both numbers; into the
 * first one last, for it is what processes ask for first. */
static bool mark(struct talk *talk, const struct reshard_numbers *n, const char *number)
{
    unsigned n_shards = n->from > n->to ? n->from : n->to;
    struct counter_key key;

    for (unsigned s = n_shards; s-- > 0;) {
        counter_key_shards(&key, s);
        if (!set(talk, &key, number) || (s <= 1 && !talk_wait(talk)))
            return false;
    }
    return true;
}

/* --- whether a process counts --- */

/* The lines of all processes, in one object: id → line. */
static void on_lines(void *owner, const struct redisReply *answer)
{
    json_t *lines = owner;

    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i + 1 < answer->elements; i += 2)
        json_object_set_new(lines, answer->element[i]->str,
                            json_string(answer->element[i + 1]->str));
}

static json_t *read_lines(struct talk *talk)
{
    int64_t now_s = clock_wall_ms() / 1000;
    json_t *lines = json_object();

    for (int hour = -1; hour <= 0; hour++) {
        struct counter_key key;
        struct slice argv[2] = {slice_of("HGETALL")};

        counter_key_pods(&key, now_s + hour * 3600);
        argv[1] = counter_key_slice(&key);
        if (!talk_send(talk, argv[1], argv, 2, on_lines, lines) || !talk_wait(talk)) {
            json_decref(lines);
            return NULL;
        }
    }
    return lines;
}

/* One with another number than that of the counts counts nothing; of an old version it isn't known.
 */
static bool read_counting(const char *id, const char *line, unsigned n_shards, struct pod *out)
{
    return pod_read_line(slice_of(id), slice_of(line), out) &&
           (out->n_shards == 0 || out->n_shards == n_shards);
}

static void sleep_ms(int64_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* Names those whose lines are others than before; false: the talk has failed. */
static bool name_changed(struct talk *talk, const json_t *before, unsigned n_shards, unsigned *n)
{
    json_t *now = read_lines(talk), *line;
    const char *id;

    json_object_foreach(now, id, line)
    {
        struct pod pod;

        if (json_equal(line, json_object_get(before, id)) ||
            !read_counting(id, json_string_value(line), n_shards, &pod))
            continue;
        if ((*n)++ == 0)
            fputs("these processes count in this Redis:\n", stderr);
        fprintf(stderr, "  %s, hopcountd %s\n", pod.host, pod.version);
    }
    json_decref(now);
    return now != NULL;
}

/* A process that counts writes its line again and again; one that was killed leaves an old one.
 * Says which do; false: the talk has failed. */
static bool find_processes(struct talk *talk, unsigned n_shards, unsigned *n)
{
    json_t *before = read_lines(talk), *line;
    int64_t left_ms = 0;
    const char *id;
    struct pod pod;
    bool ok = before != NULL;

    *n = 0;
    json_object_foreach(before, id, line)
    {
        if (read_counting(id, json_string_value(line), n_shards, &pod))
            left_ms = (int64_t)json_object_size(before) * LOOK_PER_POD_MS;
    }
    if (left_ms > 0 && left_ms < LOOK_MS)
        left_ms = LOOK_MS;
    for (; ok && *n == 0 && left_ms > 0; left_ms -= LOOK_STEP_MS) {
        sleep_ms(LOOK_STEP_MS);
        ok = name_changed(talk, before, n_shards, n);
    }
    json_decref(before);
    return ok;
}

/* --- steps --- */

static void on_info(void *owner, const struct redisReply *answer)
{
    struct text *text = owner;
    const char *at = answer->type == REDIS_REPLY_STRING ? strstr(answer->str, text->text) : NULL;

    text->exists = at && at[strlen(text->text)] != '0';
    if (text->exists)
        snprintf(text->text, sizeof(text->text), "%.20s", at + strlen(text->text));
}

static void on_replicas(void *owner, const struct redisReply *answer)
{
    *(int64_t *)owner = answer->type == REDIS_REPLY_INTEGER ? answer->integer : 0;
}

/* What was copied must outlive the server, for then the old keys are deleted; servers of a cluster
 * don't fail together. */
static bool make_sure(struct reshard *r)
{
    struct talk *talk = r->move.target;
    bool must_sync = false;

    for (unsigned s = 0; s < r->move.n.to; s++) {
        struct text slaves = {.text = "connected_slaves:"}, aof = {.text = "aof_enabled:"};
        struct slice info[2] = {slice_of("INFO"), slice_of("replication")};
        struct slice wait[3] = {slice_of("WAIT"), {NULL, 0}, slice_of("10000")};
        struct counter_key key;
        int64_t n_replicas, n_have = 0;

        counter_key_shards(&key, s);
        if (!talk_send(talk, counter_key_slice(&key), info, 2, on_info, &slaves))
            return false;
        info[1] = slice_of("persistence");
        if (!talk_send(talk, counter_key_slice(&key), info, 2, on_info, &aof) || !talk_wait(talk))
            return false;
        must_sync = must_sync || aof.exists;
        if (!slaves.exists)
            continue;
        n_replicas = strtol(slaves.text, NULL, 10);
        snprintf(slaves.text, sizeof(slaves.text), "%" PRId64, n_replicas);
        wait[1] = slice_of(slaves.text);
        if (!talk_send(talk, counter_key_slice(&key), wait, 3, on_replicas, &n_have) ||
            !talk_wait(talk))
            return false;
        if (n_have < n_replicas) {
            talk_fail(talk, "a replica of shard %u has not got the copy within %d s", s,
                      REPLICAS_MS / 1000);
            return false;
        }
    }
    if (must_sync)
        sleep_ms(SYNC_MS);
    return true;
}

static bool is_refused(const struct reshard *r)
{
    return r->move.n_uneven > 0 || r->move.n_waiting > 0;
}

/* Nothing was copied yet: all is as before. */
static bool undo(struct reshard *r)
{
    struct reshard_move *move = &r->move;
    struct slice argv[2] = {slice_of("UNLINK")};
    char number[NUMBER_MAX];
    struct counter_key key;

    counter_key_reshard(&key);
    argv[1] = counter_key_slice(&key);
    snprintf(number, sizeof(number), "%u", move->n.from);
    if (!mark(move->source, &move->n, number) || move->source != move->target)
        return !*talk_why(move->source); /* another Redis stays reserved */
    return talk_send(move->target, argv[1], argv, 2, NULL, NULL) && talk_wait(move->target);
}

/* From here on nothing is counted, unless is_refused(): then it was undone. */
static bool begin(struct reshard *r)
{
    struct reshard_move *move = &r->move;

    if (!r->begun.is_begun && !write_step(r, "copy"))
        return false;
    if (!mark(move->target, &move->n, r->marked) ||
        (move->source != move->target && !mark(move->source, &move->n, r->marked)))
        return false;
    if (strcmp(r->begun.step, "copy") == 0 &&
        (!reshard_check_queue(move) || !reshard_check_cursors(move)))
        return false;
    return !is_refused(r) || undo(r);
}

static bool copy(struct reshard *r)
{
    int64_t began_ms = clock_mono_ms();

    if (!reshard_copy(&r->move))
        return false;
    printf("copied %" PRIu64 " %s, %.1f MB, in %.1f s\n", r->move.n_keys,
           cli_noun(r->move.n_keys, "key", "keys"), (double)r->move.n_bytes / 1e6,
           (double)(clock_mono_ms() - began_ms) / 1e3);
    return make_sure(r) && write_step(r, r->move.source == r->move.target ? "delete" : "rename");
}

/* Lets processes with the new number count. */
static bool open_up(struct reshard *r)
{
    struct reshard_move *move = &r->move;
    struct slice argv[2] = {slice_of("UNLINK")};
    char number[NUMBER_MAX];
    struct counter_key key;

    snprintf(number, sizeof(number), "%u", move->n.to);
    if (move->source != move->target && !mark(move->source, &move->n, "moved"))
        return false;
    counter_key_reshard(&key);
    argv[1] = counter_key_slice(&key);
    return mark(move->target, &move->n, number) &&
           talk_send(move->target, argv[1], argv, 2, NULL, NULL) && talk_wait(move->target);
}

/* Goes on with the step that Redis says was begun. */
static bool run_steps(struct reshard *r)
{
    if (strcmp(r->begun.step, "copy") == 0 && !copy(r))
        return false;
    if (strcmp(r->begun.step, "delete") == 0) {
        if (!reshard_delete_old(&r->move) || !write_step(r, "rename"))
            return false;
        puts("deleted what was copied");
    }
    if (!reshard_rename_staged(&r->move) || !open_up(r))
        return false;
    printf("the counts are in %u %s; processes with redis.shards: %u count within 5 seconds\n",
           r->move.n.to, cli_noun(r->move.n.to, "shard", "shards"), r->move.n.to);
    if (r->move.source != r->move.target)
        puts("the other Redis still has its copy, in which nothing is counted any more; delete it "
             "when you like");
    return true;
}

/* --- the command --- */

static int fail_talk(const struct reshard *r)
{
    const char *why = talk_why(r->move.target);

    return cli_fail("%s%s", *why ? why : talk_why(r->move.source),
                    r->begun.is_begun || *r->begun.step
                        ? "; nothing is lost: call the same command again, it goes on where it "
                          "stopped"
                        : "");
}

/* The number that the counts have in a Redis; 0 = there are none.  What takes the place of a number
 * during a move begins with that number. */
static bool read_number(struct talk *talk, unsigned *n, bool *is_moved)
{
    struct counter_key key;
    struct text text;

    *n = 0;
    *is_moved = false;
    counter_key_shards(&key, 0);
    if (!get(talk, &key, &text))
        return false;
    *is_moved = strcmp(text.text, "moved") == 0;
    if (!text.exists || *is_moved)
        return true;
    *n = (unsigned)strtoul(text.text, NULL, 10);
    if (counter_n_shards_ok(*n))
        return true;
    talk_fail(talk, "the key %s says \"%s\", which this version does not understand", key.text,
              text.text);
    return false;
}

/* Finds out what is to be done, from what both sides say.  CLI_OK, or CLI_FAILED after saying why
 * not. */
static int plan(struct reshard *r, bool may_prepare)
{
    struct reshard_move *move = &r->move;
    bool is_other = move->source != move->target, was_moved, target_moved;
    unsigned n_target, n_processes;

    if (!read_begun(move->target, &r->begun) ||
        !read_number(move->source, &move->n.from, &was_moved) ||
        !read_number(move->target, &n_target, &target_moved))
        return fail_talk(r);
    if (r->begun.is_begun && r->begun.n.to != move->n.to)
        return cli_fail("counts are being moved from %u %s to %u: finish that with redis.shards: "
                        "%u first",
                        r->begun.n.from, cli_noun(r->begun.n.from, "shard", "shards"),
                        r->begun.n.to, r->begun.n.to);
    if (r->begun.is_begun && r->begun.is_other != is_other)
        return cli_fail("counts are being moved %s: %s",
                        is_other ? "within this Redis" : "here from another Redis",
                        is_other ? "finish that without --from first"
                                 : "name it with --from, as before");
    if (r->begun.is_begun) {
        move->n.from = r->begun.n.from;
    } else if (was_moved) {
        return cli_fail("the counts of that Redis were moved to another");
    } else if (move->n.from == 0) {
        return cli_fail("there are no counts in that Redis: nothing is to be moved");
    } else if (is_other && (n_target != 0 || target_moved)) {
        return cli_fail("the Redis of the configuration holds counts already; two cannot be put "
                        "together");
    } else if (!is_other && move->n.from == move->n.to) {
        printf("the counts are in %u %s: nothing is to be done\n", move->n.to,
               cli_noun(move->n.to, "shard", "shards"));
        return CLI_OK;
    }
    snprintf(r->marked, sizeof(r->marked), "%u>%u", move->n.from, move->n.to);
    /* Once it was begun nothing is counted, whoever runs. */
    if (may_prepare || (r->begun.is_begun && !is_other))
        return CLI_OK;
    if (!find_processes(move->source, move->n.from, &n_processes))
        return fail_talk(r);
    if (n_processes > 0)
        return cli_fail(
            "stop them, or restart them with redis.shards: %u%s, with which they answer "
            "all clicks and count none until this is done; then call this again",
            move->n.to, is_other ? " and the new redis.url (after --prepare)" : "");
    return CLI_OK;
}

static int prepare(struct reshard *r)
{
    if (!write_step(r, "copy") || !mark(r->move.target, &r->move.n, r->marked))
        return fail_talk(r);
    printf(
        "the Redis of the configuration is reserved for the counts: processes that use it answer "
        "clicks and count none until `hopcount reshard --from` is done\n");
    return CLI_OK;
}

static int move_counts(struct reshard *r)
{
    if (!begin(r))
        return fail_talk(r);
    if (r->move.n_waiting > 0)
        return cli_fail("%" PRIu64
                        " %s in Redis to be added to an invoice; nothing was changed.  Let a "
                        "process with redis.shards: %u run for a moment",
                        r->move.n_waiting, cli_noun(r->move.n_waiting, "fact waits", "facts wait"),
                        r->move.n.from);
    if (r->move.n_uneven > 0)
        return cli_fail("%u %s not applied equally far in shards that are to be one; nothing "
                        "was changed.  Let a process with redis.shards: %u, or `hopcount ledger "
                        "drain`, count what is left in them; a log that was lost with its disk is "
                        "named with --lost",
                        r->move.n_uneven, cli_noun(r->move.n_uneven, "log was", "logs were"),
                        r->move.n.from);
    return run_steps(r) ? CLI_OK : fail_talk(r);
}

static int run_with(const struct config *config, const struct cli_args *args)
{
    const char *from = args->value[RESHARD_FROM];
    struct reshard r = {
        .move = {.n = {.to = (unsigned)config->redis.shards}, .lost = args->value[RESHARD_LOST]}};
    char *url = redis_settings_url(&config->redis, NULL);
    struct error err = {0};
    int status = CLI_FAILED;

    if (!url) {
        error_set(&err, "out of memory");
        goto out;
    }
    r.move.target = talk_new(url, TIMEOUT_MS, &err);
    r.move.source = from ? talk_new(from, TIMEOUT_MS, &err) : r.move.target;
    if (!r.move.target || !r.move.source)
        goto out;
    status = plan(&r, args->value[RESHARD_PREPARE] != NULL);
    if (status == CLI_OK && *r.marked)
        status = args->value[RESHARD_PREPARE] ? prepare(&r) : move_counts(&r);
out:
    if (err.text[0])
        status = cli_fail_error(&err);
    if (r.move.source != r.move.target)
        talk_free(r.move.source);
    talk_free(r.move.target);
    free(url);
    return status;
}

static int run(const struct cli_args *args)
{
    struct config *config;
    struct error err = {0};
    struct site *site;
    int status;

    log_set_level(LOG_LEVEL_ERROR);
    if (args->n_words > 0)
        return cli_usage(&cli_reshard, "'%s' is one word too many", args->words[0]);
    if (args->value[RESHARD_PREPARE] && !args->value[RESHARD_FROM])
        return cli_usage(&cli_reshard, "--prepare is for --from");
    site = config_option_load(args->value[RESHARD_CONFIG], &config, &err);
    if (!site)
        return cli_fail_error(&err);
    if (config->redis.url)
        status = run_with(config, args);
    else
        status =
            cli_fail("the configuration has no redis.url: a private redis-server runs only while "
                     "its hopcountd does; move its counts to a Redis of their own with --from");
    site_unref(site);
    config_free(config);
    return status;
}

const struct cli_command cli_reshard = {
    .name = "reshard",
    .usage = "[-c FILE] [--from URL [--prepare]]",
    .summary = "moves the counts in Redis to another number of shards",
    .notes =
        "The configuration says how many shards there are to be (redis.shards) and in which\n"
        "Redis.  Clicks are answered all the time; they are counted when it is done.  Restart all\n"
        "processes with the new number first: they keep their clicks in their logs until then.\n"
        "Interrupted anywhere and called again, it goes on where it stopped.\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run,
};
