/* turn.h - the clocks of an event loop, read once a turn by whoever needs them first. */
#ifndef BASE_TURN_H
#define BASE_TURN_H
#include <stdbool.h>
#include <stdint.h>

#include "service/base/clock.h"

struct turn {
    int64_t wall_ms; /* Unix time */
    int64_t mono_ms;
    bool is_read;
};

/* Reads the clocks unless this turn has.  True if it did. */
static inline bool turn_begin(struct turn *turn)
{
    if (turn->is_read)
        return false;
    turn->wall_ms = clock_wall_coarse_ms();
    turn->mono_ms = clock_mono_coarse_ms();
    turn->is_read = true;
    return true;
}

/* After the last callback of a turn. */
static inline void turn_end(struct turn *turn)
{
    turn->is_read = false;
}

#endif
