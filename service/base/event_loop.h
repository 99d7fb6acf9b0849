/* event_loop.h - frees a libevent loop. */
#ifndef BASE_EVENT_LOOP_H
#define BASE_EVENT_LOOP_H

struct event_base;

/*
 * Frees a base whose events have been freed before.  Runs callbacks that libevent has deferred
 * first: a freed bufferevent with a deferred callback is kept alive by it and would leak.  NULL is
 * allowed.
 */
void event_loop_free(struct event_base *base);

#endif
