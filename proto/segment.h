/* segment.h - the head of a segment file of the click log, and its names (FORMATS.md "Click log").
 *
 * Pure: no I/O, no clock, no allocation.  A segment is this head, then `capacity` click records.
 */
#ifndef PROTO_SEGMENT_H
#define PROTO_SEGMENT_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"

enum {
    SEGMENT_HEADER_LEN = 64,
    SEGMENT_VERSION = 1,
    SEGMENT_LOG_NAME_LEN = 32,  /* characters of a log's directory name */
    SEGMENT_FILE_NAME_LEN = 12, /* characters of "00000000.seg" */
    SEGMENT_SEQUENCE_MAX = 99999999,
};

/* `first` of a segment prepared ahead that holds no click yet. */
#define SEGMENT_FIRST_NONE UINT64_MAX

struct segment_header {
    uint8_t log_id[CLICK_LOG_ID_LEN];
    uint64_t first;     /* position of the first record, or SEGMENT_FIRST_NONE */
    int64_t created_ms; /* Unix */
    uint32_t sequence;  /* the number in the file's name; not the order of positions */
    uint32_t capacity;  /* records the file was made for */
};

void segment_header_encode(const struct segment_header *header,
                           uint8_t out[static SEGMENT_HEADER_LEN]);

enum segment_status {
    SEGMENT_OK,
    SEGMENT_FOREIGN, /* does not start like a segment */
    SEGMENT_NEWER,   /* of a version this program does not know */
    SEGMENT_DAMAGED, /* the checksum or a field is not what it must be */
};

/* Fills `*out` only on SEGMENT_OK. */
MUST_USE enum segment_status segment_header_decode(const uint8_t in[static SEGMENT_HEADER_LEN],
                                                   struct segment_header *out);

/* The directory of a log: its id in lower-case hex, and a NUL. */
void segment_log_name(const uint8_t log_id[static CLICK_LOG_ID_LEN],
                      char out[static SEGMENT_LOG_NAME_LEN + 1]);
/* False, and `log_id` undefined, when `name` is not the name of a log. */
MUST_USE bool segment_log_parse(const char *name, uint8_t log_id[static CLICK_LOG_ID_LEN]);

/* The file of a segment: eight digits, ".seg", and a NUL; `sequence` up to SEGMENT_SEQUENCE_MAX. */
void segment_file_name(uint32_t sequence, char out[static SEGMENT_FILE_NAME_LEN + 1]);
/* False when `name` is not the name of a segment. */
MUST_USE bool segment_file_parse(const char *name, uint32_t *sequence);

#endif
