#include "service/admin/fetch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "service/base/error.h"
#include "service/redis/redis_link.h"

enum {
    WINDOW = 4,        /* commands of a fetch in flight: Redis runs them in one go */
    FETCHES_MAX = 256, /* at once; a dashboard asks for a dozen */
    LONG_TIMES = 5,
    INDEX_BITS = 16, /* of a ticket; above them is the number of the fetch */
};

struct fetch {
    struct fetches *all;
    struct fetch *prev, *next;
    uint64_t number;
    struct fetch_options options;
    size_t n_sent, n_replied;
    struct event *timer;
};

struct fetches {
    struct event_base *base;
    struct redis_link *link;
    int64_t timeout_ms;
    struct fetch *first;
    size_t n;
    uint64_t last_number;
};

/* Unlinks and frees the fetch, then tells its owner. */
static void finish(struct fetch *fetch, const char *cause)
{
    struct fetch_options options = fetch->options;
    struct fetches *all = fetch->all;

    if (fetch->prev)
        fetch->prev->next = fetch->next;
    else
        all->first = fetch->next;
    if (fetch->next)
        fetch->next->prev = fetch->prev;
    all->n--;
    event_free(fetch->timer);
    free(fetch);
    options.on_done(options.owner, cause);
}

const char *fetches_cause(const struct fetches *fetches)
{
    return redis_link_cause(fetches->link);
}

struct slice fetch_text_at(const struct redisReply *answer, size_t index)
{
    const struct redisReply *text;

    if (answer->type != REDIS_REPLY_ARRAY || answer->elements <= index)
        return slice_make("", 0);
    text = answer->element[index];
    return text->type == REDIS_REPLY_STRING ? slice_make(text->str, text->len) : slice_make("", 0);
}

/* Sends what fits in the window; the fetch may be gone afterwards. */
static void pump(struct fetch *fetch)
{
    struct fetches *all = fetch->all;

    while (fetch->n_sent < fetch->options.n_commands && fetch->n_sent - fetch->n_replied < WINDOW) {
        struct fetch_command made = {.argc = 0};
        struct redis_command command;

        fetch->options.on_command(fetch->options.owner, fetch->n_sent, &made);
        command = (struct redis_command){.key = made.key,
                                         .argv = made.argv,
                                         .argc = made.argc,
                                         .ticket = fetch->number << INDEX_BITS | fetch->n_sent};
        if (!redis_link_send(all->link, &command)) {
            const char *cause = redis_link_cause(all->link);

            /* Full, or not connected yet: the next answer or change goes on, or the timer ends it.
             */
            if (*cause)
                finish(fetch, cause);
            return;
        }
        fetch->n_sent++;
    }
}

/* Sends more commands of the fetches that could not send all; sending may free that fetch, and no
 * other. */
static void pump_all(struct fetches *all)
{
    for (struct fetch *fetch = all->first, *next; fetch; fetch = next) {
        next = fetch->next;
        pump(fetch);
    }
}

/* The link to Redis is up, or down. */
static void on_link_change(void *owner)
{
    pump_all(owner);
}

/* Redis has answered a command (`answer` NULL: the connection was lost before). */
static void on_link_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct fetches *all = owner;
    struct fetch *fetch = all->first;
    size_t index = ticket & ((1U << INDEX_BITS) - 1);

    while (fetch && fetch->number != ticket >> INDEX_BITS)
        fetch = fetch->next;
    if (!fetch)
        return;
    if (!answer) {
        const char *cause = redis_link_cause(all->link);

        finish(fetch, cause && *cause ? cause : "Redis did not answer in time");
        return;
    }
    if (answer->type == REDIS_REPLY_ERROR) {
        finish(fetch, answer->str);
        return;
    }
    fetch->n_replied++;
    fetch->options.on_answer(fetch->options.owner, index, answer);
    if (fetch->n_replied == fetch->options.n_commands)
        finish(fetch, NULL);
    pump_all(all);
}

/* The fetch took too long as a whole, though each command was in time. */
static void on_fetch_timer(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    finish(arg, "Redis did not answer in time");
}

void fetch_start(struct fetches *fetches, const struct fetch_options *options)
{
    int64_t limit_ms = fetches->timeout_ms * (options->is_long ? LONG_TIMES : 1);
    struct timeval limit = {.tv_sec = limit_ms / 1000, .tv_usec = limit_ms % 1000 * 1000};
    struct fetch *fetch = NULL;
    struct event *timer = NULL;

    if (fetches->n >= FETCHES_MAX || !(fetch = calloc(1, sizeof(*fetch))) ||
        !(timer = evtimer_new(fetches->base, on_fetch_timer, fetch)) ||
        evtimer_add(timer, &limit) != 0) {
        if (timer)
            event_free(timer);
        free(fetch);
        options->on_done(options->owner, "too many queries at once");
        return;
    }
    fetch->all = fetches;
    fetch->number = ++fetches->last_number;
    fetch->options = *options;
    fetch->timer = timer;
    fetch->next = fetches->first;
    if (fetch->next)
        fetch->next->prev = fetch;
    fetches->first = fetch;
    fetches->n++;
    pump(fetch);
}

struct fetches *fetches_new(struct event_base *base, const char *redis_url, int64_t timeout_ms,
                            struct error *err)
{
    struct fetches *all = calloc(1, sizeof(*all));
    struct redis_link_options options = {
        .url = redis_url,
        .name = "hopcount-admin",
        .timeout_ms = timeout_ms,
        /* Tables and series that are read whole, and the names of 65,535 campaigns. */
        .limits = {.bytes = RESP_ANSWER_MAX, .elements = 1 << 18},
        .owner = all,
        .on_answer = on_link_answer,
        .on_change = on_link_change,
    };

    if (!all) {
        error_set(err, "admin: out of memory");
        return NULL;
    }
    all->base = base;
    all->timeout_ms = timeout_ms;
    all->link = redis_link_new(base, &options, err);
    if (!all->link) {
        free(all);
        return NULL;
    }
    return all;
}

void fetches_free(struct fetches *fetches)
{
    if (!fetches)
        return;
    while (fetches->first)
        finish(fetches->first, "hopcount is stopping");
    redis_link_free(fetches->link);
    free(fetches);
}
