/* clock_gap.h - how far the clock of this process and that of Redis are apart.
 *
 * Pure: all times are passed in.  The server asked is that of shard 0. */
#ifndef GATEWAY_CLOCK_GAP_H
#define GATEWAY_CLOCK_GAP_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

enum {
    /* Clocks that NTP sets are milliseconds apart.  The times that matter here are longer: tokens
     * expire by the minute, statistics have hours, events may be five minutes in the future.  So
     * half a minute is far from what is normal, and before the first thing goes wrong. */
    CLOCK_GAP_MAX_MS = 30000,
    CLOCK_GAP_SAY_MS = 3600000, /* between two log lines */
};

struct clock_gap {
    int64_t ahead_ms; /* by which our clock is ahead of Redis', at least; below 0 = behind */
    int64_t said_ms;  /* when clock_gap_note() last returned true, monotonic */
    bool is_known;    /* `ahead_ms` was measured */
    bool was_said;
};

/*
 * Takes what a question for the time of Redis found: when it was sent and answered by our clock,
 * and what Redis answered (Unix milliseconds).  Redis looked at its clock at some moment in
 * between, so the time that question and answer took is no difference of the clocks.  `now_ms`:
 * monotonic.
 *
 * True: the clocks are too far apart, and the log does not say so yet, or not for an hour.
 */
MUST_USE bool clock_gap_note(struct clock_gap *gap, int64_t sent_ms, int64_t redis_ms,
                             int64_t answered_ms, int64_t now_ms);

/* Whether they are too far apart. */
bool clock_gap_is_wide(int64_t ahead_ms);

#endif
