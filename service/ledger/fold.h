/* fold.h - records of the click log summed up into increments of counters and changes of state.
 *
 * The tables have a fixed size and are made once, so that folding allocates nothing.  Clearing
 * touches only the entries in use, so that a batch of ten clicks is cheap.
 */
#ifndef LEDGER_FOLD_H
#define LEDGER_FOLD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/event.h"
#include "proto/funnel.h"
#include "proto/lone.h"
#include "proto/waiting.h"
#include "service/ledger/people_sent.h"

struct use_limits;

enum {
    FOLD_SUMS_MAX = 512, /* groups that are summed up */
    FOLD_LONE_MAX = 16,  /* clicks of a group that are kept one by one: more are summed up */
    FOLD_COUNTRIES = 1 + 26 * 26, /* unknown, AA … ZZ */
    FOLD_REASONS = 256,
    FOLD_FAMILIES = 16,
    FOLD_ROUTES = 8,       /* variants, channels */
    FOLD_EVENTS_MAX = 512, /* of a batch: each takes Redis some 5 µs */
};

#define FOLD_NONE UINT32_MAX /* no index */

/* Where the counts of a dimension begin in those of a group. */
enum fold_offset {
    FOLD_AT_LABEL = 0,
    FOLD_AT_COUNTRY = FOLD_AT_LABEL + CLICK_LABELS,
    FOLD_AT_DEVICE = FOLD_AT_COUNTRY + FOLD_COUNTRIES,
    FOLD_AT_VARIANT = FOLD_AT_DEVICE + CLICK_DEVICES,
    FOLD_AT_CHANNEL = FOLD_AT_VARIANT + FOLD_ROUTES,
    FOLD_AT_REASON = FOLD_AT_CHANNEL + FOLD_ROUTES,
    FOLD_AT_BROWSER = FOLD_AT_REASON + FOLD_REASONS,
    FOLD_AT_SYSTEM = FOLD_AT_BROWSER + FOLD_FAMILIES,
    FOLD_AT_REFERRER = FOLD_AT_SYSTEM + FOLD_FAMILIES,
    FOLD_AT_DELAY = FOLD_AT_REFERRER + CLICK_REFERRERS,
    FOLD_AT_PAGE = FOLD_AT_DELAY + COUNTER_DELAYS,
    FOLD_COUNTS = FOLD_AT_PAGE + FOLD_FAMILIES,
};

struct fold_link {
    uint64_t link_id;
    int32_t human, automated;
    uint32_t first_s, last_s;
    uint32_t max_uses; /* of its kind, 0 = any number */
};

/* Of an object or client. */
struct fold_item {
    uint32_t brand, number;
    int32_t count;
    uint8_t table; /* COUNTER_OBJECTS or COUNTER_CLIENTS */
    uint8_t kind;
    bool automated;
};

struct fold_group_key {
    uint32_t brand;
    int32_t campaign; /* or COUNTER_ALL_CAMPAIGNS */
    int64_t hour;     /* Unix hours */
    uint8_t kind;
    bool automated;
};

/* All clicks of one brand, campaign (or all campaigns), hour and kind, human or automated: one by
 * one, or if they are many, or pages are among them, summed up. */
struct fold_group {
    struct fold_group_key key;
    int32_t total;  /* clicks, less those that were taken away */
    uint32_t all;   /* of a campaign's group: the group of the same clicks and of all campaigns */
    uint32_t sums;  /* which of fold->sums; FOLD_NONE: they are one by one */
    uint32_t first; /* of those in fold->lone, or FOLD_NONE */
    uint32_t n;     /* how many */
};

struct fold_lone {
    struct lone click; /* without its day, which its group has */
    uint32_t next[2];  /* of the campaign's group; of that of all campaigns */
};

/* A click more or less in the cells of its campaign's day (proto/cells.h), if its group is summed
 * up: those that are one by one have all dimensions anyway. */
struct fold_cell {
    uint64_t record; /* cells_of_lone() */
    uint32_t group;  /* of its campaign: entry of fold.groups */
};

