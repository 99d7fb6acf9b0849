#include "service/base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* Parses a decimal number of at most `max`, without sign or blanks; false otherwise. */
static bool read_number(const char *text, unsigned max, unsigned *out)
{
    unsigned value = 0;

    if (!*text || (text[0] == '0' && text[1]))
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > max)
            return false;
    }
    *out = value;
    return true;
}

/* Copies [text, end) to `out`; false when it doesn't fit. */
static bool copy_part(const char *text, const char *end, char out[static INET6_ADDRSTRLEN])
{
    size_t len = (size_t)(end - text);

    if (len >= INET6_ADDRSTRLEN)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

bool address_parse(const char *text, struct address *out)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN];
    unsigned port;

    if (!colon || !read_number(colon + 1, 65535, &port))
        return false;
    *out = (struct address){0};
    if (text[0] == '[') {
        if (colon[-1] != ']' || !copy_part(text + 1, colon - 1, host) ||
            inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
            return false;
        in6.sin6_port = htons((uint16_t)port);
        memcpy(&out->addr, &in6, sizeof(in6));
        out->addr_len = sizeof(in6);
        return true;
    }
    if (!copy_part(text, colon, host) || inet_pton(AF_INET, host, &in4.sin_addr) != 1)
        return false;
    in4.sin_port = htons((uint16_t)port);
    memcpy(&out->addr, &in4, sizeof(in4));
    out->addr_len = sizeof(in4);
    return true;
}

bool network_parse(const char *text, struct network *out)
{
    const char *slash = strchr(text, '/');
    bool is_v6 = strchr(text, ':') != NULL;
    unsigned bits = is_v6 ? 128 : 32;
    struct network network = {0};
    char host[INET6_ADDRSTRLEN];

    if (!copy_part(text, slash ? slash : text + strlen(text), host))
        return false;
    if (slash && !read_number(slash + 1, bits, &bits))
        return false;
    if (!is_v6) {
        memcpy(network.prefix, mapped_prefix, sizeof(mapped_prefix));
        bits += 96;
    }
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, host, network.prefix + (is_v6 ? 0 : 12)) != 1)
        return false;
    for (unsigned i = bits; i < 128; i++) {
        if (network.prefix[i / 8] >> (7 - i % 8) & 1)
            return false; /* an address in a network, not a network */
    }
    network.bits = (uint8_t)bits;
    *out = network;
    return true;
}

bool network_contains(const struct network *network, const uint8_t ip[static 16])
{
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;

    if (memcmp(network->prefix, ip, whole) != 0)
        return false;
    return rest == 0 || (network->prefix[whole] ^ ip[whole]) >> (8 - rest) == 0;
}

bool address_ip(const struct sockaddr *addr, uint8_t out[static 16])
{
    if (addr->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr, 16);
        return true;
    }
    if (addr->sa_family != AF_INET)
        return false;
    memcpy(out, mapped_prefix, sizeof(mapped_prefix));
    memcpy(out + 12, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
    return true;
}
