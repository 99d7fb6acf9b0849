/* formjson.h - the fields of a link or an event in JSON, as the texts that linkform.h and
 * eventform.h take. */
#ifndef ADMIN_FORMJSON_H
#define ADMIN_FORMJSON_H
#include <stdbool.h>

#include <jansson.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct faults;

/* What a field is in JSON. */
enum formjson_type {
    FORMJSON_TEXT,
    FORMJSON_NUMBER, /* or the same as text, or 1003.0 from languages that know only one kind */
    FORMJSON_FLAG,
};

enum { FORMJSON_FIELDS_MAX = 16, FORMJSON_NUMBER_MAX = 32 };

/* The fields that there are. */
struct formjson_spec {
    const char *what;               /* "a link" */
    int (*find)(struct slice name); /* the number of the field of that name, or -1 */
    enum formjson_type (*type_of)(int field);
};

struct formjson {
    struct slice field[FORMJSON_FIELDS_MAX];
    const char *names[FORMJSON_FIELDS_MAX]; /* as the request has them; NULL = it hasn't */
    unsigned wrong;                         /* bits of 1 << field: it has a fault already */
    char numbers[FORMJSON_FIELDS_MAX][FORMJSON_NUMBER_MAX]; /* the texts of numbers */
};

/* Reads an object.  Texts are borrowed from `json`.  What is wrong with it is added to `faults`: an
 * unknown field, one twice, or one of another type, whose `field` then is empty.  False: it is no
 * object, and there is nothing to read. */
MUST_USE bool formjson_read(const struct formjson_spec *spec, json_t *json, struct formjson *out,
                            struct faults *faults);

#endif
