#include <stdint.h>
#include <stdlib.h>

#include "proto/query.h"
#include "proto/unwrap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes out is a clean link that ends inside its memory, however often it is unwrapped. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char url[UNWRAP_MAX], out[UNWRAP_MAX];
    struct slice text = slice_make((const char *)data, size);
    const char *by;

    for (int i = 0; i < 5 && unwrap_link(text, &by, out) == UNWRAP_OPENED; i++) {
        size_t len = strnlen(out, sizeof(out));

        if (len == sizeof(out) || len < 8 || !query_is_clean_text(slice_make(out, len)))
            abort();
        memcpy(url, out, len + 1);
        text = slice_make(url, len);
    }
    return 0;
}
