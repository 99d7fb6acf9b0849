/* redis_cause.h - classifies error answers of Redis. */
#ifndef REDIS_REDIS_CAUSE_H
#define REDIS_REDIS_CAUSE_H
#include <stdbool.h>

/* What to do about an error.  All of these errors are raised before the first write, so nothing was
 * applied. */
enum redis_remedy {
    REDIS_WAIT,        /* try again after a backoff (OOM, LOADING, NOPERM …) */
    REDIS_RECONNECT,   /* the wrong server: look for the right one (READONLY …) */
    REDIS_SEND_SCRIPT, /* NOSCRIPT */
};

struct redis_cause {
    const char *name; /* for metrics: "oom", "readonly", … or "error" */
    const char *at;   /* for the log, "redis.oom" */
    enum redis_remedy remedy;
    bool is_known; /* the answer begins with a known error word */
};

/* Classifies an error answer by the first word of its text. */
struct redis_cause redis_cause_of(const char *error);

#endif
