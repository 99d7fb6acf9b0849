#include "proto/ip.h"

#include <arpa/inet.h>
#include <string.h>

#include "proto/number.h"

void ip_map_v4(const uint8_t v4[static 4], uint8_t out[static IP_LEN])
{
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, v4, 4);
}

bool ip_parse(struct slice text, uint8_t out[static IP_LEN])
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[IP_LEN];

    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, 0, text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        ip_map_v4(bytes, out);
        return true;
    }
    if (inet_pton(AF_INET6, copy, bytes) == 1) {
        memcpy(out, bytes, IP_LEN);
        return true;
    }
    return false;
}

static bool is_private_v4(uint32_t ip)
{
    static const struct {
        uint32_t net;
        unsigned bits;
    } nets[] = {
        {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},
        {0xa9fe0000, 16}, {0xac100000, 12}, {0xc0000000, 24}, {0xc0a80000, 16},
        {0xc6120000, 15}, {0xe0000000, 4},  {0xf0000000, 4},
    };

    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        if ((ip ^ nets[i].net) >> (32 - nets[i].bits) == 0)
            return true;
    }
    return false;
}

bool ip_is_private(const uint8_t ip[static IP_LEN])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, nat64[12] = {0, 0x64, 0xff, 0x9b};
    static const uint8_t zeros[12] = {0};

    if (memcmp(ip, mapped, 12) == 0 || memcmp(ip, nat64, 12) == 0 || memcmp(ip, zeros, 12) == 0)
        return is_private_v4((uint32_t)ip[12] << 24 | (uint32_t)ip[13] << 16 |
                             (uint32_t)ip[14] << 8 | ip[15]);
    /* unique local, link local, multicast */
    return (ip[0] & 0xfe) == 0xfc || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) || ip[0] == 0xff;
}

/* A number, or as Forwarded may hide it: "_" and letters (RFC 7239, 6). */
static bool is_port(struct slice text)
{
    return number_is_port(text) || (text.len > 1 && text.ptr[0] == '_');
}

/* The text up to `separator`, and what follows it; false if there is none. */
static bool split(struct slice text, char separator, struct slice *before, struct slice *after)
{
    const char *at = text.len ? memchr(text.ptr, separator, text.len) : NULL;

    if (!at)
        return false;
    *before = slice_make(text.ptr, (size_t)(at - text.ptr));
    *after = slice_make(at + 1, text.len - before->len - 1);
    return true;
}

bool ip_parse_with_port(struct slice text, uint8_t out[static IP_LEN])
{
    struct slice host, port;

    if (text.len && text.ptr[0] == '[') {
        if (!split(slice_make(text.ptr + 1, text.len - 1), ']', &host, &port) ||
            !memchr(host.ptr, ':', host.len))
            return false;
        if (port.len && (port.ptr[0] != ':' || !is_port(slice_make(port.ptr + 1, port.len - 1))))
            return false;
        return ip_parse(host, out);
    }
    /* One colon parts a port from IPv4; more of them are IPv6. */
    if (split(text, ':', &host, &port) && !(port.len && memchr(port.ptr, ':', port.len)))
        return is_port(port) && ip_parse(host, out);
    return ip_parse(text, out);
}
