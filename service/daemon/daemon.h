/* daemon.h - the life of hopcountd: starts the parts in order, handles signals, and stops the parts
 * in reverse order.
 *
 *     RUNNING ── SIGTERM ──▶ DRAINING ── drain_delay_s ──▶ FINISHING ──▶ ended
 *        │                      │                             │
 *        └──────── SIGINT ──────┴── second signal: at once ───┘ */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H
#include <stdbool.h>

#include "proto/compiler.h"

struct daemon;
struct error;

/* Reads the configuration and starts all parts.  NULL and `*err` (file, line, key, remedy) on
 * failure; then nothing is left running.  Call once, from main's thread, before any other. */
MUST_USE struct daemon *daemon_start(const char *config_path, struct error *err);

/* Serves until a stop signal; returns when all requests begun are finished, or their time is over.
 */
void daemon_run(struct daemon *daemon);

/* Stops all parts and frees.  NULL is allowed. */
void daemon_free(struct daemon *daemon);

/* Reads the configuration and all files that it names; starts nothing. */
MUST_USE bool daemon_check(const char *config_path, struct error *err);

#endif
