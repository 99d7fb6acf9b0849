#include "proto/segment.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "proto/bytes.h"
#include "proto/number.h"
#include "proto/slice.h"

/* Where each field lives; FORMATS.md "Click log" is this list. */
enum {
    AT_MAGIC = 0, /* 8 bytes */
    AT_VERSION = 8,
    AT_SEQUENCE = 12,
    AT_LOG_ID = 16, /* 16 bytes */
    AT_FIRST = 32,
    AT_CREATED = 40,
    AT_CAPACITY = 48,
    AT_RESERVED = 52, /* 8 bytes, zero */
    AT_CHECKSUM = 60,
};

static const uint8_t magic[8] = {'H', 'C', 'L', 'I', 'C', 'K', 'S', '\n'};

/* As in a record: the first 4 bytes of SipHash-2-4 of what is before, keyed with the log's id. */
static uint32_t checksum(const uint8_t header[static SEGMENT_HEADER_LEN])
{
    uint8_t hash[crypto_shorthash_BYTES];

    crypto_shorthash(hash, header, AT_CHECKSUM, header + AT_LOG_ID);
    return le32_load(hash);
}

void segment_header_encode(const struct segment_header *header,
                           uint8_t out[static SEGMENT_HEADER_LEN])
{
    memcpy(out + AT_MAGIC, magic, sizeof(magic));
    le32_store(out + AT_VERSION, SEGMENT_VERSION);
    le32_store(out + AT_SEQUENCE, header->sequence);
    memcpy(out + AT_LOG_ID, header->log_id, CLICK_LOG_ID_LEN);
    le64_store(out + AT_FIRST, header->first);
    le64_store(out + AT_CREATED, (uint64_t)header->created_ms);
    le32_store(out + AT_CAPACITY, header->capacity);
    le64_store(out + AT_RESERVED, 0);
    le32_store(out + AT_CHECKSUM, checksum(out));
}

enum segment_status segment_header_decode(const uint8_t in[static SEGMENT_HEADER_LEN],
                                          struct segment_header *out)
{
    uint32_t version = le32_load(in + AT_VERSION);
    uint64_t first = le64_load(in + AT_FIRST);

    if (memcmp(in + AT_MAGIC, magic, sizeof(magic)) != 0)
        return SEGMENT_FOREIGN;
    if (version > SEGMENT_VERSION)
        return SEGMENT_NEWER;
    if (version != SEGMENT_VERSION || le32_load(in + AT_CHECKSUM) != checksum(in) ||
        le64_load(in + AT_RESERVED) != 0 || le32_load(in + AT_SEQUENCE) > SEGMENT_SEQUENCE_MAX ||
        le32_load(in + AT_CAPACITY) == 0)
        return SEGMENT_DAMAGED;
    /* A position past any that can be reached would overflow when records are counted from it. */
    if (first > INT64_MAX && first != SEGMENT_FIRST_NONE)
        return SEGMENT_DAMAGED;
    *out = (struct segment_header){
        .first = first,
        .created_ms = (int64_t)le64_load(in + AT_CREATED),
        .sequence = le32_load(in + AT_SEQUENCE),
        .capacity = le32_load(in + AT_CAPACITY),
    };
    memcpy(out->log_id, in + AT_LOG_ID, CLICK_LOG_ID_LEN);
    return SEGMENT_OK;
}

void segment_log_name(const uint8_t log_id[static CLICK_LOG_ID_LEN],
                      char out[static SEGMENT_LOG_NAME_LEN + 1])
{
    sodium_bin2hex(out, SEGMENT_LOG_NAME_LEN + 1, log_id, CLICK_LOG_ID_LEN);
}

/* Upper case is refused: two names of one log would be read as two logs. */
bool segment_log_parse(const char *name, uint8_t log_id[static CLICK_LOG_ID_LEN])
{
    return strspn(name, "0123456789abcdef") == SEGMENT_LOG_NAME_LEN &&
           number_parse_hex(slice_of(name), log_id, CLICK_LOG_ID_LEN);
}

void segment_file_name(uint32_t sequence, char out[static SEGMENT_FILE_NAME_LEN + 1])
{
    assert(sequence <= SEGMENT_SEQUENCE_MAX);
    for (int i = 7; i >= 0; i--) {
        out[i] = (char)('0' + sequence % 10);
        sequence /= 10;
    }
    memcpy(out + 8, ".seg", 5);
}

bool segment_file_parse(const char *name, uint32_t *sequence)
{
    if (strspn(name, "0123456789") != 8 || strcmp(name + 8, ".seg") != 0)
        return false;
    *sequence = 0;
    for (int i = 0; i < 8; i++)
        *sequence = *sequence * 10 + (uint32_t)(name[i] - '0');
    return true;
}
