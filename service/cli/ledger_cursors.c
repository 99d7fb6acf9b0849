#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "proto/click.h"
#include "proto/counter.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/cli/ledger.h"
#include "service/clicklog/clicklog.h"
#include "service/redis/redis_link.h"

enum { TRY_MS = 20 };

/* A question per log and shard, asked one after the other: there are few. */
struct asker {
    const struct ledger_place *place;
    struct ledger_cursor *cursors;
    size_t n, n_asked, n_answered; /* of n logs times place->n_shards */
    struct event_base *base;
    struct redis_link *link;
    struct error *err;
    bool failed;
};

static void ask_next(struct asker *a)
{
    struct slice argv[2] = {slice_of("GET")};
    struct redis_command command = {.argv = argv, .argc = 2, .ticket = a->n_asked};
    struct counter_key key;

    if (a->n_asked != a->n_answered || a->n_asked == a->n * a->place->n_shards)
        return;
    counter_key_cursor(&key, (unsigned)(a->n_asked % a->place->n_shards),
                       clicklog_id(a->cursors[a->n_asked / a->place->n_shards].log));
    argv[1] = command.key = counter_key_slice(&key);
    if (redis_link_send(a->link, &command))
        a->n_asked++;
}

static void on_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct asker *a = owner;
    struct ledger_cursor *cursor = &a->cursors[ticket / a->place->n_shards];
    uint64_t position = 0; /* of a log that nothing was counted of yet */
    char *end = "";

    if (!answer) { /* the connection was lost: ask again on the next */
        a->n_asked = a->n_answered;
        return;
    }
    if (answer->type == REDIS_REPLY_STRING)
        position = strtoull(answer->str, &end, 10);
    if ((answer->type != REDIS_REPLY_STRING && answer->type != REDIS_REPLY_NIL) ||
        (answer->type == REDIS_REPLY_STRING && (answer->len == 0 || *end != '\0'))) {
        error_set(a->err, "Redis answers: %s",
                  answer->type == REDIS_REPLY_ERROR ? answer->str : "a cursor that is no number");
        a->failed = true;
    } else if (position < cursor->applied) {
        cursor->applied = position;
    }
    a->n_answered++;
    ask_next(a);
    if (a->failed || a->n_answered == a->n * a->place->n_shards)
        event_base_loopbreak(a->base);
}

/* It is time to try, or to try again. */
static void on_try(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    ask_next(arg);
}

static bool ask(struct asker *a)
{
    struct timeval limit = {.tv_sec = a->place->timeout_ms / 1000,
                            .tv_usec = a->place->timeout_ms % 1000 * 1000};
    struct timeval pause = {.tv_usec = TRY_MS * 1000};
    struct event *try_again = event_new(a->base, -1, EV_PERSIST, on_try, a);

    if (!try_again || event_add(try_again, &pause) != 0 ||
        event_base_loopexit(a->base, &limit) != 0) {
        error_set(a->err, "out of memory");
        a->failed = true;
    } else {
        event_base_dispatch(a->base);
    }
    if (try_again)
        event_free(try_again);
    return !a->failed && a->n_answered == a->n * a->place->n_shards;
}

bool ledger_cursors_ask(const struct ledger_place *place, struct ledger_cursor *cursors, size_t n,
                        struct error *err)
{
    struct asker a = {.place = place, .cursors = cursors, .n = n, .err = err};
    struct redis_link_options options = {
        .url = place->redis_url,
        .name = "hopcount-cli",
        .timeout_ms = place->timeout_ms,
        .limits = {.bytes = 64 << 10, .elements = 1024}, /* a position */
        .owner = &a,
        .on_answer = on_answer,
    };
    bool ok = false;

    for (size_t i = 0; i < n; i++)
        cursors[i].applied = UINT64_MAX;
    a.base = event_base_new();
    if (!a.base) {
        error_set(err, "out of memory");
        return false;
    }
    a.link = redis_link_new(a.base, &options, err);
    if (a.link) {
        ok = n == 0 || ask(&a);
        if (!ok && !a.failed)
            error_set(err, "Redis does not answer: %s",
                      redis_link_cause(a.link)[0] ? redis_link_cause(a.link) : "no answer in time");
    }
    redis_link_free(a.link);
    event_loop_free(a.base);
    return ok;
}
