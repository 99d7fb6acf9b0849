/* scan.h - all keys of a Redis of any topology. */
#ifndef CLI_SCAN_H
#define CLI_SCAN_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct talk;

/* What to do with a key that was found, which may be to talk to Redis; false: stop. */
typedef bool scan_on_key(void *owner, struct slice key);

/* Calls `each` for the keys that match `pattern` (as SCAN has it) on every node that holds one of
 * `n_shards` shards.  A key may be shown twice.  False: `each` stopped it, or the talk has failed.
 */
MUST_USE bool scan_keys(struct talk *talk, unsigned n_shards, const char *pattern,
                        scan_on_key *each, void *owner);

#endif
