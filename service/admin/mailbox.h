/* mailbox.h - letters from any thread to the event loop of one.
 *
 * A letter is a member of a larger struct; whoever posts the letter hands over the struct.
 */
#ifndef ADMIN_MAILBOX_H
#define ADMIN_MAILBOX_H
#include "proto/compiler.h"

struct event_base;
struct mailbox;

struct letter {
    struct letter *next; /* the mailbox's, while the letter is in it */
};

/* `on_letter` is called for each letter in `base`'s loop, in the order they were posted.  NULL and
 * errno: no memory or no descriptor. */
MUST_USE struct mailbox *mailbox_new(struct event_base *base,
                                     void (*on_letter)(void *owner, struct letter *letter),
                                     void *owner);

/* From any thread; does not wait for the reader. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

/* The oldest letter, or NULL.  For emptying a mailbox whose loop has ended. */
struct letter *mailbox_take(struct mailbox *mailbox);

/* Before its base; letters that are still in it are forgotten.  NULL is allowed. */
void mailbox_free(struct mailbox *mailbox);

#endif
