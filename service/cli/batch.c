#include "service/cli/batch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/csv.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/cli/command.h"
#include "service/cli/progress.h"
#include "service/cli/utf8_input.h"
#include "service/config/site.h"

enum {
    ROW_MAX = 64 << 10,
    IN_BYTES = 1 << 20,
    OUT_BYTES = 1 << 20, /* written when so much is there */
    LINK_BYTES = 1024,   /* id, token twice, expiry, commas: what a row adds but the base URL */
    COLUMN_PASSED = LINK_FIELDS,
    COLUMN_EMPTY, /* without a name, and nothing may stand in it */
};

/* What may separate columns, the likeliest first. */
static const char separators[] = ",;\t|";

struct batch {
    const struct batch_options *opt;
    struct linkform_maker maker;
    struct progress progress;
    struct utf8_input input;
    char *in, *out;
    size_t in_at, in_len, out_len;
    bool at_end;    /* of the input */
    char separator; /* of columns; 0 = not known yet */
    uint64_t line;  /* where the row at in_at starts, from 1 */
    uint64_t n_links, n_bad;
    unsigned n_columns;             /* 0 = the header is still to come */
    uint8_t column[CSV_FIELDS_MAX]; /* enum link_field, COLUMN_PASSED or COLUMN_EMPTY */
};

/* --- output --- */

static bool flush(struct batch *b)
{
    size_t at = 0;

    while (at < b->out_len) {
        ssize_t n = write(b->opt->out_fd, b->out + at, b->out_len - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int saved = errno;

            b->out_len = 0;
            progress_wipe(&b->progress);
            cli_fail("cannot write the links: %s", strerror(saved));
            return false;
        }
        at += (size_t)n;
    }
    b->out_len = 0;
    return true;
}

static void put(struct batch *b, struct slice text)
{
    memcpy(b->out + b->out_len, text.ptr, text.len);
    b->out_len += text.len;
}

static void put_char(struct batch *b, char c)
{
    b->out[b->out_len++] = c;
}

/* The row's own fields, as many as there are columns, and the end of the line. */
static void put_row(struct batch *b, const struct csv_row *row)
{
    for (unsigned i = 0; i < b->n_columns; i++) {
        if (b->column[i] == COLUMN_EMPTY)
            continue;
        put_char(b, ',');
        if (i < row->n_fields)
            b->out_len += csv_write(row->field[i], b->out + b->out_len);
    }
    put_char(b, '\n');
}

static void put_id(struct batch *b, uint64_t link_id)
{
    static const char hex[] = "0123456789abcdef";

    for (int shift = 60; shift >= 0; shift -= 4)
        put_char(b, hex[link_id >> shift & 15]);
}

static void put_link(struct batch *b, const struct link *link, const struct csv_row *row)
{
    put_id(b, link->token.link_id);
    put_char(b, ',');
    put(b, slice_make(link->text, link->text_len));
    put_char(b, ',');
    put(b, slice_of(link->brand->base_url));
    put_char(b, '/');
    put(b, slice_make(link->text, link->text_len));
    put_char(b, ',');
    put(b, slice_of(link->expires_at));
    put_row(b, row);
}

/* --- rows --- */

static void report(struct batch *b, const char *what)
{
    progress_wipe(&b->progress);
    fprintf(stderr, "hopcount: line %" PRIu64 ": %s\n", b->line, what);
    b->n_bad++;
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
static void add_field_names(struct error *err)
{
    size_t n = strlen(err->text);

    for (int f = 0; f < LINK_FIELDS && n < ERROR_TEXT_MAX; f++)
        n += (size_t)snprintf(err->text + n, ERROR_TEXT_MAX - n, " %s",
                              linkform_field_name((enum link_field)f));
}

static bool take_column(struct batch *b, unsigned i, struct slice name, uint32_t *seen,
                        struct error *err)
{
    int field = linkform_field_find(name);
    char copy[64], quoted[LOG_QUOTE_MAX];

    if (name.len == 0 && !b->opt->pass) {
        b->column[i] = COLUMN_EMPTY;
        return true;
    }
    snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(name));
    if (field < 0 && !b->opt->pass) {
        error_set(err, "there is no field %s; --pass passes other columns through, the fields are:",
                  log_quote(quoted, copy));
        add_field_names(err);
        return false;
    }
    if (field >= 0 && *seen >> field & 1) {
        error_set(err, "there are two columns '%s'; remove one",
                  linkform_field_name((enum link_field)field));
        return false;
    }
    if (field >= 0)
        *seen |= 1U << field;
    b->column[i] = (uint8_t)(field >= 0 ? field : COLUMN_PASSED);
    return true;
}

