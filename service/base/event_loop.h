/* event_loop.h - the end of a libevent loop. */
#ifndef BASE_EVENT_LOOP_H
#define BASE_EVENT_LOOP_H

struct event_base;

/*
 * Frees a base whose events have been freed.  What libevent has put off is done first: a
 * bufferevent that was freed with a callback still due is held by that callback, and would leak.
 * NULL is allowed.
 */
void event_loop_free(struct event_base *base);

#endif
