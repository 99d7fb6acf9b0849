/* redis_cause.h - what an error reply of Redis means to us. */
#ifndef REDIS_REDIS_CAUSE_H
#define REDIS_REDIS_CAUSE_H
#include <stdbool.h>

/* What helps.  All of these errors come before the first write: nothing was applied. */
enum redis_remedy {
    REDIS_WAIT,        /* try again after a backoff (OOM, LOADING, NOPERM …) */
    REDIS_RECONNECT,   /* this server isn't the one, or not for us: look again (READONLY …) */
    REDIS_SEND_SCRIPT, /* NOSCRIPT */
};

struct redis_cause {
    const char *name; /* for metrics: "oom", "readonly", … or "error" */
    const char *at;   /* for the log, "redis.oom" */
    enum redis_remedy remedy;
    bool is_known; /* it begins with the word of such an error */
};

/* By the first word of an error reply's text. */
struct redis_cause redis_cause_of(const char *error);

#endif
