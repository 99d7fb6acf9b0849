/* event_loop.h - makes and frees a libevent loop. */
#ifndef BASE_EVENT_LOOP_H
#define BASE_EVENT_LOOP_H

#include "proto/compiler.h"

struct event_base;

/*
 * A loop with one of libevent's flags; NULL on failure.
 *
 * A thread that mostly sleeps wants EVENT_BASE_FLAG_PRECISE_TIMER.  Without it, libevent takes the
 * time from a clock that moves every 4 ms or so.  The kernel ends the sleep in time, the clock says
 * that it is too early, and the loop wakes every millisecond until it agrees.  An exact timer costs
 * a system call each time it is set.
 */
MUST_USE struct event_base *event_loop_new(int flag);

/*
 * Frees a base whose events have been freed before.  Runs callbacks that libevent has deferred
 * first: a freed bufferevent with a deferred callback is kept alive by it and would leak.  NULL is
 * allowed.
 */
void event_loop_free(struct event_base *base);

#endif
