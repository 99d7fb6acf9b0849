#include "service/redis/redis_url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "proto/number.h"
#include "proto/slice.h"
#include "service/base/error.h"
#include "service/base/ownership.h"

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379, DB_MAX = 1 << 20 };

static const struct scheme {
    const char *text;
    enum redis_topology topology;
    bool tls, is_path;
} schemes[] = {
    {"redis://", REDIS_SINGLE, false, false},      {"rediss://", REDIS_SINGLE, true, false},
    {"valkey://", REDIS_SINGLE, false, false},     {"valkeys://", REDIS_SINGLE, true, false},
    {"unix://", REDIS_SINGLE, false, true},        {"sentinel://", REDIS_SENTINEL, false, false},
    {"sentinels://", REDIS_SENTINEL, true, false}, {"cluster://", REDIS_CLUSTER, false, false},
    {"clusters://", REDIS_CLUSTER, true, false},
};

/* Takes everything up to `stop`, and skips `stop`; false, with nothing taken, when it is missing.
 */
static bool take_until(struct slice *rest, char stop, struct slice *out)
{
    const char *end = rest->len ? memchr(rest->ptr, stop, rest->len) : NULL;

    if (!end)
        return false;
    *out = slice_make(rest->ptr, (size_t)(end - rest->ptr));
    *rest = slice_make(end + 1, rest->len - out->len - 1);
    return true;
}

/* Percent-decodes `in`; false when the result doesn't fit, or on a broken % or a control character.
 */
