#include "proto/http1.h"

#include <string.h>

#include "proto/bytes.h"
#include "proto/http1_chars.h"
#include "proto/ip.h"

enum { VERSION_LEN = 8 }; /* "HTTP/1.1" */

/* A head while its lines are read. */
struct head {
    const struct http1_rules *rules;
    struct http1_request *request;
    struct http1_refusal *refusal;
    unsigned n_fields;
    bool has_host; /* a Host field */
    bool says_close, says_keep_alive;
    const char *stray; /* the first in the target; NULL = none */
};

/* Always false, for `return refuse(…)`. */
static bool refuse(struct head *head, unsigned status, const char *reason)
{
    head->refusal->status = status;
    head->refusal->reason = reason;
    return false;
}

/* --- method and target --- */

/* The other methods of the IANA registry ("HTTP Method Registry"), which are known, but not ours.
 */
static const char *const other_methods[] = {
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "ORDERPATCH",
    "PATCH",
    "PRI",
    "PROPFIND",
    "PROPPATCH",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
};

static bool read_other_method(struct head *head, struct slice name)
{
    size_t i = 0, n = sizeof(other_methods) / sizeof(other_methods[0]);

    while (i < n && !slice_equal(name, slice_of(other_methods[i])))
        i++;
    if (i == n)
        return refuse(head, 501, "unknown method");
    if (!head->rules->all_methods)
        return refuse(head, 405, "method not allowed");
    head->request->method = HTTP1_OTHER;
    if (slice_equal(name, slice_of("PUT")))
        head->request->method = HTTP1_PUT;
    else if (slice_equal(name, slice_of("DELETE")))
        head->request->method = HTTP1_DELETE;
    return true;
}

static bool read_method(struct head *head, struct slice name)
{
    if (name.len == 3 && memcmp(name.ptr, "GET", 3) == 0)
        head->request->method = HTTP1_GET;
    else if (name.len == 4 && memcmp(name.ptr, "HEAD", 4) == 0)
        head->request->method = HTTP1_HEAD;
    else if (name.len == 4 && memcmp(name.ptr, "POST", 4) == 0)
        head->request->method = HTTP1_POST;
    else if (name.len == 7 && memcmp(name.ptr, "OPTIONS", 7) == 0)
        head->request->method = HTTP1_OPTIONS;
    else
        return read_other_method(head, name);
    return true;
}

static bool is_port(const char *p, const char *end)
{
    unsigned port = 0;

    if (end - p > 5)
        return false;
    for (; p < end; p++) {
        if (!http1_char_is(*p, HTTP1_CHAR_DIGIT))
            return false;
        port = port * 10 + (unsigned)(*p - '0');
    }
    return port <= 65535;
}

/* Behind the address in brackets that starts at `p`; `p` itself if it is none. */
static const char *skip_ip_literal(const char *p, const char *end)
{
    const char *bracket = memchr(p, ']', (size_t)(end - p));
    uint8_t ip[IP_LEN];
    struct slice text;

    if (!bracket)
        return p;
    text = slice_make(p + 1, (size_t)(bracket - p - 1));
    return text.len && memchr(text.ptr, ':', text.len) && ip_parse(text, ip) ? bracket + 1 : p;
}

bool http1_split_authority(struct slice authority, struct slice *host)
{
    const char *start = authority.ptr, *end = start + authority.len;
    const char *host_end;

    if (authority.len == 0)
        return false;
    host_end =
        *start == '[' ? skip_ip_literal(start, end) : http1_skip(start, end, HTTP1_CHAR_HOST);
    if (host_end == start || host_end - start > HTTP1_HOST_MAX)
        return false;
    /* "host:" is a host with the default port (RFC 3986, 3.2.3). */
    if (host_end != end && (*host_end != ':' || !is_port(host_end + 1, end)))
        return false;
    *host = slice_make(start, (size_t)(host_end - start));
    return true;
}

