/* gateway_judge.h - which of one client's clicks are a machine's; see gateway.h for the signs.
 *
 * Pure: a verdict depends on the clicks passed in and on nothing else. */
#ifndef GATEWAY_GATEWAY_JUDGE_H
#define GATEWAY_GATEWAY_JUDGE_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click_names.h"
#include "service/gateway/gateway_click.h"

/* A click in the ring.  `before` is the number of the next older click of the same hash plus 1; 0 =
 * none. */
struct gateway_entry {
    struct gateway_click click;
    uint64_t before;
    uint8_t reason; /* why the click is a machine's; 0 = no sign of it so far */
    bool is_found;  /* the caller has been told */
};

/* A client's clicks around the one that was just added. */
struct gateway_group {
    bool is_whole; /* the client has no other click that a later one may influence */
    struct gateway_entry *entries[GATEWAY_FOUND_MAX]; /* ordered by time */
    unsigned n, newest; /* number of entries; index of the one just added */
};

/* Inserts the entry by its time and returns its index.  The group must hold fewer than
 * GATEWAY_FOUND_MAX entries. */
unsigned gateway_group_insert(struct gateway_group *group, struct gateway_entry *entry);
/* Removes the entry, if the group holds it. */
void gateway_group_remove(struct gateway_group *group, const struct gateway_entry *entry);

/* Judges the click just added, `group->newest`, the clicks before it, and again the clicks after
 * it.  Sets `found` to those newly known to be a machine's, marks their entries, and returns how
 * many. */
unsigned gateway_group_judge(const struct gateway_options *options, struct gateway_group *group,
                             struct gateway_click found[static GATEWAY_FOUND_MAX]);

/* Makes the record that gives the click its new label, for the given reason. */
void gateway_make_relabelling(const struct gateway_click *click, enum click_reason reason,
                              struct gateway_click *out);

#endif