static bool decode(struct slice in, char out[static REDIS_URL_TEXT_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];

        if (c == '%') {
            int high = i + 2 < in.len ? number_hex_digit(in.ptr[i + 1]) : -1;
            int low = i + 2 < in.len ? number_hex_digit(in.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f || n == REDIS_URL_TEXT_MAX - 1)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

static bool parse_user(struct redis_url *url, struct slice text, struct error *err)
{
    struct slice user, password = text;

    if (!take_until(&password, ':', &user)) {
        user = text;
        password = slice_make("", 0);
    }
    if (!decode(user, url->user) || !decode(password, url->password)) {
        error_set(err, "redis url: the user or password is too long or has a broken %% code");
        return false;
    }
    return true;
}

/* Parses "host", "host:port" or "[::1]:port"; an empty host is 127.0.0.1. */
static bool parse_host(struct redis_url *url, struct slice text, unsigned port, struct error *err)
{
    struct redis_address *address = &url->hosts[url->n_hosts];
    struct slice host = text, port_text = {0};
    bool ok = true;

    if (url->n_hosts == REDIS_URL_HOSTS_MAX) {
        error_set(err, "redis url: more than %d hosts", REDIS_URL_HOSTS_MAX);
        return false;
    }
    if (host.len && host.ptr[0] == '[') {
        struct slice rest = slice_make(host.ptr + 1, host.len - 1);

        ok = take_until(&rest, ']', &host) && (rest.len == 0 || rest.ptr[0] == ':');
        if (ok && rest.len)
            port_text = slice_make(rest.ptr + 1, rest.len - 1);
    } else {
        struct slice before;

        port_text = host;
        if (take_until(&port_text, ':', &before))
            host = before;
        else
            port_text = slice_make(NULL, 0);
    }
    ok = ok && (!port_text.ptr || (number_parse_u32(port_text, 65535, &port) && port > 0));
    if (!ok || !decode(host.len ? host : slice_of("127.0.0.1"), address->host)) {
        /* Doesn't print the host: if a / in the password was not encoded, it holds part of the
         * password. */
        error_set(err, "redis url: host %zu is no name, name:port or [IPv6]:port",
                  url->n_hosts + 1);
        return false;
    }
    address->port = (uint16_t)port;
    url->n_hosts++;
    return true;
}

static bool parse_hosts(struct redis_url *url, struct slice text, struct error *err)
{
    unsigned port = url->topology == REDIS_SENTINEL ? SENTINEL_PORT : REDIS_PORT;
    struct slice one;

    if (url->topology == REDIS_SINGLE)
        return parse_host(url, text, port, err);
    while (take_until(&text, ',', &one)) {
        if (!parse_host(url, one, port, err))
            return false;
    }
    return parse_host(url, text, port, err);
}

/* Parses what follows the hosts: "", "/", "/db", "/master" or "/master/db". */
static bool parse_path(struct redis_url *url, struct slice path, struct error *err)
{
    struct slice master = path;
    bool has_db;

    if (url->topology == REDIS_SENTINEL) {
        has_db = take_until(&path, '/', &master);
        if (!has_db)
            path = slice_make(NULL, 0);
        if (!decode(master, url->master) || url->master[0] == '\0') {
            error_set(err, "redis url: name the master, sentinel://host/NAME");
            return false;
        }
    }
    if (path.len > 0 && url->topology == REDIS_CLUSTER) {
        error_set(err, "redis url: a cluster has no databases, remove what follows the hosts");
        return false;
    }
    if (path.len > 0 && !number_parse_u32(path, DB_MAX, &url->db)) {
        error_set(err, "redis url: what follows the last / is no number of a database; a / in a "
                       "password is written %%2f");
        return false;
    }
    return true;
}

static bool load_password(const char *path, char out[static REDIS_URL_TEXT_MAX], struct error *err)
{
    FILE *file = fopen(path, "re");
    struct slice text;
    bool ok = false;
    size_t len;

    if (!file) {
        error_set(err, "redis password file %s: %s", path, strerror(errno));
        goto out;
    }
    if (!own_secret_check(fileno(file), path, err)) {
        error_prefix(err, "redis password file");
        goto out;
    }
    /* Unbuffered, so that no copy of the password stays in a buffer. */
    setvbuf(file, NULL, _IONBF, 0);
    if (!fgets(out, REDIS_URL_TEXT_MAX, file)) {
        error_set(err, "redis password file %s: %s", path,
                  ferror(file) ? strerror(errno) : "is empty");
        goto out;
    }
    if (!strchr(out, '\n') && !feof(file)) {
        error_set(err, "redis password file %s: the first line is over %d characters", path,
                  REDIS_URL_TEXT_MAX - 2);
        goto out;
    }
    len = strcspn(out, "\r\n");
    text = slice_skip_mark(slice_make(out, len));
    memmove(out, text.ptr, text.len);
    memset(out + text.len, 0, REDIS_URL_TEXT_MAX - text.len);
    ok = true;
out:
    if (file)
        fclose(file);
    return ok;
}

static bool set_option(struct redis_url *url, struct slice name, struct slice value,
                       struct error *err)
{
    char file[REDIS_URL_TEXT_MAX];
    const struct {
        const char *name;
        char *text, *password;
    } options[] = {
        {"user", url->user, NULL},
        {"ca", url->ca, NULL},
        {"cert", url->cert, NULL},
        {"key", url->key, NULL},
        {"server_name", url->server_name, NULL},
        {"sentinel_user", url->sentinel_user, NULL},
        {"password_file", file, url->password},
        {"sentinel_password_file", file, url->sentinel_password},
    };

    if (slice_equal(name, slice_of("tls"))) {
        if (slice_equal(value, slice_of("yes"))) {
            url->tls = true;
        } else if (!slice_equal(value, slice_of("no"))) {
            error_set(err, "redis url: tls must be yes or no, not '%.*s'", SLICE_ARG(value));
            return false;
        }
        return true;
    }
    if (slice_equal(name, slice_of("db"))) {
        if (url->topology != REDIS_CLUSTER && number_parse_u32(value, DB_MAX, &url->db))
            return true;
        error_set(err, "redis url: db=%.*s is not the number of a database", SLICE_ARG(value));
        return false;
    }
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (!slice_equal(name, slice_of(options[i].name)))
            continue;
        if (!decode(value, options[i].text) || options[i].text[0] == '\0') {
            error_set(err, "redis url: the value of %s is empty, too long or has a broken %% code",
                      options[i].name);
            return false;
        }
        return !options[i].password || load_password(file, options[i].password, err);
    }
    error_set(err,
              "redis url: unknown option '%.*s'; one of: password_file, user, db, tls, ca, cert, "
              "key, server_name, sentinel_user, sentinel_password_file",
              SLICE_ARG(name));
    return false;
}

static bool parse_options(struct redis_url *url, struct slice query, struct error *err)
{
    while (query.len > 0) {
        struct slice pair, name;

        if (!take_until(&query, '&', &pair)) {
            pair = query;
            query = slice_make(NULL, 0);
        }
        if (!take_until(&pair, '=', &name)) {
            error_set(err,
                      "redis url: an option has no value; a ? in a password must be written %%3f");
            return false;
        }
        if (!set_option(url, name, pair, err))
            return false;
    }
    return true;
}

static bool check(const struct redis_url *url, struct error *err)
{
    if ((url->cert[0] == '\0') != (url->key[0] == '\0')) {
        error_set(err, "redis url: cert and key go together");
        return false;
    }
    if (!url->tls && (url->ca[0] || url->cert[0] || url->server_name[0])) {
        error_set(err, "redis url: ca, cert, key and server_name need TLS: rediss:// or tls=yes");
        return false;
    }
    if (url->tls && url->hosts[0].port == 0) {
        error_set(err, "redis url: there is no TLS on a Unix socket");
        return false;
    }
    if (url->topology != REDIS_SENTINEL && (url->sentinel_user[0] || url->sentinel_password[0])) {
        error_set(err,
                  "redis url: sentinel_user and sentinel_password_file need a sentinel:// URL");
        return false;
    }
    if (url->sentinel_user[0] && !url->sentinel_password[0]) {
        error_set(err, "redis url: sentinel_user is set, but no password; add "
                       "sentinel_password_file=");
        return false;
    }
    if (url->user[0] && !url->password[0]) {
        error_set(
            err, "redis url: there is a user, but no password; write user:password@ (or :password@ "
                 "without a user), or password_file=");
        return false;
    }
    return true;
}

static bool parse_rest(struct redis_url *url, struct slice rest, bool is_path, struct error *err)
{
    struct slice before, user;
    const char *at;

    if (is_path) {
        url->n_hosts = 1;
        if (!decode(rest, url->hosts[0].host) || url->hosts[0].host[0] != '/') {
            error_set(err, "redis url: unix:// needs an absolute path: unix:///run/redis.sock");
            return false;
        }
        return true;
    }
    /* Uses the last @ before the path, because a password may hold an unencoded @. */
    before = rest;
    if (!take_until(&rest, '/', &before))
        rest = slice_make(NULL, 0);
    at = before.len ? memrchr(before.ptr, '@', before.len) : NULL;
    if (at) {
        user = slice_make(before.ptr, (size_t)(at - before.ptr));
        before = slice_make(at + 1, before.len - user.len - 1);
        if (!parse_user(url, user, err))
            return false;
    }
    return parse_hosts(url, before, err) && parse_path(url, rest, err);
}

static const struct scheme *find_scheme(const char *text)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(text, schemes[i].text, strlen(schemes[i].text)) == 0)
            return &schemes[i];
    }
    return NULL;
}

