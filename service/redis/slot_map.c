#include "service/redis/slot_map.h"

#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/number.h"

static uint16_t crc16(const char *bytes, size_t len)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc = (uint16_t)(crc ^ (uint16_t)((uint8_t)bytes[i] << 8));
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

unsigned slot_of_key(struct slice key)
{
    const char *open = key.len ? memchr(key.ptr, '{', key.len) : NULL;

    if (open) {
        size_t rest = key.len - (size_t)(open + 1 - key.ptr);
        const char *close = memchr(open + 1, '}', rest);

        if (close && close > open + 1)
            key = slice_make(open + 1, (size_t)(close - open - 1));
    }
    return crc16(key.ptr, key.len) % SLOT_COUNT;
}

bool slot_parse_redirection(const char *error, struct slot_redirection *out)
{
    struct slice rest = slice_of(error), word, slot, where;
    struct slot_redirection redirection = {0};
    const char *colon;
    uint32_t port;
    size_t len;

    if (!slice_next_part(&rest, ' ', &word) || !slice_next_part(&rest, ' ', &slot) ||
        !slice_next_part(&rest, ' ', &where) || where.len == 0)
        return false;
    redirection.is_ask = slice_equal(word, slice_of("ASK"));
    if (!redirection.is_ask && !slice_equal(word, slice_of("MOVED")))
        return false;
    colon = memrchr(where.ptr, ':',
                    where.len); /* the last colon, because IPv6 addresses come without brackets */
    if (!colon)
        return false;
    len = (size_t)(colon - where.ptr);
    if (!number_parse_u32(slot, SLOT_COUNT - 1, &redirection.slot) ||
        !number_parse_u32(slice_make(colon + 1, where.len - len - 1), 65535, &port) || port == 0 ||
        len >= sizeof(redirection.to.host))
        return false;
    memcpy(redirection.to.host, where.ptr, len);
    redirection.to.port = (uint16_t)port;
    *out = redirection;
    return true;
}

/* Parses [host, port, id, …]; the host may be empty, NULL or "?". */
static bool parse_node(const struct redisReply *answer, const struct redis_address *from,
                       struct redis_address *out)
{
    const struct redisReply *host, *port;

    if (answer->type != REDIS_REPLY_ARRAY || answer->elements < 2)
        return false;
    host = answer->element[0];
    port = answer->element[1];
    if (port->type != REDIS_REPLY_INTEGER || port->integer < 1 || port->integer > 65535)
        return false;
    memset(out, 0, sizeof(*out));
    if (host->type == REDIS_REPLY_STRING && host->len > 0 && host->len < sizeof(out->host) &&
        strcmp(host->str, "?") != 0)
        memcpy(out->host, host->str, host->len);
    else
        memcpy(out->host, from->host, sizeof(out->host));
    out->port = (uint16_t)port->integer;
    return true;
}

bool slot_parse_range(const struct redisReply *answer, const struct redis_address *from,
                      struct slot_range *out)
{
    long long first, last;

    if (answer->type != REDIS_REPLY_ARRAY || answer->elements < 3 ||
        answer->element[0]->type != REDIS_REPLY_INTEGER ||
        answer->element[1]->type != REDIS_REPLY_INTEGER)
        return false;
    first = answer->element[0]->integer;
    last = answer->element[1]->integer;
    if (first < 0 || last >= SLOT_COUNT || first > last ||
        !parse_node(answer->element[2], from, &out->master))
        return false;
    out->first = (unsigned)first;
    out->last = (unsigned)last;
    return true;
}
