/* segment_guard.h - keeps the process alive when the file behind a mapped segment vanishes.
 *
 * Touching a page whose file was truncated, or that the disk can't read, raises SIGBUS.  The
 * handler puts an anonymous page of zeros in its place, marks the segment as hit and lets the
 * access run again: the click goes to memory, as with any broken disk.  What the page held is lost
 * and shows up as damaged records.  A SIGBUS at any other address is handled as before. */
#ifndef CLICKLOG_SEGMENT_GUARD_H
#define CLICKLOG_SEGMENT_GUARD_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"

/* Embedded in a segment; all fields but `hit` are private to the guard. */
struct segment_guard {
    struct segment_guard *prev, *next;
    uint8_t *base;
    size_t len;
    uint64_t *replaced; /* one bit per page */
    atomic_bool hit;    /* a page was replaced; any thread may read it */
};

/* Installs the handler, once.  Call before threads use segments.  False: errno says why. */
MUST_USE bool segment_guard_install(void);

/* Watches the mapping [base, base + len), page-aligned.  False when out of memory. */
MUST_USE bool segment_guard_add(struct segment_guard *guard, void *base, size_t len);
/* Call before unmapping.  A guard of all zeros is allowed. */
void segment_guard_remove(struct segment_guard *guard);

#endif
