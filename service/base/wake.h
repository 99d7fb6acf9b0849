/* wake.h - an eventfd that wakes a thread waiting in poll(2) or in an event loop. */
#ifndef BASE_WAKE_H
#define BASE_WAKE_H
#include "proto/compiler.h"

/* A descriptor for close(2), readable after wake_send() until wake_take(); -1 and errno on failure.
 */
MUST_USE int wake_new(void);

/* Wakes the thread.  Any thread may call it; never waits.  Several calls before a wake_take() count
 * as one. */
void wake_send(int fd);

/* Call in the woken thread, before it looks for work.  Does nothing if there was no wake_send(). */
void wake_take(int fd);

#endif
