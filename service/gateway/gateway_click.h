/* gateway_click.h - a click as the search for gateways sees it, and the options of that search. */
#ifndef GATEWAY_GATEWAY_CLICK_H
#define GATEWAY_GATEWAY_CLICK_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click.h"

enum {
    GATEWAY_ORIGIN_LEN = 16,
    GATEWAY_FOUND_MAX = 32, /* clicks of one client that are kept and judged together */
};

/* A click and its name among all pods: the process that logged it, and its number there. */
struct gateway_click {
    struct click click;
    uint64_t number;
    uint8_t origin[GATEWAY_ORIGIN_LEN];
    bool is_own;    /* of this process, which adds it once; clicks of others may be added again */
    bool is_shared; /* other processes may know it, so whoever relabels it must claim it first */
};

/* The options of the configuration's group `labels`. */
struct gateway_options {
    int64_t links, links_ms;       /* this many distinct links within this many milliseconds */
    int64_t two_links_ms;          /* two distinct links within this time are enough */
    int64_t networks, networks_ms; /* the same for networks */
    int64_t early_ms;
    int64_t weight_links, weight_networks, weight_early, weight_head, weight_asn, weight_range;
    int64_t threshold;
    int64_t repeat_max;  /* clicks of one link by one network in a minute; 0 = no limit */
    unsigned clicks_max; /* clicks kept, a power of two; 0 = GATEWAY_CLICKS */
};

#endif
