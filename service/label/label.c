#include "service/label/label.h"

#include <stdlib.h>

#include "proto/http1.h"
#include "service/base/error.h"
#include "service/label/headers.h"

struct label_rules {
    unsigned n_patterns;
};

struct labeler {
    const struct label_rules *rules;
    struct labeler_stats stats;
};

struct label_rules *label_rules_new(struct error *err)
{
    struct label_rules *rules = calloc(1, sizeof(*rules));

    if (!rules)
        error_set(err, "label: out of memory");
    return rules;
}

void label_rules_free(struct label_rules *rules)
{
    free(rules);
}

struct labeler *labeler_new(const struct label_rules *rules, struct error *err)
{
    struct labeler *labeler = calloc(1, sizeof(*labeler));

    if (!labeler) {
        error_set(err, "label: out of memory");
        return NULL;
    }
    labeler->rules = rules;
    return labeler;
}

void labeler_free(struct labeler *labeler)
{
    free(labeler);
}

struct label labeler_label(struct labeler *labeler, const struct http1_request *request,
                           int64_t now_ms)
{
    struct label label = {.referrer = (uint8_t)headers_referrer(request->field[HTTP1_REFERER])};
    enum click_reason purpose;

    (void)labeler;
    (void)now_ms;
    if (request->method == HTTP1_HEAD) {
        label.label = CLICK_PROBE;
        label.reason = CLICK_REASON_HEAD;
    } else if ((purpose = headers_purpose(request)) != CLICK_REASON_NONE) {
        label.label = CLICK_PREFETCH;
        label.reason = (uint8_t)purpose;
    }
    return label;
}

const struct labeler_stats *labeler_stats(const struct labeler *labeler)
{
    return &labeler->stats;
}
