#include "service/clicklog/segment_guard.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * State at file scope, because a signal handler gets no context.  The lock is a spin lock, because
 * a handler can't wait on a mutex.  Code that holds it touches no segment, so a handler never waits
 * for its own thread.
 */
static atomic_flag guards_lock = ATOMIC_FLAG_INIT;
static struct segment_guard *guards;
static struct sigaction former;
static size_t page_len;

static void lock_guards(void)
{
    while (atomic_flag_test_and_set_explicit(&guards_lock, memory_order_acquire))
        sched_yield();
}

static void unlock_guards(void)
{
    atomic_flag_clear_explicit(&guards_lock, memory_order_release);
}

/* Two threads may fault on one page: the second must not overwrite what the first has written
 * since. */
static bool replace_page(struct segment_guard *guard, uintptr_t addr)
{
    size_t page = (addr - (uintptr_t)guard->base) / page_len;
    uint64_t bit = UINT64_C(1) << (page % 64);
    void *at = guard->base + page * page_len;

    if (guard->replaced[page / 64] & bit)
        return true;
    if (mmap(at, page_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0) == MAP_FAILED)
        return false;
    guard->replaced[page / 64] |= bit;
    atomic_store_explicit(&guard->hit, true, memory_order_release);
    return true;
}

static bool handle_fault(uintptr_t addr)
{
    bool handled = false;

    lock_guards();
    for (struct segment_guard *g = guards; g; g = g->next) {
        if (addr >= (uintptr_t)g->base && addr - (uintptr_t)g->base < g->len) {
            handled = replace_page(g, addr);
            break;
        }
    }
    unlock_guards();
    return handled;
}

/* A page of a mapping can't be read.  Only BUS_ADRERR, a missing page, is handled; memory errors
 * are not. */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
    int saved_errno = errno;

    if (info->si_code == BUS_ADRERR && handle_fault((uintptr_t)info->si_addr)) {
        errno = saved_errno;
        return;
    }
    if (former.sa_flags & SA_SIGINFO)
        former.sa_sigaction(sig, info, context);
    else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN)
        former.sa_handler(sig);
    else
        signal(SIGBUS, SIG_DFL); /* the access runs again and ends the process */
}

bool segment_guard_install(void)
{
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction now;

    page_len = (size_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, NULL, &now) != 0)
        return false;
    if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_sigbus)
        return true;
    former = now;
    return sigaction(SIGBUS, &action, NULL) == 0;
}

bool segment_guard_add(struct segment_guard *guard, void *base, size_t len)
{
    size_t n_pages = (len + page_len - 1) / page_len;

    guard->replaced = calloc((n_pages + 63) / 64, sizeof(guard->replaced[0]));
    if (!guard->replaced)
        return false;
    guard->base = base;
    guard->len = len;
    guard->prev = NULL;
    lock_guards();
    guard->next = guards;
    if (guards)
        guards->prev = guard;
    guards = guard;
    unlock_guards();
    return true;
}

void segment_guard_remove(struct segment_guard *guard)
{
    if (!guard->replaced)
        return;
    lock_guards();
    if (guard->prev)
        guard->prev->next = guard->next;
    else
        guards = guard->next;
    if (guard->next)
        guard->next->prev = guard->prev;
    unlock_guards();
    free(guard->replaced);
    guard->replaced = NULL;
}
