#include "service/cli/utf8_input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/slice.h"
#include "service/base/error.h"

void utf8_input_init(struct utf8_input *input, int fd)
{
    input->fd = fd;
    input->read_len = 0;
    input->has_begun = input->at_end = input->is_converted = false;
    input->at = input->len = 0;
}

void utf8_input_clear(struct utf8_input *input)
{
    if (input->is_converted)
        iconv_close(input->converter);
    input->is_converted = false;
}

/* Reads once more behind what is there. */
static bool fill(struct utf8_input *input, struct error *err)
{
    ssize_t n;

    memmove(input->bytes, input->bytes + input->at, input->len - input->at);
    input->len -= input->at;
    input->at = 0;
    do
        n = read(input->fd, input->bytes + input->len, sizeof(input->bytes) - input->len);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        error_set(err, "%s", strerror(errno));
        return false;
    }
    input->at_end = n == 0;
    input->len += (size_t)n;
    input->read_len += (uint64_t)n;
    return true;
}

/* Looks at the mark before the text. */
static bool begin(struct utf8_input *input, struct error *err)
{
    static const struct {
        const char *mark, *charset; /* NULL = not to be converted */
    } marks[] = {{BYTE_ORDER_MARK, NULL}, {"\xff\xfe", "UTF-16LE"}, {"\xfe\xff", "UTF-16BE"}};

    while (input->len < strlen(BYTE_ORDER_MARK) && !input->at_end) {
        if (!fill(input, err))
            return false;
    }
    input->has_begun = true;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        struct slice text = slice_make(input->bytes, input->len);

        if (!slice_starts_with(text, slice_of(marks[i].mark)))
            continue;
        input->at = strlen(marks[i].mark);
        if (!marks[i].charset)
            return true;
        input->converter = iconv_open("UTF-8", marks[i].charset);
        input->is_converted = input->converter != (iconv_t)-1;
        if (!input->is_converted)
            error_set(err, "it is %s, which this system can't convert: save it as UTF-8",
                      marks[i].charset);
        return input->is_converted;
    }
    return true;
}

/* Converts what is there, but for a character that is not all there. */
static ssize_t convert(struct utf8_input *input, char *out, size_t max, struct error *err)
{
    char *from = input->bytes + input->at, *to = out;
    size_t from_len = input->len - input->at, to_len = max;
    size_t n = iconv(input->converter, &from, &from_len, &to, &to_len);

    if (n == (size_t)-1 && errno != E2BIG && !(errno == EINVAL && !input->at_end)) {
        error_set(err, errno == EINVAL ? "it ends inside a character of UTF-16"
                                       : "it holds what is no character of UTF-16");
        return -1;
    }
    input->at = input->len - from_len;
    return (ssize_t)(max - to_len);
}

ssize_t utf8_input_read(struct utf8_input *input, char *out, size_t max, struct error *err)
{
    ssize_t n = 0;

    if (!input->has_begun && !begin(input, err))
        return -1;
    while (n == 0 && !(input->at_end && input->at == input->len)) {
        size_t have = input->len - input->at;

        if (have < 2 * sizeof(uint16_t) && !input->at_end && !fill(input, err))
            return -1;
        have = input->len - input->at;
        if (input->is_converted && have > 0)
            n = convert(input, out, max, err);
        else if (have > 0) {
            n = (ssize_t)(have < max ? have : max);
            memcpy(out, input->bytes + input->at, (size_t)n);
            input->at += (size_t)n;
        }
    }
    return n;
}
