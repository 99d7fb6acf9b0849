#include "proto/forwarded.h"

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
    return slice_trim(last);
}

/* Cuts off what precedes the first comma outside of quotes, or all of it. */
static struct slice take_first(struct slice *list)
{
    size_t at = 0;
    bool quoted = false;
    struct slice first;

    while (at < list->len && (quoted || list->ptr[at] != ',')) {
        quoted ^= list->ptr[at] == '"';
        at++;
    }
    first = slice_make(list->ptr, at);
    at += at < list->len;
    *list = slice_make(list->ptr + at, list->len - at);
    return slice_trim(first);
}

static struct slice unquote(struct slice s)
{
    if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
        return slice_make(s.ptr + 1, s.len - 2);
    return s;
}

/* The value of a parameter of one element, `for=192.0.2.1;proto=https`; absent if there is none.
 * RFC 7239 has no blanks around the '='; who writes them is understood. */
static struct slice find_parameter(struct slice element, struct slice name)
{
    while (element.len) {
        struct slice pair = take_last(&element, ';');
        const char *equals = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;
        size_t name_len = equals ? (size_t)(equals - pair.ptr) : 0;

        if (equals && slice_equal_nocase(slice_trim(slice_make(pair.ptr, name_len)), name))
            return unquote(slice_trim(slice_make(equals + 1, pair.len - name_len - 1)));
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
        element = find_parameter(element, slice_of("for"));
    else
        element = unquote(element);
    return ip_parse_with_port(element, ip) ? FORWARDED_OK : FORWARDED_UNREADABLE;
}

struct slice forwarded_first_host(enum forwarded_form form, struct slice list)
{
    while (list.len) {
        struct slice element = take_first(&list);

        element = form == FORWARDED_RFC7239 ? find_parameter(element, slice_of("host"))
                                            : unquote(element);
        if (element.len)
            return element;
    }
    return slice_make(NULL, 0);
}
