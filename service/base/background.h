/* background.h - threads beside those that answer redirects. */
#ifndef BASE_BACKGROUND_H
#define BASE_BACKGROUND_H

enum { BACKGROUND_NICE = 5 };

/*
 * Called by a thread at its beginning: gives it a name of at most 15 characters, as in `top -H`,
 * and lets it give way to redirects that want its processor, by BACKGROUND_NICE (nice(2), which
 * Linux has per thread).  Not more: it must get along beside workers that are busy all the time.
 */
void background_enter(const char *name);

/*
 * Called by such a thread every 100 µs or so of work on end: whoever else wants the processor has
 * it first.  Without it a redirect may wait for the rest of a time slice of some ms, as the kernel
 * weighs a thread that wakes against one that runs.
 */
void background_yield(void);

#endif
