#include "proto/template.h"

#include "proto/number.h"
#include "proto/token.h"

/* The state of compiling: where we are in the text. */
struct compiler {
    struct template *tpl;
    struct slice text;
    size_t at;
    size_t literal; /* where the literal that is not yet a part starts */
    bool has_query;
    bool has_fragment;
};

static const struct {
    struct slice name;
    size_t max; /* bytes when expanded */
} values[] = {
    [TEMPLATE_LITERAL] = {{NULL, 0}, 0},
    [TEMPLATE_OBJECT] = {{"object", 6}, 10},
    [TEMPLATE_CLIENT] = {{"client", 6}, 10},
    [TEMPLATE_CAMPAIGN] = {{"campaign", 8}, 5},
    [TEMPLATE_VARIANT] = {{"variant", 7}, 1},
    [TEMPLATE_CHANNEL] = {{"channel", 7}, 3 * TEMPLATE_CHANNEL_MAX},
    [TEMPLATE_ARG] = {{"arg", 3}, 3 * TOKEN_ARG_MAX},
    [TEMPLATE_TOKEN] = {{"token", 5}, TOKEN_TEXT_MAX},
    [TEMPLATE_UTM_SOURCE] = {{NULL, 0}, 3 * TEMPLATE_SOURCE_MAX},
    [TEMPLATE_UTM_MEDIUM] = {{NULL, 0}, 3 * TEMPLATE_CHANNEL_MAX},
    [TEMPLATE_UTM_CAMPAIGN] = {{NULL, 0}, sizeof("&utm_campaign=65535") - 1},
    [TEMPLATE_UTM_CONTENT] = {{NULL, 0}, sizeof("&utm_content=A") - 1},
};

const char *template_status_text(enum template_status status)
{
    switch (status) {
    case TEMPLATE_OK:
        return "is a template";
    case TEMPLATE_BAD_LENGTH:
        return "is empty or longer than 2048 bytes; shorten it";
    case TEMPLATE_BAD_SCHEME:
        return "is not a web address; start it with https:// or http://";
    case TEMPLATE_BAD_HOST:
        return "has no valid host name; write https://host/ without a user name, other scripts as "
               "xn--…";
    case TEMPLATE_BAD_PORT:
        return "has a bad port; give 1 to 65535";
    case TEMPLATE_VALUE_IN_HOST:
        return "has a value in its host; put a '/' before it: scheme and host are fixed";
    case TEMPLATE_BAD_CHARACTER:
        return "has a character that a URL can't hold; percent-encode it";
    case TEMPLATE_BAD_PERCENT:
        return "has a '%' without two hex digits; write %25 for the sign itself";
    case TEMPLATE_UNKNOWN_VALUE:
        return "names an unknown value; known are {object}, {client}, {arg}, {campaign}, "
               "{variant}, {channel}, {token}";
    case TEMPLATE_UNCLOSED:
        return "has a '{' without '}'; close it, or write %7B for the sign itself";
    case TEMPLATE_STRAY_BRACE:
        return "has a '}' without '{'; write %7D for the sign itself";
    case TEMPLATE_TWO_FRAGMENTS:
        return "has a second '#'; write %23 for the sign itself";
    case TEMPLATE_UTM_TWICE:
        return "holds utm_… itself; remove that, or set utm: false";
    case TEMPLATE_TOO_MANY_VALUES:
        return "has too many values; use fewer";
    }
    return "is no template";
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return slice_lower(c) >= 'a' && slice_lower(c) <= 'z';
}

/* What RFC 3986 allows in path, query and fragment: unreserved (2.3), sub-delims (2.2), ":@/?";
 * brackets too, which billing systems use in queries. */
static bool is_url_char(char c)
{
    return is_alpha(c) || is_digit(c) || (c != '\0' && strchr("-._~!$&'()*+,;=:@/?[]", c));
}

/* --- compiling --- */