bool redis_url_has_scheme(const char *text)
{
    return find_scheme(text) != NULL;
}

static bool parse(struct redis_url *url, const char *text, struct error *err)
{
    const struct scheme *scheme = find_scheme(text);
    struct slice rest, before;

    if (!scheme) {
        error_set(err, "redis url: starts with none of redis://, rediss://, valkey://, "
                       "valkeys://, unix://, sentinel://, cluster://");
        return false;
    }
    url->topology = scheme->topology;
    url->tls = scheme->tls;
    rest = slice_of(text + strlen(scheme->text));
    before = rest;
    if (!take_until(&rest, '?', &before))
        rest = slice_make(NULL, 0);
    return parse_rest(url, before, scheme->is_path, err) && parse_options(url, rest, err) &&
           check(url, err);
}

struct redis_url *redis_url_parse(const char *text, struct error *err)
{
    struct redis_url *url = sodium_init() >= 0 ? sodium_malloc(sizeof(*url)) : NULL;

    if (!url) {
        error_set(err, "redis url: out of memory");
        return NULL;
    }
    memset(url, 0, sizeof(*url));
    if (!parse(url, text, err)) {
        sodium_free(url);
        return NULL;
    }
    sodium_mprotect_readonly(url);
    return url;
}

static bool is_this_host(const struct redis_address *address)
{
    const char *host = address->host;
    struct in6_addr ip6;
    struct in_addr ip4;

    if (inet_pton(AF_INET, host, &ip4) == 1)
        return ntohl(ip4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &ip6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&ip6);
    return address->port == 0 || strcasecmp(host, "localhost") == 0;
}

const struct redis_address *redis_url_find_exposed(const struct redis_url *url)
{
    for (size_t i = 0; !url->tls && i < url->n_hosts; i++) {
        if (!is_this_host(&url->hosts[i]))
            return &url->hosts[i];
    }
    return NULL;
}

void redis_address_describe(const struct redis_address *address,
                            char out[static REDIS_ADDRESS_TEXT_MAX])
{
    const char *format = strchr(address->host, ':') ? "[%.50s]:%u" : "%.50s:%u";

    if (address->port == 0)
        snprintf(out, REDIS_ADDRESS_TEXT_MAX, "%.63s", address->host);
    else
        snprintf(out, REDIS_ADDRESS_TEXT_MAX, format, address->host, (unsigned)address->port);
}

void redis_url_free(struct redis_url *url)
{
    sodium_free(url);
}
