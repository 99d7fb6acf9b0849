/* deadline.h - intrusive lists of members that all wait for the same length of time.
 *
 * Because all members wait equally long, appending keeps the list ordered by deadline.  So no heap
 * and no timer per member is needed, and only the first member must be tested. */
#ifndef PUBLIC_DEADLINE_H
#define PUBLIC_DEADLINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A member's link, embedded in its owner.  All zero when it is in no list. */
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

/* Removes the member from its list, if it is in one. */
static inline void deadline_remove(struct deadline *d)
{
    if (!d->next)
        return;
    d->prev->next = d->next;
    d->next->prev = d->prev;
    d->prev = d->next = NULL;
}

/* Starts a wait at `now_ms`, which must not be before that of the other members. */
static inline void deadline_append(struct deadline_list *list, struct deadline *d, int64_t now_ms)
{
    deadline_remove(d);
    d->since_ms = now_ms;
    d->prev = list->ring.prev;
    d->next = &list->ring;
    d->prev->next = d;
    list->ring.prev = d;
}

/* Restarts the wait of a member.  To avoid touching its neighbours' cache lines, it is moved at
 * most once in `slack_ms`, so the order may be off by that much.  True if it was moved. */
static inline bool deadline_renew(struct deadline_list *list, struct deadline *d, int64_t now_ms,
                                  int64_t slack_ms)
{
    if (now_ms - d->since_ms < slack_ms)
        return false;
    deadline_append(list, d, now_ms);
    return true;
}

/* The member that has waited longest, or NULL. */
static inline struct deadline *deadline_first(const struct deadline_list *list)
{
    return list->ring.next == &list->ring ? NULL : list->ring.next;
}

/* The member that has waited longest if its deadline has passed, or NULL. */
static inline struct deadline *deadline_due(const struct deadline_list *list, int64_t now_ms)
{
    struct deadline *first = deadline_first(list);

    return first && now_ms - first->since_ms >= list->wait_ms ? first : NULL;
}

#endif
