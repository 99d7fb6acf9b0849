#include "service/admin/stats/points.h"

#include "proto/lone.h"
#include "service/admin/fetch.h"

void points_command(struct points *points, unsigned n_shards, struct fetch_command *command)
{
    struct counter_series lone = points->series;

    lone.interval = COUNTER_ALONE;
    counter_key_series(&points->keys[0], &points->series, points->time_s, n_shards);
    counter_key_series(&points->keys[1], &lone, points->time_s, n_shards);
    command->key = counter_key_slice(&points->keys[0]);
    command->argc = 3;
    command->argv[0] = slice_of("MGET"); /* of one moment: clicks are moved from one to the other */
    command->argv[1] = command->key;
    command->argv[2] = counter_key_slice(&points->keys[1]);
}

void points_take(const struct points *points, const struct redisReply *answer,
                 void (*take)(void *arg, const struct series_point *point), void *arg)
{
    const struct counter_series *series = &points->series;
    unsigned day = counter_bucket_of_time(COUNTER_DAYS, points->time_s);
    struct series_point point;
    struct lone lone;
    size_t at = 0;

    while (series_next(fetch_text_at(answer, 0), &at, &point)) {
        if (point.dim == series->dim)
            take(arg, &point);
    }
    at = 0;
    while (lone_next(fetch_text_at(answer, 1), &at, &lone)) {
        if ((series->interval == COUNTER_MONTHS || lone.day == day) &&
            lone_point(&lone, series->interval, series->dim, &point))
            take(arg, &point);
    }
}
