/* log.h - one line per event to stderr: `level=warn at=redis.down err="..." retry_ms=400`, or the
 * same as a JSON object with the time.
 *
 * Levels: error needs a person now, warn means degraded service, info is start, stop and reload.
 * Tokens, target URLs and client addresses are never logged.  Safe from any thread: a line is one
 * write(2), which never waits.  A line that stderr does not accept at once is dropped and counted;
 * when stderr accepts lines again, `at=log.dropped lines=N` reports how many are missing.  Lines
 * repeated within a second are held back and reported once per `at`, as `repeated=N`; so are lines
 * of one `at` beyond 8 different ones. */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_format {
    LOG_FORMAT_TEXT, /* who reads stderr, as journald or a container's runtime, knows the time */
    LOG_FORMAT_JSON,
};

/* Lines above `level` are not written.  Call before threads start. */
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);

/* `at` is a constant "area.event".  `format` gives the fields as `key=value`, separated by blanks;
 * values from outside the program must go through log_quote(). */
void log_error(const char *at, const char *format, ...) PRINTF_LIKE(2, 3);
void log_warn(const char *at, const char *format, ...) PRINTF_LIKE(2, 3);
void log_info(const char *at, const char *format, ...) PRINTF_LIKE(2, 3);

/* Writes a line of level info whatever was written before: of the access log, which limits itself,
 * and whose `fields` say the time of the request. */
void log_access(const char *at, const char *fields);

/* From now on wake_send(fd) (wake.h) is called when a line is held back or dropped and nothing was
 * before: log_flush() is to be called about a second later.  `fd` must outlive all threads that
 * log.  -1, as before the first call: nobody is woken. */
void log_set_wake(int fd);

/* Writes the counts of lines held back before this second, and dropped.  One thread calls it, about
 * once a second.  False: nothing is left, and none need be made until log_set_wake()'s descriptor
 * is readable. */
bool log_flush(void);

/* Writes the counts of all lines held back, also in this second, and dropped, if stderr accepts
 * them.  Call it once, where the process ends. */
void log_end(void);

/* The number of lines dropped since the start.  Any thread. */
uint64_t log_dropped(void);

enum { LOG_QUOTE_MAX = 256 };

/* Writes `text` to `out` in double quotes, with control bytes, quotes and backslashes escaped, cut
 * to fit; returns `out`. */
const char *log_quote(char out[static LOG_QUOTE_MAX], const char *text);

#endif
