#include "service/state/state_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "service/base/background.h"
#include "service/base/clock.h"

enum {
    SLOTS_MIN = 256,
    FULL_NUM = 4, /* an array is at most 4/5 full … */
    FULL_DEN = 5,
    GROW_NUM = 9, /* … and then grows by 9/8: an entry takes 20 to 22.5 bytes */
    GROW_DEN = 8,
    OLD_MAX = 128, /* so many times it can grow: from 256 slots to 10^8 takes 110 */
    GRACE_MS = 1000,
    SLOTS_PER_WORD = 8,
    SLOTS_PER_LINE = 4,
    LINE_LEN = SLOTS_PER_LINE * 16,
    COPIED_AT_ONCE = 65536, /* slots; some 500 µs */
    MERGED_AT_ONCE = 16,    /* more would not be fetched at once by the processors of today */
};

__extension__ typedef unsigned __int128 wide; /* gcc's and clang's; ISO C has none */

struct slot {
    _Atomic uint64_t key; /* 0 = free */
    _Atomic uint64_t value;
};

/* The slots start behind their number, so that a reader gets both by one pointer; the filter stands
 * behind the slots. */
struct array {
    size_t n_slots, n_words, bytes; /* slots: a multiple of SLOTS_PER_WORD */
    _Alignas(LINE_LEN) struct slot slots[];
};

_Static_assert(sizeof(struct slot) * SLOTS_PER_LINE == LINE_LEN, "a line holds whole slots");

struct old_array {
    struct array *array;
    int64_t replaced_ms;
    bool is_reclaimed;
};

struct state_table {
    struct array *_Atomic array;
    _Atomic bool has[STATE_TYPES];
    _Atomic size_t n_entries;
    _Atomic bool is_known;
    struct old_array old[OLD_MAX]; /* the writer's */
    unsigned n_old;
    int64_t oldest_ms; /* the writer's */
};

static struct array *array_new(size_t n_slots)
{
    size_t n_words = n_slots / SLOTS_PER_WORD;
    size_t bytes =
        sizeof(struct array) + n_slots * sizeof(struct slot) + n_words * sizeof(uint64_t);
    struct array *array =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (array == MAP_FAILED)
        return NULL;
    /* A look-up of a large table misses the processor's page tables otherwise; as good as it gets,
     * so the answer is not looked at. */
    (void)madvise(array, bytes, MADV_HUGEPAGE);
    array->n_slots = n_slots;
    array->n_words = n_words;
    array->bytes = bytes;
    return array;
}

struct state_table *state_table_new(void)
{
    struct state_table *table = calloc(1, sizeof(*table));
    struct array *array = table ? array_new(SLOTS_MIN) : NULL;

    if (!array) {
        free(table);
        return NULL;
    }
    atomic_init(&table->array, array);
    return table;
}

void state_table_free(struct state_table *table)
{
    struct array *array;

    if (!table)
        return;
    array = atomic_load(&table->array);
    munmap(array, array->bytes);
    for (unsigned i = 0; i < table->n_old; i++)
        munmap(table->old[i].array, table->old[i].array->bytes);
    free(table);
}

/* The first slot of the line where an entry belongs: most are found in it, and so by one wait for
 * memory.  The high bits of the product choose the line, so that any number will do (Lemire, 2016),
 * and an array that is copied to a larger one is written from its start to its end.  Homes are as
 * good as random (state_key()). */
static size_t home_slot(const struct array *array, uint64_t home)
{
    return (size_t)((wide)home * (array->n_slots / SLOTS_PER_LINE) >> 64) * SLOTS_PER_LINE;
}

static struct state_spot spot_of(const struct state_subject *subject)
{
    return (struct state_spot){state_key(subject), state_key_of_all(subject)};
}

static struct state_spot spot_of_entry(const struct state_entry *entry)
{
    struct state_subject subject;

    state_subject(entry, &subject);
    return (struct state_spot){entry->key, state_key_of_all(&subject)};
}

bool state_table_has(const struct state_table *table, enum state_type type)
{
    return atomic_load_explicit(&table->has[type], memory_order_relaxed);
}

bool state_table_is_known(const struct state_table *table)
{
    return atomic_load_explicit(&table->is_known, memory_order_acquire);
}

void state_table_set_known(struct state_table *table)
{
    atomic_store_explicit(&table->is_known, true, memory_order_release);
}

/* The word of the filter that a key has three bits in. */
static _Atomic uint64_t *filter_word(const struct array *array, uint64_t home)
{
    return (_Atomic uint64_t *)(uintptr_t)(array->slots + array->n_slots) +
           home_slot(array, home) / SLOTS_PER_WORD;
}

