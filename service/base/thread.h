/* thread.h - threads that take no signals: those are for the main thread's loop. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H
#include <pthread.h>

#include "proto/compiler.h"

/*
 * Starts a thread that runs `run(arg)`, with all signals blocked but SIGBUS: a fault in a mapped
 * file must reach the thread that caused it.  `attr` may be NULL.  0, or an errno, and no thread.
 */
MUST_USE int thread_start(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);

#endif
