/* http1.h - the head of an HTTP/1 request: RFC 9110 and RFC 9112, and only what a redirector needs.
 *
 * Pure: no I/O, no clock, no allocation.  What a strict server may refuse is refused, so that no
 * two parsers on the way can disagree about where a request ends.  A fault is reported when the
 * line that holds it has ended, whatever pieces the bytes come in: the outcome depends on the bytes
 * only.
 */
#ifndef PROTO_HTTP1_H
#define PROTO_HTTP1_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum {
    HTTP1_LINE_MAX = 8192,     /* of the request line, without its CRLF */
    HTTP1_HEAD_MAX = 32768,    /* up to and with the empty line that ends it, and those skipped */
    HTTP1_FIELDS_MAX = 128,    /* field lines */
    HTTP1_BODY_MAX = 1024,     /* of a POST */
    HTTP1_EMPTY_LINES_MAX = 4, /* skipped before the request line (9112, 2.2) */
    HTTP1_HOST_MAX = 255,      /* without the port */
};

/* OTHER: another method of the IANA registry ("HTTP Method Registry"). */
enum http1_method {
    HTTP1_GET,
    HTTP1_HEAD,
    HTTP1_OPTIONS,
    HTTP1_POST,
    HTTP1_PUT,
    HTTP1_DELETE,
    HTTP1_OTHER
};

/* Rules that differ between the public port and others. */
struct http1_rules {
    bool all_methods;  /* not only GET, HEAD, OPTIONS and POST */
    uint32_t body_max; /* bytes of a body; GET, HEAD and OPTIONS never have one */
    bool takes_strays; /* raw bytes of 0x80…0xff and '#' may stand in the target: no two parsers
                          disagree about where the request ends because of them */
};

/* The fields whose values are handed out.  Of a field that comes twice the first value counts, but
 * for X-Forwarded-For and Forwarded, of which all lines are kept. */
enum http1_field {
    HTTP1_ACCEPT_LANGUAGE,
    HTTP1_CONTENT_TYPE,
    HTTP1_COOKIE,
    HTTP1_ORIGIN,
    HTTP1_PURPOSE,
    HTTP1_REFERER,
    HTTP1_SEC_FETCH_DEST,
    HTTP1_SEC_FETCH_MODE,
    HTTP1_SEC_FETCH_SITE,
    HTTP1_SEC_FETCH_USER,
    HTTP1_SEC_GPC,
    HTTP1_SEC_PURPOSE,
    HTTP1_USER_AGENT,
    HTTP1_X_FORWARDED_HOST,
    HTTP1_X_MOZ,
    HTTP1_X_PURPOSE,
    HTTP1_FIELDS
};

/* A complete head.  All slices borrow the parsed bytes, but for the path "/" of an absolute-form
 * target that has none. */
struct http1_request {
    enum http1_method method;
    uint8_t minor_version; /* 0 or 1 */
    bool keep_alive;       /* by the default of the version and the Connection field */
    bool expect_continue;  /* the client waits for "100 Continue" before it sends the body */
    bool
        has_content_length; /* the field is there; of a POST without it the body's end is unknown */
    uint32_t content_length; /* bytes of body behind the head: 0…body_max of the rules */
    uint16_t head_len;       /* bytes of the head; then comes the body, then the next request */
    struct slice path;       /* begins with '/'; not decoded; ends before a stray */
    bool path_is_cut;        /* a stray, and what is behind it, were left out of the path */
    struct slice query;      /* without the '?'; absent if there is none */
    struct slice authority;  /* of an absolute-form target, else of Host: "host:8080"; absent in
                                HTTP/1.0 without either */
    struct slice host;       /* the authority without its port; an IPv6 one in its brackets */
    struct slice field[HTTP1_FIELDS]; /* trimmed values; absent if the field is */
    unsigned n_forwarded_for, n_forwarded;
    struct slice forwarded_for[HTTP1_FIELDS_MAX]; /* X-Forwarded-For, in the order of the lines */
    struct slice forwarded[HTTP1_FIELDS_MAX];     /* Forwarded (RFC 7239), likewise */
};

/* Why a request is refused. */
struct http1_refusal {
    unsigned status;    /* 400, 405, 413, 414, 417, 431, 501 or 505 */
    const char *reason; /* a constant: "bare LF" */
    bool is_head;       /* the method is HEAD: the reply has no body */
};

/* How much of an unfinished head has been scanned, so that a head which arrives byte by byte is not
 * parsed again at each byte.  {0} for each new head. */
struct http1_scan {
    uint16_t seen;  /* bytes known to hold no line end that has not been parsed */
    uint16_t limit; /* more bytes than this without another line end are refused */
};

enum http1_status {
    HTTP1_COMPLETE,   /* `*out` is filled */
    HTTP1_INCOMPLETE, /* call again with more bytes and the same scan */
    HTTP1_REFUSED,    /* `*refusal` is filled; reply and close: further input can't be parsed */
};

/*
 * Parses the head at the start of `bytes`, which may hold more behind it.  `*scan` belongs to this
 * head: {0} at its first call, then as the last call left it; the bytes may have moved meanwhile.
 *
 * `*out` and `*refusal` are of use with their status only.  GET, HEAD, POST and OPTIONS come
 * through; which paths have the last two is the caller's to decide.  Other methods are refused: 405
 * if the IANA registry has them, else 501.
 */
MUST_USE enum http1_status http1_parse(struct slice bytes, struct http1_scan *scan,
                                       struct http1_request *out, struct http1_refusal *refusal);

/* The same by other rules than the public port's: those take strays, and a body of at most
 * HTTP1_BODY_MAX, of a POST. */
MUST_USE enum http1_status http1_parse_by(const struct http1_rules *rules, struct slice bytes,
                                          struct http1_scan *scan, struct http1_request *out,
                                          struct http1_refusal *refusal);

/* The trimmed value of the first field of that name in a complete head, or an absent slice. */
struct slice http1_find_value(struct slice head, struct slice name);
/* How many fields of that name it has. */
unsigned http1_count_values(struct slice head, struct slice name);

/* Splits "host", "host:port", "[v6]" and "[v6]:port"; false, and `*host` is left alone: it is none
 * of them. */
MUST_USE bool http1_split_authority(struct slice authority, struct slice *host);

#endif
