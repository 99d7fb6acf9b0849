#include "service/sinks/sink_hold.h"

#include <stdlib.h>

#include "proto/click.h"

enum {
    SLOTS_MIN = 1024,
    LATER_MS = 5000,    /* a relabelling after its click */
    KEPT_MS = 86400000, /* and so long it is remembered */
};

struct entry {
    uint64_t link_id;
    int64_t time_ms; /* 0: a free slot */
    uint8_t label, reason;
    bool was_used;
};

/* Open addressing, at most half full. */
struct sink_hold {
    int64_t hold_ms;
    size_t n_slots, n;
    struct entry *slots;
};

struct sink_hold *sink_hold_new(int64_t hold_ms)
{
    struct sink_hold *hold = calloc(1, sizeof(*hold));

    if (!hold || !(hold->slots = calloc(SLOTS_MIN, sizeof(*hold->slots)))) {
        free(hold);
        return NULL;
    }
    hold->hold_ms = hold_ms;
    hold->n_slots = SLOTS_MIN;
    return hold;
}

void sink_hold_free(struct sink_hold *hold)
{
    if (!hold)
        return;
    free(hold->slots);
    free(hold);
}

bool sink_hold_is_ripe(const struct sink_hold *hold, const struct click *record, int64_t now_ms)
{
    int64_t wait_ms = hold->hold_ms;

    if (record->type == CLICK_TYPE_RELABEL)
        wait_ms += LATER_MS;
    else if (record->type != CLICK_TYPE_CLICK || record->label != CLICK_HUMAN)
        return true;
    return record->time_ms + wait_ms <= now_ms;
}

/* The slot of the click, or the free one where it would be. */
static struct entry *find(const struct sink_hold *hold, uint64_t link_id, int64_t time_ms)
{
    uint64_t hash =
        (link_id ^ (uint64_t)time_ms * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    size_t i = (size_t)(hash >> 32) & (hold->n_slots - 1);

    while (hold->slots[i].time_ms != 0 &&
           (hold->slots[i].link_id != link_id || hold->slots[i].time_ms != time_ms))
        i = (i + 1) & (hold->n_slots - 1);
    return &hold->slots[i];
}

/* Leaves out what is old, and grows if that isn't enough. */
static bool make_room(struct sink_hold *hold, int64_t now_ms)
{
    struct sink_hold made = {.hold_ms = hold->hold_ms, .n_slots = hold->n_slots};

    if (hold->n < hold->n_slots / 2)
        return true;
    made.n_slots *= 2;
    made.slots = calloc(made.n_slots, sizeof(*made.slots));
    if (!made.slots)
        return hold->n < hold->n_slots - 1;
    for (size_t i = 0; i < hold->n_slots; i++) {
        const struct entry *entry = &hold->slots[i];

        if (entry->time_ms != 0 && entry->time_ms + hold->hold_ms + KEPT_MS > now_ms) {
            *find(&made, entry->link_id, entry->time_ms) = *entry;
            made.n++;
        }
    }
    free(hold->slots);
    *hold = made;
    return true;
}

void sink_hold_note(struct sink_hold *hold, const struct click *record, int64_t now_ms)
{
    struct entry *entry;

    if (record->type != CLICK_TYPE_RELABEL || record->time_ms == 0 || !make_room(hold, now_ms))
        return;
    entry = find(hold, record->link_id, record->time_ms);
    if (entry->time_ms != 0)
        return;
    *entry = (struct entry){.link_id = record->link_id,
                            .time_ms = record->time_ms,
                            .label = record->label,
                            .reason = record->reason};
    hold->n++;
}

void sink_hold_amend(struct sink_hold *hold, struct click *click)
{
    struct entry *entry;

    if (click->type != CLICK_TYPE_CLICK || click->label != CLICK_HUMAN)
        return;
    entry = find(hold, click->link_id, click->time_ms);
    if (entry->time_ms == 0)
        return;
    click->label = entry->label;
    click->reason = entry->reason;
    entry->was_used = true;
}

bool sink_hold_is_known(const struct sink_hold *hold, const struct click *relabel)
{
    const struct entry *entry = find(hold, relabel->link_id, relabel->time_ms);

    return entry->time_ms != 0 && entry->was_used;
}
