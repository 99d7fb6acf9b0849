/* Reads clicks, a line each, and writes which of them service/gateway takes for a machine's:
 * `replay.py` plays hundreds of worlds in seconds by it.
 *
 *     label_clicks PODS LINKS LINKS_MS TWO_LINKS_MS NETWORKS NETWORKS_MS EARLY_MS W_LINKS
 * W_NETWORKS W_EARLY W_HEAD W_ASN W_RANGE THRESHOLD REPEAT_MAX
 *
 * A line: time (ms, Unix), pod, client, link, network, 1 if it is a HEAD, hints, minute of issue as
 * in tokens.  By time.  Written is a line for each: the name of the reason.
 *
 * Each pod has a turn every TURN_MS, the others some milliseconds later, and a Redis is played that
 * does what the scripts say; its answers take a while.  The program's own code is all above that.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <sodium.h>

#include "proto/click_names.h"
#include "service/gateway/finder.h"
#include "service/gateway/gateway.h"
#include "service/label/salt.h"

enum {
    OPTIONS = 15,
    CLICKS_MAX = 200000,
    PODS_MAX = 8,
    TURN_MS = 20,
    APART_MS = 7, /* turns of two pods */
    ANSWER_MS = 3,
    ANSWERS_MAX = 64,
    LISTS = 1 << 16,
    LIST_MAX = 32,
    CLAIMS = 1 << 20,
    NAME_LEN = GATEWAY_ORIGIN_LEN + 8,
    OFFER_LEN = GATEWAY_ORIGIN_LEN + CLICK_RECORD_LEN,
    HEX_LEN = 2 * SALT_LEN,
};

/* An answer that is under way. */
struct answer {
    int64_t at_ms;
    enum gateway_command what;
    redisReply *value;
};

struct player {
    struct finder *finder;
    struct salt salt;
    struct answer answers[ANSWERS_MAX];
    unsigned n_answers;
    int64_t now_ms;
};

struct list {
    char key[64];
    unsigned n;
    uint8_t entries[LIST_MAX][OFFER_LEN];
};

struct claim {
    uint8_t click[NAME_LEN], claim[NAME_LEN];
    bool is_made;
};

static struct list lists[LISTS];
static struct claim claims[CLAIMS];
static struct click clicks[CLICKS_MAX];
static unsigned pod_of[CLICKS_MAX];
static uint8_t reasons[CLICKS_MAX];
static unsigned n_pods;

static void fail(const char *what)
{
    fprintf(stderr, "label_clicks: %s\n", what);
    exit(2);
}

/* --- Redis --- */

