/* pod.h - what the processes at one Redis say of themselves, and what follows for all of them.
 *
 * Pure: lines, a moment and a memory of when each was heard go in.  Clocks of other machines are
 * not trusted: a process is alive while its line changes, not while its time looks recent.
 */
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
    POD_EVERY_MS =
        2000, /* a line is written at least so often, by each of few; see pod_every_ms() */
    POD_ALIVE_MS = 30000,  /* who has been silent for so long is not waited for */
    POD_MISSED_BEATS = 3,  /* after so many, what a line says of now is too old */
    POD_FORGOTTEN_S = 3600 /* and is not shown any more */
};

struct pod {
    char id[POD_ID_LEN + 1];
    char host[POD_HOST_MAX];
    char version[POD_VERSION_MAX];
    char started_at[RFC3339_TEXT_MAX];
    int64_t at_s; /* Unix, by its own clock */
    int64_t as_of_ms;
    int64_t lag_ms;
    uint64_t pending;
    bool connected;
    int64_t heard_ms; /* when its line last changed, our monotonic clock */
};

/* What is known of the processes at this Redis. */
struct pod_table {
    struct pod pods[PODS_MAX];
    size_t n;
    int64_t read_ms;    /* when it was last read, monotonic; only with `is_read` */
    int64_t read_at_ms; /* the same, Unix */
    bool is_read;
};

/* What can be said of all of them together. */
struct pods_age {
    int64_t as_of_ms; /* Unix: Redis holds all their clicks up to then; 0 = not known */
    int64_t lag_ms;   /* -1 = not known */
    uint64_t pending; /* as they said last */
    unsigned n_alive, n_silent;
};

/* Milliseconds between two lines of a process, when there are `n` of them: so that the lines read
 * by all grow with their number, not with its square. */
int64_t pod_every_ms(size_t n);

/* Writes the line of `pod` (JSON, FORMATS.md "Redis keyspace"); its length, or 0: no memory. */
MUST_USE size_t pod_write_line(const struct pod *pod, char out[static POD_LINE_MAX]);
/* Reads one; fields it does not know are a newer version's.  False: it is none. */
MUST_USE bool pod_read_line(struct slice id, struct slice line, struct pod *out);

/* Adds a line that was read; of two with one id the younger stays.  What finds no room is left out.
 */
void pod_table_add(struct pod_table *table, const struct pod *pod);
/* All lines are read at `mono_ms`, `wall_ms`: finds out from `before` when each was last heard. */
void pod_table_finish(struct pod_table *table, const struct pod_table *before, int64_t mono_ms,
                      int64_t wall_ms);

/* How long a process has been silent.  Nobody is blamed for the time in which Redis could not be
 * read. */
int64_t pod_silent_ms(const struct pod_table *table, const struct pod *pod, int64_t mono_ms);
bool pod_is_alive(const struct pod_table *table, const struct pod *pod, int64_t mono_ms);

/* Sums up.  `self` is this process as it is now, whatever its line says. */
struct pods_age pod_table_age(const struct pod_table *table, const struct pod *self,
                              int64_t mono_ms, int64_t wall_ms);

#endif
