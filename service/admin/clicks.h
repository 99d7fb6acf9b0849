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

/* A relabelling moves a click from `human` to `automated`.  It may be counted without that click:
 * for a moment, when it is applied first; for ever, when the client was erased in between.  A
 * negative `human` is therefore set to 0 and taken from `automated`; the total stays the same. */
static inline struct clicks clicks_settled(struct clicks clicks)
{
    if (clicks.human < 0) {
        clicks.automated += clicks.human;
        clicks.human = 0;
    }
    return clicks;
}

/* A new reference, or NULL. */
static inline json_t *clicks_json(const struct clicks *clicks)
{
    return json_pack("{sI sI sI}", "total", (json_int_t)clicks_total(clicks), "human",
                     (json_int_t)clicks->human, "automated", (json_int_t)clicks->automated);
}

#endif