/* `text` starts with the path, which may be empty. */
static void split_path(struct head *head, struct slice text)
{
    struct http1_request *request = head->request;
    const char *mark = text.len ? memchr(text.ptr, '?', text.len) : NULL;

    request->path = text;
    if (mark) {
        request->path.len = (size_t)(mark - text.ptr);
        request->query = slice_make(mark + 1, text.len - request->path.len - 1);
    }
    if (request->path.len == 0)
        request->path = slice_make("/", 1);
    if (head->stray && head->stray < request->path.ptr + request->path.len) {
        request->path.len = (size_t)(head->stray - request->path.ptr);
        request->path_is_cut = true;
    }
}

static bool read_target(struct head *head, struct slice target)
{
    struct http1_request *request = head->request;
    size_t skip, len = 0;

    if (target.ptr[0] == '/') {
        split_path(head, target);
        return true;
    }
    if (target.len >= 7 && slice_equal_nocase(slice_make(target.ptr, 7), slice_of("http://")))
        skip = 7;
    else if (target.len >= 8 && slice_equal_nocase(slice_make(target.ptr, 8), slice_of("https://")))
        skip = 8;
    else
        return refuse(head, 400, "target is neither a path nor an http URL");
    while (skip + len < target.len && target.ptr[skip + len] != '/' &&
           target.ptr[skip + len] != '?')
        len++;
    request->authority = slice_make(target.ptr + skip, len);
    if (!http1_split_authority(request->authority, &request->host))
        return refuse(head, 400, "bad host in the target");
    split_path(head, slice_make(target.ptr + skip + len, target.len - skip - len));
    return true;
}

/* --- fields --- */

/* Fields that mean something to the parser; numbered behind those that are handed out. */
enum {
    CONNECTION = HTTP1_FIELDS,
    CONTENT_LENGTH,
    EXPECT,
    FORWARDED,
    HOST,
    TRANSFER_ENCODING,
    X_FORWARDED_FOR,
    UNKNOWN = 255,
};

enum { NAME_MIN = 4, NAME_MAX = 17, SLOTS = 64 };

/* A hash of a name's length and two of its letters in lower case, without collisions among our
 * names.  A new name that collides makes the compiler warn of an initializer that is overridden. */
#define SLOT(len, first, last_but_one) (((len) + 2 * (first) + 3 * (last_but_one)) % SLOTS)
#define FIELD(name, first, last_but_one, id) \
    [SLOT(sizeof(name) - 1, first, last_but_one)] = {name, sizeof(name) - 1, id}

static const struct {
    char name[NAME_MAX + 1];
    uint8_t len;
    uint8_t id;
} fields[SLOTS] = {
    FIELD("accept-language", 'a', 'g', HTTP1_ACCEPT_LANGUAGE),
    FIELD("connection", 'c', 'o', CONNECTION),
    FIELD("content-length", 'c', 't', CONTENT_LENGTH),
    FIELD("content-type", 'c', 'p', HTTP1_CONTENT_TYPE),
    FIELD("cookie", 'c', 'i', HTTP1_COOKIE),
    FIELD("expect", 'e', 'c', EXPECT),
    FIELD("forwarded", 'f', 'e', FORWARDED),
    FIELD("host", 'h', 's', HOST),
    FIELD("origin", 'o', 'i', HTTP1_ORIGIN),
    FIELD("purpose", 'p', 's', HTTP1_PURPOSE),
    FIELD("referer", 'r', 'e', HTTP1_REFERER),
    FIELD("sec-fetch-dest", 's', 's', HTTP1_SEC_FETCH_DEST),
    FIELD("sec-fetch-mode", 's', 'd', HTTP1_SEC_FETCH_MODE),
    FIELD("sec-fetch-site", 's', 't', HTTP1_SEC_FETCH_SITE),
    FIELD("sec-fetch-user", 's', 'e', HTTP1_SEC_FETCH_USER),
    FIELD("sec-gpc", 's', 'p', HTTP1_SEC_GPC),
    FIELD("sec-purpose", 's', 's', HTTP1_SEC_PURPOSE),
    FIELD("transfer-encoding", 't', 'n', TRANSFER_ENCODING),
    FIELD("user-agent", 'u', 'n', HTTP1_USER_AGENT),
    FIELD("x-forwarded-for", 'x', 'o', X_FORWARDED_FOR),
    FIELD("x-forwarded-host", 'x', 's', HTTP1_X_FORWARDED_HOST),
    FIELD("x-moz", 'x', 'o', HTTP1_X_MOZ),
    FIELD("x-purpose", 'x', 's', HTTP1_X_PURPOSE),
};

