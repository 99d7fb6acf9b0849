/* loop_clock.h - the time as a worker's event loop sees it: both clocks are read at most once per
 * pass of the loop. */
#ifndef PUBLIC_LOOP_CLOCK_H
#define PUBLIC_LOOP_CLOCK_H
#include <stdbool.h>
#include <stdint.h>

#include "service/base/clock.h"

struct loop_clock {
    int64_t wall_ms; /* Unix time */
    int64_t mono_ms;
    bool is_read;
};

/* Reads the clocks unless they were read in this pass of the loop. */
static inline void loop_clock_read(struct loop_clock *clock)
{
    if (clock->is_read)
        return;
    clock->wall_ms = clock_wall_coarse_ms();
    clock->mono_ms = clock_mono_coarse_ms();
    clock->is_read = true;
}

/* Call after the last callback of a pass, so that the next pass reads the clocks again. */
static inline void loop_clock_expire(struct loop_clock *clock)
{
    clock->is_read = false;
}

#endif
