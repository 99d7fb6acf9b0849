#include "proto/proxy_header.h"

#include <string.h>

#include "proto/bytes.h"
#include "proto/number.h"

enum {
    V1_MAX = 107, /* the longest line of version 1, with its CRLF */
    V2_FIXED = 16,
    V2_IPV4 = 12, /* bytes of addresses and ports */
    V2_IPV6 = 36,
};

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* Cuts the next word off `*rest`: words are apart by one blank. */
static struct slice next_word(struct slice *rest)
{
    const char *blank = rest->len ? memchr(rest->ptr, ' ', rest->len) : NULL;
    size_t len = blank ? (size_t)(blank - rest->ptr) : rest->len;
    struct slice word = slice_make(rest->ptr, len);

    *rest = blank ? slice_make(blank + 1, rest->len - len - 1) : slice_make(NULL, 0);
    return word;
}

static bool is_v6_text(struct slice text)
{
    return text.len && memchr(text.ptr, ':', text.len);
}

/* "TCP4 SOURCE DESTINATION PORT PORT" */
static bool parse_v1_addresses(struct slice rest, bool is_v6, uint8_t ip[static IP_LEN])
{
    struct slice source = next_word(&rest), destination = next_word(&rest);
    struct slice source_port = next_word(&rest), destination_port = next_word(&rest);
    uint8_t ignored[IP_LEN];

    return rest.ptr == NULL && is_v6_text(source) == is_v6 && is_v6_text(destination) == is_v6 &&
           number_is_port(source_port) && number_is_port(destination_port) &&
           ip_parse(destination, ignored) && ip_parse(source, ip);
}

static enum proxy_status parse_v1(struct slice in, struct proxy_header *out)
{
    const char *end = memchr(in.ptr, '\n', in.len < V1_MAX ? in.len : V1_MAX);
    struct proxy_header header = {0};
    struct slice line, family;

    if (!end)
        return in.len < V1_MAX ? PROXY_INCOMPLETE : PROXY_BAD;
    if (end == in.ptr || end[-1] != '\r')
        return PROXY_BAD;
    header.len = (size_t)(end + 1 - in.ptr);
    line = slice_make(in.ptr, header.len - 2);
    (void)next_word(&line); /* PROXY */
    family = next_word(&line);
    if (slice_equal(family, slice_of("UNKNOWN"))) {
        *out = header; /* whatever follows is to be ignored */
        return PROXY_OK;
    }
    header.has_ip = true;
    if (!(slice_equal(family, slice_of("TCP4")) && parse_v1_addresses(line, false, header.ip)) &&
        !(slice_equal(family, slice_of("TCP6")) && parse_v1_addresses(line, true, header.ip)))
        return PROXY_BAD;
    *out = header;
    return PROXY_OK;
}

static enum proxy_status parse_v2(struct slice in, struct proxy_header *out)
{
    const uint8_t *p = (const uint8_t *)in.ptr;
    struct proxy_header header = {0};
    unsigned command, family, rest_len;

    if (in.len < V2_FIXED)
        return PROXY_INCOMPLETE;
    command = p[12];
    family = p[13] >> 4; /* 0 unspecified, 1 IPv4, 2 IPv6, 3 Unix */
    rest_len = be16_load(p + 14);
    header.len = V2_FIXED + rest_len;
    if ((command != 0x20 && command != 0x21) || family > 3 || (p[13] & 15) > 2 ||
        header.len > PROXY_HEADER_MAX)
        return PROXY_BAD;
    header.has_ip = command == 0x21 && (family == 1 || family == 2);
    if (header.has_ip && rest_len < (family == 1 ? V2_IPV4 : V2_IPV6))
        return PROXY_BAD;
    if (in.len < header.len)
        return PROXY_INCOMPLETE;
    if (header.has_ip && family == 1)
        ip_map_v4(p + V2_FIXED, header.ip);
    else if (header.has_ip)
        memcpy(header.ip, p + V2_FIXED, IP_LEN);
    *out = header;
    return PROXY_OK;
}

static bool agree(struct slice in, const char *signature, size_t len)
{
    return memcmp(in.ptr, signature, in.len < len ? in.len : len) == 0;
}

enum proxy_status proxy_header_parse(struct slice in, struct proxy_header *out)
{
    if (in.len == 0)
        return PROXY_INCOMPLETE;
    if (agree(in, v2_signature, sizeof(v2_signature)))
        return in.len < sizeof(v2_signature) ? PROXY_INCOMPLETE : parse_v2(in, out);
    if (agree(in, "PROXY ", 6))
        return in.len < 6 ? PROXY_INCOMPLETE : parse_v1(in, out);
    return PROXY_BAD;
}
