#include "service/checks/check_record.h"

#include <string.h>

#include "service/checks/places.h"
#include "service/checks/probe.h"

enum { URL_MAX = 300 };

const char *check_record_text(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

int64_t check_record_number(const json_t *record, const char *key)
{
    return json_integer_value(json_object_get(record, key));
}

/* Cut to what a page of the dashboard can show. */
static json_t *redirects_json(const struct probe *probe, const char *secret)
{
    json_t *redirects = json_array();
    char url[URL_MAX];

    for (unsigned i = 1; i < probe->n_hops; i++) {
        place_hide(probe->hops[i].url, secret, url, sizeof(url));
        json_array_append_new(redirects,
                              json_pack("{sI so}", "status", (json_int_t)probe->hops[i - 1].status,
                                        "to", json_stringn_nocheck(url, strlen(url))));
    }
    return redirects;
}

json_t *check_record_new(const struct probe *probe, const char *secret, int64_t at_ms,
                         const json_t *previous, unsigned failures_max)
{
    const char *before = previous ? check_record_text(previous, "state") : "unknown";
    const char *state = before;
    int64_t failures = previous ? check_record_number(previous, "failures") : 0;
    long status = probe->hops[probe->n_hops - 1].status;

    switch (probe->verdict) {
    case PROBE_UP:
        failures = 0;
        state = "up";
        break;
    case PROBE_LATER:
        break;
    case PROBE_DOWN:
        failures++;
        if (failures >= failures_max)
            state = "down";
        break;
    }
    return json_pack(
        "{sI ss ss sI sI so sI so so so}", "at", (json_int_t)at_ms, "verdict",
        probe_verdict_name(probe->verdict), "state", state, "since",
        (json_int_t)(previous && strcmp(state, before) == 0 ? check_record_number(previous, "since")
                                                            : at_ms),
        "failures", (json_int_t)failures, "status", status ? json_integer(status) : json_null(),
        "time_ms", (json_int_t)probe->time_ms, "certificate",
        probe->has_certificate ? json_integer(probe->certificate_s) : json_null(), "why",
        probe->why[0] ? json_stringn_nocheck(probe->why, strlen(probe->why)) : json_null(),
        "redirects", redirects_json(probe, secret));
}

static bool is_one_of(const json_t *value, const char *const words[static 3])
{
    for (int i = 0; json_is_string(value) && i < 3; i++) {
        if (strcmp(json_string_value(value), words[i]) == 0)
            return true;
    }
    return false;
}

json_t *check_record_read(const char *text, size_t len)
{
    static const char *const verdicts[] = {"up", "later", "down"};
    static const char *const states[] = {"up", "down", "unknown"};
    json_t *record = json_loadb(text, len, 0, NULL);

    if (json_is_integer(json_object_get(record, "at")) &&
        json_is_integer(json_object_get(record, "since")) &&
        json_is_integer(json_object_get(record, "failures")) &&
        json_is_integer(json_object_get(record, "time_ms")) &&
        json_is_array(json_object_get(record, "redirects")) &&
        is_one_of(json_object_get(record, "verdict"), verdicts) &&
        is_one_of(json_object_get(record, "state"), states))
        return record;
    json_decref(record);
    return NULL;
}
