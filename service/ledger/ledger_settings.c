#include "service/ledger/ledger_settings.h"

#include "service/config/config.h"
#include "service/ledger/use_limits.h"

enum { DAY_S = 86400 };

/* As in config_schema.c; a unit test compares them. */
static const struct config defaults = {
    .redis = {.shards = 1, .flush_ms = 200, .batch_max = 8192, .timeout_ms = 2000},
    .retention = {.states_days = 400,
                  .hours_days = 400,
                  .days_days = 1826,
                  .cells_days = 92,
                  .cells_max_bytes = 16 << 20,
                  .client_hours_days = 35,
                  .invoices_days = 400},
    .conversions = {.window_days = 30},
};

struct ledger_options ledger_settings(const struct config *config)
{
    const struct config *c = config ? config : &defaults;

    return (struct ledger_options){
        .n_shards = (unsigned)c->redis.shards,
        .flush_ms = c->redis.flush_ms,
        .batch_max = (unsigned)c->redis.batch_max,
        .timeout_ms = c->redis.timeout_ms,
        .retention_states_s = c->retention.states_days * DAY_S,
        .retention_hours_s = c->retention.hours_days * DAY_S,
        .retention_days_s = c->retention.days_days * DAY_S,
        .retention_cells_s = c->retention.cells_days * DAY_S,
        .cells_len_max = (uint32_t)c->retention.cells_max_bytes,
        .retention_client_hours_s = c->retention.client_hours_days * DAY_S,
        .retention_invoices_s = c->retention.invoices_days * DAY_S,
        .window_s = c->conversions.window_days * DAY_S,
        .limits = use_limits_new(c),
    };
}
