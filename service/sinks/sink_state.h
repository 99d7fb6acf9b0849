/* sink_state.h - what a sink knows after a restart: how far it is in each log, the range that was
 * being sent, the ranges that failed.  A file of JSON in state_dir/sinks/NAME, written beside and
 * renamed (FORMATS.md "Sink state"). */
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
    uint64_t at; /* all positions below were sent, are listed as failed, or count as lost */
};

enum { SINK_WHY_MAX = 192 };

struct sink_state {
    struct sink_cursor *cursors;
    size_t n_cursors, cursors_max;
    bool has_intent;          /* `intent` may have been sent, or a part of it */
    struct sink_range intent; /* it begins at the cursor of its log, unless it had failed before */
    struct sink_range *failed;
    size_t n_failed, failed_max;
    uint64_t n_sent, n_lost;    /* records, over all starts */
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
/* A new one, at 0; NULL: out of memory. */
struct sink_cursor *sink_state_add(struct sink_state *state,
                                   const uint8_t log_id[static CLICK_LOG_ID_LEN]);
MUST_USE bool sink_state_add_failed(struct sink_state *state, const struct sink_range *range);

/* "STATE_DIR/sinks/NAME/FILE", cut to fit. */
enum { SINK_PATH_MAX = 4096 };
void sink_state_path(const char *state_dir, const char *name, const char *file,
                     char out[static SINK_PATH_MAX]);

#endif
