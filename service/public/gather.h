/* gather.h - lets a worker wait a moment, so that it answers several requests each time it wakes.
 *
 * A worker that isn't saturated sleeps between requests, and waking costs the processor several
 * times what a redirect does (bench/README.md).  When a worker wakes many thousand times a second
 * for a request or two, it sleeps for a fraction of a millisecond before it asks for more, as a
 * network card does that moderates its interrupts.  At few requests, or when it has no time to
 * sleep anyway, nothing waits.
 *
 * Clients that send their next request only after a reply would get slower by it.  So the worker
 * stops gathering when most of its connections are waiting for it, or when hardly anything came
 * while it slept, and tries again after a second, then after twice that, up to RETRY_MAX_MS.
 *
 * Pure: the caller has the clock, and sleeps. */
#ifndef PUBLIC_GATHER_H
#define PUBLIC_GATHER_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

enum {
    GATHER_WINDOW_MS = 20,   /* how long passes are counted before it is decided anew */
    GATHER_WAKES_MIN = 8000, /* passes in a second from which gathering pays */
    GATHER_FEW = 16,         /* requests of a pass; with more the worker hardly sleeps */
    GATHER_RETRY_MS = 1000,
    GATHER_RETRY_MAX_MS = 16000,
};

/* All zeros: nothing is gathered yet. */
struct gather {
    bool is_on;
    int64_t since_ms;               /* when the window began; monotonic */
    uint64_t n_passes, n_requests;  /* in the window */
    int64_t rest_ms, rest_until_ms; /* after it did not pay */
};

/* Call after each pass of the loop, with the requests it answered and the connections now open.
 * True: sleep before the next. */
MUST_USE bool gather_after_pass(struct gather *gather, int64_t now_ms, unsigned n_requests,
                                unsigned n_open);

#endif
