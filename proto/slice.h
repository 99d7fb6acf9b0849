/* slice.h - borrowed text from outside: a pointer and a length, never NUL-terminated. */
#ifndef PROTO_SLICE_H
#define PROTO_SLICE_H
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* `len` bytes at `ptr`.  An absent value has ptr == NULL and len == 0; an empty one only len == 0.
 */
struct slice {
    const char *ptr;
    size_t len;
};

/* U+FEFF in UTF-8, which editors and spreadsheets put before a text. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* `s` without a byte order mark before it. */
static inline struct slice slice_skip_mark(struct slice s)
{
    size_t len = sizeof(BYTE_ORDER_MARK) - 1;

    return s.len >= len && memcmp(s.ptr, BYTE_ORDER_MARK, len) == 0
               ? (struct slice){s.ptr + len, s.len - len}
               : s;
}

/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (s).ptr

static inline struct slice slice_of(const char *text)
{
    return (struct slice){.ptr = text, .len = text ? strlen(text) : 0};
}

static inline struct slice slice_make(const char *ptr, size_t len)
{
    return (struct slice){.ptr = ptr, .len = len};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ASCII only, whatever the locale. */
static inline char slice_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Whether they are equal when the case of ASCII letters is ignored. */
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (slice_lower(a.ptr[i]) != slice_lower(b.ptr[i]))
            return false;
    }
    return true;
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* Without the blanks and tabs at its ends. */
static inline struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_make(s.ptr + 1, s.len - 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Takes the part before the next `separator` off `*list`, which is absent after the last part.
 * False when nothing is left. */
static inline bool slice_next_part(struct slice *list, char separator, struct slice *part)
{
    const char *end;

    if (!list->ptr)
        return false;
    end = (const char *)memchr(list->ptr, separator, list->len);
    *part = slice_make(list->ptr, end ? (size_t)(end - list->ptr) : list->len);
    *list = end ? slice_make(end + 1, list->len - part->len - 1) : slice_make(NULL, 0);
    return true;
}

#endif
