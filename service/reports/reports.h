/* reports.h - sends the reports of the configuration on their days, in a thread of its own.
 *
 * A delivery is one report for one receiver.  Each has a record in Redis (FORMATS.md "Reports"),
 * and whichever process changes that from what it read to `sending` is the one that sends it:
 *
 *     new ─▶ sending ─▶ sent          all of them begin again when the next period is due
 *              │ ▲ └──▶ refused
 *              ▼ │
 *             later ──▶ gave_up
 *
 * A process that dies while it is sending leaves `sending` behind.  Whether the receiver has the
 * report is not known then, nor when a server took it and did not say so in time, which is ten
 * seconds when the process is stopped: it is sent again, with the same Message-ID.  In all other
 * cases there is one mail for a period.
 * Without Redis nothing is sent. */
#ifndef REPORTS_REPORTS_H
#define REPORTS_REPORTS_H
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/compiler.h"

struct config;
struct error;
struct reports;

/* Whether zones are known and files can be read.  False and `*err` (file, line, key) if not. */
MUST_USE bool reports_check(const struct config *config, struct error *err);

/* NULL and `*err` on failure.  Borrows the configuration. */
MUST_USE struct reports *reports_new(const struct config *config, const char *redis_url,
                                     struct error *err);

/* Begins to send.  `ask` asks the API for what a key of the one brand sees: a new reference, or
 * NULL; from the reports' thread, until reports_stop(). */
typedef json_t *reports_ask(void *owner, const char *brand, const char *path);
MUST_USE bool reports_start(struct reports *reports, reports_ask *ask, void *owner,
                            struct error *err);

/* What the thread does again and again: reads the records, and sends what is due.  Waits for Redis
 * and for mail servers.  Milliseconds until the next turn.  For tests, which start no thread. */
int64_t reports_turn(struct reports *reports);

/* Begins no further report.  What is just being sent may still get its answer, until
 * reports_stop(). NULL is allowed. */
void reports_end(struct reports *reports);
/* Ends the thread, too, a second after reports_end() at the earliest if a mail server or chat has
 * yet to answer (report_send.h).  NULL is allowed. */
void reports_stop(struct reports *reports);
/* Stops it, too.  NULL is allowed. */
void reports_free(struct reports *reports);

/* --- for others; from any thread --- */

/* What is known of a delivery; texts are borrowed for the call. */
struct report_delivery {
    const char *report, *brand, *every;
    const char *to;     /* an address; "slack", "teams" */
    const char *state;  /* as drawn above; "unknown": Redis has not told yet */
    const char *period; /* first day of the one that the state is about; "" = none */
    const char *why;    /* it was not sent; "" = nothing was wrong */
    int64_t tries;
    int64_t at_ms;     /* Unix: since when it is in the state; 0 = not known */
    int64_t next_ms;   /* Unix: when the next report is due */
    int64_t overdue_s; /* for how long the newest is due and has not been sent; 0 = it has */
};

void reports_visit(struct reports *reports,
                   void (*visit)(void *owner, const struct report_delivery *delivery), void *owner);

/* What this process did for a report of the configuration, by its index. */
struct report_counts {
    const char *report;
    uint64_t n_sent, n_failed; /* tries */
    int64_t overdue_s;         /* the longest of its deliveries */
};

/* False: there is no such index. */
MUST_USE bool reports_count(struct reports *reports, unsigned index, struct report_counts *out);

#endif
