#include "service/public/reply.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "service/config/site.h"

#define COMMON_FIELDS                      \
    "Cache-Control: private, no-store\r\n" \
    "Referrer-Policy: no-referrer\r\n"     \
    "X-Robots-Tag: noindex, nofollow\r\n"

/* Where the text is written next; the room was checked by the caller. */
struct pen {
    char *start, *at;
};

static void put(struct pen *pen, struct slice text)
{
    if (text.len) {
        memcpy(pen->at, text.ptr, text.len);
        pen->at += text.len;
    }
}

static struct slice end_fields(enum reply_connection connection)
{
    switch (connection) {
    case REPLY_KEEP:
        return slice_of("\r\n");
    case REPLY_KEEP_10:
        return slice_of("Connection: keep-alive\r\n\r\n");
    case REPLY_CLOSE:
        return slice_of("Connection: close\r\n\r\n");
    }
    return slice_of("\r\n");
}

static struct slice status_line(unsigned status)
{
    static const struct {
        unsigned status;
        const char *line;
    } lines[] = {
        {200, "HTTP/1.1 200 OK\r\n"},
        {302, "HTTP/1.1 302 Found\r\n"},
        {303, "HTTP/1.1 303 See Other\r\n"},
        {400, "HTTP/1.1 400 Bad Request\r\n"},
        {403, "HTTP/1.1 403 Forbidden\r\n"},
        {404, "HTTP/1.1 404 Not Found\r\n"},
        {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
        {408, "HTTP/1.1 408 Request Timeout\r\n"},
        {410, "HTTP/1.1 410 Gone\r\n"},
        {411, "HTTP/1.1 411 Length Required\r\n"},
        {413, "HTTP/1.1 413 Content Too Large\r\n"},
        {414, "HTTP/1.1 414 URI Too Long\r\n"},
        {415, "HTTP/1.1 415 Unsupported Media Type\r\n"},
        {417, "HTTP/1.1 417 Expectation Failed\r\n"},
        {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
        {501, "HTTP/1.1 501 Not Implemented\r\n"},
        {503, "HTTP/1.1 503 Service Unavailable\r\n"},
        {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (lines[i].status == status)
            return slice_of(lines[i].line);
    }
    return slice_of("HTTP/1.1 500 Internal Server Error\r\n");
}

/* strftime() would follow the locale. */
void reply_format_date(struct reply *reply, int64_t now_s)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t t = (time_t)now_s;
    struct tm tm;
    int len;

    if (!gmtime_r(&t, &tm))
        return;
    reply->date_s = now_s;
    snprintf(reply->date, sizeof(reply->date), "%s, %02u %s %04u %02u:%02u:%02u GMT",
             days[tm.tm_wday % 7], (unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12],
             (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
    len = snprintf(reply->redirect, sizeof(reply->redirect),
                   "HTTP/1.1 302 Found\r\nDate: %s\r\n" COMMON_FIELDS
                   "Content-Length: 0\r\nLocation: ",
                   reply->date);
    reply->redirect_len = (size_t)len;
}

void reply_init(struct reply *reply, int64_t now_s)
{
    *reply = (struct reply){.date_s = -1};
    reply_format_date(reply, now_s);
}

size_t reply_redirect_end(enum reply_connection connection, char *out)
{
    struct pen pen = {.start = out, .at = out};

    put(&pen, slice_of("\r\n"));
    put(&pen, end_fields(connection));
    return (size_t)(pen.at - pen.start);
}

static void put_page_fields(struct pen *pen, const struct page_text *page)
{
    put(pen, slice_of("X-Content-Type-Options: nosniff\r\nContent-Type: "));
    put(pen, page->type);
    put(pen, slice_of("\r\n"));
    if (page->csp.len) {
        put(pen, slice_of("Content-Security-Policy: "));
        put(pen, page->csp);
        /* For browsers that don't know frame-ancestors. */
        put(pen, slice_of("\r\nX-Frame-Options: DENY\r\n"));
    }
    /* It is chosen by Accept-Language, but Vary would tell nothing: no-store keeps caches from
     * having it at all. */
    if (page->language.len) {
        put(pen, slice_of("Content-Language: "));
        put(pen, page->language);
        put(pen, slice_of("\r\n"));
    }
}

size_t reply_see_other(const struct reply *reply, struct slice target,
                       enum reply_connection connection, char *out)
{
    struct pen pen = {.start = out, .at = out};

    put(&pen, status_line(303));
    put(&pen, slice_of("Date: "));
    put(&pen, slice_of(reply->date));
    put(&pen, slice_of("\r\n" COMMON_FIELDS "Content-Length: 0\r\nLocation: "));
    put(&pen, target);
    put(&pen, slice_of("\r\n"));
    put(&pen, end_fields(connection));
    return (size_t)(pen.at - pen.start);
}

size_t reply_page(const struct reply *reply, unsigned status, const struct page_text *page,
                  bool is_head, enum reply_connection connection, char *out)
{
    struct pen pen = {.start = out, .at = out};
    bool fits = page && page->body_len <= REPLY_BODY_MAX &&
                page->type.len + page->csp.len + page->language.len <= REPLY_HEAD_MAX / 2;
    char length[48];

    put(&pen, status_line(status));
    put(&pen, slice_of("Date: "));
    put(&pen, slice_of(reply->date));
    put(&pen, slice_of("\r\n" COMMON_FIELDS));
    if (status == 405 || (status == 200 && !page)) /* OPTIONS */
        put(&pen, slice_of("Allow: GET, HEAD\r\n"));
    if (status == 503)
        put(&pen, slice_of("Retry-After: 10\r\n"));
    if (fits)
        put_page_fields(&pen, page);
    snprintf(length, sizeof(length), "Content-Length: %zu\r\n", fits ? page->body_len : 0);
    put(&pen, slice_of(length));
    put(&pen, end_fields(connection));
    for (unsigned i = 0; fits && !is_head && i < page->n_parts; i++)
        put(&pen, page->parts[i]);
    return (size_t)(pen.at - pen.start);
}
