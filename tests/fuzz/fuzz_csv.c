#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* Fields lie in their row, and written again they read the same. */
static void check_row(const struct csv_row *row, const char *text)
{
    require(row->n_fields >= 1 && row->n_fields <= CSV_FIELDS_MAX);
    for (unsigned i = 0; i < row->n_fields; i++) {
        struct slice field = row->field[i];
        char *out = malloc(2 * field.len + 3);
        struct csv_row again;
        size_t len;

        require(out && field.ptr >= text && field.ptr + field.len <= text + row->len);
        len = csv_write(field, out);
        require(len <= 2 * field.len + 2);
        if (len > 0) {
            require(csv_read(out, len, true, ',', &again) == CSV_OK);
            require(again.n_fields == 1 && again.len == len && slice_equal(again.field[0], field));
        }
        free(out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1);
    /* The first byte says what separates. */
    char separator = ",;\t|"[size ? data[0] % 4 : 0];
    size_t at = 0;

    require(text != NULL);
    memcpy(text, data, size);
    while (at < size) {
        struct csv_row row;
        enum csv_status status = csv_read(text + at, size - at, true, separator, &row);

        require(status != CSV_MORE && row.len > 0 && row.len <= size - at);
        if (status == CSV_OK)
            check_row(&row, text + at);
        at += row.len;
    }
    free(text);
    return 0;
}
