/* rate.h - what somebody has asked for in the minute that runs. */
#ifndef ADMIN_RATE_H
#define ADMIN_RATE_H
#include <stdint.h>

struct rate {
    int64_t since_ms; /* monotonic */
    int64_t n;
};

#endif