static uint64_t hash_of(const void *bytes, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

static struct list *find_list(struct slice key)
{
    struct list *list = NULL;

    for (uint64_t at = hash_of(key.ptr, key.len), i = 0; i < LISTS; i++) {
        list = &lists[(at + i) % LISTS];
        if (list->n == 0 ||
            (strlen(list->key) == key.len && memcmp(list->key, key.ptr, key.len) == 0))
            break;
    }
    memcpy(list->key, key.ptr, key.len);
    return list;
}

static void push(struct list *list, const void *entry)
{
    if (list->n == LIST_MAX)
        memmove(list->entries[0], list->entries[1], (size_t)--list->n * OFFER_LEN);
    memcpy(list->entries[list->n++], entry, OFFER_LEN);
}

static redisReply *make_answer(int type, size_t n)
{
    redisReply *answer = calloc(1, sizeof(*answer));

    if (!answer || (n > 0 && !(answer->element = calloc(n, sizeof(*answer->element)))))
        fail("out of memory");
    answer->type = type;
    return answer;
}

static redisReply *make_integer(long long n)
{
    redisReply *answer = make_answer(REDIS_REPLY_INTEGER, 0);

    answer->integer = n;
    return answer;
}

static redisReply *make_string(const void *bytes, size_t len)
{
    redisReply *answer = make_answer(REDIS_REPLY_STRING, 0);

    answer->str = malloc(len + 1);
    if (!answer->str)
        fail("out of memory");
    memcpy(answer->str, bytes, len);
    answer->len = len;
    return answer;
}

static redisReply *beat(int64_t now_ms)
{
    char salt[HEX_LEN];
    redisReply *answer = make_answer(REDIS_REPLY_ARRAY, 5);

    memset(salt, '7', sizeof(salt));
    answer->element[answer->elements++] = make_integer(n_pods);
    answer->element[answer->elements++] = make_string(salt, sizeof(salt));
    answer->element[answer->elements++] =
        make_answer(REDIS_REPLY_ARRAY, 0); /* lines are for people */
    answer->element[answer->elements++] = make_answer(REDIS_REPLY_ARRAY, 0);
    answer->element[answer->elements++] = make_integer(now_ms);
    return answer;
}

static redisReply *offer(const struct slice *keys, const struct slice *values, size_t n)
{
    redisReply *answer = make_answer(REDIS_REPLY_ARRAY, n * LIST_MAX);

    for (size_t i = 0; i < n; i++)
        push(find_list(keys[i]), values[i].ptr);
    for (size_t i = 0; i < n; i++) {
        const struct list *list = find_list(keys[i]);

        for (unsigned j = 0; j < list->n; j++)
            answer->element[answer->elements++] = make_string(list->entries[j], OFFER_LEN);
    }
    return answer;
}

static redisReply *claim(const struct slice *values, size_t n)
{
    redisReply *answer = make_answer(REDIS_REPLY_ARRAY, n);

    for (size_t i = 0; i < n; i++) {
        const uint8_t *value = (const uint8_t *)values[i].ptr;
        uint64_t at = hash_of(value, NAME_LEN);
        struct claim *made = &claims[at % CLAIMS];

        while (made->is_made && memcmp(made->click, value, NAME_LEN) != 0)
            made = &claims[++at % CLAIMS];
        if (!made->is_made) {
            memcpy(made->click, value, NAME_LEN);
            memcpy(made->claim, value + NAME_LEN, NAME_LEN);
            made->is_made = true;
        }
        answer->element[answer->elements++] =
            make_integer(memcmp(made->claim, value + NAME_LEN, NAME_LEN) == 0);
    }
    return answer;
}

static bool send_to_redis(void *owner, enum gateway_command what, unsigned shard,
                          const struct slice *argv, size_t argc)
{
    struct player *pod = owner;
    size_t n = (argc - GATEWAY_ARGV_KEY - 1) / 2;
    const struct slice *keys = argv + GATEWAY_ARGV_KEY, *values = keys + n + 1;
    struct answer *answer = &pod->answers[pod->n_answers++];

    (void)shard;
    if (pod->n_answers > ANSWERS_MAX)
        fail("too many commands under way");
    *answer = (struct answer){pod->now_ms + ANSWER_MS, what, NULL};
    switch (what) {
    case GATEWAY_BEAT:
        answer->value = beat(pod->now_ms);
        break;
    case GATEWAY_OFFER:
        answer->value = offer(keys, values, n);
        break;
    case GATEWAY_CLAIM:
        answer->value = claim(values, n);
        break;
    }
    return true;
}

static bool is_ready(void *owner, unsigned shard)
{
    (void)owner;
    (void)shard;
    return true;
}

static void answer(struct player *pod)
{
    struct answer due[ANSWERS_MAX];
    unsigned n = pod->n_answers;

    memcpy(due, pod->answers, sizeof(due));
    pod->n_answers = 0;
    for (unsigned i = 0; i < n; i++) {
        if (due[i].at_ms > pod->now_ms) {
            pod->answers[pod->n_answers++] = due[i];
            continue;
        }
        finder_on_answer(pod->finder, due[i].what, 0, due[i].value);
        freeReplyObject(due[i].value);
    }
}

/* --- pods --- */

/* The clicks carry their line's number as object. */
static void on_found(void *owner, const struct click *relabelling)
{
    (void)owner;
    if (reasons[relabelling->object - 1])
        fail("a click is relabelled twice");
    reasons[relabelling->object - 1] = relabelling->reason;
}

static void on_day(void *owner)
{
    (void)owner;
}

static void describe(void *owner, struct pod *self)
{
    (void)owner;
    (void)self;
}

static void read_options(char **argv, struct gateway_options *out)
{
    int64_t n[OPTIONS];

    for (int i = 0; i < OPTIONS; i++)
        n[i] = strtoll(argv[i], NULL, 10);
    n_pods = (unsigned)n[0];
    *out = (struct gateway_options){
        .links = n[1],
        .links_ms = n[2],
        .two_links_ms = n[3],
        .networks = n[4],
        .networks_ms = n[5],
        .early_ms = n[6],
        .weight_links = n[7],
        .weight_networks = n[8],
        .weight_early = n[9],
        .weight_head = n[10],
        .weight_asn = n[11],
        .weight_range = n[12],
        .threshold = n[13],
        .repeat_max = n[14],
    };
}

static void make_pod(struct player *pod, const struct gateway_options *gateway, int64_t start_ms)
{
    const struct finder_options options = {
        .gateway = gateway,
        .salt = &pod->salt,
        .n_shards = 1,
        .redis = {pod, send_to_redis, is_ready},
        .on_found = on_found,
        .describe = describe,
        .on_day = on_day,
    };

    salt_init(&pod->salt);
    pod->finder = finder_new(&options, start_ms);
    if (!pod->finder)
        fail("out of memory");
    pod->now_ms = start_ms;
    finder_serve(pod->finder, start_ms, start_ms);
    pod->now_ms += ANSWER_MS;
    answer(pod); /* they know of one another */
}

static uint32_t read_clicks(void)
{
    uint32_t n = 0;

    for (; n < CLICKS_MAX; n++) {
        int64_t time_ms;
        uint32_t client, network, is_head, hints, issued_min;
        uint64_t link;

        if (scanf("%" SCNd64 " %u %" SCNu32 " %" SCNu64 " %" SCNu32 " %" SCNu32 " %" SCNu32
                  " %" SCNu32,
                  &time_ms, &pod_of[n], &client, &link, &network, &is_head, &hints,
                  &issued_min) != 8)
            break;
        clicks[n] = (struct click){
            .type = CLICK_TYPE_CLICK,
            .kind = 1,
            .channel = 1,
            .time_ms = time_ms,
            .object = n + 1,
            .client = client,
            .link_id = link,
            .network = (uint16_t)(network & CLICK_NETWORK_MAX),
            .issued_min = issued_min,
            .hints = (uint8_t)(hints & 3),
            .label = is_head ? CLICK_PROBE : CLICK_HUMAN,
            .reason = is_head ? CLICK_REASON_HEAD : CLICK_REASON_NONE,
        };
    }
    return n;
}

/* A turn of each pod; returns whether any waits for an answer. */
static bool take_turns(struct player *pods, int64_t now_ms, uint32_t from, uint32_t to)
{
    bool is_waiting = false;

    for (unsigned p = 0; p < n_pods; p++) {
        pods[p].now_ms = now_ms + p * APART_MS;
        answer(&pods[p]);
        for (uint32_t i = from; i < to; i++) {
            if (pod_of[i] % n_pods == p)
                finder_look_at(pods[p].finder, &clicks[i]);
        }
        finder_serve(pods[p].finder, pods[p].now_ms, pods[p].now_ms);
    }
    for (unsigned p = 0; p < n_pods; p++) {
        for (unsigned i = 0; i < pods[p].n_answers; i++)
            is_waiting = is_waiting || pods[p].answers[i].what != GATEWAY_BEAT;
    }
    return is_waiting;
}

int main(int argc, char **argv)
{
    static struct player pods[PODS_MAX];
    struct gateway_options gateway;
    uint32_t n, from = 0;
    bool is_waiting = false;

    if (argc != 1 + OPTIONS || sodium_init() < 0)
        fail("needs 15 numbers");
    read_options(argv + 1, &gateway);
    n = read_clicks();
    if (n == 0 || n_pods == 0 || n_pods > PODS_MAX)
        fail("needs clicks, and 1 to 8 pods");
    for (unsigned p = 0; p < n_pods; p++)
        make_pod(&pods[p], &gateway, clicks[0].time_ms - 1);
    for (int64_t now_ms = clicks[0].time_ms; from < n || is_waiting; now_ms += TURN_MS) {
        uint32_t to = from;

        if (!is_waiting && clicks[from].time_ms > now_ms)
            now_ms = clicks[from].time_ms; /* nothing happens before */
        while (to < n && clicks[to].time_ms <= now_ms)
            to++;
        is_waiting = take_turns(pods, now_ms, from, to);
        from = to;
    }
    for (uint32_t i = 0; i < n; i++)
        printf("%s\n", click_reason_name(reasons[i] ? reasons[i] : clicks[i].reason));
    for (unsigned p = 0; p < n_pods; p++) {
        for (unsigned i = 0; i < pods[p].n_answers; i++)
            freeReplyObject(pods[p].answers[i].value);
        finder_free(pods[p].finder);
    }
    return 0;
}
