#include "service/cli/rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "service/base/error.h"
#include "service/base/log.h"
#include "service/cli/command.h"
#include "service/cli/progress.h"
#include "service/cli/utf8_input.h"

enum { ROW_MAX = ROWS_ROW_MAX, IN_BYTES = 1 << 20 };

/* What may separate columns, the likeliest first. */
static const char separators[] = ",;\t|";

struct rows {
    const struct rows_options *opt;
    struct rows_result *result;
    struct progress progress;
    struct utf8_input input;
    char *in;
    size_t in_at, in_len;
    bool at_end;        /* of the input */
    char separator;     /* of columns; 0 = not known yet */
    uint64_t line;      /* where the row at in_at starts, from 1 */
    unsigned n_columns; /* 0 = the header is still to come */
    uint8_t column[CSV_FIELDS_MAX];
};

/* --- rows --- */

void rows_print_fault(uint64_t line, const char *what)
{
    fprintf(stderr, "hopcount: line %" PRIu64 ": %s\n", line, what);
}

static void report(struct rows *r, const char *what)
{
    progress_wipe(&r->progress);
    rows_print_fault(r->line, what);
    r->result->n_bad++;
}

/* A value without the blanks around it, also those that don't break (U+00A0). */
static struct slice trim(struct slice value)
{
    struct slice no_break = slice_of("\xc2\xa0"), before;

    do {
        before = value = slice_trim(value);
        if (slice_starts_with(value, no_break))
            value = slice_make(value.ptr + no_break.len, value.len - no_break.len);
        if (value.len >= no_break.len &&
            memcmp(value.ptr + value.len - no_break.len, no_break.ptr, no_break.len) == 0)
            value.len -= no_break.len;
    } while (value.len != before.len);
    return value;
}

/* "the fields are: …", behind what is in `err`. */
static void add_field_names(const struct rows *r, struct error *err)
{
    size_t n = strlen(err->text);

    for (int f = 0; f < r->opt->n_fields && n < ERROR_TEXT_MAX; f++)
        n += (size_t)snprintf(err->text + n, ERROR_TEXT_MAX - n, " %s", r->opt->field_name(f));
}

static bool take_column(struct rows *r, unsigned i, struct slice name, uint32_t *seen,
                        struct error *err)
{
    int field = r->opt->field_find(name);
    char copy[64], quoted[LOG_QUOTE_MAX];

    if (name.len == 0 && !r->opt->pass) {
        r->column[i] = ROWS_EMPTY;
        return true;
    }
    snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(name));
    if (field < 0 && !r->opt->pass) {
        error_set(err, "there is no field %s;%s the fields are:", log_quote(quoted, copy),
                  r->opt->can_pass ? " --pass passes other columns through," : "");
        add_field_names(r, err);
        return false;
    }
    if (field >= 0 && *seen >> field & 1) {
        error_set(err, "there are two columns '%s'; remove one", r->opt->field_name(field));
        return false;
    }
    if (field >= 0)
        *seen |= 1U << field;
    r->column[i] = (uint8_t)(field >= 0 ? field : ROWS_PASSED);
    return true;
}

/* Else each row would say so. */
static bool has_needed_columns(const struct rows *r, uint32_t seen, struct error *err)
{
    for (int field = 0; field < r->opt->n_fields; field++) {
        const char *name = r->opt->field_name(field);

        if (!(r->opt->needed >> field & 1) || seen >> field & 1)
            continue;
        error_set(err, "there is no column '%s'; add it%s%s", name,
                  r->opt->is_option(field) ? ", or give --" : "",
                  r->opt->is_option(field) ? name : "");
        return false;
    }
    return true;
}

static bool take_header(struct rows *r, const struct csv_row *row)
{
    struct error err = {0};
    uint32_t seen = 0;

    for (unsigned i = 0; i < row->n_fields; i++) {
        if (!take_column(r, i, trim(row->field[i]), &seen, &err)) {
            report(r, err.text);
            return false;
        }
    }
    if (!has_needed_columns(r, seen, &err)) {
        report(r, err.text);
        return false;
    }
    r->n_columns = row->n_fields;
    if (r->opt->on_header)
        r->opt->on_header(r->opt->owner, &(struct rows_row){.line = r->line,
                                                            .n_columns = r->n_columns,
                                                            .column = r->column,
                                                            .csv = row});
    return true;
}

struct slice rows_value(const struct rows_row *row, unsigned i)
{
    struct slice value = i < row->csv->n_fields ? trim(row->csv->field[i]) : (struct slice){0};
    bool is_null = !(row->csv->quoted >> i & 1) &&
                   (slice_equal(value, slice_of("NULL")) || slice_equal(value, slice_of("\\N")));

    return is_null ? (struct slice){0} : value;
}

/* Programs leave fields at the end away when they are empty, or write some that no column has.  The
 * last row of a file that was cut off looks like that, too. */
