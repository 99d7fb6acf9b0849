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
    UNKNOWN,
};

enum { NAME_MIN = 4, NAME_MAX = 17 };

/* By length, so that few need to be compared; lower case. */
static const struct {
    char name[NAME_MAX + 1];
    uint8_t id;
} fields[] = {
    {"host", HOST},
    {"x-moz", HTTP1_X_MOZ},
    {"cookie", HTTP1_COOKIE},
    {"expect", EXPECT},
    {"origin", HTTP1_ORIGIN},
    {"purpose", HTTP1_PURPOSE},
    {"referer", HTTP1_REFERER},
    {"forwarded", FORWARDED},
    {"x-purpose", HTTP1_X_PURPOSE},
    {"connection", CONNECTION},
    {"user-agent", HTTP1_USER_AGENT},
    {"sec-purpose", HTTP1_SEC_PURPOSE},
    {"content-type", HTTP1_CONTENT_TYPE},
    {"content-length", CONTENT_LENGTH},
    {"sec-fetch-dest", HTTP1_SEC_FETCH_DEST},
    {"sec-fetch-mode", HTTP1_SEC_FETCH_MODE},
    {"sec-fetch-site", HTTP1_SEC_FETCH_SITE},
    {"sec-fetch-user", HTTP1_SEC_FETCH_USER},
    {"accept-language", HTTP1_ACCEPT_LANGUAGE},
    {"x-forwarded-for", X_FORWARDED_FOR},
    {"transfer-encoding", TRANSFER_ENCODING},
};

/* Where the names of each length start in `fields`; one more tells where the last ones end. */
static const uint8_t first_of_len[NAME_MAX + 2] = {
    [4] = 0,   [5] = 1,   [6] = 2,   [7] = 5,   [8] = 7,   [9] = 7,   [10] = 9,  [11] = 11,
    [12] = 12, [13] = 13, [14] = 13, [15] = 18, [16] = 20, [17] = 20, [18] = 21,
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

static unsigned find_field(struct slice name)
{
    struct name_words words;

    if (name.len < NAME_MIN || name.len > NAME_MAX)
        return UNKNOWN;
    words = words_of(name.ptr, name.len);
    for (unsigned i = first_of_len[name.len]; i < first_of_len[name.len + 1]; i++) {
        struct name_words other = words_of(fields[i].name, name.len);

        if (words.last == other.last && words.first == other.first)
            return fields[i].id;
    }
    return UNKNOWN;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = slice_make(s.ptr + 1, s.len - 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
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

/* A list of tokens (RFC 9110, 7.6.1); options other than these two concern features that we do not
 * have. */
static void read_connection(struct http1_head *head, struct slice value)
{
    while (value.len) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t len = comma ? (size_t)(comma - value.ptr) : value.len;
        struct slice option = trim(slice_make(value.ptr, len));

        head->says_close |= slice_equal_nocase(option, slice_of("close"));
        head->says_keep_alive |= slice_equal_nocase(option, slice_of("keep-alive"));
        len += comma != NULL;
        value = slice_make(value.ptr + len, value.len - len);
    }
}

/* One plain number.  More than these digits would be accepted by others, who may read them
 * differently. */
static bool read_content_length(struct http1_head *head, struct slice value)
{
    unsigned len = 0;

    if (head->has_content_length)
        return http1_refuse(head, 400, "two Content-Length fields");
    head->has_content_length = true;
    if (value.len == 0 || (value.ptr[0] == '0' && value.len > 1))
        return http1_refuse(head, 400, "bad Content-Length");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return http1_refuse(head, 400, "bad Content-Length");
        if (len <= HTTP1_BODY_MAX)
            len = len * 10 + (unsigned)(value.ptr[i] - '0');
    }
    if (len > 0 && head->request->method != HTTP1_POST)
        return http1_refuse(head, 400, "body of a request that has none");
    if (len > HTTP1_BODY_MAX)
        return http1_refuse(head, 413, "body too long");
    head->request->content_length = (uint16_t)len;
    return true;
}

static bool read_expect(struct http1_head *head, struct slice value)
{
    if (!slice_equal_nocase(value, slice_of("100-continue")))
        return http1_refuse(head, 417, "Expect other than 100-continue");
    head->request->expect_continue = true;
    return true;
}

bool http1_read_field(struct http1_head *head, struct slice name, struct slice value)
{
    struct http1_request *request = head->request;
    unsigned id = find_field(name);

    if (id == UNKNOWN)
        return true;
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
