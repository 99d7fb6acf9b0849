#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/template.h"
#include "proto/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Length of "scheme://authority" in front of `url`. */
static size_t origin_len(const char *url, size_t len)
{
    size_t i = slice_lower(url[4]) == 's' ? 8 : 7;

    while (i < len && url[i] != '/' && url[i] != '?' && url[i] != '#')
        i++;
    return i;
}

/* The first byte decides about utm and the values, the rest is the template.  Whatever compiles
 * must expand to its announced length at most, into clean characters, and to its own origin, even
 * with values of hostile bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[TOKEN_TEXT_MAX];
    struct template tpl;
    struct template_values values = {.object = UINT32_MAX, .client = UINT32_MAX, .campaign = 65535};
    struct slice text;
    size_t position, len;
    char *out, *copy;

    if (size == 0)
        return 0;
    /* Of exactly its size, so that a read behind its end is seen. */
    copy = malloc(size);
    require(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    text = slice_make(copy, size - 1);
    if (template_compile(&tpl, text, data[0] & 1, &position) != TEMPLATE_OK) {
        require(position <= text.len);
        free(copy);
        return 0;
    }
    memset(bytes, data[0], sizeof(bytes));
    values.variant = data[0] & 7;
    values.channel = values.medium = slice_make(bytes, TEMPLATE_CHANNEL_MAX);
    values.source = slice_make(bytes, TEMPLATE_SOURCE_MAX);
    values.arg = slice_make(bytes, TOKEN_ARG_MAX);
    values.token = slice_make("07d8", 4);
    out = malloc(tpl.expand_max);
    require(out != NULL);
    len = template_expand(&tpl, &values, out);
    require(len > 0 && len <= tpl.expand_max);
    for (size_t i = 0; i < len; i++)
        require(out[i] > ' ' && out[i] < 0x7f && !strchr("\"<>\\^`{|}", out[i]));
    require(origin_len(out, len) == origin_len(text.ptr, text.len));
    require(memcmp(out, text.ptr, origin_len(out, len)) == 0);
    free(out);
    free(copy);
    return 0;
}
