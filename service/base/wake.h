/* wake.h - wakes a thread that waits in poll(2) or in an event loop: an eventfd. */
#ifndef BASE_WAKE_H
#define BASE_WAKE_H
#include "proto/compiler.h"

/* A descriptor for close(2), readable from wake_send() to wake_take(); -1 and errno. */
MUST_USE int wake_new(void);

/* Any thread; never waits.  Any number before a wake_take() are as good as one. */
void wake_send(int fd);

/* By the thread that was woken, before it looks for what there is to do.  Does nothing if nobody
 * has sent. */
void wake_take(int fd);

#endif
