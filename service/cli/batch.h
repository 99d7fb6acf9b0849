/* batch.h - mints a link per row of a table: CSV in, CSV out. */
#ifndef CLI_BATCH_H
#define CLI_BATCH_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/config/linkform.h"

struct batch_options {
    const struct site *site;
    const struct linkform *defaults; /* values for columns that are absent or empty */
    int64_t now_s;
    int in_fd, out_fd;
    bool is_list; /* of invoices, as the API writes it: object and client are taken of each row */
    bool pass;    /* unknown columns are passed through instead of refused */
    bool show_progress;
};

/* Reads in_fd to its end and writes to out_fd.  Bad rows are reported to stderr with their line.
 * CLI_OK; CLI_FAILED when there was a bad row, a bad header or a failure to read or write. */
MUST_USE int batch_run(const struct batch_options *options);

#endif
