/* clickstore_options.h - how a store is opened, and why it drops clicks. */
#ifndef CLICKLOG_CLICKSTORE_OPTIONS_H
#define CLICKLOG_CLICKSTORE_OPTIONS_H
#include <stddef.h>
#include <stdint.h>

#include "service/base/durability.h"

enum { CLICKLOG_SINKS_MAX = 16 };

enum clickstore_mode {
    CLICKSTORE_SERVE,   /* the daemon: appends, reads, deletes */
    CLICKSTORE_DRAIN,   /* a tool that applies an orphaned state_dir: SERVE without new logs */
    CLICKSTORE_INSPECT, /* a tool that only reads: no lock, no keeper, no changes */
};

struct clickstore_options {
    const char *state_dir;
    enum clickstore_mode mode;
    size_t segment_bytes; /* size of one segment file, at least 128; 4 MiB hold 65,535 clicks */
    uint64_t disk_max;    /* bytes of all segments of the store */
    uint64_t memory_max;  /* bytes kept in memory while the disk accepts no writes */
    int64_t retain_ms;    /* how long a segment is kept after it was applied */
    uint64_t retain_max;  /* bytes of applied segments kept */
    int64_t sync_ms; /* durability INTERVAL: clicks of at most this long are lost by a power cut */
    enum durability durability;
    unsigned n_sinks; /* readers besides the ledger, at most CLICKLOG_SINKS_MAX; a segment waits
                         for all of them */
};

enum sleeper { SLEEPER_KEEPER, SLEEPER_LEDGER, SLEEPERS }; /* sleepers.h */

enum clicklog_drop {
    CLICKLOG_DROP_DISK_CAP, /* disk_max is used up by clicks not applied yet, and memory is full */
    CLICKLOG_DROP_MEMORY_CAP, /* the disk accepts no writes, and memory is full */
    CLICKLOG_DROP_NO_SEGMENT, /* the keeper had not prepared a segment in time */
    CLICKLOG_DROP_DAMAGED,    /* a position in a log of an earlier start is damaged or lost */
    CLICKLOG_DROPS
};

#endif