/*
 * The bytes of a name, of which the first and the last words may overlap.  Setting bit 5 makes
 * letters lower case and gives no other byte of a token the value of a letter or of '-'.  Of
 * "transfer-encoding" the middle byte is in neither word: a name that differs in that byte alone
 * is refused like it.
 */
struct name_words {
    uint64_t first, last;
};

static struct name_words words_of(const char *name, size_t len)
{
    const uint8_t *p = (const uint8_t *)name;
    const uint64_t bit5 = UINT64_C(0x2020202020202020);

    if (len < 8)
        return (struct name_words){le32_load(p) | (bit5 & UINT32_MAX),
                                   le32_load(p + len - 4) | (bit5 & UINT32_MAX)};
    return (struct name_words){le64_load(p) | bit5, le64_load(p + len - 8) | bit5};
}

static unsigned find_field(struct slice name)
{
    struct name_words words, other;
    unsigned slot;

    if (name.len < NAME_MIN || name.len > NAME_MAX)
        return UNKNOWN;
    slot = SLOT((unsigned)name.len, (unsigned)name.ptr[0] | 0x20,
                (unsigned)name.ptr[name.len - 2] | 0x20);
    if (fields[slot].len != name.len)
        return UNKNOWN;
    words = words_of(name.ptr, name.len);
    other = words_of(fields[slot].name, name.len);
    return words.first == other.first && words.last == other.last ? fields[slot].id : UNKNOWN;
}

static bool read_host(struct head *head, struct slice value)
{
    struct slice host;

    if (head->has_host)
        return refuse(head, 400, "two Host fields");
    if (!http1_split_authority(value, &host))
        return refuse(head, 400, "bad Host");
    head->has_host = true;
    if (!head->request->authority.ptr) { /* that of the target replaces it (9112, 3.2.2) */
        head->request->authority = value;
        head->request->host = host;
    }
    return true;
}

static bool is_option(struct slice option, const char *name, size_t len)
{
    if (option.len != len)
        return false;
    return memcmp(option.ptr, name, len) == 0 || slice_equal_nocase(option, slice_make(name, len));
}

/* A list of tokens (RFC 9110, 7.6.1); options other than these two concern features that we do not
 * have. */
static void read_connection(struct head *head, struct slice value)
{
    while (value.len) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t len = comma ? (size_t)(comma - value.ptr) : value.len;
        struct slice option = slice_trim(slice_make(value.ptr, len));

        head->says_close |= is_option(option, "close", 5);
        head->says_keep_alive |= is_option(option, "keep-alive", 10);
        len += comma != NULL;
        value = slice_make(value.ptr + len, value.len - len);
    }
}

/* A decimal number without sign or leading zeros: the forms that all parsers read alike. */
static bool read_content_length(struct head *head, struct slice value)
{
    uint32_t len = 0, max = head->rules->body_max;

    if (head->request->has_content_length)
        return refuse(head, 400, "two Content-Length fields");
    head->request->has_content_length = true;
    if (value.len == 0 || (value.ptr[0] == '0' && value.len > 1))
        return refuse(head, 400, "bad Content-Length");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return refuse(head, 400, "bad Content-Length");
        if (len <= max)
            len = len * 10 + (uint32_t)(value.ptr[i] - '0');
    }
    if (len > 0 && head->request->method <= HTTP1_OPTIONS)
        return refuse(head, 400, "body of a request that has none");
    if (len > max)
        return refuse(head, 413, "body too long");
    head->request->content_length = len;
    return true;
}

