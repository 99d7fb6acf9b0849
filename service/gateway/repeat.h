/* repeat.h - clicks of one link by one network, again and again: nobody reads a page more than
 * `max` times within a minute, so what comes beyond is a machine's.
 *
 * A link that names a client is one person's, so a network (/24, /48) is enough to tell who repeats
 * it.  One that names nobody may be everyone's: there the visitor, an address and an agent, stands
 * in place of the network.
 *
 * A fixed table remembers when the clicks came that were not beyond `max`; a link that is flooded
 * keeps its place, the one that was silent longest gives way.  Pure; time is that of the clicks,
 * which may come in any order.
 */
#ifndef GATEWAY_REPEAT_H
#define GATEWAY_REPEAT_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/gateway/gateway.h"

enum { REPEAT_WINDOW_MS = 60000 };

struct repeat;

/* `max` 0: nothing is a repeat.  NULL: out of memory. */
MUST_USE struct repeat *repeat_new(unsigned max);
void repeat_free(struct repeat *repeat);

/* A click of this process, once.  True: `max` of its clicks are known within a minute of it, and it
 * is a repeat, whatever other pods know.  Else it is remembered. */
bool repeat_add_own(struct repeat *repeat, const struct gateway_click *click);
/* A click of another process.  It may come again. */
void repeat_add_other(struct repeat *repeat, const struct gateway_click *click);
/* A click that was added: whether `max` clicks that are known now came in the minute before it.  Of
 * clicks of one millisecond all pods take the same one to be the first. */
bool repeat_is(const struct repeat *repeat, const struct gateway_click *click);

#endif
