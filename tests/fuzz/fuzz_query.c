#include <stdint.h>
#include <stdlib.h>

#include "proto/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes out is clean text inside the query's own memory, and names are never empty. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct query query;
    struct slice bad;

    if (query_parse(slice_make((const char *)data, size), &query, &bad) != QUERY_OK)
        return query.n_params == 0 ? 0 : (abort(), 1);
    for (size_t i = 0; i < query.n_params; i++) {
        const struct query_param *p = &query.params[i];

        if (p->name.len == 0 || !query_is_clean_text(p->name) || !query_is_clean_text(p->value) ||
            p->value.ptr + p->value.len > query.text + QUERY_TEXT_MAX)
            abort();
    }
    return 0;
}
