/* clicks.h - a count of clicks as the API shows it: {total, human, automated}. */
#ifndef ADMIN_CLICKS_H
#define ADMIN_CLICKS_H
#include <stdint.h>

#include <jansson.h>

struct clicks {
    int64_t human, automated;
};

static inline void clicks_add(struct clicks *clicks, int64_t n, bool automated)
{
    if (automated)
        clicks->automated += n;
    else
        clicks->human += n;
}

static inline int64_t clicks_total(const struct clicks *clicks)
{
    return clicks->human + clicks->automated;
}

/* A new reference, or NULL. */
static inline json_t *clicks_json(const struct clicks *clicks)
{
    return json_pack("{sI sI sI}", "total", (json_int_t)clicks_total(clicks), "human",
                     (json_int_t)clicks->human, "automated", (json_int_t)clicks->automated);
}

#endif
