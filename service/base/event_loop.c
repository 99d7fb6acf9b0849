#include "service/base/event_loop.h"

#include <event2/event.h>

void event_loop_free(struct event_base *base)
{
    if (!base)
        return;
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
}
