#include "proto/logline.h"

#include <stdbool.h>
#include <stdint.h>

struct writer {
    char *out;
    size_t len, max; /* what is written, and how much there is room for */
    bool is_full;
};

static void put(struct writer *w, const char *text, size_t len)
{
    if (w->max - w->len < len) {
        w->is_full = true;
        return;
    }
    memcpy(w->out + w->len, text, len);
    w->len += len;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* The length of the character of UTF-8 at the start of the text; 0: there is none (RFC 3629). */
static size_t utf8_len(struct slice s)
{
    const uint8_t *p = (const uint8_t *)s.ptr;
    size_t len = p[0] < 0x80                   ? 1
                 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                               : 0;

    if (len > s.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong, surrogates, beyond the last code point. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

static void put_control(struct writer *w, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    const char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

    put(w, escape, sizeof(escape));
}

/* A text in quotes; of one that was quoted in the line, `escaped`, without the line's escapes. */
static void put_text(struct writer *w, struct slice s, bool escaped)
{
    put(w, "\"", 1);
    while (s.len > 0) {
        size_t len = utf8_len(s), taken = len ? len : 1;
        unsigned char c = (unsigned char)s.ptr[0];
        bool is_escape = escaped && c == '\\' && s.len > 1;

        if (is_escape && s.ptr[1] == 'x' && s.len > 3 && hex_value(s.ptr[2]) >= 0 &&
            hex_value(s.ptr[3]) >= 0) {
            put_control(w, (unsigned char)((unsigned)hex_value(s.ptr[2]) << 4 |
                                           (unsigned)hex_value(s.ptr[3])));
            taken = 4;
        } else if (is_escape || c == '"' || c == '\\') {
            /* The line's other escapes, \" and \\, are JSON's. */
            const char pair[2] = {'\\', is_escape ? s.ptr[1] : (char)c};
            bool is_same = pair[1] == '"' || pair[1] == '\\';

            put(w, is_same ? pair : "\\\\", 2);
            taken = is_escape && is_same ? 2 : 1;
        } else if (c < 0x20 || c == 0x7f) {
            put_control(w, c);
        } else if (len == 0) {
            put(w, "\xef\xbf\xbd", 3);
        } else {
            put(w, s.ptr, len);
        }
        s = slice_make(s.ptr + taken, s.len - taken);
    }
    put(w, "\"", 1);
}

static size_t digits_at(struct slice s, size_t i)
{
    size_t n = 0;

    while (i + n < s.len && s.ptr[i + n] >= '0' && s.ptr[i + n] <= '9')
        n++;
    return n;
}

/* -12.5, without an exponent; link ids of digits only stay texts, for no program could keep all of
 * them: 15 digits at most. */
static bool is_number(struct slice s)
{
    size_t i = s.len > 0 && s.ptr[0] == '-', n = digits_at(s, i);

    if (n == 0 || s.len > 15 || (n > 1 && s.ptr[i] == '0'))
        return false;
    i += n;
    if (i < s.len && s.ptr[i] == '.') {
        n = digits_at(s, i + 1);
        i += n > 0 ? n + 1 : 0;
    }
    return i == s.len;
}

/* Takes the next pair off the line; a value in quotes without them. */
static bool take_pair(struct slice *line, struct slice *key, struct slice *value, bool *quoted)
{
    while (line->len > 0) {
        size_t i = 0, start;

        while (i < line->len && line->ptr[i] != '=' && line->ptr[i] != ' ')
            i++;
        *key = slice_make(line->ptr, i);
        if (i == line->len || line->ptr[i] == ' ' || i == 0) {
            i += i < line->len;
            *line = slice_make(line->ptr + i, line->len - i);
            continue;
        }
        start = ++i;
        *quoted = i < line->len && line->ptr[i] == '"';
        if (*quoted) {
            start = ++i;
            while (i < line->len && line->ptr[i] != '"')
                i += line->ptr[i] == '\\' && i + 1 < line->len ? 2 : 1;
        } else {
            while (i < line->len && line->ptr[i] != ' ')
                i++;
        }
        *value = slice_make(line->ptr + start, i - start);
        i += i < line->len;
        *line = slice_make(line->ptr + i, line->len - i);
        return true;
    }
    return false;
}

size_t logline_to_json(struct slice line, char *out, size_t out_max)
{
    struct writer w = {.out = out, .max = out_max - 2}; /* "}" and NUL */
    struct slice key, value;
    bool quoted;

    put(&w, "{", 1);
    while (!w.is_full && take_pair(&line, &key, &value, &quoted)) {
        size_t before = w.len;

        if (before > 1)
            put(&w, ",", 1);
        put_text(&w, key, false);
        put(&w, ":", 1);
        if (!quoted && (is_number(value) || slice_equal(value, slice_of("true")) ||
                        slice_equal(value, slice_of("false"))))
            put(&w, value.ptr, value.len);
        else
            put_text(&w, value, quoted);
        if (w.is_full)
            w.len = before;
    }
    out[w.len++] = '}';
    out[w.len] = '\0';
    return w.len;
}
