/* sinks.h - all sinks of the configuration.  Like the ledger, sinks read the click log; each has a
 * thread and cursors of its own, so none of them delays a redirect, a counter or another sink. */
#ifndef SINKS_SINKS_H
#define SINKS_SINKS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"
#include "service/sinks/sink_thread.h"

struct clickstore;
struct config;
struct error;
struct event_log;
struct site;
struct sinks;
struct state_table;

struct sinks_options {
    const struct config *config;      /* till sinks_free(), as what is not said otherwise */
    struct clickstore *store;         /* opened for n_sinks of the configuration */
    const struct state_table *states; /* NULL: there is none */
    struct event_log *events;         /* for erasures; NULL: they wait for hopcountd */
    const char *state_dir;
    const char *redis_url; /* of the counters, till sinks_free() */
    struct site *site;     /* a reference is taken */
};

/* Whether each of them can work; see sink_thread_check().  False and `*err` (file, line, key). */
MUST_USE bool sinks_check(const struct config *config, struct error *err);

/* Starts a thread for each.  NULL and `*err` (file, line, key) when one can't work. */
MUST_USE struct sinks *sinks_new(const struct sinks_options *options, struct error *err);
/* Ends the threads.  Records that a sink hasn't got are sent after the next start.  NULL is
 * allowed. */
void sinks_free(struct sinks *sinks);

void sinks_reload(struct sinks *sinks, struct site *site);

/* Sends records at once, however few they are.  True when every sink has everything, except clicks
 * that are held back for their label; false when that takes longer than `wait_ms`. */
MUST_USE bool sinks_drain(struct sinks *sinks, int64_t wait_ms);
/* After sinks_drain(): whether each sink that hasn't got everything is down
 * (sink_thread_is_down()), so that waiting is of no use. */
bool sinks_are_down(struct sinks *sinks);

unsigned sinks_count(const struct sinks *sinks);
void sinks_stats(struct sinks *sinks, unsigned index, struct sink_stats *out);
/* Till sinks_free(). */
const char *sinks_name(const struct sinks *sinks, unsigned index);
/* Whether the sink of this name was told of a record, see sink_thread_told().  A sink that the
 * configuration no longer has is told nothing more: what it hadn't got by the state that it left,
 * or all when it left none, is SINK_LOST.  Reads a file then. */
enum sink_told sinks_told(struct sinks *sinks, const char *name,
                          const uint8_t log_id[static CLICK_LOG_ID_LEN], uint64_t position,
                          int64_t at_ms);

#endif
