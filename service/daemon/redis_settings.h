/* redis_settings.h - the configuration's `redis:` mapping as one URL (service/redis/redis_url.h).
 */
#ifndef DAEMON_REDIS_SETTINGS_H
#define DAEMON_REDIS_SETTINGS_H
#include "proto/compiler.h"

struct config_redis;

/* A copy of `private_url` if that isn't NULL; else redis->url with the mapping's other keys as
 * options.  The caller frees; NULL: out of memory. */
MUST_USE char *redis_settings_url(const struct config_redis *redis, const char *private_url);

#endif
