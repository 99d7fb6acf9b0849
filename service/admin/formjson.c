#include "service/admin/formjson.h"

#include <stdio.h>
#include <string.h>

enum { PARAMETER_MAX = 128 };

bool formjson_refuse(struct formjson_fault *fault, const char *detail)
{
    fault->status = 400;
    snprintf(fault->detail, sizeof(fault->detail), "%s", detail);
    return false;
}

static bool read_value(const json_t *value, enum formjson_type type, struct slice *text,
                       char number[static FORMJSON_NUMBER_MAX], struct formjson_fault *fault)
{
    static const char *const wrong[] = {
        [FORMJSON_TEXT] = "must be a text",
        [FORMJSON_NUMBER] = "must be a number, or a text",
        [FORMJSON_FLAG] = "must be true or false",
    };

    number[0] = '\0';
    if (json_is_string(value) && type != FORMJSON_FLAG) {
        *text = slice_make(json_string_value(value), json_string_length(value));
        return true;
    }
    if (json_is_integer(value) && type == FORMJSON_NUMBER)
        snprintf(number, FORMJSON_NUMBER_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value) && type == FORMJSON_NUMBER)
        snprintf(number, FORMJSON_NUMBER_MAX, "%.17g", json_real_value(value));
    else if (json_is_boolean(value) && type == FORMJSON_FLAG)
        snprintf(number, FORMJSON_NUMBER_MAX, "%s", json_is_true(value) ? "true" : "false");
    else if (!json_is_null(value))
        return formjson_refuse(fault, wrong[type]);
    *text = slice_of(number);
    return true;
}

bool formjson_read(const struct formjson_spec *spec, json_t *json, struct formjson *out,
                   struct formjson_fault *fault)
{
    const char *name;
    json_t *value;

    *out = (struct formjson){.names = {NULL}};
    fault->field[0] = '\0';
    if (!json_is_object(json)) {
        formjson_refuse(fault, "");
        snprintf(fault->detail, sizeof(fault->detail), "%s must be an object", spec->what);
        return false;
    }
    json_object_foreach(json, name, value)
    {
        int field = spec->find(slice_of(name));
        char quoted[REQUEST_QUOTE_MAX];

        /* Cut to fit, without the quotes. */
        request_quote(slice_of(name), quoted);
        snprintf(fault->field, sizeof(fault->field), "%.*s", (int)strlen(quoted) - 2, quoted + 1);
        if (field < 0)
            return formjson_refuse(fault, "there is no such field");
        if (out->names[field])
            return formjson_refuse(fault, "is given twice");
        out->names[field] = name;
        if (!read_value(value, spec->type_of(field), &out->field[field], out->numbers[field],
                        fault))
            return false;
    }
    return true;
}

void formjson_fail(struct request *request, const struct formjson_fault *fault, bool in_array,
                   size_t index)
{
    char parameter[PARAMETER_MAX];

    snprintf(parameter, sizeof(parameter), "%s", fault->field);
    if (in_array)
        snprintf(parameter, sizeof(parameter), "[%zu]%s%s", index, fault->field[0] ? "." : "",
                 fault->field);
    if (fault->status == 503)
        request_add_header(request, "Retry-After", "60");
    request_fail(request, fault->status, parameter[0] ? parameter : NULL, "%s", fault->detail);
}