/* Else each row would say so. */
static bool has_needed_columns(const struct batch *b, uint32_t seen, struct error *err)
{
    static const enum link_field needed[] = {LINK_KIND, LINK_OBJECT};

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        const char *name = linkform_field_name(needed[i]);

        if (!(seen >> needed[i] & 1) && b->opt->defaults->field[needed[i]].len == 0) {
            error_set(err, "there is no column '%s'; add it, or give --%s", name, name);
            return false;
        }
    }
    return true;
}

static bool take_header(struct batch *b, const struct csv_row *row)
{
    struct error err = {0};
    uint32_t seen = 0;

    for (unsigned i = 0; i < row->n_fields; i++) {
        if (!take_column(b, i, trim(row->field[i]), &seen, &err)) {
            report(b, err.text);
            return false;
        }
    }
    if (!has_needed_columns(b, seen, &err)) {
        report(b, err.text);
        return false;
    }
    b->n_columns = row->n_fields;
    put(b, slice_of("id,token,url,expires_at"));
    put_row(b, row);
    return true;
}

/* A field's value; empty also for the two marks by which database clients write that there is none.
 */
static struct slice row_value(const struct csv_row *row, unsigned i)
{
    struct slice value = i < row->n_fields ? trim(row->field[i]) : (struct slice){0};
    bool is_null = !(row->quoted >> i & 1) &&
                   (slice_equal(value, slice_of("NULL")) || slice_equal(value, slice_of("\\N")));

    return is_null ? (struct slice){0} : value;
}

/* Programs leave fields at the end away when they are empty, or write some that no column has.  The
 * last row of a file that was cut off looks like that, too. */
static bool check_row(const struct batch *b, const struct csv_row *row, struct error *err)
{
    char copy[64], quoted[LOG_QUOTE_MAX];

    if (row->n_fields < b->n_columns && row->n_lines == 0) {
        error_set(err, "is cut off: has %u of %u fields and no line end", row->n_fields,
                  b->n_columns);
        return false;
    }
    for (unsigned i = 0; i < row->n_fields; i++) {
        struct slice value = trim(row->field[i]);

        if (value.len == 0 || (i < b->n_columns && b->column[i] != COLUMN_EMPTY))
            continue;
        snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(value));
        if (i < b->n_columns)
            error_set(err, "column %u, which has no name, holds %s; name it, or give --pass", i + 1,
                      log_quote(quoted, copy));
        else
            error_set(err, "has %u fields, the header has %u", row->n_fields, b->n_columns);
        return false;
    }
    return true;
}

static void take_row(struct batch *b, const struct csv_row *row)
{
    struct linkform form = *b->opt->defaults;
    struct linkform_fault fault;
    struct error err = {0};
    struct link link;

    if (!check_row(b, row, &err)) {
        report(b, err.text);
        return;
    }
    for (unsigned i = 0; i < b->n_columns; i++) {
        struct slice value = b->column[i] < LINK_FIELDS ? row_value(row, i) : (struct slice){0};

        if (value.len == 0)
            continue;
        form.field[b->column[i]] = value;
        /* The row's own, over an option that says it otherwise. */
        if (b->column[i] == LINK_DUE &&
            form.field[LINK_TTL].ptr == b->opt->defaults->field[LINK_TTL].ptr)
            form.field[LINK_TTL] = (struct slice){0};
        if (b->column[i] == LINK_TTL &&
            form.field[LINK_DUE].ptr == b->opt->defaults->field[LINK_DUE].ptr)
            form.field[LINK_DUE] = (struct slice){0};
    }
    if (!linkform_make(&b->maker, &form, &link, &fault)) {
        error_set(&err, "%s%s%s", fault.field ? fault.field : "", fault.field ? ": " : "",
                  fault.detail);
        report(b, err.text);
        return;
    }
    put_link(b, &link, row);
    b->n_links++;
}

