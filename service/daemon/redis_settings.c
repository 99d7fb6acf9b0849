#include "service/daemon/redis_settings.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/base/error.h"
#include "service/base/log.h"
#include "service/config/config.h"
#include "service/redis/redis_stream.h"
#include "service/redis/redis_url.h"

static void put_encoded(FILE *out, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";

    for (; *text; text++) {
        if (strchr(plain, *text))
            fputc(*text, out);
        else
            fprintf(out, "%%%02X", (unsigned char)*text);
    }
}

char *redis_settings_url(const struct config_redis *redis, const char *private_url)
{
    const struct {
        const char *name, *value;
    } options[] = {
        {"user", redis->username},
        {"password_file", redis->password_file},
        {"sentinel_user", redis->sentinel_username},
        {"sentinel_password_file", redis->sentinel_password_file},
        {"ca", redis->tls_ca},
        {"cert", redis->tls_cert},
        {"key", redis->tls_key},
    };
    char separator = redis->url && strchr(redis->url, '?') ? '&' : '?';
    char *text = NULL;
    size_t len = 0;
    FILE *out;
    bool ok;

    if (private_url)
        return strdup(private_url);
    out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    fputs(redis->url, out);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (!options[i].value)
            continue;
        fprintf(out, "%c%s=", separator, options[i].name);
        put_encoded(out, options[i].value);
        separator = '&';
    }
    ok = !ferror(out);
    if (fclose(out) != 0 || !ok) {
        free(text);
        text = NULL;
    }
    return text;
}

char *redis_settings_find_url(const struct config *config)
{
    bool is_relative = config->state_dir[0] != '/';
    char *folder = NULL, *url = NULL;

    if (config->redis.url)
        return redis_settings_url(&config->redis, NULL);
    if (is_relative && !(folder = getcwd(NULL, 0)))
        return NULL;
    if (asprintf(&url, "unix://%s%s%s/redis/redis.sock", is_relative ? folder : "",
                 is_relative ? "/" : "", config->state_dir) < 0)
        url = NULL;
    free(folder);
    return url;
}

bool redis_settings_check(const struct config *config, struct error *err)
{
    char *text = config->redis.url ? redis_settings_url(&config->redis, NULL) : NULL;
    struct redis_url *url = NULL;
    struct ssl_ctx_st *tls = NULL;
    bool ok = false;

    if (!config->redis.url)
        return true;
    if (!text)
        error_set(err, "out of memory");
    else if ((url = redis_url_parse(text, err)))
        ok = !url->tls || (tls = redis_tls_new(url, err));
    if (!ok)
        config_fail_prefix(config, err, "redis.url");
    redis_tls_free(tls);
    redis_url_free(url);
    free(text);
    return ok;
}

void redis_settings_warn(const char *text)
{
    /* The text is valid: redis_settings_check() has parsed it before. */
    struct redis_url *url = redis_url_parse(text, NULL);
    const struct redis_address *exposed = url ? redis_url_find_exposed(url) : NULL;
    char where[REDIS_ADDRESS_TEXT_MAX], quoted[LOG_QUOTE_MAX];

    if (exposed) {
        redis_address_describe(exposed, where);
        log_warn("redis.unencrypted",
                 "host=%s remedy=\"rediss://, valkeys:// or tls=yes, unless the network is "
                 "trusted\"",
                 log_quote(quoted, where));
    }
    redis_url_free(url);
}
