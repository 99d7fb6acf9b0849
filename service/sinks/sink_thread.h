/* sink_thread.h - the thread of one sink: reads the logs, gives ranges to the sink's type, keeps
 * the cursors.
 *
 *     choose a range ─▶ write it down, synced ─▶ put ─▶ done: the cursor moves
 *           ▲            (types that need it)     ▲ │
 *           │                                     └─┴── later: the same again, after a back-off
 *           └── failed: listed, `hopcount sinks retry` brings it back
 *
 * After a crash the range in the state is sent again exactly as it was.  A segment of a log is kept
 * for the sink until the sink's cursor, as saved on disk, is past the segment. */
#ifndef SINKS_SINK_THREAD_H
#define SINKS_SINK_THREAD_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"
#include "service/sinks/sink_state.h"

struct clickstore;
struct config_sink;
struct error;
struct sink_erasures;
struct site;
struct sink_thread;
struct state_table;

struct sink_thread_options {
    const struct config_sink *config; /* till sink_thread_free(), as is what follows */
    struct clickstore *store;
    const struct state_table *states; /* NULL: there is none */
    struct sink_erasures *erasures;   /* NULL: nobody takes them */
    const char *state_dir;
    const char *redis_url; /* of the counters */
    int64_t redis_timeout_ms;
    struct site *site; /* a reference is taken */
    unsigned number;   /* of the sink, among the readers of the store */
};

/* Checks that the files and folders that the configuration names are there and usable.  Changes and
 * contacts nothing.  False and `*err` (the key and what is wrong) if not. */
MUST_USE bool sink_thread_check(const struct config_sink *config, struct error *err);

/* Starts the thread.  NULL and `*err` when the configuration can't work or the state of an earlier
 * start can't be read. */
MUST_USE struct sink_thread *sink_thread_new(const struct sink_thread_options *options,
                                             struct error *err);
/* Tells the thread to end soon; sink_thread_free() waits for it. */
void sink_thread_stop(struct sink_thread *thread);
void sink_thread_free(struct sink_thread *thread);

/* From now on names of brands come from `site`, to which the thread takes a reference. */
void sink_thread_reload(struct sink_thread *thread, struct site *site);

/* From now on records are sent at once, however few they are.  sink_thread_is_drained(): the sink
 * has everything that was in the logs at that time, except clicks that are held back for their
 * label, and the cursors are on disk. */
void sink_thread_drain(struct sink_thread *thread);
bool sink_thread_is_drained(struct sink_thread *thread);
/* Whether it is known not to take anything just now: it is off, or refused or could not be reached
 * twice in a row.  One failure may be a hiccup, and a request without an answer tells nothing. */
bool sink_thread_is_down(struct sink_thread *thread);

struct sink_stats {
    const char *name, *type;
    uint64_t lag;      /* records of the logs that the sink hasn't got */
    int64_t oldest_ms; /* age of the oldest of them; 0 = there is none */
    uint64_t n_sent, n_lost;
    size_t n_failed; /* ranges */
    bool is_off;
    char why[SINK_WHY_MAX]; /* why the sink doesn't go on; "" = it does */
};
/* Any thread. */
void sink_thread_stats(struct sink_thread *thread, struct sink_stats *out);
/* What became of the record at a position of a log of events, of this start or an earlier one,
 * which was appended at `at_ms`, Unix.  See sink_state_told() on logs that are deleted. Where more
 * than one range of the log failed, what lies between them counts as failed too, and waits until
 * `hopcount sinks retry`.  Where more than one record of a batch was damaged, what lies between
 * them counts as lost.  Any thread. */
enum sink_told sink_thread_told(struct sink_thread *thread,
                                const uint8_t log_id[static CLICK_LOG_ID_LEN], uint64_t position,
                                int64_t at_ms);

#endif
