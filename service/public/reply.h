/* reply.h - the bytes of a reply (RFC 9110, RFC 9112).  Pure but for the date, which is formatted
 * once a second.
 */
#ifndef PUBLIC_REPLY_H
#define PUBLIC_REPLY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct page_text;

enum {
    REPLY_HEAD_MAX = 1024,      /* a head without its Location */
    REPLY_BODY_MAX = 14 * 1024, /* a page with a longer body is sent without its body */
    REPLY_MAX = 16 * 1024,      /* the longest reply */
    REPLY_REDIRECT_MAX = 512,   /* the bytes of a redirect besides its Location */
};

/* The Connection field of the reply. */
enum reply_connection {
    REPLY_KEEP,    /* no field: the connection stays open by default (HTTP/1.1) */
    REPLY_KEEP_10, /* Connection: keep-alive, for a client of HTTP/1.0 that asked for it */
    REPLY_CLOSE,   /* Connection: close */
};

/* The start of every redirect, up to the Location's value. */
struct reply {
    int64_t date_s;
    size_t redirect_len;
    char redirect[REPLY_REDIRECT_MAX];
    char date[32]; /* "Sun, 22 Nov 2026 18:54:42 GMT", 29 characters and a NUL */
};

void reply_init(struct reply *reply, int64_t now_s);

/* Sets the date, Unix seconds; costs one comparison unless the second has changed. */
static inline void reply_set_date(struct reply *reply, int64_t now_s);

/*
 * A redirect is written in three steps, so that the target is written right where it is sent from:
 * reply_redirect_start(), then the Location's value by the caller behind it, then
 * reply_redirect_end().  `out` has room for REPLY_REDIRECT_MAX bytes and the Location; each returns
 * the number of bytes it wrote.
 */
static inline size_t reply_redirect_start(const struct reply *reply, char *out)
{
    memcpy(out, reply->redirect, reply->redirect_len);
    return reply->redirect_len;
}
size_t reply_redirect_end(enum reply_connection connection, char *out);

/* The redirect that answers a press: 303, which a browser follows with a GET.  `out` has room for
 * REPLY_REDIRECT_MAX bytes and the target, which must lie elsewhere.  Returns the length. */
size_t reply_see_other(const struct reply *reply, struct slice target,
                       enum reply_connection connection, char *out);

/*
 * A reply of `status` with `page` as its body, or with none if NULL; with `is_head` the head only.
 * `status` is one that outcome_status() gives; 405 gets its Allow field, 503 Retry-After.  `out`
 * has room for REPLY_MAX bytes.  Returns the length.
 */
size_t reply_page(const struct reply *reply, unsigned status, const struct page_text *page,
                  bool is_head, enum reply_connection connection, char *out);

void reply_format_date(struct reply *reply, int64_t now_s);

static inline void reply_set_date(struct reply *reply, int64_t now_s)
{
    if (reply->date_s != now_s)
        reply_format_date(reply, now_s);
}

#endif
