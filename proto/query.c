#include "proto/query.h"

#include <stdint.h>
#include <string.h>

#include "proto/number.h"

/* Length of the UTF-8 sequence that `first` starts, and the least code point it may hold. */
static size_t sequence_len(uint8_t first, uint32_t *least)
{
    if (first >= 0xc2 && first <= 0xdf) {
        *least = 0x80;
        return 2;
    }
    if ((first & 0xf0) == 0xe0) {
        *least = 0x800;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        *least = 0x10000;
        return 4;
    }
    return 0;
}

/* Reads one code point that isn't ASCII; returns its length, or 0. */
static size_t wide_code_point(const uint8_t *p, size_t len, uint32_t *out)
{
    uint32_t least = 0;
    size_t n = sequence_len(p[0], &least);
    uint32_t c;

    if (n == 0 || n > len)
        return 0;
    c = p[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fU);
    }
    if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *out = c;
    return n;
}

bool query_is_clean_text(struct slice text)
{
    const uint8_t *p = (const uint8_t *)text.ptr;
    size_t i = 0;

    while (i < text.len) {
        uint32_t c = p[i];
        size_t n = 1;

        if (c >= 0x80 && (n = wide_code_point(p + i, text.len - i, &c)) == 0)
            return false;
        /* What no name or value needs, and what makes a text look like another: control characters,
         * the ends of lines and paragraphs, and marks that turn the direction of what follows. */
        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
            (c >= 0x2066 && c <= 0x2069) || c == 0xfeff)
            return false;
        i += n;
    }
    return true;
}

/* Decodes without judging the result; false on a bad escape or too little room. */
static bool unescape(struct slice text, bool plus_is_blank, char *out, size_t out_max,
                     size_t *out_len)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%') {
            int high = i + 2 < text.len ? number_hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? number_hex_digit(text.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        if (n == out_max)
            return false;
        out[n++] = c;
    }
    *out_len = n;
    return true;
}

bool query_decode(struct slice text, char *out, size_t out_max, size_t *out_len)
{
    size_t n;

    if (!unescape(text, false, out, out_max, &n) || !query_is_clean_text(slice_make(out, n)))
        return false;
    *out_len = n;
    return true;
}

/* Decodes `text` behind what `out->text` holds already, `*used` bytes; it always fits, because
 * decoding never makes text longer. */
static bool take_text(struct query *out, size_t *used, struct slice text, struct slice *decoded)
{
    size_t len;

    if (!unescape(text, true, out->text + *used, QUERY_TEXT_MAX - *used, &len))
        return false;
    *decoded = slice_make(out->text + *used, len);
    *used += len;
    return query_is_clean_text(*decoded);
}

static enum query_status take_param(struct query *out, size_t *used, struct slice part,
                                    struct slice *bad)
{
    const char *equals = memchr(part.ptr, '=', part.len);
    size_t name_len = equals ? (size_t)(equals - part.ptr) : part.len;
    size_t value_at = equals ? name_len + 1 : part.len;
    struct slice name, value;

    if (name_len == 0)
        return QUERY_NO_NAME;
    if (!take_text(out, used, slice_make(part.ptr, name_len), &name))
        return QUERY_BAD_TEXT;
    *bad = name;
    if (!take_text(out, used, slice_make(part.ptr + value_at, part.len - value_at), &value))
        return QUERY_BAD_TEXT;
    for (size_t i = 0; i < out->n_params; i++) {
        if (slice_equal(out->params[i].name, name))
            return QUERY_TWICE;
    }
    if (out->n_params == QUERY_PARAMS_MAX)
        return QUERY_TOO_MANY;
    out->params[out->n_params++] = (struct query_param){.name = name, .value = value};
    *bad = (struct slice){0};
    return QUERY_OK;
}

enum query_status query_parse(struct slice text, struct query *out, struct slice *bad)
{
    enum query_status status = QUERY_OK;
    size_t used = 0, at = 0;

    out->n_params = 0;
    *bad = (struct slice){0};
    if (text.len > QUERY_TEXT_MAX)
        return QUERY_TOO_LONG;
    while (at < text.len && status == QUERY_OK) {
        const char *end = memchr(text.ptr + at, '&', text.len - at);
        size_t part_len = end ? (size_t)(end - text.ptr) - at : text.len - at;

        if (part_len > 0)
            status = take_param(out, &used, slice_make(text.ptr + at, part_len), bad);
        at += part_len + 1;
    }
    if (status != QUERY_OK)
        out->n_params = 0;
    return status;
}

struct slice query_find(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->n_params; i++) {
        if (slice_equal(query->params[i].name, slice_of(name)))
            return query->params[i].value;
    }
    return (struct slice){0};
}
