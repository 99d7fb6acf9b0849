/* Any bytes as answers of Redis: the first byte says in what pieces they come. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <event2/buffer.h>

#include "service/redis/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct resp_limits limits = {.bytes = 1 << 20, .elements = 4096};
    struct resp_reader *reader = resp_reader_new(&limits);
    struct evbuffer *in = evbuffer_new();
    size_t piece = size ? 1 + data[0] : 1;
    enum resp_status status = RESP_MORE;

    for (size_t at = 1; at < size && status == RESP_MORE; at += piece) {
        struct redisReply *answer;

        evbuffer_add(in, data + at, size - at < piece ? size - at : piece);
        if (!resp_reader_feed(reader, in))
            break;
        while ((status = resp_reader_next(reader, &answer)) == RESP_ANSWER)
            resp_answer_free(reader);
    }
    evbuffer_free(in);
    resp_reader_free(reader);
    return 0;
}
