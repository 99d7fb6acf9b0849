/* event_log.h - the click log that events are appended to, and pages of ours that links led to.
 *
 * Events are rare and come from several threads, so all of them share one log, behind a lock.  An
 * event is accepted when it is in the log.  From there the ledger applies it exactly once, like a
 * click, and waits with it while Redis is away.
 */
#ifndef STATE_EVENT_LOG_H
#define STATE_EVENT_LOG_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct click;
struct clickstore;
struct error;
struct event;
struct event_log;

/* `with_sync`: an event is on disk before event_log_append() or event_log_sync() returns.  NULL and
 * `*err` on failure. Borrows `store`. */
MUST_USE struct event_log *event_log_new(struct clickstore *store, bool with_sync,
                                         struct error *err);
/* NULL is allowed. */
void event_log_free(struct event_log *log);

/* Appends the event; any thread.  False: the log has no room and the event was not accepted.  With
 * `with_sync` the calling thread waits for the disk: a worker, too, as it does for its own clicks
 * (conns_flush()). */
MUST_USE bool event_log_append(struct event_log *log, const struct event *event);
/* The same, and sets `*position`: where in the log (event_log_id()) the event is. */
MUST_USE bool event_log_append_at(struct event_log *log, const struct event *event,
                                  uint64_t *position);

/* The same in two steps, for many events that wait for the disk once: none is accepted before
 * event_log_sync(). */
MUST_USE bool event_log_add(struct event_log *log, const struct event *event);
void event_log_sync(struct event_log *log);

/* Appends a record of CLICK_TYPE_PAGE; any thread.  Never waits for the disk by itself.  Where the
 * log has no room, or another thread is in it for long, the page is not counted. */
void event_log_add_page(struct event_log *log, const struct click *page);

/* Events appended since start, by all threads, without pages. */
uint64_t event_log_count(struct event_log *log);

const uint8_t *event_log_id(const struct event_log *log); /* CLICK_LOG_ID_LEN bytes */

#endif
