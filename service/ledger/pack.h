/* pack.h - MessagePack, as much as the batch script reads: arrays, short texts, small numbers. */
#ifndef LEDGER_PACK_H
#define LEDGER_PACK_H
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

/* One array, built in memory of a fixed size.  Elements that don't fit are left out, and `full` is
 * set. */
struct pack {
    uint8_t *bytes;
    size_t len, size;
    uint32_t n; /* elements */
    int full;
};

enum { PACK_HEAD_LEN = 5 };

void pack_begin(struct pack *pack);
void pack_number(struct pack *pack, uint32_t number);
void pack_text(struct pack *pack, struct slice text);
/* Room for a text of at most 65,535 bytes, whose length pack_close() says; NULL: no room. */
uint8_t *pack_open(struct pack *pack, size_t len_max);
void pack_close(struct pack *pack, size_t len);
/* The whole array. */
struct slice pack_end(struct pack *pack);

#endif
