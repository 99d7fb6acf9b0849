#include "proto/token_text.h"

#include <stdbool.h>
#include <stdint.h>

#include "proto/base32.h"
#include "proto/number.h"

enum { MARKUP_NAME_MAX = 16 }; /* of an HTML entity or tag */

/* Reading a text: what is left out is skipped, the digits are joined. */
struct reading {
    const char *p, *end;
    char *digits;
    size_t n;
    size_t n_tried; /* no end at so few digits is of interest */
    bool takes_pairs, has_pair;
    size_t pair_at; /* digits before the first "=0A" that was taken for one break */
    size_t whole;   /* all digits, if that may be a token; else 0 */
    unsigned n_ends;
    size_t ends[TOKEN_TEXT_TRIES]; /* other numbers of digits to try */
};

/* The byte that `p` and the next encode in hexadecimal; -1: none. */
static int hex_pair(const char *p, const char *end)
{
    int high = end - p >= 2 ? number_hex_digit(p[0]) : -1;
    int low = high >= 0 ? number_hex_digit(p[1]) : -1;

    return low < 0 ? -1 : high << 4 | low;
}

/* Puts the next byte into `*byte`: as it is, or percent-encoded once ("%3D") or twice ("%253D").
 * Returns how many it takes in the text; 0 at the end. */
static size_t next_byte(const char *p, const char *end, uint8_t *byte)
{
    int once = p < end && *p == '%' ? hex_pair(p + 1, end) : -1;
    int twice = once == '%' ? hex_pair(p + 3, end) : -1;

    if (p == end)
        return 0;
    *byte = twice >= 0 ? (uint8_t)twice : once >= 0 ? (uint8_t)once : (uint8_t)*p;
    return twice >= 0 ? 5 : once >= 0 ? 3 : 1;
}

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Blanks, line ends and other controls; '+', which forms write for a blank; and all above ASCII,
 * which no token holds: no-break spaces, soft hyphens, marks of no width, in whatever encoding. */
static bool is_blank(uint8_t c)
{
    return c <= ' ' || c >= 0x7f || c == '+';
}

/* A byte as quoted-printable writes it, behind its '=': two hexadecimal digits that stand for a
 * blank or for '=' itself.  Returns their length; 0 if they aren't there. */
static size_t pair_len(const char *p, const char *end)
{
    uint8_t high, low;
    size_t high_len = next_byte(p, end, &high);
    size_t low_len = high_len ? next_byte(p + high_len, end, &low) : 0;
    char pair[2];
    int byte;

    if (low_len == 0)
        return 0;
    pair[0] = (char)high;
    pair[1] = (char)low;
    byte = hex_pair(pair, pair + sizeof(pair));
    return byte >= 0 && (is_blank((uint8_t)byte) || byte == '=') ? high_len + low_len : 0;
}

/* An HTML entity or tag whose first character is at `p`: "&shy;", "&#8203;", "<wbr>", "<br />". */
static size_t markup_len(const char *p, const char *end)
{
    uint8_t first, c = 0;
    size_t len = next_byte(p, end, &first);
    size_t more = next_byte(p + len, end, &c), n = 0;

    if (first == '&' && more > 0 && c == '#')
        len += more;
    for (; (more = next_byte(p + len, end, &c)) > 0; len += more, n++) {
        if (c == (first == '&' ? ';' : '>'))
            return n > 0 ? len + more : 0;
        if (n == MARKUP_NAME_MAX || c == '<' || (first == '&' && !is_alnum(c)))
            break;
    }
    return 0;
}

/* What may stand inside a token and is left out: blanks, what is left of a quoted-printable line
 * end, the "!" and ">" that mail programs put at one, and markup.  Returns the length of one; 0 if
 * there is none. */
static size_t break_len(struct reading *r)
{
    uint8_t c;
    size_t len = next_byte(r->p, r->end, &c), pair;

    if (len == 0)
        return 0;
    if (is_blank(c) || c == '!' || c == '>')
        return len;
    if (c == '&' || c == '<')
        return markup_len(r->p, r->end);
    if (c != '=')
        return 0;
    pair = r->takes_pairs ? pair_len(r->p + len, r->end) : 0;
    if (pair > 0 && !r->has_pair) {
        r->has_pair = true;
        r->pair_at = r->n;
    }
    return len + pair;
}

