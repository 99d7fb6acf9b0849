#include "proto/language.h"

/* More entries than any browser sends; what comes after is not looked at. */
enum { ENTRIES_MAX = 16 };

/* Cuts what is before the first `separator` off `*rest` and returns it. */
static struct slice next_part(struct slice *rest, char separator)
{
    const char *end = rest->len ? memchr(rest->ptr, separator, rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    struct slice part = slice_make(rest->ptr, len);

    len += end != NULL;
    rest->ptr += len;
    rest->len -= len;
    return slice_trim(part);
}

/* "q=0.8" as thousandths; 0 for what is malformed: it is not what somebody wants most. */
static unsigned read_weight(struct slice q)
{
    unsigned weight, digit = 100;

    if (q.len < 3 || q.len > 7 || slice_lower(q.ptr[0]) != 'q' || q.ptr[1] != '=' ||
        (q.ptr[2] != '0' && q.ptr[2] != '1') || (q.len > 3 && q.ptr[3] != '.'))
        return 0;
    weight = q.ptr[2] == '1' ? 1000 : 0;
    for (size_t i = 4; i < q.len; i++, digit /= 10) {
        if (q.ptr[i] < '0' || q.ptr[i] > '9')
            return 0;
        weight += (unsigned)(q.ptr[i] - '0') * digit;
    }
    return weight > 1000 ? 0 : weight;
}

static bool is_tag(struct slice tag)
{
    for (size_t i = 0; i < tag.len; i++) {
        char c = slice_lower(tag.ptr[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return tag.len > 0;
}

struct slice language_preferred(struct slice accept_language)
{
    struct slice best = {NULL, 0};
    unsigned best_weight = 0;

    for (int i = 0; i < ENTRIES_MAX && accept_language.len; i++) {
        struct slice entry = next_part(&accept_language, ',');
        struct slice tag = next_part(&entry, ';');
        unsigned weight = entry.len ? read_weight(slice_trim(entry)) : 1000;

        if (weight > best_weight && is_tag(tag)) {
            best = tag;
            best_weight = weight;
        }
    }
    return best;
}

bool language_matches(struct slice tag, struct slice range)
{
    return tag.len >= range.len && slice_equal_nocase(slice_make(tag.ptr, range.len), range) &&
           (tag.len == range.len || tag.ptr[range.len] == '-');
}
