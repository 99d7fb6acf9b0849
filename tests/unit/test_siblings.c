/* What pods tell one another of clicks, over a server of the test's own: whatever is lost on the
 * way, each click is judged, and relabelled by one pod at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "service/gateway/siblings.h"

enum {
    PODS = 3,
    CLICKS_MAX = 2000,
    CALLS_MAX = 8,
    STEP_MS = 100,
    OFFER_LEN = GATEWAY_ORIGIN_LEN + CLICK_RECORD_LEN,
    NAME_LEN = GATEWAY_ORIGIN_LEN + 8,
};

/* A command on its way, with its values; keys tell nothing that the values don't. */
struct call {
    enum gateway_command what;
    unsigned shard;
    size_t n, len;
    uint8_t values[128][OFFER_LEN];
};

struct pod {
    unsigned index;
    struct siblings *siblings;
    struct call calls[CALLS_MAX];
    unsigned n_calls;
    bool is_down; /* it can't reach the server */
    unsigned n_judged[CLICKS_MAX], n_granted[CLICKS_MAX];
};

/* The server: who has claimed each click, and all clicks that were told. */
static struct {
    uint8_t claims[CLICKS_MAX][2][NAME_LEN];
    unsigned n_claims;
    uint8_t told[CLICKS_MAX][OFFER_LEN];
    unsigned n_told;
} server;

static struct pod pods[PODS];
static int64_t now_ms;

/* --- the pods' side --- */

static bool on_send(void *owner, enum gateway_command what, unsigned shard,
                    const struct slice *argv, size_t argc)
{
    struct pod *pod = owner;
    struct call *call = &pod->calls[pod->n_calls];

    if (pod->is_down || pod->n_calls == CALLS_MAX)
        return false;
    pod->n_calls++;
    *call = (struct call){.what = what, .shard = shard};
    call->n = strtoul(argv[2].ptr, NULL, 10);
    assert_int_equal(argc, GATEWAY_ARGV_KEY + 2 * call->n + 1);
    for (size_t i = 0; i < call->n; i++) {
        const struct slice *value = &argv[GATEWAY_ARGV_KEY + call->n + 1 + i];

        call->len = value->len;
        memcpy(call->values[i], value->ptr, value->len);
    }
    return true;
}

static bool on_is_ready(void *owner, unsigned shard)
{
    const struct pod *pod = owner;

    (void)shard;
    return !pod->is_down;
}

/* The object's number names a click in these tests. */
static void on_click(void *owner, const struct gateway_click *click)
{
    struct pod *pod = owner;

    pod->n_judged[click->click.object]++;
}

static void on_claimed(void *owner, const struct gateway_click *click)
{
    struct pod *pod = owner;

    pod->n_granted[click->click.object]++;
}

static void open_pods(unsigned n_shards)
{
    memset(&server, 0, sizeof(server));
    memset(pods, 0, sizeof(pods));
    now_ms = 1000000;
    for (unsigned i = 0; i < PODS; i++) {
        struct siblings_options options = {
            .origin = {(uint8_t)(i + 1)},
            .n_shards = n_shards,
            .window_ms = 60000,
            .redis = {&pods[i], on_send, on_is_ready},
            .owner = &pods[i],
            .on_click = on_click,
            .on_claimed = on_claimed,
        };

        pods[i].index = i;
        pods[i].siblings = siblings_new(&options);
        assert_non_null(pods[i].siblings);
    }
}

static void close_pods(void)
{
    for (unsigned i = 0; i < PODS; i++)
        siblings_free(pods[i].siblings);
}

static struct gateway_click click_of(unsigned origin, unsigned n)
{
    struct gateway_click click = {
        .click = {.type = CLICK_TYPE_CLICK,
                  .link_id = n + 1,
                  .time_ms = now_ms,
                  .brand = 7,
                  .object = n,
                  .client = n % 50 + 1,
                  .kind = 1},
        .number = n,
        .origin = {(uint8_t)(origin + 1)},
        .is_own = true,
    };

    return click;
}

/* --- the server's side --- */

static redisReply *make_array(size_t n)
{
    redisReply *answer = calloc(1, sizeof(*answer));

    answer->type = REDIS_REPLY_ARRAY;
    answer->elements = n;
    answer->element = calloc(n + 1, sizeof(*answer->element));
    for (size_t i = 0; i < n; i++)
        answer->element[i] = calloc(1, sizeof(*answer));
    return answer;
}

static void free_answer(redisReply *answer)
{
    for (size_t i = 0; answer && i < answer->elements; i++) {
        free(answer->element[i]->str);
        free(answer->element[i]);
    }
    if (answer)
        free(answer->element);
    free(answer);
}

