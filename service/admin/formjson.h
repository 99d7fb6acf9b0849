/* formjson.h - the fields of a link or an event in JSON, as the texts that linkform.h and
 * eventform.h take. */
#ifndef ADMIN_FORMJSON_H
#define ADMIN_FORMJSON_H
#include <stdbool.h>

#include <jansson.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/admin/request.h"

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

/* What is wrong with a form. */
struct formjson_fault {
    int status;                    /* of the reply */
    char field[REQUEST_QUOTE_MAX]; /* "" = none in particular */
    char detail[REQUEST_DETAIL_MAX];
};

struct formjson {
    struct slice field[FORMJSON_FIELDS_MAX];
    const char *names[FORMJSON_FIELDS_MAX]; /* as the request has them; NULL = it hasn't */
    char numbers[FORMJSON_FIELDS_MAX][FORMJSON_NUMBER_MAX]; /* the texts of numbers */
};

/* Reads an object.  Texts are borrowed from `json`.  False and `*fault`, with status 400, when it
 * is none, or has an unknown field, one twice, or one of another type. */
MUST_USE bool formjson_read(const struct formjson_spec *spec, json_t *json, struct formjson *out,
                            struct formjson_fault *fault);

/* Sets status 400 and the detail; returns false. */
bool formjson_refuse(struct formjson_fault *fault, const char *detail);

/* Replies with what is wrong: with "object", or with "[3].object" of an array.  Takes the request.
 */
void formjson_fail(struct request *request, const struct formjson_fault *fault, bool in_array,
                   size_t index);

#endif
