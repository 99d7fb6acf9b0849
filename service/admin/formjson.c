#include "service/admin/formjson.h"

#include <stdio.h>

#include "service/admin/faults.h"

enum { REST_MAX = 64 };

/* NULL, or what is wrong with the value. */
static const char *read_value(const json_t *value, enum formjson_type type, struct slice *text,
                              char number[static FORMJSON_NUMBER_MAX])
{
    static const char *const wrong[] = {
        [FORMJSON_TEXT] = "must be a text",
        [FORMJSON_NUMBER] = "must be a number, or a text",
        [FORMJSON_FLAG] = "must be true or false",
    };

    number[0] = '\0';
    if (json_is_string(value) && type != FORMJSON_FLAG) {
        *text = slice_make(json_string_value(value), json_string_length(value));
        return NULL;
    }
    if (json_is_integer(value) && type == FORMJSON_NUMBER)
        snprintf(number, FORMJSON_NUMBER_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value) && type == FORMJSON_NUMBER)
        snprintf(number, FORMJSON_NUMBER_MAX, "%.17g", json_real_value(value));
    else if (json_is_boolean(value) && type == FORMJSON_FLAG)
        snprintf(number, FORMJSON_NUMBER_MAX, "%s", json_is_true(value) ? "true" : "false");
    else if (!json_is_null(value))
        return wrong[type];
    *text = slice_of(number);
    return NULL;
}

bool formjson_read(const struct formjson_spec *spec, json_t *json, struct formjson *out,
                   struct faults *faults)
{
    char rest[REST_MAX];
    const char *name;
    json_t *value;

    *out = (struct formjson){.names = {NULL}};
    if (!json_is_object(json)) {
        snprintf(rest, sizeof(rest),
                 faults->is_in_array ? "must be an object: %s" : "%s must be an object",
                 spec->what);
        return faults_add(faults, PROBLEM_INVALID_FIELDS, (struct slice){0}, rest);
    }
    json_object_foreach(json, name, value)
    {
        int field = spec->find(slice_of(name));
        const char *wrong;

        if (field < 0) {
            snprintf(rest, sizeof(rest), "is no field of %s", spec->what);
            faults_add(faults, PROBLEM_INVALID_FIELDS, slice_of(name), rest);
            continue;
        }
        wrong = out->names[field] ? "is given twice"
                                  : read_value(value, spec->type_of(field), &out->field[field],
                                               out->numbers[field]);
        out->names[field] = name;
        if (wrong) {
            out->wrong |= 1U << field;
            faults_add(faults, PROBLEM_INVALID_FIELDS, slice_of(name), wrong);
        }
    }
    return true;
}
