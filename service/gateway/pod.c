#include "service/gateway/pod.h"

#include <string.h>

#include <jansson.h>

enum { FEW = 32 };

int64_t pod_every_ms(size_t n)
{
    return n <= FEW ? POD_EVERY_MS : POD_EVERY_MS * (int64_t)n / FEW;
}

size_t pod_write_line(const struct pod *pod, char out[static POD_LINE_MAX])
{
    json_t *line = json_pack(
        "{ss ss ss sI sI sf sI sb sf si}", "host", pod->host, "version", pod->version, "started_at",
        pod->started_at, "at", (json_int_t)pod->at_s, "as_of_ms", (json_int_t)pod->as_of_ms,
        "lag_s", (double)pod->lag_ms / 1000, "pending", (json_int_t)pod->pending, "connected",
        (int)pod->connected, "clicks_per_s", pod->clicks_per_s, "shards", (int)pod->n_shards);
    size_t len = line ? json_dumpb(line, out, POD_LINE_MAX, JSON_COMPACT) : 0;

    json_decref(line);
    return len <= POD_LINE_MAX ? len : 0;
}

/* Copies a text; false if it doesn't fit. */
static bool take_text(const char *text, char *out, size_t out_len)
{
    size_t len = strlen(text);

    if (len >= out_len)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

bool pod_read_line(struct slice id, struct slice line, struct pod *out)
{
    const char *host, *version, *started;
    json_int_t at, as_of, pending;
    struct pod pod = {.at_s = 0};
    double lag_s, clicks_per_s = -1;
    int connected, n_shards = 0;
    json_t *json;
    bool ok;

    if (id.len != POD_ID_LEN || line.len > POD_LINE_MAX)
        return false;
    json = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
    ok = json &&
         json_unpack(json, "{ss ss ss sI sI sF sI sb s?F s?i}", "host", &host, "version", &version,
                     "started_at", &started, "at", &at, "as_of_ms", &as_of, "lag_s", &lag_s,
                     "pending", &pending, "connected", &connected, "clicks_per_s", &clicks_per_s,
                     "shards", &n_shards) == 0 &&
         at > 0 && at <= RFC3339_MAX_S && as_of >= 0 && as_of / 1000 <= RFC3339_MAX_S &&
         lag_s >= 0 && lag_s <= (double)RFC3339_MAX_S && pending >= 0 && n_shards >= 0 &&
         take_text(host, pod.host, sizeof(pod.host)) &&
         take_text(version, pod.version, sizeof(pod.version)) &&
         take_text(started, pod.started_at, sizeof(pod.started_at));
    if (ok) {
        memcpy(pod.id, id.ptr, POD_ID_LEN);
        pod.at_s = at;
        pod.as_of_ms = as_of;
        pod.lag_ms = (int64_t)(lag_s * 1000);
        pod.pending = (uint64_t)pending;
        pod.connected = connected != 0;
        pod.clicks_per_s = clicks_per_s;
        pod.n_shards = (unsigned)n_shards;
        *out = pod;
    }
    json_decref(json);
    return ok;
}

static struct pod *find(const struct pod_table *table, const char *id)
{
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->pods[i].id, id) == 0)
            return (struct pod *)&table->pods[i];
    }
    return NULL;
}

void pod_table_add(struct pod_table *table, const struct pod *pod)
{
    struct pod *same = find(table, pod->id);

    if (same && pod->at_s > same->at_s)
        *same = *pod;
    if (!same && table->n < PODS_MAX)
        table->pods[table->n++] = *pod;
}

void pod_table_finish(struct pod_table *table, const struct pod_table *before, int64_t mono_ms,
                      int64_t wall_ms)
{
    for (size_t i = 0; i < table->n; i++) {
        struct pod *pod = &table->pods[i];
        const struct pod *was = find(before, pod->id);

        int64_t age_ms = wall_ms - pod->at_s * 1000;

        /* A line seen for the first time counts as heard at the time it states, or now if that is
         * in the future. */
        if (!was)
            pod->heard_ms = mono_ms - (age_ms > 0 ? age_ms : 0);
        else
            pod->heard_ms = was->at_s == pod->at_s ? was->heard_ms : mono_ms;
    }
    table->read_ms = mono_ms;
    table->read_at_ms = wall_ms;
    table->is_read = true;
}

static bool is_stale(const struct pod_table *table, int64_t mono_ms)
{
    return mono_ms - table->read_ms > POD_MISSED_BEATS * pod_every_ms(table->n);
}

int64_t pod_silent_ms(const struct pod_table *table, const struct pod *pod, int64_t mono_ms)
{
    int64_t until_ms = is_stale(table, mono_ms) ? table->read_ms : mono_ms;

    return until_ms > pod->heard_ms ? until_ms - pod->heard_ms : 0;
}

bool pod_is_alive(const struct pod_table *table, const struct pod *pod, int64_t mono_ms)
{
    int64_t beats_ms = POD_MISSED_BEATS * pod_every_ms(table->n);

    return pod_silent_ms(table, pod, mono_ms) < (POD_ALIVE_MS > beats_ms ? POD_ALIVE_MS : beats_ms);
}

struct pods_age pod_table_age(const struct pod_table *table, const struct pod *self,
                              int64_t mono_ms, int64_t wall_ms)
{
    struct pods_age age = {
        .as_of_ms = self->as_of_ms, .lag_ms = self->lag_ms, .pending = self->pending, .n_alive = 1};

    for (size_t i = 0; i < table->n; i++) {
        const struct pod *pod = &table->pods[i];
        int64_t silent_ms = pod_silent_ms(table, pod, mono_ms), lag_ms = pod->lag_ms;

        if (strcmp(pod->id, self->id) == 0)
            continue;
        if (!pod_is_alive(table, pod, mono_ms)) {
            age.n_silent++;
            continue;
        }
        if (silent_ms > POD_MISSED_BEATS * pod_every_ms(table->n))
            lag_ms += silent_ms;
        age.n_alive++;
        age.pending += pod->pending;
        if (lag_ms > age.lag_ms)
            age.lag_ms = lag_ms;
        if (pod->as_of_ms < age.as_of_ms)
            age.as_of_ms = pod->as_of_ms;
    }
    /* Since our last read of the lines the others may have done anything. */
    if (table->is_read && is_stale(table, mono_ms)) {
        if (age.as_of_ms > table->read_at_ms)
            age.as_of_ms = table->read_at_ms;
        if (wall_ms - age.as_of_ms > age.lag_ms)
            age.lag_ms = wall_ms - age.as_of_ms;
    }
    if (!table->is_read || self->as_of_ms == 0) {
        age.as_of_ms = 0;
        age.lag_ms = -1;
    }
    return age;
}
