/* asker.h - asks other servers over HTTP for the API thread, which never waits for them: by
 * libcurl, in a thread of its own that runs from the first question on.
 *
 * Every question is bounded: in time by ASKER_TIMEOUT_MS, in the bytes of its answer by
 * ASKER_BODY_MAX.  No redirect is followed.
 */
#ifndef ADMIN_ASKER_H
#define ADMIN_ASKER_H
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct ask;
struct asker;
struct event_base;

enum { ASKER_TIMEOUT_MS = 5000, ASKER_BODY_MAX = 256 << 10 };

struct ask_answer {
    long status;       /* 0: there was none, `error` says why */
    const char *error; /* "" = none */
    struct slice body;
    int64_t clock_ms; /* what the server's Date says, Unix; 0 = nothing */
};

struct ask_options {
    const char *url;
    const char *form;          /* the body of a POST; NULL: GET */
    const char *authorization; /* the value of the field; NULL: none */
    const char *tls_ca;        /* PEM file; NULL: the authorities of the system */
    /* Called once, in the loop of the base, unless ask_forget() comes first; borrows `answer`. */
    void (*on_answer)(void *owner, const struct ask_answer *answer);
    void *owner;
};

/* NULL: no memory or descriptors. */
MUST_USE struct asker *asker_new(struct event_base *base);
/* Breaks off what is under way, without a call.  NULL is allowed. */
void asker_free(struct asker *asker);

/* Copies all texts.  NULL: no memory; there will be no call. */
MUST_USE struct ask *asker_ask(struct asker *asker, const struct ask_options *options);
/* The answer isn't wanted any more; frees nothing that the caller has.  NULL is allowed. */
void ask_forget(struct ask *ask);

#endif
