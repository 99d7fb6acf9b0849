/* report_send.h - gives a report to one receiver: a mail by SMTP, or a POST to a chat's webhook.
 * Bounded in time.  When the process begins to stop it is aborted, but for what was handed over
 * whole: there the answer, which tells whether the receiver has it, is waited for while requests
 * are drained, ten seconds at most.  Without an answer it is REPORT_LATER: it is sent again, with
 * the same id, for a report that may come twice is better than one that may be missing. */
#ifndef REPORTS_REPORT_SEND_H
#define REPORTS_REPORT_SEND_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/compiler.h"
#include "service/reports/report_text.h"
#include "service/sinks/sink_key.h"

struct config_smtp;
struct error;
struct report_period;

enum { REPORT_WHY_MAX = 256, REPORT_ID_MAX = 400, REPORT_URL_MAX = 2048 };

enum report_outcome {
    REPORT_SENT,    /* the receiver's server has said that it has it */
    REPORT_LATER,   /* it has not, or did not say so: the receiver may have it nevertheless */
    REPORT_REFUSED, /* it has said that it won't take it, now or later */
};

/* How mails are sent.  Read once, for the password is a file that may not be readable later. */
struct report_mailer {
    const struct config_smtp *smtp; /* borrowed */
    char password[SINK_SECRET_MAX]; /* "" = none */
    const atomic_bool *stopping;    /* NULL: nothing ends it early */
    const atomic_bool *is_cut; /* it has stopped: no answer is waited for; NULL as `stopping` */
};

/* False and `*err`: the file of the password can't be read.  `smtp` is borrowed as long as the
 * mailer; report_mailer_clear() in either case. */
MUST_USE bool report_mailer_init(struct report_mailer *mailer, const struct config_smtp *smtp,
                                 struct error *err);
void report_mailer_clear(struct report_mailer *mailer);

struct report_mail {
    const json_t *report;
    enum report_language language;
    const char *to;    /* the address that this one goes to */
    const char *shown; /* all that it goes to, with commas, for the field To */
    const char *id; /* of the field Message-ID, without its brackets: the same if it is repeated */
};

/* Unless it is sent, `why` says what was in the way, without any mail address. */
MUST_USE enum report_outcome report_send_mail(const struct report_mailer *mailer,
                                              const struct report_mail *mail,
                                              char why[static REPORT_WHY_MAX]);

struct report_post {
    const json_t *report;
    enum report_language language;
    enum report_form form; /* REPORT_SLACK or REPORT_TEAMS */
    const char *url;
    bool allow_private; /* addresses of this machine and of private networks too */
    int64_t timeout_ms;
    const atomic_bool *stopping; /* NULL: nothing ends it early */
    const atomic_bool *is_cut;   /* as of report_mailer */
};

MUST_USE enum report_outcome report_send_post(const struct report_post *post,
                                              char why[static REPORT_WHY_MAX]);

/* The URL that is the first line of a file which others can't read: whoever knows it can write to
 * the chat. */
MUST_USE bool report_url_load(const char *path, char out[static REPORT_URL_MAX], struct error *err);

/* Writes the id of the mails of a schedule, or of a brand by hand, about a period. */
void report_mail_id(const struct config_smtp *smtp, const char *name,
                    const struct report_period *period, char out[static REPORT_ID_MAX]);

#endif
