/* redis_settings.h - the configuration's `redis:` mapping as one URL (service/redis/redis_url.h).
 */
#ifndef DAEMON_REDIS_SETTINGS_H
#define DAEMON_REDIS_SETTINGS_H
#include <stdbool.h>

#include "proto/compiler.h"

struct config;
struct config_redis;
struct error;

/* A copy of `private_url` if that isn't NULL; otherwise redis->url with the other keys of the
 * mapping as options.  The caller frees it; NULL: out of memory. */
MUST_USE char *redis_settings_url(const struct config_redis *redis, const char *private_url);

/* The URL by which another process reaches the Redis of the configuration: that of redis.url, or
 * the socket in state_dir of the private server, which is there only while it runs.  The caller
 * frees it; NULL: out of memory. */
MUST_USE char *redis_settings_find_url(const struct config *config);

/* Whether the settings are usable: the URL can be parsed and the files can be read.  Contacts no
 * server.  False and `*err` (file, line, key) if not. */
MUST_USE bool redis_settings_check(const struct config *config, struct error *err);

/* Logs a warning if `url` has no TLS and leads to another host. */
void redis_settings_warn(const char *url);

#endif
