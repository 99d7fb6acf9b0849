/* huge.h - memory for tables that are much larger than the processor's cache.
 *
 * A look at such a table misses the cache, and before that the processor's memory of page tables:
 * with pages of 4 KiB, finding the page takes as long as the memory itself, and in a virtual
 * machine several times as long.  In huge pages (2 MiB) the page is mostly known.
 */
#ifndef BASE_HUGE_H
#define BASE_HUGE_H
#include <stddef.h>

#include "proto/compiler.h"

/* Returns zeros, in huge pages where the kernel gives any (transparent_hugepage is `always` or
 * `madvise`), else in ordinary ones.  Memory is taken as it is touched, in huge pages 2 MiB at a
 * time.  NULL: out of memory. */
MUST_USE void *huge_new(size_t bytes);
/* `memory` may be NULL; `bytes` as passed to huge_new(). */
void huge_free(void *memory, size_t bytes);

#endif
