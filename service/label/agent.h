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

/* Only this many bytes of an agent are looked at; the agents of browsers are much shorter. */
enum { AGENT_TEXT_MAX = 1024 };

struct agent {
    uint8_t reason;  /* CLICK_REASON_NONE: a person's; UNCLASSIFIED: matching took too long; else
                        CRAWLER, LINK_PREVIEW, LIBRARY, UNKNOWN_PROGRAM or NO_AGENT */
    uint8_t device;  /* enum click_device; OTHER if the agent is a machine's */
    uint8_t browser; /* enum click_browser */
    uint8_t system;  /* enum click_system */
    /* First 4 bytes, little-endian, of BLAKE2b-256 of the text; a hash of 0 is stored as 1.  0: the
     * hash was not computed. */
    uint32_t text_hash;
};

/* Compiles all patterns.  NULL and `*err` on failure. */
MUST_USE struct agent_rules *agent_rules_new(struct error *err);
void agent_rules_free(struct agent_rules *rules);

/* Borrows `rules`.  NULL: out of memory. */
MUST_USE struct agent_matcher *agent_matcher_new(const struct agent_rules *rules);
void agent_matcher_free(struct agent_matcher *matcher);

/* Classifies `text`, any bytes, of which up to AGENT_TEXT_MAX are looked at.  Takes about 20
 * microseconds. */
struct agent agent_classify(struct agent_matcher *matcher, struct slice text);

/* The same in half the time, with a low bound on the cost of an agent made to be slow; for when
 * many new agents arrive.  Tells machines only: an agent that is no machine's gets
 * CLICK_REASON_UNCLASSIFIED, an unknown device, browser and system, and no hash. */
struct agent agent_classify_hurriedly(struct agent_matcher *matcher, struct slice text);

#endif
