/* thread.h - starts threads that receive no signals, which the main thread's loop handles. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H
#include <pthread.h>

#include "proto/compiler.h"

/*
 * Starts a thread that runs `run(arg)`, with all signals blocked except SIGBUS: a fault in a mapped
 * file must reach the thread that caused it.  `attr` may be NULL.  Returns 0; or an errno, and no
 * thread runs.
 */
MUST_USE int thread_start(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);

#endif