static enum template_status add_part(struct compiler *c, enum template_value value,
                                     const char *text, size_t len)
{
    struct template *tpl = c->tpl;

    if (value == TEMPLATE_LITERAL && len == 0)
        return TEMPLATE_OK;
    if (tpl->n_parts == TEMPLATE_PARTS_MAX)
        return TEMPLATE_TOO_MANY_VALUES;
    tpl->parts[tpl->n_parts++] = (struct template_part){text, (uint16_t)len, (uint8_t)value};
    tpl->uses |= (uint16_t)(1u << value);
    tpl->expand_max += value == TEMPLATE_LITERAL ? len : values[value].max;
    return TEMPLATE_OK;
}

/* Makes a part of the literal that ends here. */
static enum template_status end_literal(struct compiler *c)
{
    size_t from = c->literal;

    c->literal = c->at;
    return add_part(c, TEMPLATE_LITERAL, c->text.ptr + from, c->at - from);
}

static enum template_status read_scheme(struct compiler *c)
{
    static const struct slice schemes[] = {{"https://", 8}, {"http://", 7}};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct slice scheme = schemes[i];

        if (c->text.len >= scheme.len &&
            slice_equal_nocase(slice_make(c->text.ptr, scheme.len), scheme)) {
            c->at = scheme.len;
            return TEMPLATE_OK;
        }
    }
    return TEMPLATE_BAD_SCHEME;
}

static bool at_authority_end(const struct compiler *c)
{
    return c->at == c->text.len || strchr("/?#", c->text.ptr[c->at]);
}

static enum template_status read_host(struct compiler *c)
{
    size_t start = c->at;

    if (c->at < c->text.len && c->text.ptr[c->at] == '[') {
        start = ++c->at;
        /* An IPv6 address in brackets: only its alphabet is checked. */
        while (c->at < c->text.len && (number_hex_digit(c->text.ptr[c->at]) >= 0 ||
                                       c->text.ptr[c->at] == ':' || c->text.ptr[c->at] == '.'))
            c->at++;
        if (c->at == c->text.len || c->text.ptr[c->at] != ']' || c->at - start < 2)
            return TEMPLATE_BAD_HOST;
        c->at++;
        return TEMPLATE_OK;
    }
    while (!at_authority_end(c) && c->text.ptr[c->at] != ':') {
        char ch = c->text.ptr[c->at];

        if (ch == '{')
            return TEMPLATE_VALUE_IN_HOST;
        /* Only names that a resolver takes; '@' would hide the real host behind another. */
        if (!is_alpha(ch) && !is_digit(ch) && ch != '-' && ch != '_' &&
            (ch != '.' || c->at == start || c->text.ptr[c->at - 1] == '.'))
            return TEMPLATE_BAD_HOST;
        c->at++;
    }
    return c->at == start ? TEMPLATE_BAD_HOST : TEMPLATE_OK;
}

static enum template_status read_port(struct compiler *c)
{
    unsigned port = 0;

    if (c->at == c->text.len || c->text.ptr[c->at] != ':')
        return at_authority_end(c) ? TEMPLATE_OK : TEMPLATE_BAD_HOST;
    c->at++;
    while (!at_authority_end(c)) {
        char ch = c->text.ptr[c->at];

        if (ch == '{')
            return TEMPLATE_VALUE_IN_HOST;
        if (ch == '@')
            return TEMPLATE_BAD_HOST;
        if (!is_digit(ch))
            return TEMPLATE_BAD_PORT;
        port = port * 10 + (unsigned)(ch - '0');
        if (port > 65535)
            return TEMPLATE_BAD_PORT;
        c->at++;
    }
    return port == 0 ? TEMPLATE_BAD_PORT : TEMPLATE_OK;
}

/* "{name}"; c->at stands on the brace. */
static enum template_status read_value(struct compiler *c)
{
    const char *start = c->text.ptr + c->at + 1;
    const char *end = memchr(start, '}', c->text.len - c->at - 1);
    enum template_status status;
    struct slice name;

