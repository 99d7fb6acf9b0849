/* Fetches over a link to Redis that the test plays itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "service/admin/fetch.h"
#include "service/redis/redis_link.h"

enum { SENT_MAX = 64 };

struct redis_link {
    struct redis_link_options options;
    const char *cause;
    size_t room; /* commands it takes before it says no */
    size_t n_sent;
    uint64_t tickets[SENT_MAX];
    char texts[SENT_MAX][32];
};

/* The one link; fetches_new() has no other way to hand it out. */
static struct redis_link the_link;

struct redis_link *redis_link_new(struct event_base *base, const struct redis_link_options *options,
                                  struct error *err)
{
    (void)base;
    (void)err;
    the_link = (struct redis_link){.options = *options, .cause = "", .room = SENT_MAX};
    return &the_link;
}

void redis_link_free(struct redis_link *link)
{
    (void)link;
}

bool redis_link_send(struct redis_link *link, const struct redis_command *command)
{
    if (link->n_sent == link->room)
        return false;
    link->tickets[link->n_sent] = command->ticket;
    snprintf(link->texts[link->n_sent++], sizeof(link->texts[0]), "%.*s %.*s",
             SLICE_ARG(command->argv[0]), SLICE_ARG(command->argv[1]));
    return true;
}

const char *redis_link_cause(const struct redis_link *link)
{
    return link->cause;
}

/* Answers the command that was sent as number `index`. */
static void answer(size_t index, int type, long long integer)
{
    redisReply answer = {.type = type, .integer = integer, .str = "ERR bad", .len = 7};

    the_link.options.on_answer(the_link.options.owner, the_link.tickets[index], &answer);
}

/* --- a fetch that writes down what happens to it --- */

struct owner {
    char made[32];
    size_t n_made, n_replies, n_done;
    long long sum;
    char cause[64];
};

static void on_command(void *arg, size_t index, struct fetch_command *command)
{
    struct owner *owner = arg;

    assert_int_equal(owner->n_done, 0);
    assert_true(index <= owner->n_made); /* one that had no room is made again */
    owner->n_made = index + 1;
    snprintf(owner->made, sizeof(owner->made), "%zu", index);
    command->argc = 2;
    command->argv[0] = slice_of("GET");
    command->argv[1] = command->key = slice_of(owner->made);
}

static void on_answer(void *arg, size_t index, const struct redisReply *answer)
{
    struct owner *owner = arg;

    assert_int_equal(owner->n_done, 0);
    owner->n_replies++;
    owner->sum += answer->integer * (long long)(index + 1);
}

static void on_done(void *arg, const char *cause)
{
    struct owner *owner = arg;

    owner->n_done++;
    snprintf(owner->cause, sizeof(owner->cause), "%s", cause ? cause : "");
}

static void start(struct fetches *fetches, struct owner *owner, size_t n_commands)
{
    const struct fetch_options options = {
        .n_commands = n_commands,
        .owner = owner,
        .on_command = on_command,
        .on_answer = on_answer,
        .on_done = on_done,
    };

    *owner = (struct owner){.n_made = 0};
    fetch_start(fetches, &options);
}

struct fixture {
    struct event_base *base;
    struct fetches *fetches;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->base = event_base_new();
    f->fetches = fetches_new(f->base, "redis://x", 20, NULL);
    *state = f;
    return f->fetches ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fetches_free(f->fetches);
    event_base_free(f->base);
    free(f);
    return 0;
}

/* --- cases --- */

static void test_a_few_commands_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct owner owner;

    start(f->fetches, &owner, 6);
    assert_int_equal(the_link.n_sent, 4);
    assert_string_equal(the_link.texts[3], "GET 3");
    answer(2, REDIS_REPLY_INTEGER, 100);
    assert_int_equal(the_link.n_sent, 5);
    answer(0, REDIS_REPLY_INTEGER, 1);
    answer(1, REDIS_REPLY_INTEGER, 1);
    answer(3, REDIS_REPLY_INTEGER, 1);
    assert_int_equal(the_link.n_sent, 6);
    answer(5, REDIS_REPLY_INTEGER, 1);
    assert_int_equal(owner.n_done, 0);
    answer(4, REDIS_REPLY_INTEGER, 1);
    assert_int_equal(owner.n_done, 1);
    assert_string_equal(owner.cause, "");
    assert_int_equal(owner.n_replies, 6);
    assert_int_equal(owner.sum, 300 + 1 + 2 + 4 + 5 + 6);
    /* An answer that comes again finds nothing. */
    answer(4, REDIS_REPLY_INTEGER, 1);
    assert_int_equal(owner.n_replies, 6);
}

