/* repeat.h - finds repeated clicks of one link from one network.  People don't open a page more
 * than `max` times within a minute, so any further click is a machine's.
 *
 * A link that names a client belongs to one person, so a network (/24, /48) is enough to tell who
 * repeats it.  A link that names no client may be opened by many: there the visitor (address and
 * agent) is used in place of the network.
 *
 * A table of fixed size keeps the times of the clicks up to `max`.  When it is full, the link that
 * was silent longest is replaced.  Pure; the only time is that of the clicks, which may be added in
 * any order. */
#ifndef GATEWAY_REPEAT_H
#define GATEWAY_REPEAT_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/gateway/gateway_click.h"

enum { REPEAT_WINDOW_MS = 60000 };

struct repeat;

/* `max` 0: nothing is a repeat.  NULL: out of memory. */
MUST_USE struct repeat *repeat_new(unsigned max);
void repeat_free(struct repeat *repeat);

/* Prefetches memory for the calls below: first where the click's slot is, then, `has_slot`, what
 * the slot holds. */
void repeat_expect(const struct repeat *repeat, const struct click *click, bool has_slot);
/* Tests a click of this process; call once for each.  True: `max` other clicks within a minute of
 * it are known, so it is a repeat, whatever other pods know.  Otherwise the click is stored. */
bool repeat_add_own(struct repeat *repeat, const struct gateway_click *click);
/* Stores a click of another process; may be called again for the same click. */
void repeat_add_other(struct repeat *repeat, const struct gateway_click *click);
/* For a click that was added: whether `max` known clicks came in the minute before it.  Clicks of
 * the same millisecond are ordered the same way in all pods. */
bool repeat_is(const struct repeat *repeat, const struct gateway_click *click);

#endif
