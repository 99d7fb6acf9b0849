#include "service/admin/gzip.h"

#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

enum {
    GZIP_WINDOW = 15 + 16, /* 16 asks zlib for a gzip header */
    GZIP_LEVEL = 1,        /* JSON packs well at any level, and 1 costs a third of 6 */
    GZIP_MEM_LEVEL = 8,
};

void *gzip_pack(struct slice bytes, size_t *packed_len)
{
    z_stream z = {0};
    void *packed = NULL;
    bool done = false;

    if (bytes.len == 0 || bytes.len > INT_MAX ||
        deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEM_LEVEL, Z_DEFAULT_STRATEGY) !=
            Z_OK)
        return NULL;
    packed = malloc(bytes.len);
    if (packed) {
        z.next_in = (unsigned char *)bytes.ptr;
        z.avail_in = (unsigned)bytes.len;
        z.next_out = packed;
        z.avail_out = (unsigned)bytes.len;
        done = deflate(&z, Z_FINISH) == Z_STREAM_END;
        *packed_len = bytes.len - z.avail_out;
    }
    deflateEnd(&z);
    if (!done) {
        free(packed);
        packed = NULL;
    }
    return packed;
}
