/* check_record.h - what was found at a page, as it is kept in Redis (FORMATS.md "Checks"): JSON. */
#ifndef CHECKS_CHECK_RECORD_H
#define CHECKS_CHECK_RECORD_H
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/compiler.h"

struct probe;

/*
 * The record of `probe`, found at `at_ms` (Redis' clock), after `previous`, which may be NULL.  A
 * page is up or down since the first record that says so; it is called down after `failures_max`
 * failures in a row.  `secret` is left out of URLs.  A new reference; NULL: out of memory.
 */
MUST_USE json_t *check_record_new(const struct probe *probe, const char *secret, int64_t at_ms,
                                  const json_t *previous, unsigned failures_max);

/* Reads one; NULL when it isn't one. */
MUST_USE json_t *check_record_read(const char *text, size_t len);

const char *check_record_text(const json_t *record, const char *key); /* NULL = null */
int64_t check_record_number(const json_t *record, const char *key);   /* 0 = null */

#endif
