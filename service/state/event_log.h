/* event_log.h - the click log that events are appended to.
 *
 * Events are rare, come from several threads, and wait for nothing; so one log of its own behind a
 * lock serves all of them.  An event is accepted when it is in the log: the ledger applies it like
 * a click, exactly once, and later if Redis is away.
 */
#ifndef STATE_EVENT_LOG_H
#define STATE_EVENT_LOG_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct clickstore;
struct error;
struct event;
struct event_log;

/* `with_sync`: an event is on disk before event_log_append() returns.  NULL and `*err` on failure.
 * Borrows `store`. */
MUST_USE struct event_log *event_log_new(struct clickstore *store, bool with_sync,
                                         struct error *err);
/* NULL is allowed. */
void event_log_free(struct event_log *log);

/* Appends; any thread.  False: there is no room in the log, nothing was accepted. */
MUST_USE bool event_log_append(struct event_log *log, const struct event *event);

/* Events appended since start, by all threads. */
uint64_t event_log_count(struct event_log *log);

#endif