static void test_an_error_ends_it(void **state)
{
    struct fixture *f = *state;
    struct owner owner;

    start(f->fetches, &owner, 3);
    answer(1, REDIS_REPLY_ERROR, 0);
    assert_int_equal(owner.n_done, 1);
    assert_string_equal(owner.cause, "ERR bad");
    answer(0, REDIS_REPLY_INTEGER, 1);
    answer(2, REDIS_REPLY_INTEGER, 1);
    assert_int_equal(owner.n_replies, 0);
    assert_int_equal(owner.n_done, 1);
}

static void test_a_answer_that_never_comes_ends_it(void **state)
{
    struct fixture *f = *state;
    struct owner owner;

    start(f->fetches, &owner, 3);
    the_link.cause = "10.0.0.7:6379: closed";
    the_link.options.on_answer(the_link.options.owner, the_link.tickets[0], NULL);
    assert_int_equal(owner.n_done, 1);
    assert_string_equal(owner.cause, "10.0.0.7:6379: closed");
}

static void test_a_link_that_is_down_ends_it_at_once(void **state)
{
    struct fixture *f = *state;
    struct owner owner;

    the_link.room = 0;
    the_link.cause = "refused";
    start(f->fetches, &owner, 1);
    assert_int_equal(owner.n_done, 1);
    assert_string_equal(owner.cause, "refused");
}

static void test_it_waits_while_the_link_connects(void **state)
{
    struct fixture *f = *state;
    struct owner owner;

    the_link.room = 0;
    start(f->fetches, &owner, 1);
    assert_int_equal(owner.n_done, 0);
    the_link.room = SENT_MAX;
    the_link.options.on_change(the_link.options.owner);
    assert_int_equal(the_link.n_sent, 1);
    answer(0, REDIS_REPLY_INTEGER, 1);
    assert_int_equal(owner.n_done, 1);
    assert_string_equal(owner.cause, "");
}

static void test_it_waits_for_room_that_another_leaves(void **state)
{
    struct fixture *f = *state;
    struct owner first, second;

    the_link.room = 1;
    start(f->fetches, &first, 1);
    start(f->fetches, &second, 1);
    assert_int_equal(the_link.n_sent, 1);
    the_link.room = 2;
    answer(0, REDIS_REPLY_INTEGER, 1);
    assert_int_equal(first.n_done, 1);
    assert_int_equal(the_link.n_sent, 2);
    answer(1, REDIS_REPLY_INTEGER, 1);
    assert_int_equal(second.n_done, 1);
}

static void test_time_ends_it(void **state)
{
    struct fixture *f = *state;
    struct owner owner;

    start(f->fetches, &owner, 2);
    answer(0, REDIS_REPLY_INTEGER, 1);
    /* Its timer is the only event there is. */
    event_base_dispatch(f->base);
    assert_int_equal(owner.n_done, 1);
    assert_string_equal(owner.cause, "Redis did not answer in time");
    answer(1, REDIS_REPLY_INTEGER, 1);
    assert_int_equal(owner.n_replies, 1);
}

static void test_there_is_a_limit_of_fetches(void **state)
{
    struct fixture *f = *state;
    static struct owner owners[257];

    the_link.room = 0;
    for (size_t i = 0; i < 256; i++) {
        start(f->fetches, &owners[i], 1);
        assert_int_equal(owners[i].n_done, 0);
    }
    start(f->fetches, &owners[256], 1);
    assert_int_equal(owners[256].n_done, 1);
    assert_string_equal(owners[256].cause, "too many queries at once");
    the_link.cause = "down";
    the_link.options.on_change(the_link.options.owner);
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(owners[i].n_done, 1);
}

static void test_the_end_of_all_ends_each(void **state)
{
    struct fixture *f = *state;
    struct owner first, second;

    start(f->fetches, &first, 1);
    start(f->fetches, &second, 5);
    fetches_free(f->fetches);
    f->fetches = NULL;
    assert_int_equal(first.n_done, 1);
    assert_int_equal(second.n_done, 1);
    assert_true(strlen(second.cause) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_few_commands_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_error_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_answer_that_never_comes_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_link_that_is_down_ends_it_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_it_waits_while_the_link_connects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_waits_for_room_that_another_leaves, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_time_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_there_is_a_limit_of_fetches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_end_of_all_ends_each, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
