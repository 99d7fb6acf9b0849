/* log.h - one line per event to stderr: `level=warn at=redis.down err="..." retry_ms=400`.
 *
 * error wakes someone, warn is degraded, info is start, stop and reload.  Tokens, target URLs and
 * client addresses are never logged.  Safe from any thread: a line is one write(2), which never
 * waits.  What stderr does not take at once is dropped and counted; as soon as it takes lines
 * again, `at=log.dropped lines=N` says how many are missing. Lines that repeat within a second are
 * counted and reported once, by their `at`, as `repeated=N`; so is what one `at` says beyond 8
 * different lines.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above `level` are not written.  Call before threads start. */
void log_set_level(enum log_level level);

/* `at` is a constant "area.event"; `format` gives the fields, `key=value` apart by blanks; values
 * from outside go through log_quote(). */
void log_error(const char *at, const char *format, ...) PRINTF_LIKE(2, 3);
void log_warn(const char *at, const char *format, ...) PRINTF_LIKE(2, 3);
void log_info(const char *at, const char *format, ...) PRINTF_LIKE(2, 3);

/* Writes what repeats are still held back, and how many lines were dropped; call at exit and once a
 * second from some thread. */
void log_flush(void);

/* Lines that stderr did not take, since the start.  Any thread. */
uint64_t log_dropped(void);

enum { LOG_QUOTE_MAX = 256 };

/* `text` in double quotes, control bytes, quotes and backslashes escaped, cut to fit; returns
 * `out`. */
const char *log_quote(char out[static LOG_QUOTE_MAX], const char *text);

#endif
