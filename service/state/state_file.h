/* state_file.h - saves the state table to a file in state_dir and loads it, so that a process knows
 * the states of before when it starts without Redis (FORMATS.md "State file").
 */
#ifndef STATE_STATE_FILE_H
#define STATE_STATE_FILE_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct error;
struct state_table;

enum { STATE_STREAM_ID_MAX = 41 }; /* two numbers of 20 digits and a hyphen */

/* A position in the stream of a shard: all entries up to it are in the table. */
struct state_position {
    uint64_t n;                       /* how many entries that are, since the stream began */
    char id[STATE_STREAM_ID_MAX + 1]; /* of the last of them */
};

/* Writes all entries and `n_shards` positions.  The old file is replaced only when the new one is
 * complete.  False and `*err` on failure. */
MUST_USE bool state_file_save(const char *state_dir, const struct state_table *table,
                              const struct state_position *positions, unsigned n_shards,
                              struct error *err);

enum state_file_status {
    STATE_FILE_OK,
    STATE_FILE_ABSENT,
    STATE_FILE_BAD, /* damaged or newer: set aside, with `*err` */
};

/* Merges the file's entries into `table` and fills `positions`; only on STATE_FILE_OK.  Positions
 * in a file of another number of shards are those of other streams: then all are 0. */
MUST_USE enum state_file_status state_file_load(const char *state_dir, struct state_table *table,
                                                struct state_position *positions, unsigned n_shards,
                                                struct error *err);

#endif