/* claim.lua: the first claim of a click holds, and is granted again when it is asked again. */
static bool claim(const uint8_t *value)
{
    for (unsigned i = 0; i < server.n_claims; i++) {
        if (memcmp(server.claims[i][0], value, NAME_LEN) == 0)
            return memcmp(server.claims[i][1], value + NAME_LEN, NAME_LEN) == 0;
    }
    memcpy(server.claims[server.n_claims][0], value, NAME_LEN);
    memcpy(server.claims[server.n_claims++][1], value + NAME_LEN, NAME_LEN);
    return true;
}

static redisReply *run_claims(const struct call *call)
{
    redisReply *answer = make_array(call->n);

    for (size_t i = 0; i < call->n; i++) {
        answer->element[i]->type = REDIS_REPLY_INTEGER;
        answer->element[i]->integer = claim(call->values[i]);
    }
    return answer;
}

/* siblings.lua, with one list of all clients. */
static redisReply *run_offers(const struct call *call)
{
    redisReply *answer;

    for (size_t i = 0; i < call->n; i++)
        memcpy(server.told[server.n_told++ % CLICKS_MAX], call->values[i], OFFER_LEN);
    answer = make_array(server.n_told < 32 ? server.n_told : 32);
    for (size_t i = 0; i < answer->elements; i++) {
        answer->element[i]->type = REDIS_REPLY_STRING;
        answer->element[i]->len = OFFER_LEN;
        answer->element[i]->str = malloc(OFFER_LEN);
        memcpy(answer->element[i]->str, server.told[(server.n_told - 1 - i) % CLICKS_MAX],
               OFFER_LEN);
    }
    return answer;
}

enum fault { WELL, LOST /* it ran, the answer is lost */, NOT_RUN, ERROR, FAULTS };

/* Answers the oldest call of the pod; false: there is none. */
static bool answer(struct pod *pod, enum fault fault)
{
    struct call call;
    redisReply *answer = NULL;

    if (pod->n_calls == 0)
        return false;
    call = pod->calls[0];
    memmove(pod->calls, pod->calls + 1, --pod->n_calls * sizeof(call));
    if (fault == WELL || fault == LOST)
        answer = call.what == GATEWAY_CLAIM ? run_claims(&call) : run_offers(&call);
    if (fault == ERROR) {
        answer = make_array(0);
        answer->type = REDIS_REPLY_ERROR;
    }
    siblings_on_answer(pod->siblings, call.what, call.shard, fault == LOST ? NULL : answer);
    free_answer(answer);
    return true;
}

static void step(enum fault fault)
{
    now_ms += STEP_MS;
    for (unsigned i = 0; i < PODS; i++)
        siblings_serve(pods[i].siblings, now_ms);
    for (unsigned i = 0; i < PODS; i++) {
        while (answer(&pods[i], fault))
            ;
    }
}

/* --- tests --- */

static void test_one_pod_relabels(void **state)
{
    static const struct {
        const char *name;
        enum fault fault;
    } cases[] = {
        {"all goes well", WELL},
        {"the answers are lost after it ran", LOST},
        {"nothing ran", NOT_RUN},
        {"an error", ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned n_shards = 1; n_shards <= 16; n_shards *= 16) {
            print_message("%s, %u shards\n", cases[i].name, n_shards);
            open_pods(n_shards);
            /* Two pods find the same clicks, one of them some more. */
            for (unsigned n = 0; n < 300; n++) {
                struct gateway_click click = click_of(0, n);

                siblings_claim(pods[0].siblings, &click, now_ms);
                if (n < 200)
                    siblings_claim(pods[1].siblings, &click, now_ms);
            }
            for (unsigned k = 0; k < 5; k++)
                step(cases[i].fault);
            for (unsigned k = 0; k < 20; k++)
                step(WELL);
            for (unsigned n = 0; n < 300; n++)
                assert_int_equal(pods[0].n_granted[n] + pods[1].n_granted[n] + pods[2].n_granted[n],
                                 1);
            close_pods();
        }
    }
}

static void test_a_pod_that_claims_twice_relabels_once(void **state)
{
    struct gateway_click click;

    (void)state;
    open_pods(1);
    click = click_of(0, 5);
    siblings_claim(pods[0].siblings, &click, now_ms);
    step(WELL);
    siblings_claim(pods[0].siblings, &click, now_ms);
    step(WELL);
    assert_int_equal(pods[0].n_granted[5], 1);
    close_pods();
}

