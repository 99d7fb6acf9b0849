/* reload.h - reads the configuration and its files again on SIGHUP.
 *
 * Brands, hosts, targets, pages, keys and API keys change at once, for all threads.  Changed keys
 * that need a restart are logged.  On any error the old configuration stays in use. */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

struct parts;

void reload(struct parts *parts, const char *config_path);

#endif
