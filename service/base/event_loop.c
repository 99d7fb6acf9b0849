#include "service/base/event_loop.h"

#include <stddef.h>

#include <event2/event.h>

struct event_base *event_loop_new(int flag)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config && event_config_set_flag(config, flag) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    return base;
}

void event_loop_free(struct event_base *base)
{
    if (!base)
        return;
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
}
