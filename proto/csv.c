#include "proto/csv.h"

#include <stdint.h>
#include <string.h>

static bool is_special(char c)
{
    return c == ',' || c == '\n' || c == '"' || c == '\r';
}

/* Reads a field without quotes from `*at` on, which is left on what ends it. */
static enum csv_status read_plain(const char *text, size_t len, bool is_end, size_t *at,
                                  struct slice *field)
{
    size_t start = *at, i = start;

    for (; i < len; i++) {
        if (!is_special(text[i]))
            continue;
        if (text[i] == '"')
            return CSV_QUOTES;
        if (text[i] != '\r')
            break;
        if (i + 1 == len ? is_end : text[i + 1] == '\n')
            break;
    }
    if (i == len && !is_end)
        return CSV_MORE;
    *field = slice_make(text + start, i - start);
    *at = i;
    return CSV_OK;
}

/* The same for a field whose first quote is at `*at`; doubled quotes stay in it. */
static enum csv_status read_quoted(const char *text, size_t len, bool is_end, size_t *at,
                                   struct slice *field)
{
    size_t start = *at + 1, i = start;
    const char *quote;

    for (;; i += 2) {
        quote = i < len ? memchr(text + i, '"', len - i) : NULL;
        if (!quote)
            return is_end ? CSV_QUOTES : CSV_MORE;
        i = (size_t)(quote - text);
        if (i + 1 == len && !is_end)
            return CSV_MORE;
        if (i + 1 == len || text[i + 1] != '"')
            break;
    }
    *field = slice_make(text + start, i - start);
    *at = ++i;
    if (i == len || text[i] == ',' || text[i] == '\n')
        return CSV_OK;
    if (text[i] != '\r')
        return CSV_QUOTES;
    if (i + 1 == len)
        return is_end ? CSV_OK : CSV_MORE;
    return text[i + 1] == '\n' ? CSV_OK : CSV_QUOTES;
}

/* Doubled quotes become one, in place. */
static void undouble(char *text, struct slice *field)
{
    char *to = text + (field->ptr - text);
    size_t n = 0;

    for (size_t i = 0; i < field->len; i++, n++) {
        to[n] = field->ptr[i];
        if (to[n] == '"')
            i++;
    }
    field->len = n;
}

static size_t count_lines(const char *text, size_t len)
{
    const char *end = text + len, *at = text;
    size_t n = 0;

    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        n++;
        at++;
    }
    return n;
}

/* The row goes as far as its first line. */
static enum csv_status give_up(enum csv_status status, const char *text, size_t len, bool is_end,
                               struct csv_row *row)
{
    const char *end = memchr(text, '\n', len);

    if (!end && !is_end)
        return CSV_MORE;
    row->len = end ? (size_t)(end - text) + 1 : len;
    row->n_lines = end ? 1 : 0;
    return status;
}

enum csv_status csv_read(char *text, size_t len, bool is_end, struct csv_row *row)
{
    enum csv_status status = CSV_OK;
    uint64_t quoted = 0;
    size_t at = 0;

    _Static_assert(CSV_FIELDS_MAX <= 64, "a bit per field");
    row->n_fields = 0;
    for (;;) {
        struct slice *field = &row->field[row->n_fields];
        bool is_quoted = at < len && text[at] == '"';

        if (row->n_fields == CSV_FIELDS_MAX)
            return give_up(CSV_TOO_MANY, text, len, is_end, row);
        status = is_quoted ? read_quoted(text, len, is_end, &at, field)
                           : read_plain(text, len, is_end, &at, field);
        if (status == CSV_QUOTES)
            return give_up(CSV_QUOTES, text, len, is_end, row);
        if (status == CSV_MORE)
            return CSV_MORE;
        quoted |= (uint64_t)is_quoted << row->n_fields++;
        if (at == len || text[at] != ',')
            break;
        at++;
    }
    at += at < len && text[at] == '\r';
    at += at < len && text[at] == '\n';
    row->len = at;
    row->is_blank = row->n_fields == 1 && row->field[0].len == 0 && quoted == 0;
    row->n_lines = quoted ? count_lines(text, at) : at > 0 && text[at - 1] == '\n';
    for (unsigned i = 0; quoted; i++, quoted >>= 1) {
        if (quoted & 1)
            undouble(text, &row->field[i]);
    }
    return CSV_OK;
}

bool csv_needs_quotes(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (is_special(value.ptr[i]))
            return true;
    }
    return false;
}

size_t csv_write(struct slice value, char *out)
{
    size_t n = 0;

    if (!csv_needs_quotes(value)) {
        if (value.len > 0)
            memcpy(out, value.ptr, value.len);
        return value.len;
    }
    out[n++] = '"';
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"')
            out[n++] = '"';
        out[n++] = value.ptr[i];
    }
    out[n++] = '"';
    return n;
}
