/* reload.h - reads the configuration and its files again, on SIGHUP or when they have changed.
 *
 * Brands, hosts, targets, pages, keys and API keys change at once, for all threads.  Changed keys
 * that need a restart are logged.  On any error the old configuration stays in use. */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

struct parts;
struct watch;

/* From now on `watch` is about the files that were read, the old ones if reading failed. */
void reload(struct parts *parts, const char *config_path, struct watch *watch);

#endif
