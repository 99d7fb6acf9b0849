/* sleepers.h - threads that sleep until the next record is appended.
 *
 * A thread with nothing to do would otherwise look for clicks several times a second.  An append
 * must not pay for the sleepers, so it only loads a word of the log that is zero when nobody
 * sleeps:
 *
 *     sleeper:  sets its bit in each live log ─▶ barrier ─▶ reads the tails: nothing new ─▶ sleeps
 *     appender: stores the tail ──────────────────────────▶ loads the bits: not zero ─▶ wakes
 *
 * A processor may do the load before the store is visible to others, and then both would miss each
 * other.  A full barrier in each append would prevent that, and cost every click some 20 cycles.
 * The sleeper pays instead: membarrier(2) makes each running thread of the process pass a barrier.
 * After that either the sleeper sees the new tail, or the appender sees the bit. */
#ifndef CLICKLOG_SLEEPERS_H
#define CLICKLOG_SLEEPERS_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "service/clicklog/clickstore_options.h" /* enum sleeper */

struct clicklog;
struct clickstore;

/* Makes the descriptors; false and errno on failure.  sleepers_clear() undoes also a part of it. */
MUST_USE bool sleepers_init(struct clickstore *store);
void sleepers_clear(struct clickstore *store);

/* The next append to any log of the store, or a new log, makes sleepers_fd() readable, once.  Call
 * before the last look at the tails.  False: the kernel has no membarrier(2), so nothing will wake
 * the thread. */
MUST_USE bool sleepers_add(struct clickstore *store, enum sleeper who);

/* Readable when `who` is to wake; for wake_take().  It lives as long as the store. */
int sleepers_fd(const struct clickstore *store, enum sleeper who);

#endif