static uint64_t filter_bits(uint64_t key)
{
    return UINT64_C(1) << (key & 63) | UINT64_C(1) << (key >> 6 & 63) |
           UINT64_C(1) << (key >> 12 & 63);
}

uint64_t state_table_find_at(const struct state_table *table, const struct state_spot *spot)
{
    const struct array *array = atomic_load_explicit(&table->array, memory_order_acquire);
    uint64_t bits = filter_bits(spot->key), found;
    size_t at, n_slots;

    if ((atomic_load_explicit(filter_word(array, spot->home), memory_order_acquire) & bits) != bits)
        return 0;
    at = home_slot(array, spot->home);
    n_slots = array->n_slots;
    /* Ends at a free slot, of which there are enough. */
    while ((found = atomic_load_explicit(&array->slots[at].key, memory_order_acquire)) != 0) {
        if (found == spot->key)
            return atomic_load_explicit(&array->slots[at].value, memory_order_relaxed);
        if (++at == n_slots)
            at = 0;
    }
    return 0;
}

uint64_t state_table_find(const struct state_table *table, const struct state_subject *subject)
{
    struct state_spot spot = spot_of(subject);

    return state_table_find_at(table, &spot);
}

/* The slots too, before the filter has said whether it is worth it: two waits, one after the other,
 * take longer than lines that are fetched for nothing. */
void state_table_fetch(const struct state_table *table, uint64_t home)
{
    const struct array *array = atomic_load_explicit(&table->array, memory_order_acquire);
    const struct slot *slot = &array->slots[home_slot(array, home)];

    __builtin_prefetch(filter_word(array, home));
    __builtin_prefetch(slot);
    __builtin_prefetch(slot + SLOTS_PER_LINE);
}

/* The slot of the key, or the free one where it belongs. */
static struct slot *writer_slot(struct array *array, const struct state_spot *spot)
{
    size_t at = home_slot(array, spot->home);
    uint64_t found;

    while ((found = atomic_load_explicit(&array->slots[at].key, memory_order_relaxed)) != 0 &&
           found != spot->key) {
        if (++at == array->n_slots)
            at = 0;
    }
    return &array->slots[at];
}

/* After the slot is filled: a reader who sees the bits sees the slot. */
static void add_to_filter(struct array *array, const struct state_spot *spot)
{
    _Atomic uint64_t *word = filter_word(array, spot->home);

    atomic_store_explicit(word,
                          atomic_load_explicit(word, memory_order_relaxed) | filter_bits(spot->key),
                          memory_order_release);
}

static size_t room_of(const struct array *array)
{
    return array->n_slots / FULL_DEN * FULL_NUM;
}

static bool is_too_old(const struct state_table *table, uint64_t value)
{
    return state_type_ends(state_type(value)) && state_at_ms(value) < table->oldest_ms;
}

/* Returns how many entries there are; those that are too old are left out. */
static size_t copy(const struct state_table *table, struct array *to, const struct array *from)
{
    size_t n = 0;

    for (size_t i = 0; i < from->n_slots; i++) {
        const struct state_entry entry = {
            atomic_load_explicit(&from->slots[i].key, memory_order_relaxed),
            atomic_load_explicit(&from->slots[i].value, memory_order_relaxed)};
        struct state_spot spot;
        struct slot *slot;

        if (i % COPIED_AT_ONCE == 0)
            background_yield();
        if (entry.key == 0 || is_too_old(table, entry.value))
            continue;
        spot = spot_of_entry(&entry);
        slot = writer_slot(to, &spot);
        atomic_store_explicit(&slot->value, entry.value, memory_order_relaxed);
        atomic_store_explicit(&slot->key, entry.key, memory_order_relaxed);
        add_to_filter(to, &spot);
        n++;
    }
    return n;
}

static bool grow(struct state_table *table, size_t n_slots)
{
    struct array *from = atomic_load_explicit(&table->array, memory_order_relaxed), *to;

    if (table->n_old == OLD_MAX || !(to = array_new(n_slots)))
        return false;
    atomic_store_explicit(&table->n_entries, copy(table, to, from), memory_order_relaxed);
    table->old[table->n_old++] = (struct old_array){.array = from, .replaced_ms = clock_mono_ms()};
    atomic_store_explicit(&table->array, to, memory_order_release);
    return true;
}

