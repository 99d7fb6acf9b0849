/* label.h - who clicked: a label and its reason, the device, browser and system, and the country.
 *
 * `struct label_rules` is shared by all workers and read-only.  A `struct labeler` belongs to one
 * worker: it caches agents, and limits how much work new agents may cause.  Of a request only a
 * keyed hash of the agent is kept. */
#ifndef LABEL_LABEL_H
#define LABEL_LABEL_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/click_names.h"
#include "proto/compiler.h"
#include "proto/ip.h"
#include "service/base/counter64.h"

struct error;
struct known;
struct http1_request;
struct label_rules;
struct labeler;
struct salt;

/* Compiles the patterns, which takes some hundredths of a second, and loads the file of countries
 * (see geo.h; NULL = no file).  NULL and `*err` on failure. */
MUST_USE struct label_rules *label_rules_new(const char *country_file, struct error *err);
/* What is needed to set a click's network, hints and visitor; without it they stay 0. */
struct label_origin {
    const struct salt *salt; /* outlives the rules */
    const char *asn_file;    /* NULL = no file */
    struct known *known;     /* owned by the rules from now on */
};
/* Call before the first labeler_new().  False and `*err` on failure; `known` is owned by the rules
 * in either case. */
MUST_USE bool label_rules_set_origin(struct label_rules *rules, const struct label_origin *origin,
                                     struct error *err);
/* All labelers that use the rules must have been freed before.  NULL is allowed. */
void label_rules_free(struct label_rules *rules);

/* How often each way to classify an agent was used.  Written by the labeler's thread, read by any.
 */
struct labeler_counters {
    counter64 hits;    /* found in the cache */
    counter64 full;    /* new: matched against all patterns */
    counter64 hurried; /* new, above the limit per second: only tested for being a machine */
};

/* A labeler for one thread; borrows `rules` and `counters`.  NULL and `*err` on failure. */
MUST_USE struct labeler *labeler_new(const struct label_rules *rules,
                                     struct labeler_counters *counters, struct error *err);
void labeler_free(struct labeler *labeler);

/* What a request tells about its sender. */
struct label {
    uint8_t label;    /* enum click_label */
    uint8_t reason;   /* enum click_reason */
    uint8_t device;   /* enum click_device */
    uint8_t browser;  /* enum click_browser */
    uint8_t system;   /* enum click_system */
    uint8_t referrer; /* enum click_referrer */
    uint8_t hints;    /* bits of enum click_hint */
    char country[2];  /* capital letters, or two NULs */
    uint16_t network; /* salt_network(), or 0 */
    uint64_t visitor; /* salt_visitor(), or 0 */
};

/* What a label is made from. */
struct label_source {
    const struct http1_request *request;
    uint8_t ip[IP_LEN];
    bool has_client; /* whether the link names a client */
};

/*
 * Labels a click.  `now_ms` is the monotonic clock.  A cached agent costs one look-up.  A new one
 * is matched against all patterns, as long as the limit per second allows.  Above the limit the
 * agent is only tested for being a machine; if it is none, the click is a person's with an unknown
 * device and reason CLICK_REASON_UNCLASSIFIED.
 *
 * The address is used only where the result is needed: `network` is set if the link names a client,
 * `visitor` if a person followed a link that names no client, from a network that isn't listed.
 */
struct label labeler_label(struct labeler *labeler, const struct label_source *source,
                           int64_t now_ms);

#endif
