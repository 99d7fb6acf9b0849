#include "service/config/asnfile.h"

#include <stdlib.h>
#include <string.h>

#include "proto/number.h"
#include "proto/slice.h"
#include "service/base/error.h"
#include "service/config/linefile.h"

bool asn_list_add(struct asn_list *list, uint32_t number)
{
    if (list->n == list->max) {
        unsigned max = list->max ? 2 * list->max : 64;
        uint32_t *numbers = realloc(list->numbers, max * sizeof(*numbers));

        if (!numbers)
            return false;
        list->numbers = numbers;
        list->max = max;
    }
    list->numbers[list->n++] = number;
    return true;
}

/* "AS22843", "22843,\"Proofpoint", "\"22843\",\"Proofpoint"; 0 = no number, or none that an
 * autonomous system can have. */
static uint32_t parse_asn(struct slice field)
{
    struct slice rest = field, digits;
    uint32_t number = 0;

    if (rest.len > 0 && rest.ptr[0] == '"')
        rest = slice_make(rest.ptr + 1, rest.len - 1);
    if (rest.len >= 2 && slice_equal_nocase(slice_make(rest.ptr, 2), slice_of("AS")))
        rest = slice_make(rest.ptr + 2, rest.len - 2);
    digits = slice_make(rest.ptr, 0);
    while (digits.len < rest.len && !memchr(",;#\"", rest.ptr[digits.len], 4))
        digits.len++;
    return number_parse_u32(digits, UINT32_MAX, &number) ? number : 0;
}

/* "ASN", "asn_number": begins so, and has no digit. */
static bool names_columns(struct slice field)
{
    struct slice word = field;

    if (word.len > 0 && word.ptr[0] == '"')
        word = slice_make(word.ptr + 1, word.len - 1);
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] >= '0' && word.ptr[i] <= '9')
            return false;
    }
    return word.len >= 3 && slice_equal_nocase(slice_make(word.ptr, 3), slice_of("asn"));
}

bool asnfile_load(const char *path, struct asn_list *list, struct error *err)
{
    struct linefile *file = linefile_load(path, 0, err);
    struct linefile_line line;
    bool is_first = true, ok = false;

    if (!file)
        return false;
    for (; linefile_next(file, &line); is_first = false) {
        uint32_t number = parse_asn(line.field[0]);

        if (number == 0 && is_first && names_columns(line.field[0]))
            continue;
        if (number == 0) {
            error_set(err, "%s:%u: '%.*s' is not an autonomous system; write AS22843 or 22843",
                      path, line.number, (int)(line.field[0].len < 40 ? line.field[0].len : 40),
                      line.field[0].ptr);
            goto out;
        }
        if (!asn_list_add(list, number)) {
            error_set(err, "%s: out of memory", path);
            goto out;
        }
    }
    ok = true;
out:
    linefile_free(file);
    return ok;
}
