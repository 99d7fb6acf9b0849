/* ledger.h - what the parts of `hopcount ledger` share: which state_dir, which Redis. */
#ifndef CLI_LEDGER_H
#define CLI_LEDGER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"

struct clicklog;
struct clickstore;
struct config;
struct error;

/* Taken from the command line and the configuration. */
struct ledger_place {
    struct config *config; /* NULL without -c */
    const char *state_dir;
    char *redis_url; /* NULL: none was named */
    unsigned n_shards;
    int64_t timeout_ms;
};

/* Counts of the logs in `place`, and where Redis has them if it was named.  CLI_OK, or CLI_FAILED
 * after saying why. */
MUST_USE int ledger_show(const struct ledger_place *place, bool as_json);

/* Applies them; gives up after `patience_s` seconds without any progress. */
MUST_USE int ledger_drain_dir(const struct ledger_place *place, int64_t patience_s);

/* After Redis was restored from a copy made at `copied_s` (Unix time; the earliest that is
 * possible): which logs were in use then and have had no process since. */
MUST_USE int ledger_restored(const struct ledger_place *place, int64_t copied_s, bool as_json);

/* The cursor of a log: the lowest of all shards. */
struct ledger_cursor {
    struct clicklog *log;
    uint64_t applied;
};

/* Asks Redis for the cursors of `n` logs; false and `*err` when it does not tell within the time
 * limit of `place`. */
MUST_USE bool ledger_cursors_ask(const struct ledger_place *place, struct ledger_cursor *cursors,
                                 size_t n, struct error *err);

/* Opens the store in `place`; `mode` is an enum clickstore_mode.  NULL and `*err` on failure. */
MUST_USE struct clickstore *ledger_place_open(const struct ledger_place *place, int mode,
                                              struct error *err);

#endif
