/* probe.h - asks pages whether they are there: follows their redirects one by one, looks for a text
 * in the page, reads certificates.  By libcurl, many at a time, from one thread, without waiting.
 *
 * Every request is bounded: in time by timeout_ms, in bytes by PROBE_BODY_MAX.  Addresses of
 * private networks are asked like others, for the operator configured the pages. */
#ifndef CHECKS_PROBE_H
#define CHECKS_PROBE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"

struct curl_slist;
struct prober;

enum {
    PROBE_REDIRECTS_MAX = 20,
    PROBE_BODY_MAX = 256 << 10, /* what comes behind it is not read */
    PROBE_WHY_MAX = 256,
};

enum probe_verdict {
    PROBE_UP,
    PROBE_LATER, /* 403, 429, 503: it may be meant for programs, or pass; nothing is known */
    PROBE_DOWN,
};

/* "up", "later", "down". */
const char *probe_verdict_name(enum probe_verdict verdict);

/* One request of a chain. */
struct probe_hop {
    char *url;
    long status; /* 0: no reply */
};

struct probe {
    /* What to ask; the caller's, borrowed until on_done(). */
    const char *url;
    const char *must_contain; /* NULL: any page will do */
    const char *language;     /* Accept-Language; NULL: none is sent */
    bool is_link;             /* a page for an answer is a failure: a link leads on … */
    bool lands_on_page;       /* … but this one asks for a press first */
    void *owner;

    /* What came. */
    enum probe_verdict verdict;
    char why[PROBE_WHY_MAX]; /* "" = up */
    unsigned n_hops;         /* 1 and more */
    struct probe_hop hops[PROBE_REDIRECTS_MAX + 1];
    int64_t time_ms; /* of all requests, without what was waited for between them */
    bool has_certificate;
    int64_t certificate_s; /* Unix: when the first certificate of the chain expires */

    /* The prober's. */
    struct probe *next;
    void *handle; /* libcurl's */
    struct curl_slist *fields;
    bool is_running;
    char *body;
    size_t body_len;
    char error[PROBE_WHY_MAX]; /* of libcurl */
};

/* Frees what came; {0} is allowed, and so is another use afterwards. */
void probe_clear(struct probe *probe);

/* Whole days from `now_s` until the certificate expires; negative: it has. */
int64_t probe_days_left(int64_t certificate_s, int64_t now_s);

struct prober_options {
    int64_t timeout_ms; /* of a request */
    int64_t pace_ms;    /* between two requests to one host */
    unsigned parallel;  /* requests at a time */
    unsigned redirects_max;
    const char *tls_ca; /* PEM file; NULL: the authorities of the system */
    void *owner;
    /* The probe has its result, and may be cleared or added again. */
    void (*on_done)(void *owner, struct probe *probe);
};

/* Copies `options`; the text is borrowed.  NULL: out of memory or descriptors. */
MUST_USE struct prober *prober_new(const struct prober_options *options);
/* Gives up what is asked for; on_done() isn't called. */
void prober_free(struct prober *prober);

/* Asks as soon as pace and `parallel` allow. */
void prober_add(struct prober *prober, struct probe *probe);
/* Does what there is to do now; calls on_done() for what has ended.  Never waits. */
void prober_step(struct prober *prober);
/* Waits until there is something to do, `wait_ms` at most. */
void prober_wait(struct prober *prober, int wait_ms);
bool prober_is_idle(const struct prober *prober);

#endif
