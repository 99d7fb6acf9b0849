/* pod.h - the status lines of the processes at one Redis, and their sum.
 *
 * Pure: lines, the time, and when each line last changed are passed in.  Clocks of other machines
 * are not trusted: a process is alive while its line changes, not while its time looks recent. */
#ifndef GATEWAY_POD_H
#define GATEWAY_POD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/rfc3339.h"
#include "proto/slice.h"

enum {
    PODS_MAX = 256,
    POD_ID_LEN = 16, /* lower-case hexadecimal digits */
    POD_HOST_MAX = 256,
    POD_VERSION_MAX = 32,
    POD_LINE_MAX = 1024,
    POD_EVERY_MS = 2000,   /* few processes write a line at least this often; see pod_every_ms() */
    POD_ALIVE_MS = 30000,  /* a process that was silent for this long is not waited for */
    POD_MISSED_BEATS = 3,  /* after so many missed beats the status in a line is out of date */
    POD_FORGOTTEN_S = 3600 /* after this long a line is not shown any more */
};

struct pod {
    char id[POD_ID_LEN + 1];
    char host[POD_HOST_MAX];
    char version[POD_VERSION_MAX];
    char started_at[RFC3339_TEXT_MAX];
    int64_t at_s; /* Unix time, by its own clock */
    int64_t as_of_ms;
    int64_t lag_ms;
    uint64_t pending;
    bool connected;
    double clicks_per_s; /* counted in the last seconds; below 0 = an older version doesn't say */
    unsigned n_shards;   /* that it is configured for; 0 = an older version doesn't say */
    int64_t heard_ms;    /* when its line last changed, by our monotonic clock */
};

/* The lines of the processes at this Redis. */
struct pod_table {
    struct pod pods[PODS_MAX];
    size_t n;
    int64_t read_ms;    /* when the lines were last read, monotonic; valid if `is_read` */
    int64_t read_at_ms; /* the same in Unix time */
    bool is_read;
};

/* The state of all processes together. */
struct pods_age {
    int64_t as_of_ms; /* Unix time; Redis holds all their clicks up to then; 0 = not known */
    int64_t lag_ms;   /* -1 = not known */
    uint64_t pending; /* the sum of what each last reported */
    unsigned n_alive, n_silent;
};

/* Milliseconds between two lines of a process when there are `n` processes.  Grows with `n`, so
 * that the lines read by all grow with `n` and not with its square. */
int64_t pod_every_ms(size_t n);

/* Writes the line of `pod` (JSON, FORMATS.md "Pods").  Returns its length; 0: out of memory. */
MUST_USE size_t pod_write_line(const struct pod *pod, char out[static POD_LINE_MAX]);
/* Parses a line; fields it doesn't know belong to a newer version and are ignored.  False: not a
 * line. */
MUST_USE bool pod_read_line(struct slice id, struct slice line, struct pod *out);

/* Adds a line that was read; of two with one id the newer stays.  Lines beyond the table's size are
 * dropped. */
void pod_table_add(struct pod_table *table, const struct pod *pod);
/* Call when all lines are added, read at `mono_ms`, `wall_ms`: sets from `before` when each line
 * last changed. */
void pod_table_finish(struct pod_table *table, const struct pod_table *before, int64_t mono_ms,
                      int64_t wall_ms);

/* How long a process has been silent.  Time in which we could not read from Redis doesn't count. */
int64_t pod_silent_ms(const struct pod_table *table, const struct pod *pod, int64_t mono_ms);
bool pod_is_alive(const struct pod_table *table, const struct pod *pod, int64_t mono_ms);

/* The state of all processes together.  `self` is the current state of this process; it replaces
 * its line. */
struct pods_age pod_table_age(const struct pod_table *table, const struct pod *self,
                              int64_t mono_ms, int64_t wall_ms);

#endif
