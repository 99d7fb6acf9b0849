/* The PROXY header: a prefix is incomplete or has the outcome of the whole, never another one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum proxy_status parse_copy(const uint8_t *data, size_t len, struct proxy_header *out)
{
    char *copy = malloc(len ? len : 1);
    enum proxy_status status;

    if (!copy)
        abort();
    if (len)
        memcpy(copy, data, len);
    status = proxy_header_parse(slice_make(copy, len), out);
    free(copy);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole = {0}, part = {0};
    enum proxy_status status = parse_copy(data, size, &whole), early = PROXY_INCOMPLETE;

    if (status == PROXY_OK && (whole.len == 0 || whole.len > size || whole.len > PROXY_HEADER_MAX))
        abort();
    if (status == PROXY_INCOMPLETE && size >= PROXY_HEADER_MAX)
        abort();
    for (size_t n = 0; n < size && n < 4096 && early == PROXY_INCOMPLETE; n++)
        early = parse_copy(data, n, &part);
    if (early == PROXY_INCOMPLETE)
        return 0;
    if (early != status || (status == PROXY_OK && memcmp(&part, &whole, sizeof(part)) != 0))
        abort();
    return 0;
}
