#include "service/admin/faults.h"

#include <stdio.h>
#include <string.h>

enum { FIELD_MAX = 128 };

bool faults_add(struct faults *faults, enum problem problem, struct slice field, const char *rest)
{
    char detail[REQUEST_DETAIL_MAX], name[REQUEST_QUOTE_MAX], whole[FIELD_MAX];

    /* A name may be any text of the client's: cut to fit, without the quotes. */
    request_quote(field, name);
    snprintf(whole, sizeof(whole), "%.*s", (int)strlen(name) - 2, name + 1);
    if (faults->is_in_array)
        snprintf(whole, sizeof(whole), "[%zu]%s%.*s", faults->index, field.len > 0 ? "." : "",
                 (int)strlen(name) - 2, name + 1);
    if (faults->n++ == 0 || problem_text(problem)->status == 400)
        faults->problem = problem;
    if (!faults->errors)
        faults->errors = json_array();
    if (json_array_size(faults->errors) < FAULTS_MAX)
        json_array_append_new(faults->errors, json_pack("{ss ss}", "field", whole, "detail",
                                                        request_sentence(whole, rest, detail)));
    return false;
}

void faults_add_strays(struct faults *faults, const struct request *request)
{
    for (size_t i = 0; i < request->query.n_params; i++) {
        if (request->strays >> i & 1)
            faults_add(faults, PROBLEM_INVALID_PARAMETERS, request->query.params[i].name,
                       "is no parameter of this path");
    }
}

const char *faults_first(const struct faults *faults)
{
    const char *detail =
        json_string_value(json_object_get(json_array_get(faults->errors, 0), "detail"));

    return detail ? detail : "";
}

void faults_reply(struct faults *faults, struct request *request)
{
    if (faults->problem == PROBLEM_NO_MINTING_KEY || faults->problem == PROBLEM_BUSY)
        request_add_header(request, "Retry-After", "60");
    request_fail_fields(request, faults->problem, faults->errors, faults->n);
    *faults = (struct faults){.n = 0};
}

void faults_clear(struct faults *faults)
{
    json_decref(faults->errors);
    *faults = (struct faults){.n = 0};
}
