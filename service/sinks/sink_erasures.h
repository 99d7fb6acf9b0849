/* sink_erasures.h - tells the sinks which clients `hopcount erase` has taken out of Redis.
 *
 * The command leaves an empty file in state_dir/sinks whose name holds the client and the time. The
 * thread of a sink turns the file into an event in the log of events, which all sinks get like any
 * other record. */
#ifndef SINKS_SINK_ERASURES_H
#define SINKS_SINK_ERASURES_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct error;
struct event_log;
struct sink_erasures;

struct sink_erasure {
    uint32_t brand, client; /* click_brand_id() */
    int64_t at_ms;          /* Unix */
};

/* Whether sink_erasures_leave() would work: hopcountd has run with this state_dir, and this user
 * may write there.  False and `*err` if not. */
MUST_USE bool sink_erasures_check(const char *state_dir, struct error *err);
/* Leaves the file for the hopcountd that runs, or that starts next.  False and `*err` on failure.
 */
MUST_USE bool sink_erasures_leave(const char *state_dir, const struct sink_erasure *erasure,
                                  struct error *err);

/* Borrows its arguments.  NULL: out of memory. */
MUST_USE struct sink_erasures *sink_erasures_new(const char *state_dir, struct event_log *events);
void sink_erasures_free(struct sink_erasures *erasures);
/* Looks for files, once a second at most, and appends an event for each to the log; any thread.  If
 * the process is killed before the file is deleted, the next start appends the event again, which
 * does no harm. */
void sink_erasures_take(struct sink_erasures *erasures, int64_t now_mono_ms);

#endif
