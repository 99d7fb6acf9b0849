/* stats_clients.h - distinct clients of a statistic, and distinct visitors by links that name no
 * client.
 *
 * Redis counts both per day (UTC), and per hour for some time.  Of the days in which a local day
 * begins it is first asked whether the hours have everybody: those of an older process have not.
 * Then one PFCOUNT for each brand and period, and one for each bucket, unites the whole days and
 * the hours at both ends, so that the people are of the hours that the clicks are of.  Where the
 * hours are not known, a bucket gets no figure, and of the period a local day gets the figure of
 * the UTC day that shares most hours with it; stats.clients_by_hours says which.
 *
 * A visitor's hash changes every day (UTC), so the visitors of several days are the sum of each
 * day's.
 *
 * The people of an hour are in a HyperLogLog or in the string of its day, or some in each; so hours
 * are counted by a script that reads both (people_count.lua). */
#ifndef ADMIN_STATS_CLIENTS_H
#define ADMIN_STATS_CLIENTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/admin/fetch.h"

struct brand;
struct stats;
struct stats_rows;
struct stats_clients_day;  /* in which a local day begins */
struct stats_clients_span; /* the span of one PFCOUNT */

/* Hours of a UTC day that a command counts. */
struct stats_clients_hours {
    int64_t day_s;
    unsigned from, to; /* 0…24 */
    char texts[2][4];  /* the same in decimal */
};
enum { STATS_CLIENTS_DAYS_MAX = 2 }; /* in which a span begins and ends */

struct stats_clients_options {
    unsigned n_shards;
    int64_t now_s;
    int64_t kept_s;      /* how long people are kept by the hour; 0 = they are not */
    size_t n_checks_max; /* if there are more, no hours are used */
};

struct stats_clients {
    size_t n_checks;   /* commands of the first step, */
    size_t n_commands; /* and of the second, known after stats_clients_plan() */
    int64_t now_s, hours_from_s;
    unsigned n_shards, n_brands;
    const struct brand **brands;
    struct stats_clients_day *days;
    size_t n_days;
    int64_t *counts; /* by check */
    struct stats_clients_span *spans;
    bool is_refused; /* Redis no longer lets hours be counted, as it refuses to write */
    bool by_days;    /* so no hours are counted */

    /* of the command being made */
    struct counter_key *keys;
    struct stats_clients_hours hours[STATS_CLIENTS_DAYS_MAX];
    size_t n_hours;
    char n_keys_text[4];

    int32_t campaign;
};

/* Lists what is asked first.  `*clients` is zero; call stats_clients_clear() in any case.  False:
 * out of memory. */
MUST_USE bool stats_clients_init(struct stats_clients *clients, const struct stats *stats,
                                 const struct stats_clients_options *options);
void stats_clients_clear(struct stats_clients *clients);

/* Commands 0 … n_checks - 1, in this order, and their answers. */
void stats_clients_check(struct stats_clients *clients, size_t index,
                         struct fetch_command *command);
void stats_clients_take_check(struct stats_clients *clients, size_t index, int64_t count);

/* When all are answered: lists what is counted, and sets stats->clients_by_hours.  Called again if
 * `is_refused` was set meanwhile, it lists days only, and sets `by_days`.  False: out of memory, or
 * too many keys for one command. */
MUST_USE bool stats_clients_plan(struct stats_clients *clients, struct stats *stats);

/* Commands 0 … n_commands - 1, and their answers.  If `is_refused` is set then, the counts are
 * worth nothing. */
void stats_clients_command(struct stats_clients *clients, size_t index,
                           struct fetch_command *command);
void stats_clients_take(struct stats_clients *clients, size_t index, int64_t count);

/* Stores the counts of a period in its rows, which must be sorted by time and without gaps: never
 * more people than clicks by people. */
void stats_clients_store(const struct stats_clients *clients, size_t period,
                         struct stats_rows *rows);

#endif
