#include "proto/state.h"

#include <stdlib.h>
#include <string.h>

#include "proto/bytes.h"
#include "proto/token.h"

/*
 * A value, from the most significant bit: type 4, time, what.  The time stands above what was said,
 * so that the later of two values is the greater number.
 */
enum {
    TYPE_SHIFT = 60,
    WHAT_BITS = 24,
    WIDE_BITS = 32,
    FINE_PER_S = 32,  /* 36 bits of 1/32 s: 68 years */
    COARSE_MS = 8000, /* 28 bits of 8 s: 68 years */
};

#define EPOCH_MS (TOKEN_EPOCH_S * 1000)

static const char *const object_names[STATE_OBJECTS] = {
    [STATE_UNPAID] = "unpaid",           [STATE_PAID] = "paid",
    [STATE_PARTLY_PAID] = "partly_paid", [STATE_CANCELLED] = "cancelled",
    [STATE_REFUNDED] = "refunded",       [STATE_CREDITED] = "credited",
    [STATE_REPLACED] = "replaced",
};

const char *state_object_name(unsigned state)
{
    return state < STATE_OBJECTS ? object_names[state] : NULL;
}

enum state_object state_object_find(struct slice name)
{
    for (unsigned i = STATE_UNKNOWN + 1; i < STATE_OBJECTS; i++) {
        if (slice_equal(name, slice_of(object_names[i])))
            return (enum state_object)i;
    }
    return STATE_UNKNOWN;
}

/* The finalizer of MurmurHash3, and its inverse: a permutation of 64 bits, so that two subjects of
 * one type never share a key. */
static uint64_t scatter(uint64_t x)
{
    x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

static uint64_t gather(uint64_t x)
{
    x = (x ^ x >> 33) * UINT64_C(0x9cb4b2f8129337db);
    x = (x ^ x >> 33) * UINT64_C(0x4f74430c22a54005);
    return x ^ x >> 33;
}

/* Subjects of two types that share a key are as likely as two equal hashes of 64 bits. */
static uint64_t type_salt(enum state_type type)
{
    return UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)type;
}

uint64_t state_key(const struct state_subject *subject)
{
    uint64_t key =
        scatter(((uint64_t)subject->brand << 32 ^ subject->id) ^ type_salt(subject->type));

    return key ? key : 1; /* 0 is an empty slot; one of 2^64 subjects shares its key with another */
}

uint64_t state_key_of_all(const struct state_subject *subject)
{
    static const uint8_t stands_for[STATE_TYPES] = {
        [STATE_OBJECT] = STATE_OBJECT,
        [STATE_REPLACED_BY] = STATE_OBJECT,
        [STATE_REVOKED_OBJECT] = STATE_OBJECT,
        [STATE_REVOKED_CLIENT] = STATE_OPTED_OUT,
        [STATE_OPTED_OUT] = STATE_OPTED_OUT,
        [STATE_REVOKED_LINK] = STATE_REVOKED_LINK,
        [STATE_USES] = STATE_REVOKED_LINK,
        [STATE_USED] = STATE_REVOKED_LINK,
        [STATE_REVOKED_CAMPAIGN] = STATE_REVOKED_CAMPAIGN,
        [STATE_REVOKED_BY] = STATE_REVOKED_BY,
    };
    struct state_subject all = *subject;

    all.type = (enum state_type)stands_for[subject->type];
    return state_key(&all);
}

void state_subject(const struct state_entry *entry, struct state_subject *out)
{
    enum state_type type = state_type(entry->value);
    uint64_t id = gather(entry->key) ^ type_salt(type);
    bool is_link = type == STATE_REVOKED_LINK || type == STATE_USES || type == STATE_USED;

    *out = (struct state_subject){
        .type = type,
        .brand = is_link ? 0 : (uint32_t)(id >> 32),
        .id = is_link ? id : (uint32_t)id,
    };
}

unsigned state_what_bits(enum state_type type)
{
    return type == STATE_REPLACED_BY || type == STATE_REVOKED_BY ? WIDE_BITS : WHAT_BITS;
}

uint64_t state_value(enum state_type type, int64_t at_ms, uint32_t what)
{
    uint64_t ms = at_ms > EPOCH_MS ? (uint64_t)(at_ms - EPOCH_MS) : 0;
    uint64_t value = (uint64_t)type << TYPE_SHIFT;

    if (state_what_bits(type) == WIDE_BITS)
        return value | (ms / COARSE_MS & 0xfffffff) << WIDE_BITS | what;
    return value | (ms * FINE_PER_S / 1000 & UINT64_C(0xfffffffff)) << WHAT_BITS |
           (what & ((1u << WHAT_BITS) - 1));
}

enum state_type state_type(uint64_t value)
{
    return (enum state_type)(value >> TYPE_SHIFT);
}

uint32_t state_what(uint64_t value)
{
    return state_what_bits(state_type(value)) == WIDE_BITS
               ? (uint32_t)value
               : (uint32_t)value & ((1u << WHAT_BITS) - 1);
}

int64_t state_at_ms(uint64_t value)
{
    if (state_what_bits(state_type(value)) == WIDE_BITS)
        return EPOCH_MS + (int64_t)(value >> WIDE_BITS & 0xfffffff) * COARSE_MS;
    return EPOCH_MS + (int64_t)(value >> WHAT_BITS & UINT64_C(0xfffffffff)) * 1000 / FINE_PER_S;
}

void state_entry_put(uint8_t out[static STATE_ENTRY_LEN], const struct state_entry *entry)
{
    be64_store(out, entry->key);
    be64_store(out + 8, entry->value);
}

bool state_entry_get(const uint8_t in[static STATE_ENTRY_LEN], struct state_entry *out)
{
    struct state_entry entry = {be64_load(in), be64_load(in + 8)};
    enum state_type type = state_type(entry.value);

    if (entry.key == 0 || type == 0 || type >= STATE_TYPES ||
        (type == STATE_OBJECT && state_what(entry.value) >= STATE_OBJECTS))
        return false;
    *out = entry;
    return true;
}

bool state_is_sound(struct slice table)
{
    struct state_entry entry;

    if (table.len % STATE_ENTRY_LEN != 0)
        return false;
    for (size_t at = 0; at < table.len; at += STATE_ENTRY_LEN) {
        if (!state_entry_get((const uint8_t *)table.ptr + at, &entry))
            return false;
    }
    return true;
}

bool state_type_ends(enum state_type type)
{
    return type == STATE_OBJECT || type == STATE_REPLACED_BY || type == STATE_USES;
}

/* As bytes are big-endian, the order of bytes is that of keys, then of values. */
static int by_key(const void *a, const void *b)
{
    return memcmp(a, b, STATE_ENTRY_LEN);
}

size_t state_compact(uint8_t *table, size_t len, int64_t oldest_ms)
{
    size_t kept = 0;

    qsort(table, len / STATE_ENTRY_LEN, STATE_ENTRY_LEN, by_key);
    for (size_t at = 0; at < len; at += STATE_ENTRY_LEN) {
        bool is_last =
            at + STATE_ENTRY_LEN == len || memcmp(table + at, table + at + STATE_ENTRY_LEN, 8) != 0;

        uint64_t value = be64_load(table + at + 8);

        if (!is_last || (state_type_ends(state_type(value)) && state_at_ms(value) < oldest_ms))
            continue;
        memmove(table + kept, table + at, STATE_ENTRY_LEN);
        kept += STATE_ENTRY_LEN;
    }
    return kept;
}
