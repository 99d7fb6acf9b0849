#include "service/ledger/pack.h"

#include <string.h>

#include "proto/bytes.h"

enum {
    FIX_INT_MAX = 127,
    TAG_UINT32 = 0xce,
    TAG_STR8 = 0xd9,
    TAG_STR16 = 0xda,
    TAG_ARRAY32 = 0xdd,
    STR16_HEAD_LEN = 3,
};

static uint8_t *take(struct pack *pack, size_t len)
{
    uint8_t *at = pack->bytes + pack->len;

    if (pack->size - pack->len < len) {
        pack->full = 1;
        return NULL;
    }
    pack->len += len;
    return at;
}

void pack_begin(struct pack *pack)
{
    pack->len = PACK_HEAD_LEN;
    pack->n = 0;
    pack->full = 0;
}

void pack_number(struct pack *pack, uint32_t number)
{
    uint8_t *at = take(pack, number <= FIX_INT_MAX ? 1 : 5);

    if (!at)
        return;
    pack->n++;
    if (number <= FIX_INT_MAX) {
        *at = (uint8_t)number;
    } else {
        *at = TAG_UINT32;
        be32_store(at + 1, number);
    }
}

void pack_text(struct pack *pack, struct slice text)
{
    uint8_t *at = take(pack, 2 + text.len);

    if (!at)
        return;
    pack->n++;
    at[0] = TAG_STR8;
    at[1] = (uint8_t)text.len;
    memcpy(at + 2, text.ptr, text.len);
}

uint8_t *pack_open(struct pack *pack, size_t len_max)
{
    if (pack->size - pack->len < STR16_HEAD_LEN + len_max) {
        pack->full = 1;
        return NULL;
    }
    return pack->bytes + pack->len + STR16_HEAD_LEN;
}

void pack_close(struct pack *pack, size_t len)
{
    uint8_t *at = pack->bytes + pack->len;

    at[0] = TAG_STR16;
    be16_store(at + 1, (uint16_t)len);
    pack->len += STR16_HEAD_LEN + len;
    pack->n++;
}

struct slice pack_end(struct pack *pack)
{
    pack->bytes[0] = TAG_ARRAY32;
    be32_store(pack->bytes + 1, pack->n);
    return slice_make((const char *)pack->bytes, pack->len);
}
