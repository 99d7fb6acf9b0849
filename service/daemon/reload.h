/* reload.h - SIGHUP: the configuration and the files it names are read again.
 *
 * Brands, hosts, targets, pages, keys and API keys change at once, for all threads.  A change of
 * what is read at the start only is logged.  When anything is wrong the old configuration stays.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

struct parts;

void reload(struct parts *parts, const char *config_path);

#endif
