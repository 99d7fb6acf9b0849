/* reshard_keys.h - the keys of Redis on their way to another number of shards: found, copied, and
 * put in the place of those that were there (FORMATS.md "Another number of shards").
 *
 * Nothing that is read here changes meanwhile, for no process counts.  So each step may be done
 * over again, wholly or from the middle on, and comes to the same. */
#ifndef CLI_RESHARD_KEYS_H
#define CLI_RESHARD_KEYS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/reshard.h"

struct reshard_copier;
struct talk;

struct reshard_move {
    struct talk *source, *target; /* the same when the counts stay in their Redis */
    struct reshard_numbers n;
    const char *lost; /* ids of logs, apart by commas, that no process has any more; or NULL */
    uint64_t n_keys, n_bytes; /* copied so far */
    unsigned n_uneven;        /* logs that reshard_check_cursors() has found */
    uint64_t n_waiting;       /* entries that reshard_check_queue() has found */
    struct reshard_copier *copier;
};

/* Each of these: false after the talk of source or target has failed; talk_why() says why. */

/* Whether each log was applied equally far in shards that are to be one: else part of it would
 * count twice or never.  `n_uneven` logs were not, and some were named on stderr. */
MUST_USE bool reshard_check_cursors(struct reshard_move *move);
/* Whether all facts were added to their invoices: `n_waiting` entries of queues were not.  What a
 * process is about to write of them is refused from then on. */
MUST_USE bool reshard_check_queue(struct reshard_move *move);
/* Copies all that moves.  What would take the place of a key that is still needed is staged. */
MUST_USE bool reshard_copy(struct reshard_move *move);
/* Deletes what was copied elsewhere, in the target only. */
MUST_USE bool reshard_delete_old(struct reshard_move *move);
/* Gives what was staged its name. */
MUST_USE bool reshard_rename_staged(struct reshard_move *move);

#endif
