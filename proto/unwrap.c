#include "proto/unwrap.h"

#include <stdio.h>

#include "proto/query.h"

/* How the link stands in the wrapped one. */
enum form {
    FORM_PARAMETER, /* percent-encoded, in a parameter of the query */
    FORM_DEFENSE_2, /* the same, with '-' for '%' and '_' for '/' */
    FORM_DEFENSE_3, /* "/v3/__LINK__;BYTES!!…", where the bytes replace the link's '*' */
    FORM_BASE64,    /* in a parameter, behind "a1", in base64url */
    FORM_SEGMENT,   /* percent-encoded, the last segment of the path */
    FORM_YAHOO,     /* percent-encoded, a segment of the path behind "RU=" */
    FORM_SEALED,
};

/* A host is compared whole; from a '.' on, as the end of a host; up to a '.', as its beginning. */
static const struct wrapper {
    const char *host, *path; /* how the path begins */
    enum form form;
    const char *parameter;
    const char *by;
} wrappers[] = {
    {".safelinks.protection.outlook.com", "/", FORM_PARAMETER, "url", "Safe Links"},
    {"statics.teams.cdn.office.net", "/evergreen-assets/safelinks/", FORM_PARAMETER, "url",
     "Safe Links"},
    {"urldefense.proofpoint.com", "/v1/", FORM_PARAMETER, "u", "URL Defense v1"},
    {"urldefense.proofpoint.com", "/v2/", FORM_DEFENSE_2, "u", "URL Defense v2"},
    {"urldefense.proofpoint.com", "/v3/", FORM_DEFENSE_3, NULL, "URL Defense v3"},
    {"urldefense.com", "/v3/", FORM_DEFENSE_3, NULL, "URL Defense v3"},
    {"urldefense.us", "/v3/", FORM_DEFENSE_3, NULL, "URL Defense v3"},
    {".mimecast.com", "/", FORM_SEALED, NULL, "Mimecast"},
    {".mimecastprotect.com", "/", FORM_SEALED, NULL, "Mimecast"},
    {"linkprotect.cudasvc.com", "/url", FORM_PARAMETER, "a", "Barracuda"},
    {"secure-web.cisco.com", "/", FORM_SEGMENT, NULL, "Cisco"},
    {"www.google.", "/url", FORM_PARAMETER, "q", "Google"},
    {"www.google.", "/url", FORM_PARAMETER, "url", "Google"},
    {"google.", "/url", FORM_PARAMETER, "q", "Google"},
    {"www.bing.com", "/ck/", FORM_BASE64, "u", "Bing"},
    {"duckduckgo.com", "/l/", FORM_PARAMETER, "uddg", "DuckDuckGo"},
    {"r.search.yahoo.com", "/", FORM_YAHOO, NULL, "Yahoo"},
    {"l.facebook.com", "/l.php", FORM_PARAMETER, "u", "Facebook"},
};

static bool is_host(struct slice host, const char *pattern)
{
    struct slice want = slice_of(pattern);

    if (host.len > want.len && want.ptr[0] == '.')
        host = slice_make(host.ptr + host.len - want.len, want.len);
    else if (host.len > want.len && want.ptr[want.len - 1] == '.')
        host.len = want.len;
    return slice_equal_nocase(host, want);
}

/* The parameter as it is written.  Links copied from the source of a mail have "&amp;" for "&". */
static struct slice find_parameter(struct slice query, const char *name)
{
    struct slice part, want = slice_of(name);

    while (slice_next_part(&query, '&', &part)) {
        if (slice_starts_with(part, slice_of("amp;")))
            part = slice_make(part.ptr + 4, part.len - 4);
        if (part.len > want.len && part.ptr[want.len] == '=' && slice_starts_with(part, want))
            return slice_make(part.ptr + want.len + 1, part.len - want.len - 1);
    }
    return (struct slice){0};
}

