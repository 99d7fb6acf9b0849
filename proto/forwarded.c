#include "proto/forwarded.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = slice_make(s.ptr + 1, s.len - 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Cuts off what follows the last `separator` outside of quotes, or all of it.  An address holds no
 * escaped quote, so that one makes the element unreadable, whatever it is taken for here. */
static struct slice take_last(struct slice *list, char separator)
{
    size_t at = list->len;
    bool quoted = false;
    struct slice last;

    while (at > 0 && (quoted || list->ptr[at - 1] != separator)) {
        quoted ^= list->ptr[at - 1] == '"';
        at--;
    }
    last = slice_make(list->ptr + at, list->len - at);
    *list = slice_make(list->ptr, at > 0 ? at - 1 : 0);
    return trim(last);
}

static struct slice unquote(struct slice s)
{
    if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
        return slice_make(s.ptr + 1, s.len - 2);
    return s;
}

/* The value of the `for` parameter of one element, `for=192.0.2.1;proto=https`; absent if none. */
static struct slice find_for(struct slice element)
{
    while (element.len) {
        struct slice pair = take_last(&element, ';');

        if (pair.len > 4 && slice_equal_nocase(slice_make(pair.ptr, 4), slice_of("for=")))
            return unquote(slice_make(pair.ptr + 4, pair.len - 4));
    }
    return slice_make(NULL, 0);
}

enum forwarded_status forwarded_take_last(enum forwarded_form form, struct slice *list,
                                          uint8_t ip[static IP_LEN])
{
    struct slice element = {0};

    /* Empty elements mean nothing (RFC 9110, 5.6.1). */
    while (element.len == 0 && list->len)
        element = take_last(list, ',');
    if (element.len == 0)
        return FORWARDED_END;
    if (form == FORWARDED_RFC7239)
        element = find_for(element);
    return ip_parse_with_port(element, ip) ? FORWARDED_OK : FORWARDED_UNREADABLE;
}
