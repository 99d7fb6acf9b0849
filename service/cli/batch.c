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
#include "service/config/site.h"

enum {
    ROW_MAX = 64 << 10,
    IN_BYTES = 1 << 20,
    OUT_BYTES = 1 << 20, /* written when so much is there */
    LINK_BYTES = 1024,   /* id, token twice, expiry, commas: what a row adds but the base URL */
    COLUMN_PASSED = LINK_FIELDS,
};

struct batch {
    const struct batch_options *opt;
    struct linkform_maker maker;
    struct progress progress;
    char *in, *out;
    size_t in_at, in_len, out_len;
    bool at_end;       /* of the input */
    uint64_t read_len; /* bytes of the input so far */
    uint64_t line;     /* where the row at in_at starts, from 1 */
    uint64_t n_links, n_bad;
    unsigned n_columns;             /* 0 = the header is still to come */
    uint8_t column[CSV_FIELDS_MAX]; /* enum link_field, or COLUMN_PASSED */
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

/* The row's own fields, and the end of the line. */
static void put_row(struct batch *b, const struct csv_row *row)
{
    for (unsigned i = 0; i < row->n_fields; i++) {
        put_char(b, ',');
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

/* Excel writes a byte order mark before the first name. */
static struct slice header_name(const struct csv_row *row, unsigned i)
{
    struct slice name = row->field[i];

    if (i == 0 && slice_starts_with(name, slice_of("\xef\xbb\xbf")))
        name = slice_make(name.ptr + 3, name.len - 3);
    return name;
}

static bool take_column(struct batch *b, unsigned i, struct slice name, uint32_t *seen,
                        struct error *err)
{
    int field = linkform_field_find(name);
    char copy[64], quoted[LOG_QUOTE_MAX];

    snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(name));
    if (field < 0 && !b->opt->pass) {
        size_t n;

        error_set(err, "there is no field %s; --pass passes other columns through, the fields are:",
                  log_quote(quoted, copy));
        n = strlen(err->text);
        for (int f = 0; f < LINK_FIELDS && n < ERROR_TEXT_MAX; f++)
            n += (size_t)snprintf(err->text + n, ERROR_TEXT_MAX - n, " %s",
                                  linkform_field_name((enum link_field)f));
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

static bool take_header(struct batch *b, struct csv_row *row)
{
    struct error err = {0};
    uint32_t seen = 0;

    row->field[0] = header_name(row, 0);
    for (unsigned i = 0; i < row->n_fields; i++) {
        if (!take_column(b, i, row->field[i], &seen, &err)) {
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

static void take_row(struct batch *b, const struct csv_row *row)
{
    struct linkform form = *b->opt->defaults;
    struct error err = {0};
    struct link link;

    if (row->n_fields != b->n_columns) {
        error_set(&err, "has %u fields, the header has %u", row->n_fields, b->n_columns);
        report(b, err.text);
        return;
    }
    for (unsigned i = 0; i < row->n_fields; i++) {
        if (b->column[i] != COLUMN_PASSED && row->field[i].len > 0)
            form.field[b->column[i]] = row->field[i];
    }
    if (!linkform_make(&b->maker, &form, &link, &err)) {
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
    ssize_t n;

    memmove(b->in, b->in + b->in_at, b->in_len - b->in_at);
    b->in_len -= b->in_at;
    b->in_at = 0;
    do
        n = read(b->opt->in_fd, b->in + b->in_len, IN_BYTES - b->in_len);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        int saved = errno;

        progress_wipe(&b->progress);
        cli_fail("cannot read the rows: %s", strerror(saved));
        return false;
    }
    b->at_end = n == 0;
    b->in_len += (size_t)n;
    b->read_len += (uint64_t)n;
    return true;
}

/* The row at in_at is longer than any may be: the line is skipped. */
static bool skip_line(struct batch *b)
{
    const char *end;

    report(b, "the row is longer than 64 KiB, or its quotes aren't closed");
    while (!(end = memchr(b->in + b->in_at, '\n', b->in_len - b->in_at)) && !b->at_end) {
        b->in_at = b->in_len;
        if (!fill(b))
            return false;
    }
    b->in_at = end ? (size_t)(end - b->in) + 1 : b->in_len;
    b->line++;
    return true;
}

static bool take_one(struct batch *b, enum csv_status status, struct csv_row *row)
{
    bool go_on = true;

    if (status == CSV_QUOTES)
        report(b, "a quote is where none may be, or isn't closed; a field that holds quotes is "
                  "\"quoted, and each of its \"\"quotes\"\" doubled\"");
    else if (status == CSV_TOO_MANY)
        report(b, "has more than 64 fields");
    else if (memchr(b->in + b->in_at, '\0', row->len))
        report(b, "holds a zero byte; a table that a program saved as Unicode or UTF-16 must be "
                  "saved as UTF-8");
    else if (row->is_blank)
        ;
    else if (b->n_columns == 0)
        go_on = take_header(b, row);
    else
        take_row(b, row);
    b->in_at += row->len;
    b->line += row->n_lines;
    return go_on && (b->n_columns > 0 || row->is_blank);
}

/* One row, or some more input; false: it's over, *ok says how. */
static bool step(struct batch *b, bool *ok)
{
    struct csv_row row = {.is_blank = false};
    enum csv_status status = CSV_MORE;
    size_t have = b->in_len - b->in_at;

    *ok = false;
    if (have == 0 && b->at_end) {
        *ok = true;
        return false;
    }
    if (have > 0)
        status = csv_read(b->in + b->in_at, have < ROW_MAX ? have : ROW_MAX,
                          b->at_end && have <= ROW_MAX, ',', &row);
    if (status != CSV_MORE)
        return take_one(b, status, &row) && (b->out_len < OUT_BYTES || flush(b));
    if (have >= ROW_MAX)
        return skip_line(b) && b->n_columns > 0;
    progress_update(&b->progress, b->read_len, b->n_links);
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
    free(b.in);
    free(b.out);
    return ok && b.n_bad == 0 ? CLI_OK : CLI_FAILED;
}
