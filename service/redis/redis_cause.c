#include "service/redis/redis_cause.h"

#include <string.h>

#include "proto/slice.h"

static const struct {
    const char *word;
    struct redis_cause cause;
} causes[] = {
    {"OOM", {"oom", REDIS_WAIT}},
    {"NOREPLICAS", {"noreplicas", REDIS_WAIT}},
    {"READONLY", {"readonly", REDIS_RECONNECT}},
    {"LOADING", {"loading", REDIS_WAIT}},
    {"MISCONF", {"misconf", REDIS_WAIT}},
    {"BUSY", {"busy", REDIS_WAIT}},
    {"MASTERDOWN", {"masterdown", REDIS_RECONNECT}},
    {"NOSCRIPT", {"noscript", REDIS_SEND_SCRIPT}},
    {"NOAUTH", {"noauth", REDIS_RECONNECT}},
    {"WRONGPASS", {"wrongpass", REDIS_RECONNECT}},
    {"NOPERM", {"noperm", REDIS_WAIT}},
    {"WRONGTYPE", {"wrongtype", REDIS_WAIT}},
    {"CLUSTERDOWN", {"clusterdown", REDIS_WAIT}},
    {"TRYAGAIN", {"tryagain", REDIS_WAIT}},
    {"MOVED", {"moved", REDIS_WAIT}},
    {"ASK", {"ask", REDIS_WAIT}},
};

struct redis_cause redis_cause_of(const char *error)
{
    struct slice word = slice_make(error, strcspn(error, " \r\n"));

    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (slice_equal(word, slice_of(causes[i].word)))
            return causes[i].cause;
    }
    return (struct redis_cause){"error", REDIS_WAIT};
}
