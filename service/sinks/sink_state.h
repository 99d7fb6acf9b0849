/* sink_state.h - what a sink knows after a restart: how far it is in each log, the range that was
 * being sent, the ranges that failed or are lost.  A file of JSON in state_dir/sinks/NAME, written
 * beside and renamed (FORMATS.md "Sink state"). */
#ifndef SINKS_SINK_STATE_H
#define SINKS_SINK_STATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"

struct error;

/* Positions [from, to) of a log. */
struct sink_range {
    uint8_t log_id[CLICK_LOG_ID_LEN];
    uint64_t from, to;
    int64_t at_ms; /* Unix: when it was first to be sent */
};

struct sink_cursor {
    uint8_t log_id[CLICK_LOG_ID_LEN];
    uint64_t at;       /* all positions below were sent, are listed as failed, or count as lost */
    bool holds_events; /* or relabellings; false in a state that an older build wrote */
};

enum { SINK_WHY_MAX = 192, SINK_LOST_MAX = 256 };

/* What became of a record that a sink is to have. */
enum sink_told {
    SINK_TOLD,  /* the sink has taken it */
    SINK_WAITS, /* the sink hasn't, and the log still holds it; also of what failed */
    SINK_LOST,  /* the sink hasn't, and never will */
};

struct sink_state {
    struct sink_cursor *cursors;
    size_t n_cursors, cursors_max;
    bool has_intent;          /* `intent` may have been sent, or a part of it */
    struct sink_range intent; /* it begins at the cursor of its log, unless it had failed before */
    struct sink_range *failed;
    size_t n_failed, failed_max;
    /* What the sink will never get of logs of events, for erasures; the oldest entry first.  Of a
     * log that is deleted, all positions from the cursor on.  Ranges of a log neither overlap nor
     * adjoin. */
    struct sink_range lost[SINK_LOST_MAX];
    size_t n_lost_ranges;
    int64_t known_since_ms;  /* Unix: what was lost before may be missing in `lost`; 0 = not set */
    uint64_t n_sent, n_lost; /* records, over all starts */
    char off_why[SINK_WHY_MAX]; /* "" = the sink is on */
};

/* Reads state_dir/sinks/NAME/state.json into `*state`, which is all zero before.  Without a file
 * the state is empty.  False and `*err`: the file can't be read, or isn't a sink's state. */
MUST_USE bool sink_state_load(const char *state_dir, const char *name, struct sink_state *state,
                              struct error *err);
/* Makes the folder of the sink (mode 0700).  False and `*err` on failure. */
MUST_USE bool sink_state_make_folder(const char *state_dir, const char *name, struct error *err);
/* Writes the state and returns 0 when it is on disk; or an errno, and the old file stays. */
MUST_USE int sink_state_save(const char *state_dir, const char *name,
                             const struct sink_state *state);
void sink_state_clear(struct sink_state *state);

/* The cursor of the log, or NULL. */
struct sink_cursor *sink_state_find(const struct sink_state *state,
                                    const uint8_t log_id[static CLICK_LOG_ID_LEN]);
/* Both false: out of memory. */
MUST_USE bool sink_state_add(struct sink_state *state, const struct sink_cursor *cursor);
MUST_USE bool sink_state_add_failed(struct sink_state *state, const struct sink_range *range);

/* Lists a range as lost, together with those that it overlaps or adjoins.  Forgets entries that are
 * a month older, and the oldest when there are SINK_LOST_MAX others. */
void sink_state_add_lost(struct sink_state *state, const struct sink_range *range);
bool sink_state_has_lost(const struct sink_state *state,
                         const uint8_t log_id[static CLICK_LOG_ID_LEN], uint64_t position);
/* Whether a sink with this state has the record at a position of a log, which was appended at
 * `at_ms`, Unix.  Of a log without a cursor, which is deleted, the sink has what isn't listed as
 * lost, unless that isn't known so far back: then it counts as lost. */
enum sink_told sink_state_told(const struct sink_state *state,
                               const uint8_t log_id[static CLICK_LOG_ID_LEN], uint64_t position,
                               int64_t at_ms);

/* "STATE_DIR/sinks/NAME/FILE", cut to fit. */
enum { SINK_PATH_MAX = 4096 };
void sink_state_path(const char *state_dir, const char *name, const char *file,
                     char out[static SINK_PATH_MAX]);

#endif
