/* reload.h - reads the configuration and its files again, on SIGHUP or when they have changed.
 *
 * Brands, hosts, targets, pages, keys and API keys change at once, for all threads.  Changed keys
 * that need a restart are logged.  On any error the old configuration stays in use. */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H
#include <stdbool.h>

#include "proto/compiler.h"

struct config;
struct parts;
struct watch;

/* From now on `watch` is about the files that were read, the old ones if reading failed. */
void reload(struct parts *parts, const char *config_path, struct watch *watch);

/* Watches the configuration and all files that it names, but for those that are read whenever they
 * are needed.  False: out of memory, and some are not watched. */
MUST_USE bool reload_watch(struct watch *watch, const char *config_path,
                           const struct config *config);

#endif