static enum state_merge merge_at(struct state_table *table, const struct state_spot *spot,
                                 const struct state_entry *entry)
{
    struct array *array = atomic_load_explicit(&table->array, memory_order_relaxed);
    struct slot *slot = writer_slot(array, spot);
    size_t n = atomic_load_explicit(&table->n_entries, memory_order_relaxed);

    if (is_too_old(table, entry->value))
        return STATE_OLDER;
    if (atomic_load_explicit(&slot->key, memory_order_relaxed) != 0) {
        if (entry->value <= atomic_load_explicit(&slot->value, memory_order_relaxed))
            return STATE_OLDER;
        atomic_store_explicit(&slot->value, entry->value, memory_order_relaxed);
        return STATE_MERGED;
    }
    if (n >= room_of(array)) {
        if (!grow(table, array->n_slots / GROW_DEN * GROW_NUM / SLOTS_PER_WORD * SLOTS_PER_WORD))
            return STATE_NO_MEMORY;
        array = atomic_load_explicit(&table->array, memory_order_relaxed);
        slot = writer_slot(array, spot);
        n = atomic_load_explicit(&table->n_entries, memory_order_relaxed);
    }
    atomic_store_explicit(&slot->value, entry->value, memory_order_relaxed);
    atomic_store_explicit(&slot->key, entry->key, memory_order_release);
    add_to_filter(array, spot);
    atomic_store_explicit(&table->n_entries, n + 1, memory_order_relaxed);
    atomic_store_explicit(&table->has[state_type(entry->value)], true, memory_order_relaxed);
    return STATE_MERGED;
}

enum state_merge state_table_merge(struct state_table *table, const struct state_entry *entry)
{
    struct state_spot spot = spot_of_entry(entry);

    return merge_at(table, &spot, entry);
}

/* Entry by entry the processor would wait for the memory of each. */
enum state_merge state_table_merge_all(struct state_table *table, struct slice entries)
{
    const uint8_t *bytes = (const uint8_t *)entries.ptr;
    size_t n = entries.len / STATE_ENTRY_LEN;
    enum state_merge all = STATE_OLDER;

    for (size_t done = 0; done < n;) {
        struct state_entry some[MERGED_AT_ONCE];
        struct state_spot spots[MERGED_AT_ONCE];
        unsigned n_some = 0;

        for (; done < n && n_some < MERGED_AT_ONCE; done++) {
            if (!state_entry_get(bytes + done * STATE_ENTRY_LEN, &some[n_some]))
                continue;
            spots[n_some] = spot_of_entry(&some[n_some]);
            state_table_fetch(table, spots[n_some++].home);
        }
        for (unsigned i = 0; i < n_some; i++) {
            enum state_merge one = merge_at(table, &spots[i], &some[i]);

            if (one == STATE_NO_MEMORY)
                return one;
            if (one == STATE_MERGED)
                all = one;
        }
    }
    return all;
}

void state_table_set_oldest(struct state_table *table, int64_t oldest_ms)
{
    table->oldest_ms = oldest_ms;
}

size_t state_table_room(const struct state_table *table)
{
    return room_of(atomic_load_explicit(&table->array, memory_order_relaxed));
}

bool state_table_reserve(struct state_table *table, size_t n)
{
    size_t n_slots = n / FULL_NUM * FULL_DEN + SLOTS_MIN;
    const struct array *array = atomic_load_explicit(&table->array, memory_order_relaxed);

    n_slots -= n_slots % SLOTS_MIN;
    return n_slots <= array->n_slots || grow(table, n_slots);
}

/* All pages but the first, which holds how many slots there are. */
void state_table_reclaim(struct state_table *table, int64_t now_ms)
{
    const size_t page = 4096;

    for (unsigned i = 0; i < table->n_old; i++) {
        struct old_array *old = &table->old[i];

        if (old->is_reclaimed || now_ms - old->replaced_ms < GRACE_MS)
            continue;
        if (old->array->bytes > page)
            (void)madvise((char *)old->array + page, old->array->bytes - page, MADV_DONTNEED);
        old->is_reclaimed = true;
    }
}

size_t state_table_count(const struct state_table *table)
{
    return atomic_load_explicit(&table->n_entries, memory_order_relaxed);
}

size_t state_table_bytes(const struct state_table *table)
{
    return atomic_load_explicit(&table->array, memory_order_acquire)->bytes;
}

void state_table_walk(const struct state_table *table,
                      void (*on_entry)(void *owner, const struct state_entry *entry), void *owner)
{
    const struct array *array = atomic_load_explicit(&table->array, memory_order_acquire);
    size_t n_slots = array->n_slots;

    for (size_t at = 0; at < n_slots; at++) {
        const struct slot *slot = &array->slots[at];
        struct state_entry entry = {atomic_load_explicit(&slot->key, memory_order_acquire), 0};

        entry.value = atomic_load_explicit(&slot->value, memory_order_relaxed);
        if (entry.key != 0 && entry.value != 0)
            on_entry(owner, &entry);
    }
}
