/* stats_cells.h - statistics of several dimensions at once ("phones in Germany"), read from cells
 * (proto/cells.h) and from lone clicks (proto/lone.h).
 *
 * There are cells of a campaign and a day.  So a statistic is read in two steps: series say which
 * campaigns have how many clicks on which day; then the cells of these are read, and the lone
 * clicks of their months.  What series count and cells lack is the part that the answer does not
 * cover: clicks that an older process has counted, that were before cells were kept, or of a day
 * that has more cells than are kept.
 */
#ifndef ADMIN_STATS_CELLS_H
#define ADMIN_STATS_CELLS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/admin/fetch.h"
#include "service/admin/stats/stats_rows.h"
#include "service/admin/stats/stats_write.h"

enum {
    STATS_CELLS_DAYS_MAX = 200000,     /* days of campaigns that a statistic reads */
    STATS_CELLS_CLICKS_MAX = 40000000, /* clicks in them; some seconds, and 320 MB of answers */
    STATS_CELLS_KEYS_MAX = 120,        /* keys of a command */
};

struct redisReply;
struct stats_cells_day;

struct stats_cells {
    struct stats_rows counted; /* of each period, campaign and day: what series count */
    size_t n_days;
    struct stats_cells_day *days; /* those with clicks, by shard */
    size_t n_commands;
    uint32_t *starts; /* n_commands + 1 entries: the first day of each command */
    struct counter_key keys[STATS_CELLS_KEYS_MAX]; /* of the command being made */
};

void stats_cells_init(struct stats_cells *cells);
void stats_cells_clear(struct stats_cells *cells);

/* The first step: clicks of the moment `time_s` that a series counts. */
void stats_cells_count(struct stats_cells *cells, const struct stats_read *read, uint16_t campaign,
                       int64_t time_s, int64_t n, bool automated);

enum stats_cells_status {
    STATS_CELLS_OK,
    STATS_CELLS_TOO_MUCH, /* over STATS_CELLS_DAYS_MAX, STATS_CELLS_CLICKS_MAX, or too many commands
                           */
    STATS_CELLS_NO_MEMORY
};

/* Plans the second step: `n_commands`, which may be 0, as nobody has clicked. */
MUST_USE enum stats_cells_status stats_cells_plan(struct stats_cells *cells,
                                                  const struct stats *stats, unsigned n_shards);

/* Makes one of its commands. */
void stats_cells_command(struct stats_cells *cells, const struct stats *stats, unsigned n_shards,
                         size_t index, struct fetch_command *command);

/* Adds the answer to command `index` to the rows.  `kinds`, by brand, has a bit per kind that is
 * wanted. */
void stats_cells_take(struct stats_cells *cells, struct stats *stats, const unsigned *kinds,
                      size_t index, const struct redisReply *answer);

/* When all is read: sets `stats->coverage`. */
void stats_cells_cover(const struct stats_cells *cells, struct stats *stats, int64_t now_s);

#endif
