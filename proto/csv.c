#include "proto/csv.h"

#include <string.h>

/* The text being read. */
struct source {
    const char *text;
    size_t len;
    bool is_end; /* no more will come */
    char separator;
};

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

/* Moves `*at` behind blanks. */
static void skip_blanks(const struct source *in, size_t *at)
{
    while (*at < in->len && (in->text[*at] == ' ' || in->text[*at] == '\t') &&
           in->text[*at] != in->separator)
        (*at)++;
}

/* Reads a field without quotes from `*at` on, which is left on what ends it. */
static enum csv_status read_plain(const struct source *in, size_t *at, struct slice *field)
{
    size_t i = *at;

    while (i < in->len && in->text[i] != in->separator && !is_line_end(in->text[i])) {
        if (in->text[i] == '"' && in->separator != '\t')
            return CSV_QUOTES;
        i++;
    }
    if (i == in->len && !in->is_end)
        return CSV_MORE;
    *field = slice_make(in->text + *at, i - *at);
    *at = i;
    return CSV_OK;
}

/* The same for a field whose first quote is at `*at`; doubled quotes stay in it. */
static enum csv_status read_quoted(const struct source *in, size_t *at, struct slice *field)
{
    size_t start = *at + 1, i = start;
    const char *quote;

    for (;; i += 2) {
        quote = i < in->len ? memchr(in->text + i, '"', in->len - i) : NULL;
        if (!quote)
            return in->is_end ? CSV_QUOTES : CSV_MORE;
        i = (size_t)(quote - in->text);
        if (i + 1 == in->len && !in->is_end)
            return CSV_MORE;
        if (i + 1 == in->len || in->text[i + 1] != '"')
            break;
    }
    *field = slice_make(in->text + start, i - start);
    *at = i + 1;
    skip_blanks(in, at);
    if (*at == in->len)
        return in->is_end ? CSV_OK : CSV_MORE;
    return in->text[*at] == in->separator || is_line_end(in->text[*at]) ? CSV_OK : CSV_QUOTES;
}

static enum csv_status read_field(const struct source *in, size_t *at, struct slice *field,
                                  bool *is_quoted)
{
    size_t first = *at;

    skip_blanks(in, &first);
    *is_quoted = first < in->len && in->text[first] == '"';
    if (!*is_quoted)
        return read_plain(in, at, field);
    *at = first;
    return read_quoted(in, at, field);
}

/* Moves `*at` behind the end of the row: LF, CRLF, CR, or nothing. */
static enum csv_status read_row_end(const struct source *in, size_t *at)
{
    if (*at < in->len && in->text[*at] == '\r') {
        if (*at + 1 == in->len && !in->is_end)
            return CSV_MORE; /* an LF may follow */
        (*at)++;
        *at += *at < in->len && in->text[*at] == '\n';
    } else {
        *at += *at < in->len;
    }
    return CSV_OK;
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
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n' || (text[i] == '\r' && (i + 1 == len || text[i + 1] != '\n'));
    return n;
}

/* The row goes as far as its first line. */
static enum csv_status give_up(enum csv_status status, const struct source *in, struct csv_row *row)
{
    size_t at = 0;

    while (at < in->len && !is_line_end(in->text[at]))
        at++;
    if ((at == in->len && !in->is_end) || read_row_end(in, &at) == CSV_MORE)
        return CSV_MORE;
    row->len = at;
    row->n_lines = count_lines(in->text, at);
    return status;
}

enum csv_status csv_read(char *text, size_t len, bool is_end, char separator, struct csv_row *row)
{
    const struct source in = {.text = text, .len = len, .is_end = is_end, .separator = separator};
    enum csv_status status = CSV_OK;
    size_t at = 0;

    _Static_assert(CSV_FIELDS_MAX <= 64, "a bit per field");
    row->n_fields = 0;
    row->quoted = 0;
    for (;; at++) {
        bool is_quoted;

        if (row->n_fields == CSV_FIELDS_MAX)
            return give_up(CSV_TOO_MANY, &in, row);
        status = read_field(&in, &at, &row->field[row->n_fields], &is_quoted);
        if (status == CSV_QUOTES)
            return give_up(CSV_QUOTES, &in, row);
        if (status == CSV_MORE)
            return CSV_MORE;
        row->quoted |= (uint64_t)is_quoted << row->n_fields++;
        if (at == len || text[at] != separator)
            break;
    }
    if (read_row_end(&in, &at) == CSV_MORE)
        return CSV_MORE;
    row->len = at;
    row->n_lines = row->quoted ? count_lines(text, at) : is_line_end(text[at - 1]);
    for (unsigned i = 0; i < row->n_fields; i++) {
        if (row->quoted >> i & 1)
            undouble(text, &row->field[i]);
    }
    return CSV_OK;
}

bool csv_needs_quotes(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == ',' || value.ptr[i] == '"' || is_line_end(value.ptr[i]))
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

bool csv_is_formula(struct slice value)
{
    static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
                                       "\xef\xbc\xa0"};

    if (value.len == 0)
        return false;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        if (slice_starts_with(value, slice_of(wide[i])))
            return true;
    }
    return memchr("=+-@\t\r\n", value.ptr[0], 7) != NULL;
}