    if (!end)
        return TEMPLATE_UNCLOSED;
    name = slice_make(start, (size_t)(end - start));
    for (unsigned value = TEMPLATE_OBJECT; value <= TEMPLATE_TOKEN; value++) {
        if (!slice_equal(name, values[value].name))
            continue;
        status = end_literal(c);
        if (status == TEMPLATE_OK)
            status = add_part(c, (enum template_value)value, NULL, 0);
        if (status == TEMPLATE_OK)
            c->literal = c->at += name.len + 2;
        return status;
    }
    return TEMPLATE_UNKNOWN_VALUE;
}

/* Whether the query has a key that starts with utm_ here. */
static bool at_utm_key(const struct compiler *c)
{
    static const struct slice utm = {"utm_", 4};

    return c->has_query && !c->has_fragment && c->text.len - c->at >= utm.len &&
           slice_equal_nocase(slice_make(c->text.ptr + c->at, utm.len), utm) &&
           strchr("?&;", c->text.ptr[c->at - 1]);
}

/* The parts behind the query; c->at stands at its end. */
static enum template_status add_utm(struct compiler *c)
{
    char last = c->text.ptr[c->at - 1];
    bool joined = c->has_query && (last == '?' || last == '&');
    const char *first = !c->has_query ? "?utm_source=" : joined ? "utm_source=" : "&utm_source=";
    const struct {
        enum template_value value;
        struct slice text;
    } parts[] = {
        {TEMPLATE_LITERAL, slice_of(first)},          {TEMPLATE_UTM_SOURCE, {NULL, 0}},
        {TEMPLATE_LITERAL, slice_of("&utm_medium=")}, {TEMPLATE_UTM_MEDIUM, {NULL, 0}},
        {TEMPLATE_UTM_CAMPAIGN, {NULL, 0}},           {TEMPLATE_UTM_CONTENT, {NULL, 0}},
    };
    enum template_status status = end_literal(c);

    for (size_t i = 0; status == TEMPLATE_OK && i < sizeof(parts) / sizeof(parts[0]); i++)
        status = add_part(c, parts[i].value, parts[i].text.ptr, parts[i].text.len);
    return status;
}

/* One character or value of path, query and fragment. */
static enum template_status read_one(struct compiler *c, bool utm)
{
    char ch = c->text.ptr[c->at];

    if (ch == '{')
        return read_value(c);
    if (ch == '}')
        return TEMPLATE_STRAY_BRACE;
    if (ch == '#') {
        if (c->has_fragment)
            return TEMPLATE_TWO_FRAGMENTS;
        if (utm) {
            enum template_status status = add_utm(c);

            if (status != TEMPLATE_OK)
                return status;
        }
        c->has_fragment = true;
    } else if (ch == '%') {
        if (c->text.len - c->at < 3 || number_hex_digit(c->text.ptr[c->at + 1]) < 0 ||
            number_hex_digit(c->text.ptr[c->at + 2]) < 0)
            return TEMPLATE_BAD_PERCENT;
    } else if (!is_url_char(ch)) {
        return TEMPLATE_BAD_CHARACTER;
    } else if (ch == '?' && !c->has_fragment) {
        c->has_query = true;
    } else if (utm && at_utm_key(c)) {
        return TEMPLATE_UTM_TWICE;
    }
    c->at++;
    return TEMPLATE_OK;
}

enum template_status template_compile(struct template *tpl, struct slice text, bool utm,
                                      size_t *position)
{
    struct compiler c = {.tpl = tpl, .text = text};
    enum template_status status = TEMPLATE_BAD_LENGTH;

    *tpl = (struct template){0};
    *position = 0;
    if (text.len == 0 || text.len > TEMPLATE_TEXT_MAX)
        return status;
    status = read_scheme(&c);
    if (status == TEMPLATE_OK)
        status = read_host(&c);
    if (status == TEMPLATE_OK)
        status = read_port(&c);
    while (status == TEMPLATE_OK && c.at < text.len)
        status = read_one(&c, utm);
    if (status == TEMPLATE_OK && utm && !c.has_fragment)
        status = add_utm(&c);
    if (status == TEMPLATE_OK)
        status = end_literal(&c);
    if (status != TEMPLATE_OK)
        *position = c.at;
    tpl->needs_arg = tpl->uses >> TEMPLATE_ARG & 1;
    return status;
}
