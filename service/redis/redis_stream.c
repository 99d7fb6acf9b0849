#include "service/redis/redis_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/util.h>
#include <openssl/ssl.h>

#include "service/redis/tls.h"

struct bufferevent *redis_stream_new(struct event_base *base, struct ssl_ctx_st *tls,
                                     const struct redis_url *url,
                                     const struct redis_address *address)
{
    const int flags = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
    struct bufferevent *stream;
    SSL *ssl;

    if (!tls)
        return bufferevent_socket_new(base, -1, flags);
    ssl = tls_new_connection(tls, url, address);
    if (!ssl)
        return NULL;
    stream = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, flags);
    if (!stream) {
        SSL_free(ssl);
        return NULL;
    }
    /* A server that dies doesn't say goodbye; what it sent before is judged by its own format. */
    bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
    return stream;
}

void redis_stream_free(struct bufferevent *stream)
{
    SSL *ssl = stream ? bufferevent_openssl_get_ssl(stream) : NULL;

    if (ssl) /* no close_notify, which could block: the end of the socket tells as much */
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    if (stream)
        bufferevent_free(stream);
}

void redis_stream_tune(struct bufferevent *stream)
{
    int fd = bufferevent_getfd(stream), on = 1;

    /* Fails on a Unix socket, where neither is needed. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

void redis_stream_describe_failure(struct bufferevent *stream, bool is_end, bool while_connecting,
                                   char why[static REDIS_HELLO_WHY_MAX])
{
    int code = EVUTIL_SOCKET_ERROR();

    if (while_connecting && code == 0 && bufferevent_openssl_get_ssl(stream))
        tls_describe_failure(stream, why, REDIS_HELLO_WHY_MAX);
    else if (is_end || code == 0)
        snprintf(why, REDIS_HELLO_WHY_MAX, "closed by the server");
    else
        snprintf(why, REDIS_HELLO_WHY_MAX, "%s", evutil_socket_error_to_string(code));
}
