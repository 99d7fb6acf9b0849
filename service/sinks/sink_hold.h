/* sink_hold.h - relabellings that were found while clicks wait: a sink that must not be told of
 * mail gateways as of people gets a person's click only when the time has passed in which it could
 * be found to be a machine's.  One thread. */
#ifndef SINKS_SINK_HOLD_H
#define SINKS_SINK_HOLD_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct click;
struct sink_hold;

/* `hold_ms`: how long a person's click waits.  NULL: out of memory. */
MUST_USE struct sink_hold *sink_hold_new(int64_t hold_ms);
void sink_hold_free(struct sink_hold *hold);

/* Whether the record may be sent at `now_ms`, Unix.  A relabelling waits a little longer than its
 * click. */
bool sink_hold_is_ripe(const struct sink_hold *hold, const struct click *record, int64_t now_ms);

/* Notes a relabelling that is in a log; others are passed over, as is one that was noted before. */
void sink_hold_note(struct sink_hold *hold, const struct click *record, int64_t now_ms);

/* Gives a person's click the label that it has by now. */
void sink_hold_amend(struct sink_hold *hold, struct click *click);
/* Whether the click of this relabelling was sent with its new label. */
bool sink_hold_is_known(const struct sink_hold *hold, const struct click *relabel);

#endif
