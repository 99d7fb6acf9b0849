#include "service/gateway/clock_gap.h"

bool clock_gap_is_wide(int64_t ahead_ms)
{
    return ahead_ms > CLOCK_GAP_MAX_MS || ahead_ms < -CLOCK_GAP_MAX_MS;
}

bool clock_gap_note(struct clock_gap *gap, int64_t sent_ms, int64_t redis_ms, int64_t answered_ms,
                    int64_t now_ms)
{
    /* When our clock was set meanwhile nothing can be said: the next answer says it. */
    if (answered_ms < sent_ms)
        return false;
    gap->is_known = true;
    gap->ahead_ms = 0;
    if (redis_ms < sent_ms)
        gap->ahead_ms = sent_ms - redis_ms;
    else if (redis_ms > answered_ms)
        gap->ahead_ms = answered_ms - redis_ms;
    if (!clock_gap_is_wide(gap->ahead_ms) ||
        (gap->was_said && now_ms - gap->said_ms < CLOCK_GAP_SAY_MS))
        return false;
    gap->was_said = true;
    gap->said_ms = now_ms;
    return true;
}