/* The value of a digit of base64, of either alphabet; -1: it is none. */
static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *at = c ? strchr(digits, c == '+' ? '-' : c == '/' ? '_' : c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Padding ends the text.  False: a character that is no digit, or no room. */
static bool base64_decode(struct slice text, char *out, size_t out_max, size_t *out_len)
{
    unsigned bits = 0, n_bits = 0;
    size_t n = 0;

    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        int value = base64_value(text.ptr[i]);

        if (value < 0)
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            if (n == out_max)
                return false;
            out[n++] = (char)(bits >> n_bits & 0xff);
        }
    }
    *out_len = n;
    return true;
}

static bool decode_defense_2(struct slice text, char out[static UNWRAP_MAX], size_t *len)
{
    char plain[UNWRAP_MAX];

    if (text.len >= sizeof(plain))
        return false;
    for (size_t i = 0; i < text.len; i++)
        plain[i] = text.ptr[i] == '-' ? '%' : text.ptr[i] == '_' ? '/' : text.ptr[i];
    return query_decode(slice_make(plain, text.len), out, UNWRAP_MAX, len);
}

/* Where `what` begins in the text; its length when it is nowhere. */
static size_t find(struct slice text, const char *what)
{
    size_t len = strlen(what), i = 0;

    while (i + len <= text.len && memcmp(text.ptr + i, what, len) != 0)
        i++;
    return i + len <= text.len ? i : text.len;
}

/* Takes what stands before the first of the `ends` off `*from`. */
static struct slice take_until(struct slice *from, const char *ends)
{
    struct slice taken = slice_make(from->ptr, 0);

    while (taken.len < from->len && !strchr(ends, from->ptr[taken.len]))
        taken.len++;
    *from = slice_make(from->ptr + taken.len, from->len - taken.len);
    return taken;
}

/* Takes `n` characters of UTF-8 off `*from`, which may hold less. */
static struct slice take_characters(struct slice *from, unsigned n)
{
    struct slice taken = slice_make(from->ptr, 0);

    while (n-- > 0 && taken.len < from->len) {
        taken.len++;
        while (taken.len < from->len && ((unsigned char)from->ptr[taken.len] & 0xc0) == 0x80)
            taken.len++;
    }
    *from = slice_make(from->ptr + taken.len, from->len - taken.len);
    return taken;
}

/* Each '*' of the link stands for a character of the bytes; "**X" for as many as the digit X says,
 * from 2 on.  Programs on the way may have made one slash of the two behind the scheme. */
static bool decode_defense_3(struct slice path, char out[static UNWRAP_MAX], size_t *len)
{
    char plain[UNWRAP_MAX], bytes[UNWRAP_MAX];
    size_t start = find(path, "__"), n = 0, n_bytes = 0, end;
    struct slice link, left;

    if (start == path.len)
        return false;
    link = slice_make(path.ptr + start + 2, path.len - start - 2);
    end = find(link, "__;");
    if (end == link.len)
        return false;
    left = slice_make(link.ptr + end + 3, link.len - end - 3);
    left.len = find(left, "!");
    if (!base64_decode(left, bytes, sizeof(bytes), &n_bytes) ||
        !query_decode(slice_make(link.ptr, end), plain, sizeof(plain), &end))
        return false;
    left = slice_make(bytes, n_bytes);
    for (size_t i = 0; i < end; i++) {
        struct slice part = slice_make(plain + i, 1);

        if (plain[i] == '*' && i + 2 < end && plain[i + 1] == '*') {
            int run = base64_value(plain[i + 2]);

            if (run < 0)
                return false;
            part = take_characters(&left, (unsigned)run + 2);
            i += 2;
        } else if (plain[i] == '*') {
            part = take_characters(&left, 1);
        } else if (plain[i] == '/' && i > 0 && i < 7 && plain[i - 1] == ':' &&
                   (i + 1 == end || plain[i + 1] != '/')) {
            part = slice_of("//");
        }
        if (n + part.len >= UNWRAP_MAX)
            return false;
        memcpy(out + n, part.ptr, part.len);
        n += part.len;
    }
    *len = n;
    return true;
}

static bool decode_yahoo(struct slice path, char out[static UNWRAP_MAX], size_t *len)
{
    struct slice part;

    while (slice_next_part(&path, '/', &part)) {
        if (slice_starts_with(part, slice_of("RU=")))
            return query_decode(slice_make(part.ptr + 3, part.len - 3), out, UNWRAP_MAX, len);
    }
    return false;
}

