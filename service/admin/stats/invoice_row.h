/* invoice_row.h - one row in a list of a campaign's invoices: read from the facts that Redis keeps
 * of the invoice, and written as JSON or CSV.  Pure. */
#ifndef ADMIN_INVOICE_ROW_H
#define ADMIN_INVOICE_ROW_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct stats_query;

struct invoice_row {
    uint32_t object, client;         /* client 0 = not known */
    uint8_t channel, variant;        /* of the newest mail or link of the campaign */
    int64_t sent_s, first_s, last_s; /* Unix; 0 = not known, never */
    const char *state;               /* NULL: not known */
};

enum { INVOICE_ROW_MAX = 320 }; /* bytes of a row as text */

/* Sums up the facts (funnel.h) that are of the query's campaign, variants and channels into `row`,
 * which holds zeros; of clicks, those on links of `kinds` (bits; 0 = all).  False: no mail or link
 * of the campaign was made in the period. */
MUST_USE bool invoice_row_read(struct slice facts, const struct stats_query *query, unsigned kinds,
                               struct invoice_row *row);

/* The names of the columns, with the end of the line. */
extern const char invoice_row_csv_head[];
/* A line of CSV, or an object of JSON; returns the length. */
size_t invoice_row_put_csv(char out[static INVOICE_ROW_MAX], const struct invoice_row *row);
size_t invoice_row_put_json(char out[static INVOICE_ROW_MAX], const struct invoice_row *row);

#endif
