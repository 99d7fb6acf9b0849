/* record.h - a record of the click log as sinks give it away: a JSON line, or a line of CSV
 * (FORMATS.md "Record").
 *
 * Pure: no I/O, no clock, no allocation. */
#ifndef SINKS_RECORD_H
#define SINKS_RECORD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/event.h"

struct brand;

/* How much of link, object and client a sink gets. */
enum record_fields {
    RECORD_ALL,
    RECORD_HASHED, /* keyed hashes, the same for the same value */
    RECORD_COUNTS, /* nothing */
};

enum record_what {
    RECORD_CLICK,
    RECORD_RELABEL,
    RECORD_EVENT,
    RECORD_OMITTED, /* the client must not be tracked: only the position is given away */
};

struct record {
    const char *log; /* the log's id, 32 hexadecimal digits */
    uint64_t position;
    enum record_what what;
    struct click click;
    struct event event;        /* RECORD_EVENT only: what `click` holds, as an event */
    const struct brand *brand; /* NULL: the configuration has no brand with that number any more */
};

enum { RECORD_KEY_LEN = 16, RECORD_TEXT_MAX = 1024 };

struct record_form {
    enum record_fields fields;
    uint8_t key[RECORD_KEY_LEN]; /* of the hashes */
};

/* The value of `type`: "click", "relabel", "omitted" or event_type_name(). */
const char *record_type_name(const struct record *record);
/* "view", a name of the brand, or a number from 4 to 15; NULL for an event. */
const char *record_kind_name(const struct record *record);

/* The numbers of link, object and client, or their hashes, as the form says; 0 where the record has
 * none or the form leaves them out. */
struct record_subject {
    uint64_t link, object, client;
};
void record_subject(const struct record *record, const struct record_form *form,
                    struct record_subject *out);

/* Write the record, with a line feed behind it and no NUL; return the length, at most
 * RECORD_TEXT_MAX. */
size_t record_json(const struct record *record, const struct record_form *form,
                   char out[static RECORD_TEXT_MAX]);
size_t record_csv(const struct record *record, const struct record_form *form,
                  char out[static RECORD_TEXT_MAX]);
/* The line of names above lines of CSV. */
extern const char record_csv_head[];

#endif
