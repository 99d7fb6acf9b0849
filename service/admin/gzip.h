/* gzip.h - packs a reply (RFC 1952). */
#ifndef ADMIN_GZIP_H
#define ADMIN_GZIP_H
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

/* The packed bytes, malloc()ed, and their number; NULL = no memory, or packing does not pay. */
MUST_USE void *gzip_pack(struct slice bytes, size_t *packed_len);

#endif
