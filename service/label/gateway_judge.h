/* gateway_judge.h - which of one client's clicks are a machine's; see gateway.h for the signs.
 *
 * Pure: looks at the clicks it is given and at nothing else.
 */
#ifndef LABEL_GATEWAY_JUDGE_H
#define LABEL_GATEWAY_JUDGE_H
#include <stdbool.h>
#include <stdint.h>

#include "service/label/gateway.h"

/* A click in the ring.  `before`: the number + 1 of the next older one of the same hash. */
struct gateway_entry {
    struct gateway_click click;
    uint64_t before;
    uint8_t reason; /* why it is a scanner's; 0 = it isn't */
};

/* A client's clicks around one that was just added. */
struct gateway_group {
    bool is_whole; /* there is no other that a later click may reach */
    struct gateway_entry *entries[GATEWAY_FOUND_MAX]; /* by time */
    bool of_links[GATEWAY_FOUND_MAX], of_few_links[GATEWAY_FOUND_MAX],
        of_networks[GATEWAY_FOUND_MAX];
    unsigned n, newest; /* how many, and which is the one just added */
};

/* Puts the entry in its place, there being less than GATEWAY_FOUND_MAX; returns which it is. */
unsigned gateway_group_insert(struct gateway_group *group, struct gateway_entry *entry);

/* Sets `found` to those that are now known to be a scanner's, and marks their entries; returns how
 * many.  `group->newest` is the one just added. */
unsigned gateway_group_judge(const struct gateway_options *options, struct gateway_group *group,
                             struct gateway_click found[static GATEWAY_FOUND_MAX]);

#endif
