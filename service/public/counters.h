/* counters.h - the counters of a worker for metrics: written by its thread, read by any.
 *
 * Each request ends in one outcome, and each outcome has one status code. */
#ifndef PUBLIC_COUNTERS_H
#define PUBLIC_COUNTERS_H
#include "proto/click_names.h"
#include "service/base/counter64.h"
#include "service/label/label.h"

enum outcome {
    OUTCOME_REDIRECT, /* 302 to the target; the click was counted */
    OUTCOME_SILENT,   /* 302 to the target; the link is silent or its kind not tracked: nothing was
                         counted */
    OUTCOME_ONWARD,   /* 200 with a page that leads to the target, for an Office program; counted
                         unless the link is silent */
    OUTCOME_BUTTON, /* 200 with a page whose button leads to the target; counted as a redirect is */
    OUTCOME_PRESSED,      /* 303 to the target, after a press of that button; counted before */
    OUTCOME_OPTED_OUT,    /* 200, a client has opted out of tracking */
    OUTCOME_RENEWED,      /* 200, a fresh link in place of an expired one was asked for */
    OUTCOME_HOME,         /* 302 to the brand's home */
    OUTCOME_HOME_PAGE,    /* 200, the brand has no home of its own */
    OUTCOME_ROBOTS,       /* 200 */
    OUTCOME_OPTIONS,      /* 200, a load balancer's health check (OPTIONS /) */
    OUTCOME_NOT_FOUND,    /* 404, no valid link */
    OUTCOME_NO_TARGET,    /* 404, a valid link of a kind that has no target */
    OUTCOME_UNKNOWN_HOST, /* 404 */
    OUTCOME_EXPIRED,      /* 410 */
    OUTCOME_REVOKED,      /* 410, where the brand says so; else a revoked link is not found */
    OUTCOME_USED,         /* 410, the link was used as often as it may be */
    OUTCOME_SETTLED,      /* 200 with a page: there is nothing to pay; counted as a redirect is */
    OUTCOME_BAD_REQUEST,  /* 400 */
    OUTCOME_VIEW,         /* 403, a press that comes from no page of ours, or one that is too old */
    OUTCOME_METHOD,       /* 405 */
    OUTCOME_TIMEOUT,      /* 408, the head was not complete in time */
    OUTCOME_LENGTH,       /* 411 */
    OUTCOME_BODY,         /* 413 */
    OUTCOME_LINE_LENGTH,  /* 414 */
    OUTCOME_TYPE,         /* 415 */
    OUTCOME_EXPECT,       /* 417 */
    OUTCOME_HEAD_SIZE,    /* 431 */
    OUTCOME_UNSURE,       /* 503, Redis can't confirm the use of a one-time link */
    OUTCOME_UNIMPLEMENTED, /* 501 */
    OUTCOME_LATER,   /* 503, the kind is closed until states are known; not counted as a click */
    OUTCOME_VERSION, /* 505 */
    OUTCOMES         /* how many there are */
};

/* Why a connection was closed. */
enum close_reason {
    CLOSE_CLIENT,       /* the client closed it, or it broke */
    CLOSE_REPLIED,      /* after Connection: close, HTTP/1.0 or the request limit */
    CLOSE_REFUSED,      /* after the reply to a request that HTTP rules refuse */
    CLOSE_IDLE,         /* no request within the idle time */
    CLOSE_HEAD_TIMEOUT, /* a head was not complete in time */
    CLOSE_SEND_TIMEOUT, /* the client did not read its replies in time */
    CLOSE_EVICTED,      /* it made room for another, at the limit of connections or descriptors */
    CLOSE_BUFFERS,      /* the limit of unfinished heads or of unread replies was reached */
    CLOSE_PROXY,        /* no valid PROXY header, or not from a trusted proxy */
    CLOSE_DRAIN,        /* idle when the drain ended, or cut at its deadline */
    CLOSE_REASONS
};

struct worker_counters {
    counter64 requests[OUTCOMES];     /* replies made */
    counter64 reasons[CLICK_REASONS]; /* counted clicks, by why they got their label */
    struct labeler_counters agents;
    counter64 accepted; /* connections accepted */
    counter64 closed[CLOSE_REASONS];
    counter64 open;         /* connections now */
    counter64 open_max;     /* the limit */
    counter64 heads;        /* connections that hold an unfinished head now */
    counter64 unsent_bytes; /* bytes of replies that clients have not read yet */
    counter64 bytes_in, bytes_out;
    counter64 accept_pauses; /* times accepting paused, because descriptors or memory ran out */
    counter64 loop_passes;   /* of the event loop */
    counter64 pauses;        /* in which requests gathered; see gather.h */
};

/* The names used in metrics, "redirect", "evicted"; NULL when out of range. */
const char *outcome_name(unsigned outcome);
const char *close_reason_name(unsigned end);
/* The status code, 302; 0 when out of range. */
unsigned outcome_status(unsigned outcome);

#endif
