#include "service/state/state_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "service/base/clock.h"

enum {
    SLOTS_MIN = 256,
    FULL_NUM = 4, /* an array is at most 4/5 full … */
    FULL_DEN = 5,
    GROW_NUM = 9, /* … and then grows by 9/8: an entry takes 20 to 22.5 bytes */
    GROW_DEN = 8,
    OLD_MAX = 128, /* so many times it can grow: from 256 slots to 10^8 takes 110 */
    GRACE_MS = 1000,
};

__extension__ typedef unsigned __int128 wide; /* gcc's and clang's; ISO C has none */

struct slot {
    _Atomic uint64_t key; /* 0 = free */
    _Atomic uint64_t value;
};

/* The array starts behind its size, so that a reader gets both by one pointer. */
struct array {
    size_t n_slots, bytes;
    struct slot slots[];
};

struct old_array {
    struct array *array;
    int64_t replaced_ms;
    bool is_reclaimed;
};

struct state_table {
    struct array *_Atomic array;
    _Atomic bool has[STATE_TYPES];
    _Atomic size_t n_entries;
    struct old_array old[OLD_MAX]; /* the writer's */
    unsigned n_old;
};

static struct array *array_new(size_t n_slots)
{
    size_t bytes = sizeof(struct array) + n_slots * sizeof(struct slot);
    struct array *array =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (array == MAP_FAILED)
        return NULL;
    /* A look-up of a large table misses the processor's page tables otherwise; as good as it gets,
     * so the answer is not looked at. */
    (void)madvise(array, bytes, MADV_HUGEPAGE);
    array->n_slots = n_slots;
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

/* The high bits of the product choose the slot, so that any number of slots will do (Lemire, 2016).
 * Keys are as good as random (state_key()). */
static size_t home(const struct array *array, uint64_t key)
{
    return (size_t)((wide)key * array->n_slots >> 64);
}

bool state_table_has(const struct state_table *table, enum state_type type)
{
    return atomic_load_explicit(&table->has[type], memory_order_relaxed);
}

void state_table_prefetch(const struct state_table *table, uint64_t key)
{
    const struct array *array = atomic_load_explicit(&table->array, memory_order_acquire);

    __builtin_prefetch(&array->slots[home(array, key)]);
}

uint64_t state_table_find(const struct state_table *table, uint64_t key)
{
    const struct array *array = atomic_load_explicit(&table->array, memory_order_acquire);
    size_t at = home(array, key), n_slots = array->n_slots;
    uint64_t found;

    /* Ends at a free slot, of which there are enough.  An array that has been given back has none
     * but free ones; then n_slots, read before, may be all that is left of it. */
    while ((found = atomic_load_explicit(&array->slots[at].key, memory_order_acquire)) != 0) {
        if (found == key)
            return atomic_load_explicit(&array->slots[at].value, memory_order_relaxed);
        if (++at == n_slots)
            at = 0;
    }
    return 0;
}

/* The slot of the key, or the free one where it belongs. */
static struct slot *writer_slot(struct array *array, uint64_t key)
{
    size_t at = home(array, key);
    uint64_t found;

    while ((found = atomic_load_explicit(&array->slots[at].key, memory_order_relaxed)) != 0 &&
           found != key) {
        if (++at == array->n_slots)
            at = 0;
    }
    return &array->slots[at];
}

static void copy(struct array *to, const struct array *from)
{
    for (size_t i = 0; i < from->n_slots; i++) {
        uint64_t key = atomic_load_explicit(&from->slots[i].key, memory_order_relaxed);
        struct slot *slot;

        if (key == 0)
            continue;
        slot = writer_slot(to, key);
        atomic_store_explicit(&slot->value,
                              atomic_load_explicit(&from->slots[i].value, memory_order_relaxed),
                              memory_order_relaxed);
        atomic_store_explicit(&slot->key, key, memory_order_relaxed);
    }
}

static bool grow(struct state_table *table)
{
    struct array *from = atomic_load_explicit(&table->array, memory_order_relaxed), *to;

    if (table->n_old == OLD_MAX || !(to = array_new(from->n_slots / GROW_DEN * GROW_NUM)))
        return false;
    copy(to, from);
    table->old[table->n_old++] = (struct old_array){.array = from, .replaced_ms = clock_mono_ms()};
    atomic_store_explicit(&table->array, to, memory_order_release);
    return true;
}

enum state_merge state_table_merge(struct state_table *table, const struct state_entry *entry)
{
    struct array *array = atomic_load_explicit(&table->array, memory_order_relaxed);
    struct slot *slot = writer_slot(array, entry->key);
    size_t n = atomic_load_explicit(&table->n_entries, memory_order_relaxed);

    if (atomic_load_explicit(&slot->key, memory_order_relaxed) != 0) {
        if (entry->value <= atomic_load_explicit(&slot->value, memory_order_relaxed))
            return STATE_OLDER;
        atomic_store_explicit(&slot->value, entry->value, memory_order_relaxed);
        return STATE_MERGED;
    }
    if (n + 1 > array->n_slots / FULL_DEN * FULL_NUM) {
        if (!grow(table))
            return STATE_NO_MEMORY;
        array = atomic_load_explicit(&table->array, memory_order_relaxed);
        slot = writer_slot(array, entry->key);
    }
    atomic_store_explicit(&slot->value, entry->value, memory_order_relaxed);
    atomic_store_explicit(&slot->key, entry->key, memory_order_release);
    atomic_store_explicit(&table->n_entries, n + 1, memory_order_relaxed);
    atomic_store_explicit(&table->has[state_type(entry->value)], true, memory_order_relaxed);
    return STATE_MERGED;
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
    return atomic_load_explicit(&table->array, memory_order_relaxed)->bytes;
}

bool state_table_next(const struct state_table *table, size_t *at, struct state_entry *out)
{
    const struct array *array = atomic_load_explicit(&table->array, memory_order_relaxed);

    for (; *at < array->n_slots; ++*at) {
        const struct slot *slot = &array->slots[*at];
        uint64_t key = atomic_load_explicit(&slot->key, memory_order_relaxed);

        if (key == 0)
            continue;
        *out = (struct state_entry){key, atomic_load_explicit(&slot->value, memory_order_relaxed)};
        ++*at;
        return true;
    }
    return false;
}