static bool check_row(const struct rows *r, const struct csv_row *row, struct error *err)
{
    char copy[64], quoted[LOG_QUOTE_MAX];

    if (row->n_fields < r->n_columns && row->n_lines == 0) {
        error_set(err, "is cut off: has %u of %u fields and no line end", row->n_fields,
                  r->n_columns);
        return false;
    }
    for (unsigned i = 0; i < row->n_fields; i++) {
        struct slice value = trim(row->field[i]);

        if (value.len == 0 || (i < r->n_columns && r->column[i] != ROWS_EMPTY))
            continue;
        snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(value));
        if (i < r->n_columns)
            error_set(err, "column %u, which has no name, holds %s; name it%s", i + 1,
                      log_quote(quoted, copy), r->opt->can_pass ? ", or give --pass" : "");
        else
            error_set(err, "has %u fields, the header has %u", row->n_fields, r->n_columns);
        return false;
    }
    return true;
}

static bool take_row(struct rows *r, const struct csv_row *csv)
{
    const struct rows_row row = {
        .line = r->line, .n_columns = r->n_columns, .column = r->column, .csv = csv};
    struct error err = {0};
    enum rows_then then = ROWS_BAD;

    if (check_row(r, csv, &err))
        then = r->opt->on_row(r->opt->owner, &row, &err);
    switch (then) {
    case ROWS_GOOD:
        r->result->n_good++;
        break;
    case ROWS_BAD:
        report(r, err.text);
        break;
    case ROWS_STOP:
        progress_wipe(&r->progress);
        cli_fail("%s", err.text);
        return false;
    }
    return true;
}

/* --- input --- */

/* Makes room and reads more; false on a failure. */
static bool fill(struct rows *r)
{
    struct error err = {0};
    ssize_t n;

    memmove(r->in, r->in + r->in_at, r->in_len - r->in_at);
    r->in_len -= r->in_at;
    r->in_at = 0;
    n = utf8_input_read(&r->input, r->in + r->in_len, IN_BYTES - r->in_len, &err);
    if (n < 0) {
        progress_wipe(&r->progress);
        cli_fail("cannot read the rows: %s", err.text);
        return false;
    }
    r->at_end = n == 0;
    r->in_len += (size_t)n;
    return true;
}

/* Bytes of the line at in_at, without its end, as far as it is there. */
static size_t line_len(const struct rows *r)
{
    size_t have = r->in_len - r->in_at, n = 0;

    while (n < have && r->in[r->in_at + n] != '\n' && r->in[r->in_at + n] != '\r')
        n++;
    return n;
}

/* Moves behind `len` bytes, and the line end there. */
static void leave_line(struct rows *r, size_t len)
{
    const char *end;

    r->in_at += len;
    end = r->in + r->in_at;
    if (r->in_at + 1 < r->in_len && end[0] == '\r' && end[1] == '\n')
        r->in_at++;
    r->in_at += r->in_at < r->in_len;
    r->line++;
}

/* Whether the line at in_at, and the byte behind its end, are still to be read. */
static bool wants_more(const struct rows *r)
{
    return !r->at_end && line_len(r) + 1 >= r->in_len - r->in_at;
}

/* --- what separates the columns --- */

/* Whether a line holds nothing but blanks, separators and quotes. */
static bool is_blank_line(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (!strchr(" \"", line.ptr[i]) && !strchr(separators, line.ptr[i]))
            return false;
    }
    return !memchr(line.ptr, '\0', line.len);
}

/* Excel's own way to tell: a first line `sep=;`. */
static bool is_sep_line(struct slice line, char *separator)
{
    static const char sep_marks[] = ",;\t|:!#$%&*/<>?@\\^`~";

    if (line.len >= 2 && line.ptr[0] == '"' && line.ptr[line.len - 1] == '"')
        line = slice_make(line.ptr + 1, line.len - 2);
    if (line.len != 5 || !slice_equal_nocase(slice_make(line.ptr, 4), slice_of("sep=")) ||
        !memchr(sep_marks, line.ptr[4], strlen(sep_marks)))
        return false;
    *separator = line.ptr[4];
    return true;
}

/* The names of fields that a separator finds in the header, and the columns. */
static enum csv_status read_names(const struct rows *r, char separator, char *copy,
                                  unsigned *n_names, unsigned *n_columns)
{
    size_t have = r->in_len - r->in_at, len = have < ROW_MAX ? have : ROW_MAX;
    enum csv_status status;
    struct csv_row row;

    *n_names = *n_columns = 0;
    memcpy(copy, r->in + r->in_at, len);
    status = csv_read(copy, len, true, separator, &row);
    for (unsigned i = 0; status == CSV_OK && i < row.n_fields; i++)
        *n_names += r->opt->field_find(trim(row.field[i])) >= 0;
    *n_columns = status == CSV_OK ? row.n_fields : 0;
    return status;
}

/* The separator that finds the most names of fields in the header; if none finds any, the only one
 * that finds columns; 0: it can't be told. */