/* --- input --- */

/* Makes room and reads more; false on a failure. */
static bool fill(struct batch *b)
{
    struct error err = {0};
    ssize_t n;

    memmove(b->in, b->in + b->in_at, b->in_len - b->in_at);
    b->in_len -= b->in_at;
    b->in_at = 0;
    n = utf8_input_read(&b->input, b->in + b->in_len, IN_BYTES - b->in_len, &err);
    if (n < 0) {
        progress_wipe(&b->progress);
        cli_fail("cannot read the rows: %s", err.text);
        return false;
    }
    b->at_end = n == 0;
    b->in_len += (size_t)n;
    return true;
}

/* Bytes of the line at in_at, without its end, as far as it is there. */
static size_t line_len(const struct batch *b)
{
    size_t have = b->in_len - b->in_at, n = 0;

    while (n < have && b->in[b->in_at + n] != '\n' && b->in[b->in_at + n] != '\r')
        n++;
    return n;
}

/* Moves behind `len` bytes, and the line end there. */
static void leave_line(struct batch *b, size_t len)
{
    const char *end;

    b->in_at += len;
    end = b->in + b->in_at;
    if (b->in_at + 1 < b->in_len && end[0] == '\r' && end[1] == '\n')
        b->in_at++;
    b->in_at += b->in_at < b->in_len;
    b->line++;
}

/* Whether the line at in_at, and the byte behind its end, are still to be read. */
static bool wants_more(const struct batch *b)
{
    return !b->at_end && line_len(b) + 1 >= b->in_len - b->in_at;
}

