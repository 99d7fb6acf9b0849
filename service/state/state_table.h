/* state_table.h - all entries of proto/state.h in memory: one thread writes, any thread reads
 * without a lock.
 *
 * An array of 16-byte slots, open addressing, at most four fifths full.  A reader loads the
 * pointer to the array, then slots; a writer stores a value before the key that makes it found, and
 * changes a value by one store.  When the array is full, a larger one is filled and the pointer
 * swapped.  The old array's memory is given back when no reader can still be in it
 * (state_table_reclaim()); its addresses stay mapped until state_table_free(), so that a reader who
 * was stopped for longer reads zeros, which is "nothing was said", and never crashes.
 */
#ifndef STATE_STATE_TABLE_H
#define STATE_STATE_TABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/state.h"

struct state_table;

/* NULL: out of memory. */
MUST_USE struct state_table *state_table_new(void);
/* No reader is left.  NULL is allowed. */
void state_table_free(struct state_table *table);

/* --- readers --- */

/* False as long as no entry of the type was ever there: then a look-up is not worth it. */
bool state_table_has(const struct state_table *table, enum state_type type);
/* Asks the processor for the slot of the key; state_table_find() of several keys is faster after
 * it. */
void state_table_prefetch(const struct state_table *table, uint64_t key);
/* The value under the key; 0: nothing was said. */
uint64_t state_table_find(const struct state_table *table, uint64_t key);

/* --- the writer --- */

enum state_merge { STATE_MERGED, STATE_OLDER /* what is there holds */, STATE_NO_MEMORY };

MUST_USE enum state_merge state_table_merge(struct state_table *table,
                                            const struct state_entry *entry);

/* Gives back the memory of arrays that were replaced over a second before `now_ms` (monotonic). */
void state_table_reclaim(struct state_table *table, int64_t now_ms);

/* How many entries there are, and the bytes that their array takes. */
size_t state_table_count(const struct state_table *table);
size_t state_table_bytes(const struct state_table *table);

/* Walks over all entries: from `*at` (first 0) on; false at the end.  Not while merging. */
bool state_table_next(const struct state_table *table, size_t *at, struct state_entry *out);

#endif