static bool decode_segment(struct slice path, char out[static UNWRAP_MAX], size_t *len)
{
    size_t start = path.len;

    while (start > 0 && path.ptr[start - 1] != '/')
        start--;
    return query_decode(slice_make(path.ptr + start, path.len - start), out, UNWRAP_MAX, len);
}

static bool decode(const struct wrapper *w, struct slice path, struct slice query,
                   char out[static UNWRAP_MAX], size_t *len)
{
    struct slice value = w->parameter ? find_parameter(query, w->parameter) : (struct slice){0};
    bool ok = false;

    switch (w->form) {
    case FORM_PARAMETER:
        ok = query_decode(value, out, UNWRAP_MAX, len);
        break;
    case FORM_DEFENSE_2:
        ok = decode_defense_2(value, out, len);
        break;
    case FORM_DEFENSE_3:
        ok = decode_defense_3(path, out, len);
        break;
    case FORM_BASE64:
        ok = slice_starts_with(value, slice_of("a1")) &&
             base64_decode(slice_make(value.ptr + 2, value.len - 2), out, UNWRAP_MAX, len);
        break;
    case FORM_SEGMENT:
        ok = decode_segment(path, out, len);
        break;
    case FORM_YAHOO:
        ok = decode_yahoo(path, out, len);
        break;
    case FORM_SEALED:
        break;
    }
    /* A link of another scheme leads to none of ours, and a NUL must still fit. */
    return ok && *len < UNWRAP_MAX && query_is_clean_text(slice_make(out, *len)) &&
           ((*len > 8 && slice_equal_nocase(slice_make(out, 8), slice_of("https://"))) ||
            (*len > 7 && slice_equal_nocase(slice_make(out, 7), slice_of("http://"))));
}

enum unwrap_status unwrap_link(struct slice url, const char **by, char out[static UNWRAP_MAX])
{
    size_t start = find(url, "://"), mark;
    enum unwrap_status status = UNWRAP_PLAIN;
    struct slice host, path, query = {0};

    if (start == url.len || url.len >= UNWRAP_MAX)
        return UNWRAP_PLAIN;
    path = slice_make(url.ptr + start + 3, url.len - start - 3);
    host = take_until(&path, "/?#:");
    mark = find(path, "?");
    if (mark < path.len) {
        struct slice behind = slice_make(path.ptr + mark + 1, path.len - mark - 1);

        query = take_until(&behind, "#");
    }
    for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
        const struct wrapper *w = &wrappers[i];
        struct slice rest = path;
        size_t len = 0;

        if (!is_host(host, w->host) || !slice_starts_with(path, slice_of(w->path)))
            continue;
        *by = w->by;
        if (w->form == FORM_SEALED)
            return UNWRAP_SEALED;
        /* The wrapped link of URL Defense 3 stands in the path as it is, with its own '?'. */
        if (w->form != FORM_DEFENSE_3)
            rest.len = mark;
        if (decode(w, rest, query, out, &len)) {
            out[len] = '\0';
            return UNWRAP_OPENED;
        }
        status = UNWRAP_BROKEN;
    }
    return status;
}

bool unwrap_all(struct slice url, struct unwrapped *out)
{
    enum unwrap_status status = UNWRAP_OPENED;
    char inside[UNWRAP_MAX];
    const char *by = "";

    *out = (struct unwrapped){.n = 0};
    while (out->n < UNWRAP_TIMES_MAX && (status = unwrap_link(url, &by, inside)) == UNWRAP_OPENED) {
        memcpy(out->url, inside, sizeof(inside));
        out->by[out->n++] = by;
        url = slice_of(out->url);
    }
    if (status == UNWRAP_SEALED)
        snprintf(out->why, sizeof(out->why),
                 "%s wrapped this link, and only its server knows the link inside: follow the "
                 "link, or ask for the mail as it was sent",
                 by);
    else if (status == UNWRAP_BROKEN)
        snprintf(out->why, sizeof(out->why),
                 "%s wrapped this link, but the link inside is cut off or damaged", by);
    return out->why[0] == '\0';
}
