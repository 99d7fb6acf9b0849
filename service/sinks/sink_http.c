#include "service/sinks/sink_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "proto/ip.h"
#include "service/base/address.h"
#include "service/base/clock.h"

enum { CONNECT_MAX_MS = 10000, RETRY_AFTER_MAX_S = 3600 };

struct sink_http {
    struct sink_http_options options;
    CURL *curl;
    bool was_private; /* the address of the request at hand was refused */
    bool has_streams; /* the last answer came by HTTP/2 or later: it names its request */
    struct sink_http_answer *answer;
    size_t body_len;    /* of the request at hand */
    int64_t stopped_ms; /* monotonic: when it was seen that the process stops; 0 = it does not */
    char curl_error[CURL_ERROR_SIZE];
};

/* --- addresses --- */

static bool is_private(const struct sockaddr *address)
{
    uint8_t ip[IP_LEN];

    return !address_ip(address, ip) || ip_is_private(ip);
}

/* libcurl is about to connect to an address that a name has: here, and not before, is known which.
 */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct sink_http *http = arg;

    (void)purpose;
    if (!http->options.allow_private && is_private(&address->addr)) {
        http->was_private = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- a request --- */

/* Keeps the beginning; an answer that goes on is cut off. */
static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct sink_http *http = arg;
    struct sink_http_answer *answer = http->answer;
    size_t len = size * n, room = sizeof(answer->body) - 1 - answer->body_len;

    memcpy(answer->body + answer->body_len, bytes, len < room ? len : room);
    answer->body_len += len < room ? len : room;
    return len <= room ? len : 0;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t uploaded)
{
    struct sink_http *http = arg;

    (void)a;
    (void)b;
    (void)c;
    if (!atomic_load(http->options.stopping))
        return 0;
    if (http->stopped_ms == 0)
        http->stopped_ms = clock_mono_ms();
    return uploaded < (curl_off_t)http->body_len ||
           (http->options.is_cut && atomic_load(http->options.is_cut)) ||
           clock_mono_ms() - http->stopped_ms >= http->options.answer_ms;
}

struct sink_http *sink_http_new(const struct sink_http_options *options)
{
    struct sink_http *http = calloc(1, sizeof(*http));

    if (!http || !(http->curl = curl_easy_init())) {
        free(http);
        return NULL;
    }
    http->options = *options;
    return http;
}

void sink_http_free(struct sink_http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    free(http);
}

static void set_options(struct sink_http *http, const struct sink_http_request *request)
{
    const struct sink_http_options *o = &http->options;
    CURL *curl = http->curl;

    curl_easy_reset(curl); /* connections stay open */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* a name server that stalls holds up no end */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* it would connect for us, wherever to */
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, request->headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "hopcount/" HOPCOUNT_VERSION);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(o->timeout_ms < CONNECT_MAX_MS ? o->timeout_ms : CONNECT_MAX_MS));
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, http);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->curl_error);
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, (long)(o->never_repeats || !http->has_streams));
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, (long)o->never_repeats);
    curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, 1L); /* what is not used again is closed */
    if (o->tls_ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, o->tls_ca);
    if (o->username)
        curl_easy_setopt(curl, CURLOPT_USERNAME, o->username);
    if (o->password)
        curl_easy_setopt(curl, CURLOPT_PASSWORD, o->password);
}

void sink_http_post(struct sink_http *http, const struct sink_http_request *request,
                    struct sink_http_answer *answer)
{
    curl_off_t after_s = 0;
    long version = 0;
    CURLcode code;

    http->body_len = request->body_len;
    answer->status = 0;
    answer->body_len = 0;
    answer->error[0] = '\0';
    answer->retry_after_ms = 0;
    http->answer = answer;
    http->was_private = false;
    http->curl_error[0] = '\0';
    set_options(http, request);
    code = curl_easy_perform(http->curl);
    answer->body[answer->body_len] = '\0';
    http->has_streams =
        curl_easy_getinfo(http->curl, CURLINFO_HTTP_VERSION, &version) == CURLE_OK &&
        version >= CURL_HTTP_VERSION_2_0;
    /* The status is all we need: an answer that is too long is cut off. */
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR)
        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &after_s) == CURLE_OK && after_s > 0)
        answer->retry_after_ms =
            (after_s < RETRY_AFTER_MAX_S ? after_s : RETRY_AFTER_MAX_S) * (int64_t)1000;
    if (answer->status == 0)
        snprintf(answer->error, sizeof(answer->error), "%.127s",
                 http->was_private     ? "the host has an address of a private network; say "
                                         "allow_private: true if that is meant"
                 : http->curl_error[0] ? http->curl_error
                                       : curl_easy_strerror(code));
}

const char *sink_http_check_url(const char *text)
{
    CURLU *url = curl_url();
    const char *wrong = NULL;
    char *user = NULL;

    if (!url)
        return "out of memory";
    if ((strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0) ||
        curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
        wrong = "is no URL; write https://host/path";
    else if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
        wrong = "holds a user name; the file may be read by many, give it in a key of its own";
    curl_free(user);
    curl_url_cleanup(url);
    return wrong;
}