/* A person's click, or one that was no person's after all, by a client, or by a visitor of a link
 * that names no client. */
struct fold_person {
    struct waiting who; /* without its figures */
    uint32_t slot;      /* waiting_slot() of the click */
    int32_t change;     /* 1 or -1 */
};

/* What an event changes; applied once, even if the event is sent again. */
struct fold_event {
    uint64_t key; /* event_key() */
    unsigned bucket;
    unsigned n_entries;
    struct state_entry entries[EVENT_ENTRIES_MAX];
    uint8_t facts_len; /* of funnel_put_event(); 0 = none */
    uint8_t facts[FUNNEL_RECORD_MAX];
    bool is_kept; /* event_is_kept(), as … */
    uint8_t kept[EVENT_TOLD_LEN];
};

/* What a click adds to the facts that Redis keeps of an invoice: a person's click, or that it was
 * no person's after all. */
struct fold_fact {
    struct people_sent_click click;
    bool is_relabel; /* never left out as a repetition */
    unsigned bucket; /* of the invoice's block */
    uint8_t len;
    uint8_t bytes[FUNNEL_RECORD_MAX]; /* funnel_put_click() */
};

/* Which kinds of a brand have an invoice as their object: a bit per kind. */
struct fold_invoices {
    unsigned n;
    struct {
        uint32_t brand;
        uint16_t kinds;
    } of[];
};

/* An index by hash of the entries of an array. */
struct fold_index {
    uint32_t *slots; /* number of the entry + 1, 0 = free */
    uint32_t mask;
};

struct fold {
    unsigned records_room, records_max; /* of fold_new(); of fold_clear() */
    uint8_t *memory;                    /* of all arrays */
    size_t bytes;
    struct fold_link *links;
    struct fold_item *items;
    struct fold_group *groups;
    struct fold_cell *cells;
    int32_t (*sums)[FOLD_COUNTS];
    struct fold_lone *lone;
    struct fold_person *persons;
    struct fold_event *events;
    struct fold_fact *facts;
    const struct fold_invoices *invoices; /* the caller's; NULL: all kinds of all brands */
    const struct use_limits *limits;      /* the caller's; NULL = there are none */
    struct people_sent *sent; /* the caller's: repetitions of its clicks add no fact; may be NULL */
    bool with_cells;          /* the caller's: clicks are counted in cells too */
    unsigned spread_max;      /* the caller's: groups of campaigns, and slots; at least 3 */
    uint32_t n_campaigns;     /* of the groups: those that are not of all campaigns */
    uint32_t n_slots;         /* of people whose clicks follow one another: waiting_slot() */
    uint32_t n_links, n_items, n_groups, n_sums, n_lone, n_cells, n_persons, n_events, n_facts;
    uint32_t last_group[2][2]; /* the groups of the last click: [all campaigns][automated] */
    struct fold_index link_index, item_index, group_index;
};

/* There is room for so many groups. */
static inline unsigned fold_groups_max(unsigned records_max)
{
    return 2 * records_max + 4;
}

/* `records_max`: at most so many clicks are added between two clears.  NULL: out of memory. */
MUST_USE struct fold *fold_new(unsigned records_max);
void fold_free(struct fold *fold);
/* Empties the fold.  Up to `records` clicks can be added then, but no more than fold_new() was
 * told.  For few of them the indexes are small, and stay in the cache. */
void fold_clear(struct fold *fold, unsigned records);

/* Fetches into the cache what fold_add() will look at: first without `has_slot`, and some clicks
 * later with it.  Changes nothing. */
void fold_expect(const struct fold *fold, const struct click *click, bool has_slot);

/* The first of the clicks of a group, or the one after `at`, that are kept one by one; NULL: there
 * is none. */
const struct fold_lone *fold_next_lone(const struct fold *fold, const struct fold_group *group,
                                       const struct fold_lone *at);

/* Adds a click, a relabelling, an event or a page.  False: there is no room for it and nothing was
 * added, so the batch must end before it. */
MUST_USE bool fold_add(struct fold *fold, const struct click *click);

#endif
