/* fetch.h - a number of commands to Redis whose answers are needed together, with limits of number
 * and time.
 *
 * The Redis link knows a fetch by a number only, never by a pointer: an answer that comes after the
 * fetch has ended finds no fetch and is dropped.  Only a few commands are sent at a time, so that
 * in Redis the ledger's batches never wait for many of them.
 */
#ifndef ADMIN_FETCH_H
#define ADMIN_FETCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/slice.h"

struct error;
struct event_base;
struct fetches;
struct redisReply;

enum {
    FETCH_COMMANDS_MAX = 8192,
    FETCH_ARGS_MAX = 192, /* of one command: months and days of five years, hours at both ends */
};

/* One command being made: the slices must live until `on_command` is called the next time. */
struct fetch_command {
    struct slice key; /* decides the node */
    size_t argc;
    struct slice argv[FETCH_ARGS_MAX];
};

struct fetch_options {
    size_t n_commands; /* 1…FETCH_COMMANDS_MAX */
    bool is_long;      /* may take five times as long as others */
    void *owner;       /* handed to the callbacks */

    /* Makes command number `index`; called in order. */
    void (*on_command)(void *owner, size_t index, struct fetch_command *command);
    /* The answer to it, in any order; never an error answer.  Borrowed for the call. */
    void (*on_answer)(void *owner, size_t index, const struct redisReply *answer);
    /* All answers have come (`cause` NULL), or the fetch has failed and `cause` says why.  Called
     * exactly once, as the last callback, perhaps before fetch_start() returns. */
    void (*on_done)(void *owner, const char *cause);
};

/* Starts connecting; a Redis that is down is no failure.  NULL and `*err`: the URL is wrong. */
MUST_USE struct fetches *fetches_new(struct event_base *base, const char *redis_url,
                                     int64_t timeout_ms, struct error *err);
/* Ends all fetches, with a cause. */
void fetches_free(struct fetches *fetches);

void fetch_start(struct fetches *fetches, const struct fetch_options *options);

/* The text at that place of an array; empty if there is none. */
struct slice fetch_text_at(const struct redisReply *answer, size_t index);

/* Why Redis can't be asked now; "" = it can, as far as is known. */
const char *fetches_cause(const struct fetches *fetches);

#endif
