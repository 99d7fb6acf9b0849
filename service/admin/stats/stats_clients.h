/* stats_clients.h - distinct clients of a statistic, and distinct visitors by links that name no
 * client.
 *
 * Redis counts both per day (UTC).  One PFCOUNT asks for each brand and period, and one for each
 * bucket of whole days.  A local day gets the figure of the UTC day that shares most hours with it.
 * A visitor's hash changes every day, so the visitors of several days are the sum of each day's. */
#ifndef ADMIN_STATS_CLIENTS_H
#define ADMIN_STATS_CLIENTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/admin/fetch.h"

struct stats;
struct stats_rows;
struct stats_clients_span; /* the span of one PFCOUNT */

struct stats_clients {
    size_t n_commands;
    struct stats_clients_span *spans;
    struct counter_key *keys; /* keys of the command being made */
    unsigned n_shards;
};

/* False: out of memory, or too many keys for one command. */
MUST_USE bool stats_clients_init(struct stats_clients *clients, const struct stats *stats,
                                 unsigned n_shards);
void stats_clients_clear(struct stats_clients *clients);

void stats_clients_command(struct stats_clients *clients, size_t index,
                           struct fetch_command *command);
void stats_clients_take(struct stats_clients *clients, size_t index, int64_t count);

/* Stores the counts of a period in its rows, which must be sorted by time and without gaps: never
 * more people than clicks by people. */
void stats_clients_store(const struct stats_clients *clients, size_t period,
                         struct stats_rows *rows);

#endif
