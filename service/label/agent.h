/* agent.h - what a User-Agent text says: machine or person, device, browser and system.
 *
 * The rules are shared and read-only; a matcher is the scratch memory of one thread.
 */
#ifndef LABEL_AGENT_H
#define LABEL_AGENT_H
#include <stdint.h>

#include "proto/click.h"
#include "proto/click_names.h"
#include "proto/compiler.h"
#include "proto/slice.h"

struct agent_matcher;
struct agent_rules;
struct error;

/* Of a longer agent only so many bytes are looked at; browsers stay well below. */
enum { AGENT_TEXT_MAX = 1024 };

struct agent {
    uint8_t reason;  /* CLICK_REASON_NONE: a person's; UNCLASSIFIED: matching took too long; else
                        CRAWLER, LINK_PREVIEW, LIBRARY, UNKNOWN_PROGRAM or NO_AGENT */
    uint8_t device;  /* enum click_device; OTHER of a machine */
    uint8_t browser; /* enum click_browser */
    uint8_t system;  /* enum click_system */
    /* First 4 bytes, little-endian, of BLAKE2b-256 of the text; 1 in place of 0.  0: not made. */
    uint32_t text_hash;
};

/* Compiles all patterns.  NULL and `*err` on failure. */
MUST_USE struct agent_rules *agent_rules_new(struct error *err);
void agent_rules_free(struct agent_rules *rules);

/* Borrows `rules`.  NULL: out of memory. */
MUST_USE struct agent_matcher *agent_matcher_new(const struct agent_rules *rules);
void agent_matcher_free(struct agent_matcher *matcher);

/* Takes some 20 microseconds.  `text` is bytes of any kind, up to AGENT_TEXT_MAX of them are looked
 * at. */
struct agent agent_classify(struct agent_matcher *matcher, struct slice text);

/* For a flood of new agents: only whether it is a machine's, in half the time, and with a bound on
 * what an agent made to be slow can cost.  A person's is CLICK_REASON_UNCLASSIFIED, of unknown
 * device, browser and system, without a hash. */
struct agent agent_classify_hurriedly(struct agent_matcher *matcher, struct slice text);

#endif
