#include "service/ledger/fold.h"

#include <stdlib.h>
#include <string.h>

#include "proto/cells.h"
#include "proto/click_names.h"
#include "service/base/huge.h"
#include "service/ledger/use_limits.h"

enum {
    ITEMS_PER_RECORD = 4, /* object and client, before and after a relabelling */
    GROUPS_PER_RECORD = 4,
    CAMPAIGNS_PER_RECORD = 2, /* before and after a relabelling */
    CELLS_PER_RECORD = 2,
    LONE_PER_RECORD = 2,
    HOUR_MS = 3600000,
    LINE = 64, /* of the cache */
};

static uint64_t mix(uint64_t x)
{
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 32;
}

/* Slots of an index of up to `n` entries. */
static uint32_t index_slots(uint32_t n)
{
    uint32_t slots = 16;

    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

/* Linear probing is safe here: a link id is the output of a keyed hash, and the other numbers come
 * from sealed tokens, so a client can't choose keys that collide. */
static uint32_t link_start(const struct fold *fold, uint64_t link_id)
{
    return (uint32_t)mix(link_id) & fold->link_index.mask;
}

static uint32_t link_slot(const struct fold *fold, uint64_t link_id)
{
    uint32_t at = link_start(fold, link_id), entry;

    while ((entry = fold->link_index.slots[at]) && fold->links[entry - 1].link_id != link_id)
        at = (at + 1) & fold->link_index.mask;
    return at;
}

static uint32_t item_start(const struct fold *fold, const struct fold_item *item)
{
    uint64_t id = (uint64_t)item->brand << 32 ^ item->number;
    uint64_t rest = (uint64_t)item->table << 9 | (uint64_t)item->kind << 1 | item->automated;

    return (uint32_t)mix(id ^ rest << 40) & fold->item_index.mask;
}

static uint32_t item_slot(const struct fold *fold, const struct fold_item *item)
{
    uint32_t at = item_start(fold, item), entry;

    while ((entry = fold->item_index.slots[at])) {
        const struct fold_item *other = &fold->items[entry - 1];

        if (other->number == item->number && other->brand == item->brand &&
            other->table == item->table && other->kind == item->kind &&
            other->automated == item->automated)
            break;
        at = (at + 1) & fold->item_index.mask;
    }
    return at;
}

static bool same_group(const struct fold_group_key *a, const struct fold_group_key *b)
{
    return a->brand == b->brand && a->campaign == b->campaign && a->hour == b->hour &&
           a->kind == b->kind && a->automated == b->automated;
}

static uint32_t group_slot(const struct fold *fold, const struct fold_group_key *key)
{
    uint64_t id = (uint64_t)key->brand << 32 ^ (uint32_t)key->hour;
    uint64_t rest =
        (uint64_t)(uint32_t)key->campaign << 16 | (uint64_t)key->kind << 1 | key->automated;
    uint32_t at = (uint32_t)mix(id ^ mix(rest)) & fold->group_index.mask, entry;

    while ((entry = fold->group_index.slots[at]) && !same_group(&fold->groups[entry - 1].key, key))
        at = (at + 1) & fold->group_index.mask;
    return at;
}

static void *place(const struct fold *fold, size_t *at, size_t n, size_t size)
{
    void *array = fold->memory ? fold->memory + *at : NULL;

    *at += (n * size + LINE - 1) / LINE * LINE;
    return array;
}

/* Gives the arrays their places in fold->memory, one behind the other, so that they share few huge
 * pages.  Returns how many bytes they take; without memory, only that. */
static size_t lay_out(struct fold *fold)
{
    unsigned n = fold->records_room, groups = fold_groups_max(n);
    size_t at = 0;

    fold->link_index.slots = place(fold, &at, index_slots(n), sizeof(uint32_t));
    fold->item_index.slots = place(fold, &at, index_slots(n * ITEMS_PER_RECORD), sizeof(uint32_t));
    fold->group_index.slots = place(fold, &at, index_slots(groups), sizeof(uint32_t));
    fold->links = place(fold, &at, n, sizeof(*fold->links));
    fold->items = place(fold, &at, (size_t)n * ITEMS_PER_RECORD, sizeof(*fold->items));
    fold->groups = place(fold, &at, groups, sizeof(*fold->groups));
    fold->sums = place(fold, &at, FOLD_SUMS_MAX, sizeof(*fold->sums));
    fold->lone = place(fold, &at, (size_t)n * LONE_PER_RECORD, sizeof(*fold->lone));
    fold->cells = place(fold, &at, (size_t)n * CELLS_PER_RECORD, sizeof(*fold->cells));
    fold->persons = place(fold, &at, n, sizeof(*fold->persons));
    fold->facts = place(fold, &at, n, sizeof(*fold->facts));
    fold->events = place(fold, &at, FOLD_EVENTS_MAX, sizeof(*fold->events));
    return at;
}

struct fold *fold_new(unsigned records_max)
{
    struct fold *fold = calloc(1, sizeof(*fold));

    if (!fold)
        return NULL;
    fold->records_room = records_max;
    fold->spread_max = UINT32_MAX;
    fold->bytes = lay_out(fold);
    fold->memory = huge_new(fold->bytes);
    if (!fold->memory) {
        fold_free(fold);
        return NULL;
    }
    (void)lay_out(fold);
    fold_clear(fold, records_max);
    return fold;
}

void fold_free(struct fold *fold)
{
    if (!fold)
        return;
    huge_free(fold->memory, fold->bytes);
    free(fold);
}

/* Frees all slots. */
static void index_clear(struct fold_index *index)
{
    memset(index->slots, 0, ((size_t)index->mask + 1) * sizeof(*index->slots));
}

void fold_clear(struct fold *fold, unsigned records)
{
    if (fold->n_links > fold->link_index.mask / 16) {
        index_clear(&fold->link_index);
    } else {
        /* Backwards: an entry is found by probing over those that were added before it. */
        while (fold->n_links > 0) {
            uint32_t at = link_slot(fold, fold->links[fold->n_links - 1].link_id);

            fold->link_index.slots[at] = 0;
            fold->n_links--;
        }
    }
    if (fold->n_items > fold->item_index.mask / 16) {
        index_clear(&fold->item_index);
    } else {
        while (fold->n_items > 0) {
            fold->item_index.slots[item_slot(fold, &fold->items[fold->n_items - 1])] = 0;
            fold->n_items--;
        }
    }
    if (fold->n_groups > fold->group_index.mask / 16) {
        index_clear(&fold->group_index);
    } else {
        while (fold->n_groups > 0) {
            fold->group_index.slots[group_slot(fold, &fold->groups[fold->n_groups - 1].key)] = 0;
            fold->n_groups--;
        }
    }
    fold->n_campaigns = fold->n_slots = fold->n_links = fold->n_items = fold->n_groups =
        fold->n_sums = fold->n_lone = fold->n_cells = fold->n_persons = fold->n_events =
            fold->n_facts = 0;
    memset(fold->last_group, 0xff, sizeof(fold->last_group));
    if (records > fold->records_room)
        records = fold->records_room;
    fold->records_max = records;
    /* All slots are free, so any part of them can be the index. */
    fold->link_index.mask = index_slots(records) - 1;
    fold->item_index.mask = index_slots(records * ITEMS_PER_RECORD) - 1;
    fold->group_index.mask = index_slots(fold_groups_max(records)) - 1;
}

static void add_link(struct fold *fold, const struct click *click, int human, int automated)
{
    uint32_t at = link_slot(fold, click->link_id);
    int64_t time_s = click->time_ms / 1000;
    uint32_t when_s = time_s < 0 ? 0 : time_s > UINT32_MAX ? UINT32_MAX : (uint32_t)time_s;
    struct fold_link *link;

    if (fold->link_index.slots[at]) {
        link = &fold->links[fold->link_index.slots[at] - 1];
    } else {
        link = &fold->links[fold->n_links++];
        *link = (struct fold_link){.link_id = click->link_id,
                                   .first_s = when_s,
                                   .last_s = when_s,
                                   .max_uses = use_limits_find(fold->limits, click)};
        fold->link_index.slots[at] = fold->n_links;
    }
    link->human += human;
    link->automated += automated;
    if (when_s < link->first_s)
        link->first_s = when_s;
    if (when_s > link->last_s)
        link->last_s = when_s;
}

static void add_item(struct fold *fold, const struct fold_item *item)
{
    uint32_t at = item_slot(fold, item);

    if (fold->item_index.slots[at]) {
        fold->items[fold->item_index.slots[at] - 1].count += item->count;
        return;
    }
    fold->items[fold->n_items++] = *item;
    fold->item_index.slots[at] = fold->n_items;
}

static uint32_t find_group(struct fold *fold, const struct click *click, bool all, bool automated)
{
    struct fold_group_key want = {
        .brand = click->brand,
        .campaign = all ? COUNTER_ALL_CAMPAIGNS : click->campaign,
        .hour = click->time_ms / HOUR_MS,
        .kind = click->kind,
        .automated = automated,
    };
    uint32_t *last = &fold->last_group[all][automated], at;

    if (*last != FOLD_NONE && same_group(&fold->groups[*last].key, &want))
        return *last;
    at = group_slot(fold, &want);
    if (!fold->group_index.slots[at]) {
        fold->groups[fold->n_groups++] = (struct fold_group){
            .key = want, .all = FOLD_NONE, .sums = FOLD_NONE, .first = FOLD_NONE};
        fold->group_index.slots[at] = fold->n_groups;
        fold->n_campaigns += !all;
    }
    *last = fold->group_index.slots[at] - 1;
    return *last;
}

static void count(int32_t counts[static FOLD_COUNTS], const struct lone *click)
{
    unsigned high = click->country >> 8, low = click->country & 0xff;
    const unsigned places[] = {
        FOLD_AT_LABEL + click->label,
        FOLD_AT_COUNTRY + (high ? 1 + (high - 'A') * 26 + (low - 'A') : 0),
        FOLD_AT_DEVICE + click->device,
        FOLD_AT_VARIANT + click->variant,
        FOLD_AT_CHANNEL + click->channel,
        FOLD_AT_REASON + click->reason,
        FOLD_AT_BROWSER + click->browser,
        FOLD_AT_SYSTEM + click->system,
        FOLD_AT_REFERRER + click->referrer,
        FOLD_AT_DELAY + click->delay,
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        counts[places[i]] += click->count;
}

const struct fold_lone *fold_next_lone(const struct fold *fold, const struct fold_group *group,
                                       const struct fold_lone *at)
{
    bool all = group->key.campaign == COUNTER_ALL_CAMPAIGNS;
    uint32_t next = at ? at->next[all] : group->first;

    return next == FOLD_NONE ? NULL : &fold->lone[next];
}

/* The sums of the group; from now on its clicks are summed up. */
static int32_t *sum_up(struct fold *fold, struct fold_group *group)
{
    const struct fold_lone *lone = NULL;

    if (group->sums == FOLD_NONE) {
        group->sums = fold->n_sums++;
        memset(fold->sums[group->sums], 0, sizeof(fold->sums[0]));
        while ((lone = fold_next_lone(fold, group, lone)))
            count(fold->sums[group->sums], &lone->click);
        group->first = FOLD_NONE;
        group->n = 0;
    }
    return fold->sums[group->sums];
}

static void count_in_group(struct fold *fold, uint32_t at, uint32_t lone)
{
    struct fold_group *group = &fold->groups[at];
    struct fold_lone *click = &fold->lone[lone];
    bool all = group->key.campaign == COUNTER_ALL_CAMPAIGNS;

    group->total += click->click.count;
    if (group->sums != FOLD_NONE || group->n == FOLD_LONE_MAX) {
        count(sum_up(fold, group), &click->click);
        return;
    }
    click->next[all] = group->first;
    group->first = lone;
    group->n++;
}

/* Adds (delta 1) or takes away (-1) a click of that label everywhere but in the links. */
static void add_click(struct fold *fold, const struct click *click, unsigned label, unsigned reason,
                      int delta)
{
    bool automated = click_is_automated((uint8_t)label);
    uint32_t group = find_group(fold, click, false, automated);
    uint32_t all = find_group(fold, click, true, automated);
    struct fold_item item = {
        .brand = click->brand,
        .number = click->object,
        .count = delta,
        .table = COUNTER_OBJECTS,
        .kind = click->kind,
        .automated = automated,
    };

    /* In two groups, the campaign's and that of all. */
    fold->groups[group].all = all;
    fold->lone[fold->n_lone].click = lone_of_click(click, label, reason, delta);
    count_in_group(fold, group, fold->n_lone);
    count_in_group(fold, all, fold->n_lone);
    if (fold->with_cells)
        fold->cells[fold->n_cells++] =
            (struct fold_cell){cells_of_lone(&fold->lone[fold->n_lone].click), group};
    fold->n_lone++;
    if (click->object != 0)
        add_item(fold, &item);
    if (click->client != 0) {
        item.table = COUNTER_CLIENTS;
        item.number = click->client;
        add_item(fold, &item);
    }
}

/* Lists whose click it is, or no longer is, by a person.  Nobody is left out who is listed already:
 * of two clicks one may turn out to be a machine's. */
static void add_person(struct fold *fold, const struct click *click, int human)
{
    struct fold_person *person = &fold->persons[fold->n_persons];

    if (human == 0 || (click->client == 0 && click->visitor == 0))
        return;
    person->slot = waiting_slot(click->time_ms / 1000);
    fold->n_slots += fold->n_persons == 0 || person[-1].slot != person->slot;
    person->change = human;
    person->who = (struct waiting){
        .id = click->client ? click->client : click->visitor,
        .brand = click->brand,
        .campaign = click->campaign,
        .is_visitor = click->client == 0,
    };
    fold->n_persons++;
}

/* A page of ours that a link led to: no click, so that it counts nowhere else.  Skips a page that
 * only a newer version knows. */
static void add_page(struct fold *fold, const struct click *record)
{
    bool automated = click_is_automated(record->label);

    if (record->page >= CLICK_PAGES)
        return;
    for (int all = 0; all < 2; all++) {
        struct fold_group *group = &fold->groups[find_group(fold, record, all, automated)];

        sum_up(fold, group)[FOLD_AT_PAGE + record->page]++;
    }
}

/* Skips an event of a type that only a newer version knows, and what only sinks are told: that a
 * client was erased, whom nothing in Redis may name. */
static void add_event(struct fold *fold, const struct click *record)
{
    struct fold_event *out = &fold->events[fold->n_events];
    struct event event;

    if (!event_from_record(record, &event) || event.type == EVENT_ERASED)
        return;
    out->key = event_key(&event);
    out->bucket = event_bucket(&event);
    out->n_entries = event_entries(&event, out->entries);
    out->facts_len = (uint8_t)funnel_put_event(out->facts, &event);
    out->is_kept = event_is_kept(&event);
    event_told_put(out->kept, &event);
    fold->n_events++;
}

static bool is_of_invoice(const struct fold *fold, const struct click *click)
{
    const struct fold_invoices *invoices = fold->invoices;

    if (click->object == 0)
        return false;
    for (unsigned i = 0; invoices && i < invoices->n; i++) {
        if (invoices->of[i].brand == click->brand)
            return invoices->of[i].kinds >> click->kind & 1;
    }
    return true;
}

/* A click by a person is a fact about its invoice; a relabelling adds or takes back one. */
static void add_fact(struct fold *fold, const struct click *click, int human)
{
    struct fold_fact *fact = &fold->facts[fold->n_facts];

    if (human == 0 || !is_of_invoice(fold, click))
        return;
    fact->click = (struct people_sent_click){
        .brand = click->brand,
        .object = click->object,
        .link_id = click->link_id,
        .time_s = click->time_ms / 1000,
    };
    fact->is_relabel = click->type == CLICK_TYPE_RELABEL;
    if (!fact->is_relabel && fold->sent && people_sent_is_repetition(fold->sent, &fact->click))
        return;
    fact->bucket = counter_bucket_of_block(click->brand, funnel_block(click->object));
    fact->len = (uint8_t)funnel_put_click(fact->bytes, click, human < 0);
    fold->n_facts++;
}

static void expect_item(const struct fold *fold, const struct fold_item *item, bool has_slot)
{
    uint32_t at = item_start(fold, item);

    if (!has_slot)
        __builtin_prefetch(&fold->item_index.slots[at], 1);
    else if (fold->item_index.slots[at])
        __builtin_prefetch(&fold->items[fold->item_index.slots[at] - 1], 1);
}

void fold_expect(const struct fold *fold, const struct click *click, bool has_slot)
{
    uint32_t at = link_start(fold, click->link_id);
    struct fold_item item = {
        .brand = click->brand,
        .number = click->object,
        .table = COUNTER_OBJECTS,
        .kind = click->kind,
        .automated = click_is_automated((uint8_t)click->label),
    };

    if (!has_slot)
        __builtin_prefetch(&fold->link_index.slots[at], 1);
    else if (fold->link_index.slots[at])
        __builtin_prefetch(&fold->links[fold->link_index.slots[at] - 1], 1);
    expect_item(fold, &item, has_slot);
    if (click->client != 0) {
        item.table = COUNTER_CLIENTS;
        item.number = click->client;
        expect_item(fold, &item, has_slot);
    }
    if (!has_slot && fold->sent)
        people_sent_expect_click(fold->sent, &(struct people_sent_click){.brand = click->brand,
                                                                         .object = click->object});
}

bool fold_add(struct fold *fold, const struct click *click)
{
    bool is_relabel = click->type == CLICK_TYPE_RELABEL;
    int human = 0, automated = 0;

    if (click->type == CLICK_TYPE_EVENT) {
        if (fold->n_events == fold->records_max || fold->n_events == FOLD_EVENTS_MAX)
            return false;
        add_event(fold, click);
        return true;
    }
    if (fold->n_links == fold->records_max || fold->n_facts == fold->records_max ||
        fold->n_groups + GROUPS_PER_RECORD > fold_groups_max(fold->records_max) ||
        fold->n_campaigns + CAMPAIGNS_PER_RECORD + fold->n_slots + 1 > fold->spread_max ||
        fold->n_sums + GROUPS_PER_RECORD > FOLD_SUMS_MAX ||
        fold->n_lone + LONE_PER_RECORD > fold->records_max * LONE_PER_RECORD ||
        fold->n_items + ITEMS_PER_RECORD > fold->records_max * ITEMS_PER_RECORD ||
        fold->n_cells + CELLS_PER_RECORD > fold->records_max * CELLS_PER_RECORD ||
        fold->n_persons == fold->records_max)
        return false;
    if (click->type == CLICK_TYPE_PAGE) {
        add_page(fold, click);
        return true;
    }
    if (is_relabel) {
        bool was_human = !click_is_automated(click->old_label);

        add_click(fold, click, click->old_label, click->old_reason, -1);
        *(was_human ? &human : &automated) -= 1;
    }
    add_click(fold, click, click->label, click->reason, 1);
    *(click_is_automated(click->label) ? &automated : &human) += 1;
    if (click->link_id != 0) /* 0: of a client who must not be tracked */
        add_link(fold, click, human, automated);
    add_person(fold, click, human);
    add_fact(fold, click, human);
    return true;
}
