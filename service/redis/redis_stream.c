#include "service/redis/redis_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/util.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "service/base/error.h"
#include "service/redis/redis_url.h"

/* The newest reason in this thread's queue of OpenSSL errors; empties the queue.  For a file that
 * can't be read the newest entry says only "system lib"; the oldest one is the errno. */
static const char *reason(void)
{
    unsigned long oldest = ERR_peek_error(), newest = ERR_peek_last_error();
    const char *text = newest ? ERR_reason_error_string(newest) : NULL;

    if (ERR_SYSTEM_ERROR(oldest))
        text = strerror(ERR_GET_REASON(oldest));
    ERR_clear_error();
    return text ? text : "unknown reason";
}

static bool load(SSL_CTX *ctx, const struct redis_url *url, struct error *err)
{
    if (url->ca[0] ? SSL_CTX_load_verify_file(ctx, url->ca) != 1
                   : SSL_CTX_set_default_verify_paths(ctx) != 1) {
        error_set(err, "redis tls: cannot load the CA certificates in %s: %s",
                  url->ca[0] ? url->ca : "the system", reason());
        return false;
    }
    if (!url->cert[0])
        return true;
    if (SSL_CTX_use_certificate_chain_file(ctx, url->cert) != 1) {
        error_set(err, "redis tls: cannot load the certificate %s: %s", url->cert, reason());
        return false;
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, url->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        error_set(err,
                  "redis tls: cannot load the key %s, or it doesn't belong to certificate %s: %s",
                  url->key, url->cert, reason());
        return false;
    }
    return true;
}

struct ssl_ctx_st *redis_tls_new(const struct redis_url *url, struct error *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        error_set(err, "redis tls: %s", reason());
        goto fail;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    /* Don't leave copies of answers in OpenSSL's read buffers. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    if (!load(ctx, url, err))
        goto fail;
    return ctx;
fail:
    SSL_CTX_free(ctx);
    return NULL;
}

void redis_tls_free(struct ssl_ctx_st *tls)
{
    SSL_CTX_free(tls);
}

/* Makes a TLS session that accepts only a certificate for `url`'s server_name, or without one for
 * the host of `address` (a name or an IP address).  NULL: out of memory. */
static SSL *new_ssl(SSL_CTX *tls, const struct redis_url *url, const struct redis_address *address)
{
    const char *name = url->server_name[0] ? url->server_name : address->host;
    SSL *ssl = SSL_new(tls);
    X509_VERIFY_PARAM *param = ssl ? SSL_get0_param(ssl) : NULL;
    struct in6_addr ip;
    bool ok;

    if (!ssl)
        return NULL;
    if (evutil_inet_pton(AF_INET, name, &ip) == 1 || evutil_inet_pton(AF_INET6, name, &ip) == 1)
        ok = X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    else
        ok = SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
    if (!ok) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    return ssl;
}

struct bufferevent *redis_stream_new(struct event_base *base, struct ssl_ctx_st *tls,
                                     const struct redis_url *url,
                                     const struct redis_address *address)
{
    const int flags = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
    struct bufferevent *stream;
    SSL *ssl;

    if (!tls)
        return bufferevent_socket_new(base, -1, flags);
    ssl = new_ssl(tls, url, address);
    if (!ssl)
        return NULL;
    stream = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, flags);
    if (!stream) {
        SSL_free(ssl);
        return NULL;
    }
    /* A server that crashes sends no close_notify.  A truncated answer is detected by the answer
     * reader. */
    bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
    return stream;
}

void redis_stream_free(struct bufferevent *stream)
{
    SSL *ssl = stream ? bufferevent_openssl_get_ssl(stream) : NULL;

    if (ssl) /* sends no close_notify: that could block, and closing the socket is enough */
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    if (stream)
        bufferevent_free(stream);
}

void redis_stream_tune(struct bufferevent *stream)
{
    int fd = bufferevent_getfd(stream), on = 1;

    /* fails on a Unix socket, which needs neither option */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* Writes why the handshake of `bev` failed. */
static void describe_handshake(struct bufferevent *bev, char *out, size_t size)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    unsigned long code = bufferevent_get_openssl_error(bev);
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    if (verdict != X509_V_OK)
        snprintf(out, size, "TLS: %s", X509_verify_cert_error_string(verdict));
    else if (text)
        snprintf(out, size, "TLS: %s", text);
    else
        snprintf(out, size, "TLS: closed during the handshake (does this port speak TLS?)");
    ERR_clear_error();
}

void redis_stream_describe_failure(struct bufferevent *stream, bool is_end, bool while_connecting,
                                   char why[static REDIS_HELLO_WHY_MAX])
{
    int code = EVUTIL_SOCKET_ERROR();

    if (while_connecting && code == 0 && bufferevent_openssl_get_ssl(stream))
        describe_handshake(stream, why, REDIS_HELLO_WHY_MAX);
    else if (is_end || code == 0)
        snprintf(why, REDIS_HELLO_WHY_MAX, "closed by the server");
    else
        snprintf(why, REDIS_HELLO_WHY_MAX, "%s", evutil_socket_error_to_string(code));
}
