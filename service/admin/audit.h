/* audit.h - writes the audit log: who did what at the admin address, when, and from where.
 *
 * An entry is noted beside the action and never holds it up: it goes to Redis at once, or as soon
 * as Redis answers again.  What can't be kept until then (AUDIT_WAITING_MAX entries wait), or is
 * waiting when the process ends, is written as a log line and counted.  What programs repeat
 * (events posted, the same export, sign-ins refused) has an entry the first time, and one with a
 * number for all that came in the AUDIT_RUN_MS after it, so that they can't push out the rest.
 * For the API thread only. */
#ifndef ADMIN_AUDIT_H
#define ADMIN_AUDIT_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/state/audit_entry.h"

struct audit;
struct brand;
struct event_base;
struct reply;
struct request;
struct server;

enum {
    AUDIT_WAITING_MAX = 256,
    AUDIT_RUNS_MAX = 32, /* kinds of repeated actions told apart at a time */
    AUDIT_RUN_MS = 600 * 1000,
};

/* Borrows `server`, whose fetches may be NULL: then each entry is a log line and no more.  `days`
 * 0: nothing is kept.  NULL: no memory. */
MUST_USE struct audit *audit_new(struct server *server, struct event_base *base, int64_t days);
/* After the fetches have ended. */
void audit_free(struct audit *audit);

/* Notes `entry`; its time and its id are set here. */
void audit_note(struct audit *audit, const struct audit_entry *entry);

/* Notes what the client of a request did, by the name of its key and its address.  `brand` may be
 * NULL. */
void audit_note_request(const struct request *request, enum audit_action action,
                        const struct brand *brand, uint32_t client, const char *format, ...)
    PRINTF_LIKE(5, 6);

/* The same of a number of events. */
void audit_note_events(const struct request *request, const struct brand *brand, uint32_t n);

/* That what a request asked for leaves as a whole list. */
void audit_note_export(const struct request *request);
/* request_reply(), and notes it when that is a table or a page of a list as CSV. */
void audit_reply(struct request *request, const struct reply *reply);

/* The entry that says that the client of a request erased a client of the brand, without saying
 * whom; false: no audit log is kept. */
MUST_USE bool audit_entry_of_erasure(const struct request *request, const struct brand *brand,
                                     struct audit_entry *out);

/* How many entries were lost since the start; any thread. */
uint64_t audit_n_lost(const struct audit *audit);

#endif
