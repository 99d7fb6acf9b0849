/* points.h - the content of one series, together with the lone clicks that are not in it yet. */
#ifndef ADMIN_STATS_POINTS_H
#define ADMIN_STATS_POINTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/series.h"

struct fetch_command;
struct redisReply;

/* Which series: that which holds `time_s`. */
struct points {
    struct counter_series series; /* of all campaigns */
    int64_t time_s;
    struct counter_key keys[2];
};

/* Makes the command that reads it; the points must live as long as its arguments. */
void points_command(struct points *points, unsigned n_shards, struct fetch_command *command);

/* Calls `take` with each point of the series' dimension in the answer to such a command. */
void points_take(const struct points *points, const struct redisReply *answer,
                 void (*take)(void *arg, const struct series_point *point), void *arg);

#endif
