/* state.h - the states of links, objects, clients and campaigns, as entries of 16 bytes (FORMATS.md
 * "State").
 *
 * An entry is a key, which names its subject, and a value: a type, a time and a state.  Of two
 * values under one key the greater number, which is the later one, is valid.  So neither the order
 * nor the repetition of messages matters, and copies of a table can be merged in any order.
 *
 * Pure: no I/O, no clock, no allocation. */
#ifndef PROTO_STATE_H
#define PROTO_STATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum { STATE_ENTRY_LEN = 16 };

/* The numbers are stored in entries: never change one, only add. */
enum state_type {
    STATE_OBJECT = 1,       /* enum state_object */
    STATE_REPLACED_BY,      /* of an object: the number of the object that replaces it */
    STATE_REVOKED_LINK,     /* issued before this minute since TOKEN_EPOCH_S; 0 = withdrawn */
    STATE_REVOKED_OBJECT,   /* the same */
    STATE_REVOKED_CLIENT,   /* the same */
    STATE_REVOKED_CAMPAIGN, /* the same */
    STATE_OPTED_OUT,        /* of a client: 1, or 0 = withdrawn */
    STATE_REVOKED_BY,       /* who revoked: the first 4 bytes of the hash of the API key's name */
    STATE_USES,             /* of a link with a limit: how often people have used it */
    STATE_USED,             /* of a one-time link: 1, it was used */
    STATE_TYPES
};

/* The state of an invoice or other object.  Of two states with the same time the greater is valid:
 * a billing system that sends "partly paid" and "paid" in one second means paid. */
enum state_object {
    STATE_UNKNOWN, /* no state is known */
    STATE_UNPAID,
    STATE_PARTLY_PAID,
    STATE_PAID,
    STATE_CREDITED,
    STATE_REFUNDED,
    STATE_CANCELLED,
    STATE_REPLACED,
    STATE_OBJECTS
};

/* "unpaid", "paid", "partly_paid" …; NULL for STATE_UNKNOWN and out of range.  The state of such a
 * text, or STATE_UNKNOWN. */
const char *state_object_name(unsigned state);
enum state_object state_object_find(struct slice name);

struct state_entry {
    uint64_t key;   /* never 0 */
    uint64_t value; /* never 0 */
};

/* The subject of an entry.  `id` is the number of an object, client or campaign of the brand; for a
 * link it is the link id, and `brand` is 0. */
struct state_subject {
    enum state_type type;
    uint32_t brand;
    uint64_t id;
};

uint64_t state_key(const struct state_subject *subject);
/* The same number for all that is said of one link, object, client or campaign, whatever its type:
 * state_key() under the type that stands for them all. */
uint64_t state_key_of_all(const struct state_subject *subject);
/* The subject that a key names.  Its type is known from the value. */
void state_subject(const struct state_entry *entry, struct state_subject *out);

/* Makes the value for the state `what` at `at_ms` (Unix).  Bits of `what` beyond state_what_bits()
 * are dropped. */
uint64_t state_value(enum state_type type, int64_t at_ms, uint32_t what);
/* 32 for STATE_REPLACED_BY and STATE_REVOKED_BY, whose time is exact to 8 s; 24 for the others,
 * whose time is exact to 1/32 s. */
unsigned state_what_bits(enum state_type type);

/* The state in a value; 0 for the value 0, which holds none. */
uint32_t state_what(uint64_t value);
enum state_type state_type(uint64_t value);
/* The time in a value, Unix milliseconds, rounded down to the precision of its type. */
int64_t state_at_ms(uint64_t value);

void state_entry_put(uint8_t out[static STATE_ENTRY_LEN], const struct state_entry *entry);
/* False: not an entry of this format. */
MUST_USE bool state_entry_get(const uint8_t in[static STATE_ENTRY_LEN], struct state_entry *out);

/* Whether the table has this format: whole entries. */
bool state_is_sound(struct slice table);
/* Whether an entry of the type is of no use some time after the longest time that a link is valid:
 * what became of an object, and how often a link was used.  A revocation is of use as long as there
 * may be a link without an end, an opt-out for ever. */
bool state_type_ends(enum state_type type);

/* Drops entries that a later one of the same key makes void, in place, and those of types that end
 * that were said before `oldest_ms`; the rest is in ascending order of keys.  Returns the new
 * length. */
size_t state_compact(uint8_t *table, size_t len, int64_t oldest_ms);

#endif