static bool may_end(const struct reading *r)
{
    return r->n > r->n_tried && r->n >= TOKEN_TEXT_MIN && r->n <= TOKEN_TEXT_MAX &&
           base32_may_end(r->n, r->digits[r->n - 1]);
}

static void add_end(struct reading *r)
{
    bool is_new = r->n_ends == 0 || r->ends[r->n_ends - 1] < r->n;

    if (is_new && r->n_ends < TOKEN_TEXT_TRIES && may_end(r))
        r->ends[r->n_ends++] = r->n;
}

/* The link stands there twice, with nothing between: "TOKENhttps:". */
static void drop_scheme(struct reading *r)
{
    for (size_t len = 5; len >= 4; len--) {
        if (r->n >= len &&
            slice_equal_nocase(slice_make(r->digits + r->n - len, len), slice_make("https", len))) {
            r->n -= len;
            if (r->n < r->n_tried)
                r->n_tried = 0; /* that was tried with the scheme */
            return;
        }
    }
}

static void read_text(struct reading *r)
{
    bool has_encoded = false;
    uint8_t c; /* the last one looked at */
    size_t len;

    /* Before the token stand breaks, and all that is neither a letter nor a digit. */
    while ((len = next_byte(r->p, r->end, &c)) > 0 && !is_alnum(c)) {
        size_t more = break_len(r);

        r->p += more ? more : len;
    }
    c = 0;
    while ((len = next_byte(r->p, r->end, &c)) > 0) {
        if (base32_canonical((char)c)) {
            if (len > 1 && !has_encoded) /* it may be text behind the token */
                add_end(r);
            has_encoded |= len > 1;
            if (r->n == TOKEN_TEXT_ROOM)
                return; /* too many for a token */
            r->digits[r->n++] = (char)c;
        } else if ((len = break_len(r)) > 0) {
            add_end(r);
        } else {
            break;
        }
        r->p += len;
    }
    if (c == ':')
        drop_scheme(r);
    if (!may_end(r))
        return;
    r->whole = r->n;
    if (r->n_ends > 0 && r->ends[r->n_ends - 1] == r->n)
        r->n_ends--;
}

static void add_try(struct token_tries *tries, const char *digits, size_t n)
{
    if (n > 0 && tries->n < TOKEN_TEXT_TRIES)
        tries->digits[tries->n++] = slice_make(digits, n);
}

void token_text_find_tries(struct slice text, struct token_tries *tries)
{
    const char *end = text.ptr + (text.len < TOKEN_TEXT_SEEN_MAX ? text.len : TOKEN_TEXT_SEEN_MAX);
    /* "=0A" is a line end, or a soft one and "0a…" of the token: the second is read only if there
     * is one of the first. */
    struct reading r[2] = {
        {.p = text.ptr, .end = end, .digits = tries->room[0], .takes_pairs = true},
        {.p = text.ptr, .end = end, .digits = tries->room[1]},
    };

    tries->n = 0;
    while (r[0].n_tried < text.len && base32_canonical(text.ptr[r[0].n_tried]))
        r[0].n_tried++;
    r[1].n_tried = r[0].n_tried;
    read_text(&r[0]);
    if (r[0].has_pair) {
        r[1].n_tried = r[0].pair_at > r[1].n_tried ? r[0].pair_at : r[1].n_tried;
        read_text(&r[1]);
    }
    add_try(tries, r[0].digits, r[0].whole);
    add_try(tries, r[1].digits, r[1].whole);
    for (unsigned i = 0; i < TOKEN_TEXT_TRIES; i++) {
        add_try(tries, r[0].digits, i < r[0].n_ends ? r[0].ends[i] : 0);
        add_try(tries, r[1].digits, i < r[1].n_ends ? r[1].ends[i] : 0);
    }
}
