#include "service/config/formvalue.h"

#include <stdio.h>
#include <string.h>

#include "proto/number.h"
#include "proto/rfc3339.h"

const char *formvalue_quote(struct formvalue_quoted *out, struct slice value)
{
    char copy[64];
    size_t len = value.len < sizeof(copy) ? value.len : sizeof(copy) - 1;

    /* Not inside a character: the API's replies are UTF-8. */
    while (len < value.len && len > 0 && ((unsigned char)value.ptr[len] & 0xc0) == 0x80)
        len--;
    memcpy(copy, value.ptr, len);
    copy[len] = '\0';
    return log_quote(out->text, copy);
}

/* Database clients and spreadsheets write a whole number as "1003.0" where a column has, or once
 * had, others too. */
static struct slice without_zero_fraction(struct slice text)
{
    const char *dot = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL;
    size_t whole = dot ? (size_t)(dot - text.ptr) : text.len;

    for (size_t i = whole + 1; i < text.len; i++) {
        if (text.ptr[i] != '0')
            return text;
    }
    return whole + 1 < text.len ? slice_make(text.ptr, whole) : text;
}

bool formvalue_number(struct slice value, uint64_t max, uint64_t *out)
{
    return number_parse(without_zero_fraction(slice_trim(value)), max, out);
}

bool formvalue_u32(struct slice value, uint32_t max, uint32_t *out)
{
    return number_parse_u32(without_zero_fraction(slice_trim(value)), max, out);
}

bool formvalue_day(struct slice value, int64_t *out_s)
{
    static const size_t DATABASE_LEN = 19; /* of "2026-12-31 12:00:00" */
    char text[RFC3339_TEXT_MAX];
    struct civil civil;

    value = slice_trim(value);
    if (rfc3339_parse_date(value, &civil)) {
        *out_s = civil_to_s(&civil);
        return true;
    }
    if (value.len != DATABASE_LEN)
        return rfc3339_parse(value, out_s);
    snprintf(text, sizeof(text), "%.*sZ", SLICE_ARG(value));
    return rfc3339_parse(slice_of(text), out_s);
}

bool formvalue_variant(struct slice value, uint8_t *out)
{
    char c = value.len == 1 ? slice_lower(value.ptr[0]) : 0;

    if ((c < 'a' || c > 'g') && !slice_equal_nocase(value, slice_of("none")))
        return false;
    *out = (uint8_t)(c ? c - 'a' + 1 : 0);
    return true;
}
