#include "service/cli/batch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/csv.h"
#include "service/base/error.h"
#include "service/cli/command.h"
#include "service/cli/rows.h"
#include "service/config/site.h"

enum {
    OUT_BYTES = 1 << 20,                    /* written when so much is there */
    LINK_BYTES = 512 + 2 * SITE_TARGET_MAX, /* id, token, URL, expiry, commas: what a row adds */
};

struct batch {
    const struct batch_options *opt;
    struct linkform_maker maker;
    char *out;
    size_t out_len;
};

/* --- output --- */

static bool flush(struct batch *b, struct error *err)
{
    size_t at = 0;

    while (at < b->out_len) {
        ssize_t n = write(b->opt->out_fd, b->out + at, b->out_len - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int saved = errno;

            b->out_len = 0;
            error_set(err, "cannot write the links: %s", strerror(saved));
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

/* A list of invoices says when and how they were mailed, which is not how they are mailed now. */
static bool is_taken(const struct batch_options *options, uint8_t column)
{
    return !options->is_list || column == LINK_OBJECT || column == LINK_CLIENT;
}

/* The row's own fields, as many as there are columns, and the end of the line. */
static void put_row(struct batch *b, const struct rows_row *row)
{
    for (unsigned i = 0; i < row->n_columns; i++) {
        if (row->column[i] == ROWS_EMPTY || !is_taken(b->opt, row->column[i]))
            continue;
        put_char(b, ',');
        if (i < row->csv->n_fields)
            b->out_len += csv_write(row->csv->field[i], b->out + b->out_len);
    }
    put_char(b, '\n');
}

/* Of a kind that is not tracked id and token are empty, and the URL, its target's, may hold commas.
 */
static void put_link(struct batch *b, const struct link *link, const struct rows_row *row)
{
    static const char hex[] = "0123456789abcdef";

    for (int shift = 60; link->text_len > 0 && shift >= 0; shift -= 4)
        put_char(b, hex[link->token.link_id >> shift & 15]);
    put_char(b, ',');
    put(b, slice_make(link->text, link->text_len));
    put_char(b, ',');
    b->out_len += csv_write(slice_make(link->url, link->url_len), b->out + b->out_len);
    put_char(b, ',');
    put(b, slice_of(link->expires_at));
    put_row(b, row);
}

/* --- rows --- */

static void on_header(void *owner, const struct rows_row *header)
{
    put(owner, slice_of("id,token,url,expires_at"));
    put_row(owner, header);
}

/* The row's values, over those of the options. */
static struct linkform read_form(const struct batch_options *options, const struct rows_row *row)
{
    struct linkform own = {0}, form = *options->defaults;

    for (unsigned i = 0; i < row->n_columns; i++) {
        if (row->column[i] < LINK_FIELDS && is_taken(options, row->column[i]))
            own.field[row->column[i]] = rows_value(row, i);
    }
    /* These two say the same thing. */
    if (own.field[LINK_TTL].len > 0 || own.field[LINK_DUE].len > 0)
        form.field[LINK_TTL] = form.field[LINK_DUE] = (struct slice){0};
    for (int i = 0; i < LINK_FIELDS; i++) {
        if (own.field[i].len > 0)
            form.field[i] = own.field[i];
    }
    return form;
}

static enum rows_then on_row(void *owner, const struct rows_row *row, struct error *err)
{
    struct batch *b = owner;
    struct linkform form = read_form(b->opt, row);
    struct linkform_faults faults;
    struct link link;

    if (!linkform_make(&b->maker, &form, &link, &faults)) {
        linkform_set_error(err, &faults);
        return ROWS_BAD;
    }
    put_link(b, &link, row);
    return b->out_len < OUT_BYTES || flush(b, err) ? ROWS_GOOD : ROWS_STOP;
}

static const char *field_name(int field)
{
    return linkform_field_name((enum link_field)field);
}

/* Those that must be columns are options, too. */
static bool is_option(int field)
{
    (void)field;
    return true;
}

int batch_run(const struct batch_options *options)
{
    struct batch b = {.opt = options};
    const struct linkform *defaults = options->defaults;
    const struct rows_options rows = {
        .in_fd = options->in_fd,
        .n_fields = LINK_FIELDS,
        .field_name = field_name,
        .field_find = linkform_field_find,
        .is_option = is_option,
        .needed = (uint32_t)(defaults->field[LINK_KIND].len == 0) << LINK_KIND |
                  (uint32_t)(defaults->field[LINK_OBJECT].len == 0) << LINK_OBJECT,
        .example = "kind,object,client,…",
        .can_pass = true,
        .pass = options->pass || options->is_list,
        .show_progress = options->show_progress,
        .owner = &b,
        .on_header = on_header,
        .on_row = on_row,
    };
    struct rows_result result;
    struct error err = {0};
    bool ok;

    linkform_maker_init(&b.maker, options->site, options->now_s);
    b.out = malloc(OUT_BYTES + 2 * ROWS_ROW_MAX + LINK_BYTES);
    if (!b.out)
        return cli_fail("out of memory");
    ok = rows_read(&rows, &result);
    /* What was minted before a failure is not lost with it. */
    if (!flush(&b, &err)) {
        cli_fail_error(&err);
        ok = false;
    }
    if (result.n_bad > 0 && result.has_header)
        fprintf(stderr, "hopcount: %" PRIu64 " %s bad, %" PRIu64 " %s minted\n", result.n_bad,
                cli_noun(result.n_bad, "row was", "rows were"), result.n_good,
                cli_noun(result.n_good, "link", "links"));
    free(b.out);
    return ok && result.n_bad == 0 ? CLI_OK : CLI_FAILED;
}
