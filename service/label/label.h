/* label.h - who clicked: a label and its reason, with what device and program, from which country.
 *
 * `struct label_rules` is what all workers share: compiled once, read-only.  A `struct labeler`
 * belongs to one worker: a cache of agents seen, and a limit of the work that new ones may cause.
 * Nothing of a request is kept but a keyed hash of its agent.
 */
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

/* Compiles the patterns, which takes some hundredths of a second, and loads the file of countries,
 * NULL = none (see geo.h).  NULL and `*err` on failure. */
MUST_USE struct label_rules *label_rules_new(const char *country_file, struct error *err);
/* What makes a click's network and hints, which the detection of mail gateways needs, and its
 * visitor; without it they are 0. */
struct label_origin {
    const struct salt *salt; /* outlives the rules */
    const char *asn_file;    /* NULL = none */
    struct known *known;     /* the rules' from now on */
};
/* Before there are labelers.  False and `*err` on failure; then `known` is the rules', too. */
MUST_USE bool label_rules_set_origin(struct label_rules *rules, const struct label_origin *origin,
                                     struct error *err);
/* NULL is allowed.  Labelers that use them must be gone. */
void label_rules_free(struct label_rules *rules);

/* How agents were looked up: written by the labeler's thread, read by any. */
struct labeler_counters {
    counter64 hits;    /* found in the cache */
    counter64 full;    /* new: matched against all patterns */
    counter64 hurried; /* new, beyond the limit: only machine or person */
};

/* For one thread; borrows `rules` and `counters`.  NULL and `*err` on failure. */
MUST_USE struct labeler *labeler_new(const struct label_rules *rules,
                                     struct labeler_counters *counters, struct error *err);
void labeler_free(struct labeler *labeler);

/* What the request says about who sent it. */
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

/* A click, and on what. */
struct label_source {
    const struct http1_request *request;
    uint8_t ip[IP_LEN];
    bool has_client; /* the link names one */
};

/*
 * Labels a click.  `now_ms` is the monotonic clock.  An agent seen before
 * costs one look-up; a new one is matched against all patterns, but only so many of them a second:
 * beyond that it is only found whether it is a machine, and if not, it is a person of unknown
 * device, reason CLICK_REASON_UNCLASSIFIED.
 *
 * No more is made of the address than somebody reads: the network of a client's click, the visitor
 * of a person who followed a link that names no client, but from no listed network.
 */
struct label labeler_label(struct labeler *labeler, const struct label_source *source,
                           int64_t now_ms);

#endif
