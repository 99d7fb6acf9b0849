#include "service/admin/pods.h"

#include <stdlib.h>
#include <string.h>

#include "proto/rfc3339.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/ledger/ledger.h"

struct pods {
    const struct server *server;
    struct pod self; /* as it is now; its line in Redis may be older */
    struct pod_table known;
};

struct pods *pods_new(const struct server *server)
{
    struct pods *pods = calloc(1, sizeof(*pods));

    if (pods)
        pods->server = server;
    return pods;
}

void pods_free(struct pods *pods)
{
    free(pods);
}

/* Copies what the ledger thread has read. */
static void look(struct pods *pods)
{
    struct ledger *ledger = pods->server->sources.ledger;
    struct ledger_stats stats;

    if (!ledger)
        return;
    ledger_pods(ledger, &pods->known, &pods->self);
    ledger_stats(ledger, &stats);
    pods->self.as_of_ms = stats.as_of_ms;
    pods->self.lag_ms = stats.lag_ms;
    pods->self.pending = stats.pending;
    pods->self.connected = stats.connected;
}

const char *pods_self_id(struct pods *pods)
{
    look(pods);
    return pods->self.id;
}

struct pods_age pods_age(struct pods *pods)
{
    look(pods);
    return pod_table_age(&pods->known, &pods->self, clock_mono_ms(), clock_wall_ms());
}

static bool is_self(const struct pods *pods, const struct pod *pod)
{
    return strcmp(pod->id, pods->self.id) == 0;
}

static json_t *pod_json(const struct pods *pods, const struct pod *pod, int64_t now_ms)
{
    bool self = is_self(pods, pod);
    /* Our last line in Redis is from before the connection was lost. */
    const struct pod said = self ? pods->self : *pod;
    char as_of[RFC3339_TEXT_MAX];

    rfc3339_format(said.as_of_ms / 1000, 0, as_of);
    return json_pack("{ss ss ss sI so sf sI so sb sb sb}", "host", said.host, "version",
                     said.version, "started_at", said.started_at, "seen_s",
                     (json_int_t)(self ? 0 : (now_ms - pod->heard_ms) / 1000), "as_of",
                     said.as_of_ms > 0 ? json_string(as_of) : json_null(), "lag_s",
                     (double)said.lag_ms / 1000, "pending", (json_int_t)said.pending,
                     "clicks_per_s",
                     said.clicks_per_s < 0 ? json_null() : json_real(said.clicks_per_s),
                     "connected", (int)said.connected, "alive",
                     (int)(self || pod_is_alive(&pods->known, pod, now_ms)), "self", (int)self);
}

json_t *pods_json(struct pods *pods)
{
    int64_t now_ms = clock_mono_ms();
    json_t *array = json_array();

    look(pods);
    for (size_t i = 0; i < pods->known.n; i++) {
        const struct pod *pod = &pods->known.pods[i];

        if (is_self(pods, pod) || (now_ms - pod->heard_ms) / 1000 <= POD_FORGOTTEN_S)
            json_array_append_new(array, pod_json(pods, pod, now_ms));
    }
    return array;
}
