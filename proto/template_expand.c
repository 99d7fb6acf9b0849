#include <assert.h>

#include "proto/template.h"
#include "proto/token.h"

static char *put_number(char *out, uint32_t n)
{
    char *end = out + 1, *p;

    for (uint64_t limit = 10; n >= limit; limit *= 10)
        end++;
    p = end;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (p > out);
    return end;
}

static char *put_literal(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return out + len;
}

/* RFC 3986, 2.3: what never needs encoding. */
static bool is_unreserved(unsigned char c)
{
    unsigned char lower = c | 0x20;

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static char *put_encoded(char *out, struct slice text, size_t max)
{
    static const char hex[] = "0123456789ABCDEF";

    assert(text.len <= max);
    (void)max;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (is_unreserved(c)) {
            *out++ = (char)c;
            continue;
        }
        *out++ = '%';
        *out++ = hex[c >> 4];
        *out++ = hex[c & 15];
    }
    return out;
}

static char *put_variant(char *out, const char *before, uint8_t variant)
{
    if (variant == 0)
        return out;
    out = put_literal(out, before, strlen(before));
    *out++ = (char)('A' - 1 + variant);
    return out;
}

static char *put_value(char *out, enum template_value value, const struct template_values *v)
{
    static const char utm_campaign[] = "&utm_campaign=";

    switch (value) {
    case TEMPLATE_LITERAL:
        break;
    case TEMPLATE_OBJECT:
        return put_number(out, v->object);
    case TEMPLATE_CLIENT:
        return put_number(out, v->client);
    case TEMPLATE_CAMPAIGN:
        return put_number(out, v->campaign);
    case TEMPLATE_VARIANT:
        return put_variant(out, "", v->variant);
    case TEMPLATE_CHANNEL:
        return put_encoded(out, v->channel, TEMPLATE_CHANNEL_MAX);
    case TEMPLATE_ARG:
        return put_encoded(out, v->arg, TOKEN_ARG_MAX);
    case TEMPLATE_TOKEN:
        return put_encoded(out, v->token, TOKEN_TEXT_MAX);
    case TEMPLATE_UTM_SOURCE:
        return put_encoded(out, v->source, TEMPLATE_SOURCE_MAX);
    case TEMPLATE_UTM_MEDIUM:
        return put_encoded(out, v->medium, TEMPLATE_CHANNEL_MAX);
    case TEMPLATE_UTM_CAMPAIGN:
        if (v->campaign == 0)
            return out;
        out = put_literal(out, utm_campaign, sizeof(utm_campaign) - 1);
        return put_number(out, v->campaign);
    case TEMPLATE_UTM_CONTENT:
        return put_variant(out, "&utm_content=", v->variant);
    }
    return out;
}

size_t template_expand(const struct template *tpl, const struct template_values *values_in,
                       char *out)
{
    char *p = out;

    for (size_t i = 0; i < tpl->n_parts; i++) {
        const struct template_part *part = &tpl->parts[i];

        if (part->value == TEMPLATE_LITERAL)
            p = put_literal(p, part->text, part->len);
        else
            p = put_value(p, (enum template_value)part->value, values_in);
    }
    return (size_t)(p - out);
}
