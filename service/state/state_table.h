/* state_table.h - all entries of proto/state.h in memory: one thread writes, any thread reads
 * without a lock.
 *
 * An array of 16-byte slots, four to a line of the processor's cache; open addressing, at most four
 * fifths full.  All that is said of one link, object, client or campaign begins at one line, so
 * that a click needs few of them.  A filter of 8 bits a slot stands before it (Bloom, 1970; one
 * word for all of a subject): of most keys that are looked up nothing was said, and of those 98 in
 * 100 need not be looked for in the slots.
 *
 * A reader loads the pointer to the array, then a word of the filter, then slots; a writer stores a
 * value before the key that makes it found, and changes a value by one store.  When the array is
 * full, a larger one is filled and the pointer swapped.  The old array's memory is given back when
 * no reader can still be in it (state_table_reclaim()); its addresses stay mapped until
 * state_table_free(), so that a reader who was stopped for longer reads zeros, which is "nothing
 * was said", and never crashes.
 */
#ifndef STATE_STATE_TABLE_H
#define STATE_STATE_TABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "proto/state.h"

struct state_table;

/* NULL: out of memory. */
MUST_USE struct state_table *state_table_new(void);
/* No reader is left.  NULL is allowed. */
void state_table_free(struct state_table *table);

/* --- readers --- */

/* False as long as no entry of the type was ever there: then a look-up is not worth it. */
bool state_table_has(const struct state_table *table, enum state_type type);
/* False until all that Redis holds was merged once, or what it held earlier: then nobody can tell
 * whether a link was revoked. */
bool state_table_is_known(const struct state_table *table);
/* The value that was said of the subject; 0: nothing was. */
uint64_t state_table_find(const struct state_table *table, const struct state_subject *subject);

/* The same in two steps, for several subjects: all spots are fetched at once, and other work can be
 * done until they are here. */
struct state_spot {
    uint64_t key;  /* state_key() */
    uint64_t home; /* state_key_of_all() */
};
void state_table_fetch(const struct state_table *table, uint64_t home);
uint64_t state_table_find_at(const struct state_table *table, const struct state_spot *spot);

/* Calls `on_entry` with every entry; those that are merged meanwhile may be missing.  Takes about
 * 10 ms for each million, so not a reader that answers redirects. */
void state_table_walk(const struct state_table *table,
                      void (*on_entry)(void *owner, const struct state_entry *entry), void *owner);

/* --- the writer --- */

/* STATE_OLDER: what is there holds, or the entry is too old (state_table_set_oldest()). */
enum state_merge { STATE_MERGED, STATE_OLDER, STATE_NO_MEMORY };

MUST_USE enum state_merge state_table_merge(struct state_table *table,
                                            const struct state_entry *entry);
/* Merges the `n_bytes` / STATE_ENTRY_LEN entries of a table of Redis or of the file; those that are
 * none are passed over.  STATE_OLDER: none of them changed anything. */
MUST_USE enum state_merge state_table_merge_all(struct state_table *table, struct slice entries);

/* Entries of types that end (state_type_ends()), said before that, are not merged from now on, and
 * forgotten when the array grows. */
void state_table_set_oldest(struct state_table *table, int64_t oldest_ms);

/* From now on state_table_is_known(). */
void state_table_set_known(struct state_table *table);

/* Makes room for `n` entries in all, so that a load of so many doesn't grow step by step.  False:
 * no memory; then merging grows as far as it can. */
MUST_USE bool state_table_reserve(struct state_table *table, size_t n);
/* For how many there is room now. */
size_t state_table_room(const struct state_table *table);

/* Gives back the memory of arrays that were replaced over a second before `now_ms` (monotonic). */
void state_table_reclaim(struct state_table *table, int64_t now_ms);

/* How many entries there are, and the bytes that their array takes. */
size_t state_table_count(const struct state_table *table);
size_t state_table_bytes(const struct state_table *table);

#endif
