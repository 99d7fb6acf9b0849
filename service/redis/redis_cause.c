#include "service/redis/redis_cause.h"

#include <string.h>

#include "proto/slice.h"

static const struct {
    const char *word;
    struct redis_cause cause;
} causes[] = {
    {"OOM", {"oom", "redis.oom", REDIS_WAIT, true}},
    {"NOREPLICAS", {"noreplicas", "redis.noreplicas", REDIS_WAIT, true}},
    {"READONLY", {"readonly", "redis.readonly", REDIS_RECONNECT, true}},
    {"LOADING", {"loading", "redis.loading", REDIS_WAIT, true}},
    {"MISCONF", {"misconf", "redis.misconf", REDIS_WAIT, true}},
    {"BUSY", {"busy", "redis.busy", REDIS_WAIT, true}},
    {"MASTERDOWN", {"masterdown", "redis.masterdown", REDIS_RECONNECT, true}},
    {"NOSCRIPT", {"noscript", "redis.noscript", REDIS_SEND_SCRIPT, true}},
    {"NOAUTH", {"noauth", "redis.noauth", REDIS_RECONNECT, true}},
    {"WRONGPASS", {"wrongpass", "redis.wrongpass", REDIS_RECONNECT, true}},
    {"NOPERM", {"noperm", "redis.noperm", REDIS_WAIT, true}},
    {"SHARDS", {"shards", "redis.shards", REDIS_RECONNECT, true}},
    {"WRONGTYPE", {"wrongtype", "redis.wrongtype", REDIS_WAIT, true}},
    {"CLUSTERDOWN", {"clusterdown", "redis.clusterdown", REDIS_WAIT, true}},
    {"TRYAGAIN", {"tryagain", "redis.tryagain", REDIS_WAIT, true}},
    {"MOVED", {"moved", "redis.moved", REDIS_WAIT, true}},
    {"ASK", {"ask", "redis.ask", REDIS_WAIT, true}},
};

struct redis_cause redis_cause_of(const char *error)
{
    struct slice word = slice_make(error, strcspn(error, " \r\n"));

    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (slice_equal(word, slice_of(causes[i].word)))
            return causes[i].cause;
    }
    return (struct redis_cause){"error", "redis.error", REDIS_WAIT, false};
}
