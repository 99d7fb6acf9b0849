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

/* Takes the next wish off the field; false: none is left. */
static bool next_wish(struct slice *field, struct slice *tag, unsigned *weight)
{
    struct slice entry;

    if (!slice_next_part(field, ',', &entry))
        return false;
    (void)slice_next_part(&entry, ';', tag);
    *tag = slice_trim(*tag);
    *weight = entry.len ? read_weight(slice_trim(entry)) : 1000;
    return true;
}

struct slice language_preferred(struct slice accept_language)
{
    struct slice best = {NULL, 0}, tag;
    unsigned best_weight = 0, weight;

    for (int i = 0; i < ENTRIES_MAX && next_wish(&accept_language, &tag, &weight); i++) {
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

/* --- choosing --- */

/* How well a language fits a wish: by the parts that they share, and better when the language is no
 * more special than that.  0: it is another one. */
static unsigned fit(struct slice tag, struct slice wish)
{
    struct slice have, want;
    unsigned shared = 0;

    for (;; shared++) {
        bool has_more = next_subtag(&tag, &have);

        if (!has_more || !next_subtag(&wish, &want) ||
            !(shared ? slice_equal_nocase(have, want) : is_same_language(have, want)))
            return shared ? 2 * shared + !has_more : 0;
    }
}

/* `n`: none fits. */
static unsigned find_best(const struct slice tags[], unsigned n, struct slice wish)
{
    unsigned best = n, best_fit = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned this_fit = fit(tags[i], wish);

        if (this_fit > best_fit) {
            best = i;
            best_fit = this_fit;
        }
    }
    return best;
}

static bool is_refused(struct slice field, struct slice tag)
{
    struct slice wish;
    unsigned weight;

    for (int i = 0; i < ENTRIES_MAX && next_wish(&field, &wish, &weight); i++) {
        if (weight == 0 && is_tag(wish) && language_matches(tag, wish))
            return true;
    }
    return false;
}

unsigned language_choose(struct slice accept_language, const struct slice tags[], unsigned n,
                         unsigned fallback)
{
    struct slice rest = accept_language, wish;
    unsigned best = fallback, best_weight = 0, weight;

    for (int i = 0; i < ENTRIES_MAX && next_wish(&rest, &wish, &weight); i++) {
        unsigned found = n;

        if (weight <= best_weight)
            continue;
        if (slice_equal(wish, slice_of("*"))) {
            /* Any language that isn't refused: the fallback, if it is none of these. */
            found = is_refused(accept_language, tags[fallback]) ? 0 : fallback;
            while (found < n && is_refused(accept_language, tags[found]))
                found++;
            if (found == n)
                found = fallback;
        } else if (is_tag(wish)) {
            found = find_best(tags, n, wish);
        }
        if (found < n) {
            best = found;
            best_weight = weight;
        }
    }
    return best;
}
