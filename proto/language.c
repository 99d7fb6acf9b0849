#include "proto/language.h"

/* More entries than any browser sends; what comes after is not looked at. */
enum { ENTRIES_MAX = 16 };

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

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return tag.len > 0;
}

struct slice language_preferred(struct slice accept_language)
{
    struct slice best = {NULL, 0}, entry, tag;
    unsigned best_weight = 0;

    for (int i = 0; i < ENTRIES_MAX && slice_next_part(&accept_language, ',', &entry); i++) {
        unsigned weight;

        (void)slice_next_part(&entry, ';', &tag);
        tag = slice_trim(tag);
        weight = entry.len ? read_weight(slice_trim(entry)) : 1000;
        if (weight > best_weight && is_tag(tag)) {
            best = tag;
            best_weight = weight;
        }
    }
    return best;
}

/* One language under an old code and its new one (the IANA registry's "Preferred-Value", and what
 * systems that kept the old one send); Norwegian is one of the two that are written. */
static const char *const same_languages[][2] = {
    {"in", "id"},  {"iw", "he"}, {"ji", "yi"}, {"jw", "jv"}, {"mo", "ro"},
    {"tl", "fil"}, {"sh", "sr"}, {"no", "nb"}, {"no", "nn"},
};

static bool is_same_language(struct slice a, struct slice b)
{
    if (slice_equal_nocase(a, b))
        return true;
    for (size_t i = 0; i < sizeof(same_languages) / sizeof(same_languages[0]); i++) {
        struct slice one = slice_of(same_languages[i][0]), other = slice_of(same_languages[i][1]);

        if ((slice_equal_nocase(a, one) && slice_equal_nocase(b, other)) ||
            (slice_equal_nocase(a, other) && slice_equal_nocase(b, one)))
            return true;
    }
    return false;
}

/* Takes the first part off a tag: "pt" of "pt-BR" or "pt_BR".  False when nothing is left. */
static bool next_subtag(struct slice *tag, struct slice *subtag)
{
    size_t len = 0;

    if (!tag->ptr)
        return false;
    while (len < tag->len && tag->ptr[len] != '-' && tag->ptr[len] != '_')
        len++;
    *subtag = slice_make(tag->ptr, len);
    *tag =
        len < tag->len ? slice_make(tag->ptr + len + 1, tag->len - len - 1) : slice_make(NULL, 0);
    return true;
}

bool language_matches(struct slice tag, struct slice range)
{
    struct slice have, want;
    bool is_language = true;

    while (next_subtag(&range, &want)) {
        if (!next_subtag(&tag, &have) ||
            !(is_language ? is_same_language(have, want) : slice_equal_nocase(have, want)))
            return false;
        is_language = false;
    }
    return true;
}
