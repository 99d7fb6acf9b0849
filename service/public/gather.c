#include "service/public/gather.h"

/* Several requests came during each pause, and most connections didn't wait for its end. */
static bool is_worth_it(const struct gather *g, unsigned n_open)
{
    return g->n_requests >= 2 * g->n_passes && 4 * g->n_requests <= 3 * n_open * g->n_passes;
}

static void rest(struct gather *g, int64_t now_ms)
{
    g->rest_ms = g->rest_ms == 0 ? GATHER_RETRY_MS : 2 * g->rest_ms;
    if (g->rest_ms > GATHER_RETRY_MAX_MS)
        g->rest_ms = GATHER_RETRY_MAX_MS;
    g->rest_until_ms = now_ms + g->rest_ms;
    g->is_on = false;
}

static void decide(struct gather *g, int64_t now_ms, unsigned n_open)
{
    uint64_t least = GATHER_WAKES_MIN * (uint64_t)(now_ms - g->since_ms) / 1000;

    if (!g->is_on) {
        g->is_on = now_ms >= g->rest_until_ms && g->n_passes >= least &&
                   g->n_requests < GATHER_FEW * g->n_passes;
    } else if (g->n_requests < least) {
        g->is_on = false; /* there is less to do */
    } else if (!is_worth_it(g, n_open)) {
        rest(g, now_ms);
    } else {
        g->rest_ms = 0;
    }
}

bool gather_after_pass(struct gather *g, int64_t now_ms, unsigned n_requests, unsigned n_open)
{
    g->n_passes++;
    g->n_requests += n_requests;
    if (now_ms - g->since_ms >= GATHER_WINDOW_MS) {
        decide(g, now_ms, n_open);
        g->since_ms = now_ms;
        g->n_passes = g->n_requests = 0;
    }
    return g->is_on;
}