static bool read_field(struct head *head, unsigned id, struct slice value)
{
    struct http1_request *request = head->request;

    value = slice_trim(value);
    switch (id) {
    case CONNECTION:
        read_connection(head, value);
        return true;
    case CONTENT_LENGTH:
        return read_content_length(head, value);
    case EXPECT:
        if (!slice_equal_nocase(value, slice_of("100-continue")))
            return refuse(head, 417, "Expect other than 100-continue");
        request->expect_continue = true;
        return true;
    case FORWARDED:
        request->forwarded[request->n_forwarded++] = value;
        return true;
    case HOST:
        return read_host(head, value);
    case TRANSFER_ENCODING:
        return refuse(head, 400, "Transfer-Encoding");
    case X_FORWARDED_FOR:
        request->forwarded_for[request->n_forwarded_for++] = value;
        return true;
    default:
        if (!request->field[id].ptr)
            request->field[id] = value;
        return true;
    }
}

static bool finish(struct head *head)
{
    struct http1_request *request = head->request;

    if (request->minor_version == 1 && !head->has_host)
        return refuse(head, 400, "HTTP/1.1 without Host");
    request->keep_alive =
        !head->says_close && (request->minor_version == 1 || head->says_keep_alive);
    /* A client of HTTP/1.0 does not know 100 Continue, and one that sends no body has no use for it
     * (RFC 9110, 10.1.1). */
    request->expect_continue &= request->minor_version == 1 && request->content_length > 0;
    return true;
}

/* The lines were read before: each ends in CRLF and has a colon, but the first and the last. */
/* The trimmed value of the next field of that name behind `*at`, a LF, which moves to the end of
 * its line; an absent slice and NULL: there is none. */
static struct slice next_value(struct slice head, struct slice name, const char **at)
{
    const char *end = head.ptr + head.len;
    const char *line = *at;

    while (line && ++line < end) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        size_t len = lf ? (size_t)(lf - line) : 0;

        *at = lf;
        if (len > name.len && line[name.len] == ':' &&
            slice_equal_nocase(slice_make(line, name.len), name))
            return slice_trim(slice_make(line + name.len + 1, len - name.len - 2));
        line = lf;
    }
    *at = NULL;
    return (struct slice){0};
}

struct slice http1_find_value(struct slice head, struct slice name)
{
    const char *at = memchr(head.ptr, '\n', head.len);

    return next_value(head, name, &at);
}

unsigned http1_count_values(struct slice head, struct slice name)
{
    const char *at = memchr(head.ptr, '\n', head.len);
    unsigned n = 0;

    while (next_value(head, name, &at).ptr)
        n++;
    return n;
}

/* --- lines --- */

/* What a reader of a line says.  It takes the line at `*p` in one pass if the line is good, and
 * moves `*p` behind it.  If not, it looks for the line's end, to tell an unfinished line from a
 * wrong one. */
enum line_status { LINE_GOOD, LINE_END_OF_HEAD, LINE_UNFINISHED, LINE_REFUSED };

/* What is wrong with the end of a line, its LF at `lf`, or with a control byte in it; NULL if
 * nothing is. */
