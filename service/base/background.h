/* background.h - which threads get the processor first: the workers, which answer redirects, before
 * all others.
 */
#ifndef BASE_BACKGROUND_H
#define BASE_BACKGROUND_H

enum { BACKGROUND_NICE = 5, FOREGROUND_SLICE_US = 100 };

/*
 * Call at the start of a worker.  Gives the thread a name of at most 15 characters, as `top -H`
 * shows it, and asks the kernel for time slices of FOREGROUND_SLICE_US.  The thread's share of the
 * processor stays as it is.  But when it wakes, it runs at once in place of a thread with longer
 * slices, which would otherwise finish its own first: 1 to 3 ms.  Linux has this since 6.12; older
 * kernels ignore the wish, and there only background_yield() shortens the wait.
 */
void foreground_enter(const char *name);

/*
 * Call at the start of a thread.  Gives it a name of at most 15 characters, as `top -H` shows it,
 * and lowers its priority by BACKGROUND_NICE (nice(2), which Linux has per thread), so that
 * redirects get the processor first.  Not by more: the thread must make progress beside workers
 * that are always busy.
 */
void background_enter(const char *name);

/*
 * Call after every 100 µs or so of uninterrupted work: gives the processor to any thread that wants
 * it.  Without this call a redirect may wait for the rest of a time slice, some ms, because a
 * kernel before Linux 6.12 lets a running thread go on before one that wakes.
 */
void background_yield(void);

#endif
