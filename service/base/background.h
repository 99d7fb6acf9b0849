/* background.h - lowers the priority of a thread below that of the workers, which answer redirects.
 */
#ifndef BASE_BACKGROUND_H
#define BASE_BACKGROUND_H

enum { BACKGROUND_NICE = 5 };

/*
 * Call at the start of a thread.  Gives it a name of at most 15 characters, as `top -H` shows it,
 * and lowers its priority by BACKGROUND_NICE (nice(2), which Linux has per thread), so that
 * redirects get the processor first.  Not by more: the thread must make progress beside workers
 * that are always busy.
 */
void background_enter(const char *name);

/*
 * Call after every 100 µs or so of uninterrupted work: gives the processor to any thread that wants
 * it.  Without this call a redirect may wait for the rest of a time slice, some ms, because the
 * kernel lets a running thread go on before one that wakes.
 */
void background_yield(void);

#endif