static const char *explain_controls(const char *line, const char *lf)
{
    const char *end = lf - 1; /* the CR */

    if (lf == line || *end != '\r')
        return "bare LF";
    for (const char *p = line; p < end; p++) {
        if (*p == '\r')
            return "bare CR";
        if (((uint8_t)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return "control character";
    }
    return NULL;
}

/* A version that is well-formed, but not ours: "HTTP/2.0", and "HTTP/2" as later ones are called.
 */
static bool is_other_version(struct slice version)
{
    const char *p = version.ptr;

    if (!slice_starts_with(version, slice_of("HTTP/")))
        return false;
    if (version.len == 6)
        return http1_char_is(p[5], HTTP1_CHAR_DIGIT);
    return version.len == VERSION_LEN && http1_char_is(p[5], HTTP1_CHAR_DIGIT) && p[6] == '.' &&
           http1_char_is(p[7], HTTP1_CHAR_DIGIT);
}

/* Behind the target at `p`; `*stray` is the first stray in it, or that end if there is none. */
static const char *skip_target(const struct head *head, const char *p, const char *end,
                               const char **stray)
{
    p = http1_skip_target(p, end);
    *stray = p;
    while (p < end && http1_char_is_stray(*p) && head->rules->takes_strays)
        p = http1_skip_target(p + 1, end);
    return p;
}

/* Says why the request line from `line` up to its LF was not taken. */
static void refuse_request_line(struct head *head, const char *line, const char *lf)
{
    const char *reason = explain_controls(line, lf);
    const char *end = lf - 1, *method_end, *target_end, *stray;

    (void)refuse(head, 400, reason ? reason : "malformed request line");
    if (reason)
        return;
    method_end = http1_skip(line, end, HTTP1_CHAR_TOKEN);
    if (method_end == line || method_end == end || *method_end != ' ')
        return;
    target_end = skip_target(head, method_end + 1, end, &stray);
    if (target_end == method_end + 1 || target_end == end || *target_end != ' ')
        return;
    if (is_other_version(slice_make(target_end + 1, (size_t)(end - target_end - 1))))
        (void)refuse(head, 505, "HTTP version other than 1.0 and 1.1");
}

static enum line_status explain_request_line(struct head *head, const char *line, const char *end)
{
    size_t len = (size_t)(end - line), max = HTTP1_LINE_MAX + 2;
    const char *lf = memchr(line, '\n', len < max ? len : max);

    if (len > 0 && !http1_char_is(*line, HTTP1_CHAR_TOKEN) && *line != '\r' && *line != '\n') {
        /* At once: a TLS handshake, for one, may hold no LF at all. */
        (void)refuse(head, 400, "malformed request line");
    } else if (lf) {
        refuse_request_line(head, line, lf);
    } else if (len >= max) {
        (void)refuse(head, 414, "request line too long");
    } else {
        return LINE_UNFINISHED;
    }
    return LINE_REFUSED;
}

static enum line_status read_request_line(struct head *head, const char **p, const char *end)
{
    const char *line = *p;
    const char *method_end = http1_skip(line, end, HTTP1_CHAR_TOKEN);
    const char *target, *target_end, *version, *stray;

    if (method_end == end || method_end == line || *method_end != ' ')
        return explain_request_line(head, line, end);
    target = method_end + 1;
    target_end = skip_target(head, target, end, &stray);
    version = target_end + 1;
    if (target_end == target || end - target_end < VERSION_LEN + 3 || *target_end != ' ' ||
        memcmp(version, "HTTP/1.", 7) != 0 || (version[7] != '0' && version[7] != '1') ||
        version[8] != '\r' || version[9] != '\n')
        return explain_request_line(head, line, end);
    if (version + VERSION_LEN - line > HTTP1_LINE_MAX) {
        (void)refuse(head, 414, "request line too long");
        return LINE_REFUSED;
    }
    head->request->minor_version = (uint8_t)(version[7] - '0');
    head->stray = stray == target_end ? NULL : stray;
    *p = version + VERSION_LEN + 2;
    return read_method(head, slice_make(line, (size_t)(method_end - line))) &&
                   read_target(head, slice_make(target, (size_t)(target_end - target)))
               ? LINE_GOOD
               : LINE_REFUSED;
}

static const char *explain_name(const char *line, const char *end)
{
    const char *name_end = http1_skip(line, end, HTTP1_CHAR_TOKEN);

    if (name_end == end)
        return "field line without a colon";
    if (*line == ' ' || *line == '\t')
        return "folded field line";
    if (*line == ':')
        return "empty field name";
    if (*name_end == ' ' || *name_end == '\t')
        return "blank before the colon";
    return "bad character in a field name";
}

static enum line_status explain_field_line(struct head *head, const char *line, const char *end)
{
    const char *lf = memchr(line, '\n', (size_t)(end - line));
    const char *reason;

    if (!lf)
        return LINE_UNFINISHED;
    reason = explain_controls(line, lf);
    (void)refuse(head, 400, reason ? reason : explain_name(line, lf - 1));
    return LINE_REFUSED;
}

static enum line_status read_field_line(struct head *head, const char **p, const char *end)
{
    const char *line = *p;
    const char *colon = http1_skip_token(line, end);
    const char *value_end;
    unsigned id;

    if (colon == line && end - line >= 2 && line[0] == '\r' && line[1] == '\n') {
        *p = line + 2;
        return LINE_END_OF_HEAD;
    }
    if (colon == end || colon == line || *colon != ':')
        return explain_field_line(head, line, end);
    value_end = http1_find_control(colon + 1, end);
    while (value_end < end && *value_end == '\t')
        value_end = http1_find_control(value_end + 1, end);
    if (end - value_end < 2 || value_end[0] != '\r' || value_end[1] != '\n')
        return explain_field_line(head, line, end);
    *p = value_end + 2;
    if (++head->n_fields > HTTP1_FIELDS_MAX) {
        (void)refuse(head, 431, "too many fields");
        return LINE_REFUSED;
    }
    id = find_field(slice_make(line, (size_t)(colon - line)));
    if (id != UNKNOWN &&
        !read_field(head, id, slice_make(colon + 1, (size_t)(value_end - colon - 1))))
        return LINE_REFUSED;
    return LINE_GOOD;
}

/* Reads the lines of a head; `*p` is behind the last one taken.  `*limit` is set when it is not
 * finished. */
static enum line_status read_lines(struct head *head, const char *start, const char **p,
                                   const char *end, uint16_t *limit)
{
    enum line_status status;

    for (unsigned n = 0; end - *p >= 2 && (*p)[0] == '\r' && (*p)[1] == '\n'; n++) {
        if (n == HTTP1_EMPTY_LINES_MAX) {
            (void)refuse(head, 400, "empty lines instead of a request line");
            return LINE_REFUSED;
        }
        *p += 2;
    }
    /* Its first byte may settle it, without a line end. */
    *limit = (uint16_t)(*p - start + (*p == end ? 1 : HTTP1_LINE_MAX + 2));
    status = read_request_line(head, p, end);
    if (status != LINE_GOOD)
        return status;
    *limit = HTTP1_HEAD_MAX;
    do
        status = read_field_line(head, p, end);
    while (status == LINE_GOOD);
    if (status == LINE_UNFINISHED && end - start >= HTTP1_HEAD_MAX) {
        (void)refuse(head, 431, "head too long");
        return LINE_REFUSED;
    }
    return status;
}

/* Whether the bytes that came since the last call can't have changed its outcome. */
static bool is_waiting(struct slice bytes, struct http1_scan *scan)
{
    if (scan->seen == 0 || bytes.len >= scan->limit)
        return false;
    if (bytes.len > scan->seen && memchr(bytes.ptr + scan->seen, '\n', bytes.len - scan->seen))
        return false;
    scan->seen = (uint16_t)bytes.len;
    return true;
}

enum http1_status http1_parse_by(const struct http1_rules *rules, struct slice bytes,
                                 struct http1_scan *scan, struct http1_request *out,
                                 struct http1_refusal *refusal)
{
    struct head head = {.rules = rules, .request = out, .refusal = refusal};
    size_t len = bytes.len < HTTP1_HEAD_MAX ? bytes.len : HTTP1_HEAD_MAX;
    const char *p = bytes.ptr;
    uint16_t limit = 0;

    if (bytes.len == 0 || is_waiting(bytes, scan))
        return HTTP1_INCOMPLETE;
    /* The two lists at the end are long; n_forwarded_for and n_forwarded say how much of them is
     * set. */
    memset(out, 0, offsetof(struct http1_request, forwarded_for));
    refusal->is_head = false;
    switch (read_lines(&head, bytes.ptr, &p, bytes.ptr + len, &limit)) {
    case LINE_END_OF_HEAD:
        out->head_len = (uint16_t)(p - bytes.ptr);
        if (finish(&head))
            return HTTP1_COMPLETE;
        break;
    case LINE_UNFINISHED:
        *scan = (struct http1_scan){.seen = (uint16_t)len, .limit = limit};
        return HTTP1_INCOMPLETE;
    case LINE_GOOD:
    case LINE_REFUSED:
        break;
    }
    refusal->is_head = out->method == HTTP1_HEAD;
    return HTTP1_REFUSED;
}

enum http1_status http1_parse(struct slice bytes, struct http1_scan *scan,
                              struct http1_request *out, struct http1_refusal *refusal)
{
    static const struct http1_rules public_port = {.body_max = HTTP1_BODY_MAX,
                                                   .takes_strays = true};

    return http1_parse_by(&public_port, bytes, scan, out, refusal);
}