static void test_every_click_is_judged_once(void **state)
{
    static const enum fault faults[] = {WELL, LOST, NOT_RUN, ERROR};

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        print_message("fault %u\n", (unsigned)faults[i]);
        open_pods(4);
        for (unsigned n = 0; n < 500; n++) {
            struct gateway_click click = click_of(n % PODS, n);

            assert_true(siblings_hold(pods[n % PODS].siblings, &click));
        }
        for (unsigned k = 0; k < 10; k++)
            step(k < 3 ? faults[i] : WELL);
        for (unsigned n = 0; n < 500; n++)
            assert_int_equal(pods[n % PODS].n_judged[n], 1);
        close_pods();
    }
}

static void test_other_pods_learn_of_a_click(void **state)
{
    struct gateway_click first, second;

    (void)state;
    open_pods(1);
    first = click_of(0, 1);
    second = click_of(1, 2);
    assert_true(siblings_hold(pods[0].siblings, &first));
    step(WELL);
    assert_int_equal(pods[1].n_judged[1], 0); /* it has nobody to ask for */
    assert_true(siblings_hold(pods[1].siblings, &second));
    step(WELL);
    assert_int_equal(pods[1].n_judged[1], 1);
    assert_int_equal(pods[1].n_judged[2], 1);
    assert_int_equal(pods[0].n_judged[2], 0);
    close_pods();
}

static void test_a_server_that_is_away_holds_nothing_up(void **state)
{
    struct gateway_click click;

    (void)state;
    open_pods(1);
    pods[0].is_down = true;
    click = click_of(0, 1);
    assert_true(siblings_hold(pods[0].siblings, &click));
    siblings_claim(pods[0].siblings, &click, now_ms);
    step(WELL);
    assert_int_equal(pods[0].n_judged[1], 1);  /* by what this pod knows */
    assert_int_equal(pods[0].n_granted[1], 0); /* but it may not relabel alone */
    now_ms += 599000;
    pods[0].is_down = false;
    step(WELL);
    assert_int_equal(pods[0].n_granted[1], 1); /* within ten minutes it is asked */
    pods[0].is_down = true;
    click = click_of(0, 2);
    siblings_claim(pods[0].siblings, &click, now_ms);
    step(WELL);
    now_ms += 600000;
    step(WELL);
    pods[0].is_down = false;
    step(WELL);
    assert_int_equal(pods[0].n_granted[2], 0); /* given up: the click keeps its label */
    close_pods();
}

static void test_a_full_queue_refuses(void **state)
{
    unsigned n = 0;

    (void)state;
    open_pods(1);
    for (; n < 100000; n++) {
        struct gateway_click click = click_of(0, n % CLICKS_MAX);

        if (!siblings_hold(pods[0].siblings, &click))
            break;
    }
    assert_int_equal(n, 4096);
    close_pods();
}

static void test_at_random(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

    (void)state;
    print_message("SEED=%u\n", seed);
    for (unsigned round = 0; round < 50; round++) {
        srand(seed + round);
        open_pods(rand() % 2 ? 1 : 8);
        for (unsigned n = 0; n < 400; n++) {
            struct gateway_click click = click_of((unsigned)rand() % PODS, n);

            for (unsigned i = 0; i < PODS; i++) {
                if (rand() % 2)
                    siblings_claim(pods[i].siblings, &click, now_ms);
            }
            if (rand() % 5 == 0)
                step((enum fault)(rand() % FAULTS));
            if (rand() % 20 == 0)
                pods[rand() % PODS].is_down = rand() % 2;
        }
        for (unsigned i = 0; i < PODS; i++)
            pods[i].is_down = false;
        for (unsigned k = 0; k < 40; k++)
            step(WELL);
        for (unsigned n = 0; n < 400; n++)
            assert_in_range(pods[0].n_granted[n] + pods[1].n_granted[n] + pods[2].n_granted[n], 0,
                            1);
        for (unsigned i = 0; i < server.n_claims; i++) {
            uint64_t number = 0;

            memcpy(&number, server.claims[i][0] + GATEWAY_ORIGIN_LEN, 8);
            assert_int_equal(pods[0].n_granted[number] + pods[1].n_granted[number] +
                                 pods[2].n_granted[number],
                             1);
        }
        close_pods();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_pod_relabels),
        cmocka_unit_test(test_a_pod_that_claims_twice_relabels_once),
        cmocka_unit_test(test_every_click_is_judged_once),
        cmocka_unit_test(test_other_pods_learn_of_a_click),
        cmocka_unit_test(test_a_server_that_is_away_holds_nothing_up),
        cmocka_unit_test(test_a_full_queue_refuses),
        cmocka_unit_test(test_at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
