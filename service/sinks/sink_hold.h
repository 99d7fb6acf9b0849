/* sink_hold.h - holds back clicks by people until it is sure that they are not a mail gateway's,
 * and keeps the relabellings that come meanwhile.  For sinks that can't take a click back.  One
 * thread. */
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

/* Whether the record has waited long enough to be sent at `now_ms`, Unix.  A relabelling waits a
 * little longer than its click. */
bool sink_hold_is_ripe(const struct sink_hold *hold, const struct click *record, int64_t now_ms);

/* Notes a relabelling of a log.  Ignores other records, and a relabelling that was noted before. */
void sink_hold_note(struct sink_hold *hold, const struct click *record, int64_t now_ms);

/* Gives a person's click the label of its relabelling, if there was one. */
void sink_hold_amend(struct sink_hold *hold, struct click *click);
/* Whether the click of this relabelling was sent with its new label. */
bool sink_hold_is_known(const struct sink_hold *hold, const struct click *relabel);

#endif
