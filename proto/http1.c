#include "proto/http1.h"

#include <string.h>

#include "proto/http1_chars.h"
#include "proto/http1_head.h"

enum { VERSION_LEN = 8 }; /* "HTTP/1.1" */

/* Reading a line: each reader takes the line at `*p` if it is plainly good, and moves `*p` behind
 * it.  Only else is its end looked for, to tell what is unfinished from what is wrong. */
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

/* Says why the request line from `line` up to its LF was not taken. */
static void refuse_request_line(struct http1_head *head, const char *line, const char *lf)
{
    const char *reason = explain_controls(line, lf);
    const char *end = lf - 1, *method_end, *target_end;

    (void)http1_refuse(head, 400, reason ? reason : "malformed request line");
    if (reason)
        return;
    method_end = http1_skip(line, end, HTTP1_CHAR_TOKEN);
    if (method_end == line || method_end == end || *method_end != ' ')
        return;
    target_end = http1_skip(method_end + 1, end, HTTP1_CHAR_TARGET);
    if (target_end == method_end + 1 || target_end == end || *target_end != ' ')
        return;
    if (is_other_version(slice_make(target_end + 1, (size_t)(end - target_end - 1))))
        (void)http1_refuse(head, 505, "HTTP version other than 1.0 and 1.1");
}

static enum line_status explain_request_line(struct http1_head *head, const char *line,
                                             const char *end)
{
    size_t len = (size_t)(end - line), max = HTTP1_LINE_MAX + 2;
    const char *lf = memchr(line, '\n', len < max ? len : max);

    if (len > 0 && !http1_char_is(*line, HTTP1_CHAR_TOKEN) && *line != '\r' && *line != '\n') {
        /* At once: a TLS handshake, for one, may hold no LF at all. */
        (void)http1_refuse(head, 400, "malformed request line");
    } else if (lf) {
        refuse_request_line(head, line, lf);
    } else if (len >= max) {
        (void)http1_refuse(head, 414, "request line too long");
    } else {
        return LINE_UNFINISHED;
    }
    return LINE_REFUSED;
}

static enum line_status read_request_line(struct http1_head *head, const char **p, const char *end)
{
    const char *line = *p;
    const char *method_end = http1_skip(line, end, HTTP1_CHAR_TOKEN);
    const char *target, *target_end, *version;

    if (method_end == end || method_end == line || *method_end != ' ')
        return explain_request_line(head, line, end);
    target = method_end + 1;
    target_end = http1_skip_target(target, end);
    version = target_end + 1;
    if (target_end == target || end - target_end < VERSION_LEN + 3 || *target_end != ' ' ||
        memcmp(version, "HTTP/1.", 7) != 0 || (version[7] != '0' && version[7] != '1') ||
        version[8] != '\r' || version[9] != '\n')
        return explain_request_line(head, line, end);
    if (version + VERSION_LEN - line > HTTP1_LINE_MAX) {
        (void)http1_refuse(head, 414, "request line too long");
        return LINE_REFUSED;
    }
    head->request->minor_version = (uint8_t)(version[7] - '0');
    *p = version + VERSION_LEN + 2;
    return http1_read_method(head, slice_make(line, (size_t)(method_end - line))) &&
                   http1_read_target(head, slice_make(target, (size_t)(target_end - target)))
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

static enum line_status explain_field_line(struct http1_head *head, const char *line,
                                           const char *end)
{
    const char *lf = memchr(line, '\n', (size_t)(end - line));
    const char *reason;

    if (!lf)
        return LINE_UNFINISHED;
    reason = explain_controls(line, lf);
    (void)http1_refuse(head, 400, reason ? reason : explain_name(line, lf - 1));
    return LINE_REFUSED;
}

static enum line_status read_field_line(struct http1_head *head, const char **p, const char *end)
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
        (void)http1_refuse(head, 431, "too many fields");
        return LINE_REFUSED;
    }
    id = http1_find_field(slice_make(line, (size_t)(colon - line)));
    if (id != HTTP1_FIELD_UNKNOWN &&
        !http1_read_field(head, id, slice_make(colon + 1, (size_t)(value_end - colon - 1))))
        return LINE_REFUSED;
    return LINE_GOOD;
}

/* Skips what empty lines there may be before the request line. */
static bool skip_empty_lines(struct http1_head *head, const char **p, const char *end)
{
    for (unsigned n = 0; end - *p >= 2 && (*p)[0] == '\r' && (*p)[1] == '\n'; n++) {
        if (n == HTTP1_EMPTY_LINES_MAX)
            return http1_refuse(head, 400, "empty lines instead of a request line");
        *p += 2;
    }
    return true;
}

/* Reads the lines of a head; `*p` is behind the last one taken.  `*limit` is set when it is not
 * finished. */
static enum line_status read_lines(struct http1_head *head, const char *start, const char **p,
                                   const char *end, uint16_t *limit)
{
    enum line_status status;

    if (!skip_empty_lines(head, p, end))
        return LINE_REFUSED;
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
        (void)http1_refuse(head, 431, "head too long");
        return LINE_REFUSED;
    }
    return status;
}

/* Whether nothing came since the last call that could make a difference. */
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
    struct http1_head head = {.rules = rules, .request = out, .refusal = refusal};
    size_t len = bytes.len < HTTP1_HEAD_MAX ? bytes.len : HTTP1_HEAD_MAX;
    const char *p = bytes.ptr;
    uint16_t limit = 0;

    if (bytes.len == 0 || is_waiting(bytes, scan))
        return HTTP1_INCOMPLETE;
    /* The lists of addresses behind it are long, and their numbers tell what is in them. */
    memset(out, 0, offsetof(struct http1_request, forwarded_for));
    refusal->is_head = false;
    switch (read_lines(&head, bytes.ptr, &p, bytes.ptr + len, &limit)) {
    case LINE_END_OF_HEAD:
        out->head_len = (uint16_t)(p - bytes.ptr);
        if (http1_finish(&head))
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
    static const struct http1_rules public_port = {.body_max = HTTP1_BODY_MAX};

    return http1_parse_by(&public_port, bytes, scan, out, refusal);
}
