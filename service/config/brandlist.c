#include "service/config/brandlist.h"

#include <string.h>

#include "proto/token.h"
#include "service/base/error.h"
#include "service/config/config_check.h"

bool brandlist_parse(struct slice text, char out[static BRANDLIST_MAX], struct error *err)
{
    struct slice list = text, name;
    size_t len = 0;

    out[0] = '\0';
    if (text.len >= BRANDLIST_MAX) {
        error_set(err, "the list of brands is longer than %d bytes", BRANDLIST_MAX - 1);
        return false;
    }
    while (slice_next_part(&list, ',', &name)) {
        char copy[TOKEN_BRAND_MAX + 1] = "";

        if (name.len <= TOKEN_BRAND_MAX)
            memcpy(copy, name.ptr, name.len);
        if (copy[0] == '\0' || config_check_brand_name(copy)) {
            error_set(err, "the brands are not names separated by commas, without blanks");
            return false;
        }
        if (len > 0 && brandlist_has(out, name)) {
            error_set(err, "the brand '%.*s' is named twice", SLICE_ARG(name));
            return false;
        }
        if (len > 0)
            out[len++] = ',';
        memcpy(out + len, name.ptr, name.len);
        len += name.len;
        out[len] = '\0';
    }
    return true;
}

bool brandlist_has(const char *list, struct slice brand)
{
    struct slice rest = slice_of(list), name;

    if (rest.len == 0)
        return true;
    while (slice_next_part(&rest, ',', &name)) {
        if (slice_equal(name, brand))
            return true;
    }
    return false;
}
