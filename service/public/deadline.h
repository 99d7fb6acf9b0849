/* deadline.h - intrusive lists of what waits for the same length of time.
 *
 * As all members of a list wait equally long, appending keeps it in the order of the deadlines: no
 * heap, no timer of their own, and only the first has to be looked at.
 */
#ifndef PUBLIC_DEADLINE_H
#define PUBLIC_DEADLINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A member's link; part of its owner.  Zero when it is in no list. */
struct deadline {
    struct deadline *prev, *next;
    int64_t since_ms; /* monotonic: when the wait began */
};

struct deadline_list {
    struct deadline ring; /* ring.next is the first */
    int64_t wait_ms;
};

static inline void deadline_list_init(struct deadline_list *list, int64_t wait_ms)
{
    list->ring = (struct deadline){.prev = &list->ring, .next = &list->ring};
    list->wait_ms = wait_ms;
}

/* Takes the member out of its list; none is allowed. */
static inline void deadline_remove(struct deadline *d)
{
    if (!d->next)
        return;
    d->prev->next = d->next;
    d->next->prev = d->prev;
    d->prev = d->next = NULL;
}

/* The wait starts at `now_ms`, which is no earlier than that of the other members. */
static inline void deadline_append(struct deadline_list *list, struct deadline *d, int64_t now_ms)
{
    deadline_remove(d);
    d->since_ms = now_ms;
    d->prev = list->ring.prev;
    d->next = &list->ring;
    d->prev->next = d;
    list->ring.prev = d;
}

/* Starts the wait of a listed member again.  To spare the neighbours' cache lines it is moved at
 * most once in `slack_ms`, by which the order may be off.  True if it was moved. */
static inline bool deadline_renew(struct deadline_list *list, struct deadline *d, int64_t now_ms,
                                  int64_t slack_ms)
{
    if (now_ms - d->since_ms < slack_ms)
        return false;
    deadline_append(list, d, now_ms);
    return true;
}

/* The member that waits longest, or NULL. */
static inline struct deadline *deadline_first(const struct deadline_list *list)
{
    return list->ring.next == &list->ring ? NULL : list->ring.next;
}

/* The member that waits longest if its time has come, or NULL. */
static inline struct deadline *deadline_due(const struct deadline_list *list, int64_t now_ms)
{
    struct deadline *first = deadline_first(list);

    return first && now_ms - first->since_ms >= list->wait_ms ? first : NULL;
}

#endif
