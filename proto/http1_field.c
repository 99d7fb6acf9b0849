#include <string.h>

#include "proto/bytes.h"
#include "proto/http1_head.h"

/* Fields that mean something to the parser; numbered behind those that are handed out. */
enum {
    CONNECTION = HTTP1_FIELDS,
    CONTENT_LENGTH,
    EXPECT,
    FORWARDED,
    HOST,
    TRANSFER_ENCODING,
    X_FORWARDED_FOR,
};

enum { NAME_MIN = 4, NAME_MAX = 17, SLOTS = 64 };

/* A hash without collisions among our names, of their length and two of their letters in lower
 * case.  A new name that collides is a warning: an initializer that is overridden. */
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
 * "transfer-encoding" the middle byte is in neither word: a name that differs only there is up to
 * no good, and refused the same.
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

unsigned http1_find_field(struct slice name)
{
    struct name_words words, other;
    unsigned slot;

    if (name.len < NAME_MIN || name.len > NAME_MAX)
        return HTTP1_FIELD_UNKNOWN;
    slot = SLOT((unsigned)name.len, (unsigned)name.ptr[0] | 0x20,
                (unsigned)name.ptr[name.len - 2] | 0x20);
    if (fields[slot].len != name.len)
        return HTTP1_FIELD_UNKNOWN;
    words = words_of(name.ptr, name.len);
    other = words_of(fields[slot].name, name.len);
    return words.first == other.first && words.last == other.last ? fields[slot].id
                                                                  : HTTP1_FIELD_UNKNOWN;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    const char *start = s.ptr, *end = s.ptr + s.len;

    while (start < end && is_blank(*start))
        start++;
    while (start < end && is_blank(end[-1]))
        end--;
    return slice_make(start, (size_t)(end - start));
}

static bool read_host(struct http1_head *head, struct slice value)
{
    struct slice host;

    if (head->has_host)
        return http1_refuse(head, 400, "two Host fields");
    if (!http1_split_authority(value, &host))
        return http1_refuse(head, 400, "bad Host");
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
static void read_connection(struct http1_head *head, struct slice value)
{
    while (value.len) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t len = comma ? (size_t)(comma - value.ptr) : value.len;
        struct slice option = trim(slice_make(value.ptr, len));

        head->says_close |= is_option(option, "close", 5);
        head->says_keep_alive |= is_option(option, "keep-alive", 10);
        len += comma != NULL;
        value = slice_make(value.ptr + len, value.len - len);
    }
}

/* One plain number.  More than these digits would be accepted by others, who may read them
 * differently. */
static bool read_content_length(struct http1_head *head, struct slice value)
{
    uint32_t len = 0, max = head->rules->body_max;

    if (head->has_content_length)
        return http1_refuse(head, 400, "two Content-Length fields");
    head->has_content_length = true;
    if (value.len == 0 || (value.ptr[0] == '0' && value.len > 1))
        return http1_refuse(head, 400, "bad Content-Length");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return http1_refuse(head, 400, "bad Content-Length");
        if (len <= max)
            len = len * 10 + (uint32_t)(value.ptr[i] - '0');
    }
    if (len > 0 && head->request->method <= HTTP1_OPTIONS)
        return http1_refuse(head, 400, "body of a request that has none");
    if (len > max)
        return http1_refuse(head, 413, "body too long");
    head->request->content_length = len;
    return true;
}

static bool read_expect(struct http1_head *head, struct slice value)
{
    if (!slice_equal_nocase(value, slice_of("100-continue")))
        return http1_refuse(head, 417, "Expect other than 100-continue");
    head->request->expect_continue = true;
    return true;
}

bool http1_read_field(struct http1_head *head, unsigned id, struct slice value)
{
    struct http1_request *request = head->request;

    value = trim(value);
    switch (id) {
    case CONNECTION:
        read_connection(head, value);
        return true;
    case CONTENT_LENGTH:
        return read_content_length(head, value);
    case EXPECT:
        return read_expect(head, value);
    case FORWARDED:
        request->forwarded[request->n_forwarded++] = value;
        return true;
    case HOST:
        return read_host(head, value);
    case TRANSFER_ENCODING:
        return http1_refuse(head, 400, "Transfer-Encoding");
    case X_FORWARDED_FOR:
        request->forwarded_for[request->n_forwarded_for++] = value;
        return true;
    default:
        if (!request->field[id].ptr)
            request->field[id] = value;
        return true;
    }
}

bool http1_finish(struct http1_head *head)
{
    struct http1_request *request = head->request;

    if (request->minor_version == 1 && !head->has_host)
        return http1_refuse(head, 400, "HTTP/1.1 without Host");
    request->keep_alive =
        !head->says_close && (request->minor_version == 1 || head->says_keep_alive);
    /* Who speaks 1.0 waits for no 100, and without a body there is nothing to wait for
     * (RFC 9110, 10.1.1). */
    request->expect_continue &= request->minor_version == 1 && request->content_length > 0;
    return true;
}

/* The lines were read before: each ends in CRLF and has a colon, but the first and the last. */
struct slice http1_find_value(struct slice head, struct slice name)
{
    const char *end = head.ptr + head.len;
    const char *line = memchr(head.ptr, '\n', head.len);

    while (line && ++line < end) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        size_t len = lf ? (size_t)(lf - line) : 0;

        if (len > name.len && line[name.len] == ':' &&
            slice_equal_nocase(slice_make(line, name.len), name))
            return trim(slice_make(line + name.len + 1, len - name.len - 2));
        line = lf;
    }
    return (struct slice){0};
}