static char guess_separator(const struct rows *r, char *copy)
{
    unsigned best = 0, n_splitting = 0;
    char found = 0, splits = 0, faulty = 0;

    for (const char *separator = separators; *separator; separator++) {
        unsigned n_names, n_columns;

        if (read_names(r, *separator, copy, &n_names, &n_columns) != CSV_OK && faulty == 0)
            faulty = *separator;
        if (n_names > best) {
            best = n_names;
            found = *separator;
        }
        if (n_columns > 1) {
            n_splitting++;
            splits = *separator;
        }
    }
    if (best > 0)
        return found;
    if (n_splitting == 1)
        return splits;
    /* The fault is told when it is read. */
    return n_splitting == 0 ? faulty : 0;
}

static void report_no_separator(struct rows *r, struct slice line)
{
    char copy[64], quoted[LOG_QUOTE_MAX];
    struct error err = {0};

    snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(line));
    error_set(&err,
              "cannot tell what separates the columns of %s; a comma, a semicolon, a tab or a "
              "bar does, or what a line `sep=;` before it says. The fields are:",
              log_quote(quoted, copy));
    add_field_names(r, &err);
    report(r, err.text);
}

/* Looks at the next line, to find out what separates columns.  False: it's over. */
static bool seek_separator(struct rows *r)
{
    struct slice line;
    char *copy;

    if (wants_more(r) && r->in_len - r->in_at < ROW_MAX)
        return fill(r);
    line = slice_make(r->in + r->in_at, line_len(r));
    if (is_sep_line(line, &r->separator) || is_blank_line(line)) {
        leave_line(r, line.len);
        return true;
    }
    if (!(copy = malloc(ROW_MAX))) {
        cli_fail("out of memory");
        return false;
    }
    r->separator = line.len < ROW_MAX ? guess_separator(r, copy) : separators[0];
    free(copy);
    if (r->separator == 0)
        report_no_separator(r, line);
    return r->separator != 0;
}

/* --- reading --- */

static bool take_one(struct rows *r, enum csv_status status, struct csv_row *row)
{
    bool is_blank = status == CSV_OK, go_on = true;

    /* Rows of no-break spaces are blank to people, too. */
    for (unsigned i = 0; is_blank && i < row->n_fields; i++)
        is_blank = trim(row->field[i]).len == 0;
    if (status == CSV_QUOTES)
        report(r, "a quote is where none may be, or isn't closed; a field that holds quotes is "
                  "\"quoted, and each of its \"\"quotes\"\" doubled\"");
    else if (status == CSV_TOO_MANY)
        report(r, "has more than 64 fields");
    else if (memchr(r->in + r->in_at, '\0', row->len))
        report(r,
               "holds a zero byte; a table in UTF-16 needs a byte order mark, or must be saved as "
               "UTF-8");
    else if (is_blank)
        ;
    else if (r->n_columns == 0)
        go_on = take_header(r, row);
    else
        go_on = take_row(r, row);
    r->in_at += row->len;
    r->line += row->n_lines;
    return go_on && (r->n_columns > 0 || is_blank);
}

/* One row, or some more input; false: it's over, *ok says how. */
static bool step(struct rows *r, bool *ok)
{
    struct csv_row row = {.n_fields = 0};
    enum csv_status status = CSV_MORE;
    size_t have = r->in_len - r->in_at;

    *ok = false;
    if (have == 0 && r->at_end) {
        *ok = true;
        return false;
    }
    if (r->separator == 0)
        return seek_separator(r);
    if (have > 0)
        status = csv_read(r->in + r->in_at, have < ROW_MAX ? have : ROW_MAX,
                          r->at_end && have <= ROW_MAX, r->separator, &row);
    if (status != CSV_MORE)
        return take_one(r, status, &row);
    if (have >= ROW_MAX) { /* longer than any row may be: the line is skipped */
        report(r, "the row is longer than 64 KiB, or its quotes aren't closed");
        while (wants_more(r)) {
            r->in_at += line_len(r);
            if (!fill(r))
                return false;
        }
        leave_line(r, line_len(r));
        return r->n_columns > 0;
    }
    progress_update(&r->progress, r->input.read_len, r->result->n_good);
    return fill(r);
}

bool rows_read(const struct rows_options *options, struct rows_result *result)
{
    struct rows r = {.opt = options, .result = result, .line = 1};
    uint64_t size = 0;
    struct stat st;
    bool ok = false;

    *result = (struct rows_result){0};
    utf8_input_init(&r.input, options->in_fd);
    if (fstat(options->in_fd, &st) == 0 && S_ISREG(st.st_mode))
        size = (uint64_t)st.st_size;
    progress_init(&r.progress, options->show_progress, size);
    if (!(r.in = malloc(IN_BYTES))) {
        cli_fail("out of memory");
        goto out;
    }
    while (step(&r, &ok))
        ;
    progress_wipe(&r.progress);
    result->has_header = r.n_columns > 0;
    if (ok && !result->has_header) {
        cli_fail("the table is empty; its first line names the fields: %s", options->example);
        ok = false;
    }
out:
    utf8_input_clear(&r.input);
    free(r.in);
    return ok;
}
