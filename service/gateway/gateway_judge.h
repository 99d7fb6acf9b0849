/* gateway_judge.h - which of one client's clicks are a machine's; see gateway.h for the signs.
 *
 * Pure: looks at the clicks it is given and at nothing else.
 */
#ifndef GATEWAY_GATEWAY_JUDGE_H
#define GATEWAY_GATEWAY_JUDGE_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click_names.h"
#include "service/gateway/gateway.h"

/* A click in the ring.  `before`: the number + 1 of the next older one of the same hash. */
struct gateway_entry {
    struct gateway_click click;
    uint64_t before;
    uint8_t reason; /* why it is a machine's, as far as is known; 0 = it isn't */
    bool is_found;  /* and that was told */
};

/* A client's clicks around one that was just added. */
struct gateway_group {
    bool is_whole; /* there is no other that a later click may reach */
    struct gateway_entry *entries[GATEWAY_FOUND_MAX]; /* by time */
    unsigned n, newest; /* how many, and which is the one just added */
};

/* Puts the entry in its place, there being less than GATEWAY_FOUND_MAX; returns which it is. */
unsigned gateway_group_insert(struct gateway_group *group, struct gateway_entry *entry);
/* Takes the entry out, if it is there. */
void gateway_group_remove(struct gateway_group *group, const struct gateway_entry *entry);

/* Judges the click just added, `group->newest`, and with it those before, and again those after it.
 * Sets `found` to those that are now known to be a machine's and weren't, and marks their entries;
 * returns how many. */
unsigned gateway_group_judge(const struct gateway_options *options, struct gateway_group *group,
                             struct gateway_click found[static GATEWAY_FOUND_MAX]);

/* The record which says that the click has another label, for that reason. */
void gateway_make_relabelling(const struct gateway_click *click, enum click_reason reason,
                              struct gateway_click *out);

#endif