/* The row at in_at is longer than any may be: the line is skipped. */
static bool skip_line(struct batch *b)
{
    report(b, "the row is longer than 64 KiB, or its quotes aren't closed");
    while (wants_more(b)) {
        b->in_at += line_len(b);
        if (!fill(b))
            return false;
    }
    leave_line(b, line_len(b));
    return true;
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
static enum csv_status read_names(const struct batch *b, char separator, char *copy,
                                  unsigned *n_names, unsigned *n_columns)
{
    size_t have = b->in_len - b->in_at, len = have < ROW_MAX ? have : ROW_MAX;
    enum csv_status status;
    struct csv_row row;

    *n_names = *n_columns = 0;
    memcpy(copy, b->in + b->in_at, len);
    status = csv_read(copy, len, true, separator, &row);
    for (unsigned i = 0; status == CSV_OK && i < row.n_fields; i++)
        *n_names += linkform_field_find(trim(row.field[i])) >= 0;
    *n_columns = status == CSV_OK ? row.n_fields : 0;
    return status;
}

/* The separator that finds the most names of fields in the header; if none finds any, the only one
 * that finds columns; 0: it can't be told. */
static char guess_separator(const struct batch *b, char *copy)
{
    unsigned best = 0, n_splitting = 0;
    char found = 0, splits = 0, faulty = 0;

    for (const char *separator = separators; *separator; separator++) {
        unsigned n_names, n_columns;

        if (read_names(b, *separator, copy, &n_names, &n_columns) != CSV_OK && faulty == 0)
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

static void report_no_separator(struct batch *b, struct slice line)
{
    char copy[64], quoted[LOG_QUOTE_MAX];
    struct error err = {0};

    snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(line));
    error_set(&err,
              "it can't be told what separates the columns of %s; a comma, a semicolon, a tab or a "
              "bar does, or what a line `sep=;` before it says. The fields are:",
              log_quote(quoted, copy));
    add_field_names(&err);
    report(b, err.text);
}

/* Looks at the next line, to find out what separates columns.  False: it's over. */
static bool seek_separator(struct batch *b)
{
    struct slice line;
    char *copy;

    if (wants_more(b) && b->in_len - b->in_at < ROW_MAX)
        return fill(b);
    line = slice_make(b->in + b->in_at, line_len(b));
    if (is_sep_line(line, &b->separator) || is_blank_line(line)) {
        leave_line(b, line.len);
        return true;
    }
    if (!(copy = malloc(ROW_MAX))) {
        cli_fail("out of memory");
        return false;
    }
    b->separator = line.len < ROW_MAX ? guess_separator(b, copy) : separators[0];
    free(copy);
    if (b->separator == 0)
        report_no_separator(b, line);
    return b->separator != 0;
}

/* --- reading --- */

/* Rows of no-break spaces are blank to people, too. */
static bool has_no_value(const struct csv_row *row)
{
    for (unsigned i = 0; i < row->n_fields; i++) {
        if (trim(row->field[i]).len > 0)
            return false;
    }
    return true;
}

static bool take_one(struct batch *b, enum csv_status status, struct csv_row *row)
{
    bool is_blank = status == CSV_OK && has_no_value(row), go_on = true;

    if (status == CSV_QUOTES)
        report(b, "a quote is where none may be, or isn't closed; a field that holds quotes is "
                  "\"quoted, and each of its \"\"quotes\"\" doubled\"");
    else if (status == CSV_TOO_MANY)
        report(b, "has more than 64 fields");
    else if (memchr(b->in + b->in_at, '\0', row->len))
        report(b,
               "holds a zero byte; a table in UTF-16 needs a byte order mark, or must be saved as "
               "UTF-8");
    else if (is_blank)
        ;
    else if (b->n_columns == 0)
        go_on = take_header(b, row);
    else
        take_row(b, row);
    b->in_at += row->len;
    b->line += row->n_lines;
    return go_on && (b->n_columns > 0 || is_blank);
}

/* One row, or some more input; false: it's over, *ok says how. */
static bool step(struct batch *b, bool *ok)
{
    struct csv_row row = {.n_fields = 0};
    enum csv_status status = CSV_MORE;
    size_t have = b->in_len - b->in_at;

    *ok = false;
    if (have == 0 && b->at_end) {
        *ok = true;
        return false;
    }
    if (b->separator == 0)
        return seek_separator(b);
    if (have > 0)
        status = csv_read(b->in + b->in_at, have < ROW_MAX ? have : ROW_MAX,
                          b->at_end && have <= ROW_MAX, b->separator, &row);
    if (status != CSV_MORE)
        return take_one(b, status, &row) && (b->out_len < OUT_BYTES || flush(b));
    if (have >= ROW_MAX)
        return skip_line(b) && b->n_columns > 0;
    progress_update(&b->progress, b->input.read_len, b->n_links);
    return fill(b);
}

static uint64_t input_size(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

static size_t longest_base_url(const struct site *site)
{
    size_t longest = 0;

    for (unsigned i = 0; i < site_n_brands(site); i++) {
        size_t len = strlen(site_brand_at(site, i)->base_url);

        longest = len > longest ? len : longest;
    }
    return longest;
}

int batch_run(const struct batch_options *options)
{
    struct batch b = {.opt = options, .line = 1};
    bool ok = false;

    utf8_input_init(&b.input, options->in_fd);
    linkform_maker_init(&b.maker, options->site, options->now_s);
    progress_init(&b.progress, options->show_progress, input_size(options->in_fd));
    b.in = malloc(IN_BYTES);
    b.out = malloc(OUT_BYTES + 2 * ROW_MAX + LINK_BYTES + longest_base_url(options->site));
    if (!b.in || !b.out) {
        cli_fail("out of memory");
        goto out;
    }
    while (step(&b, &ok))
        ;
    /* What was minted before a failure is not lost with it. */
    ok = flush(&b) && ok;
    progress_wipe(&b.progress);
    if (ok && b.n_columns == 0)
        ok =
            cli_fail("the table is empty; its first line names the fields: kind,object,client,…") ==
            CLI_OK;
    if (b.n_bad > 0 && b.n_columns > 0)
        fprintf(stderr, "hopcount: %" PRIu64 " rows were bad, %" PRIu64 " links minted\n", b.n_bad,
                b.n_links);
out:
    utf8_input_clear(&b.input);
    free(b.in);
    free(b.out);
    return ok && b.n_bad == 0 ? CLI_OK : CLI_FAILED;
}
