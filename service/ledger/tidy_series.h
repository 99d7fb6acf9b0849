/* tidy_series.h - sums up time series (FORMATS.md "Series"): those that have grown to twice what
 * they were, and once more those whose day or month is over.
 *
 * Nothing depends on it but memory and the time that reading takes: one that is left out, or that
 * changed meanwhile, stays as it was.
 */
#ifndef LEDGER_TIDY_SERIES_H
#define LEDGER_TIDY_SERIES_H
#include <stdint.h>

#include "proto/compiler.h"

struct ledger;
struct ledger_ticket;
struct redisReply;
struct tidy_series;

MUST_USE struct tidy_series *tidy_series_new(void);
void tidy_series_free(struct tidy_series *tidy);

/* The batch script says that the series of that key has grown to that length, or, 0, has begun. */
void tidy_series_note(struct ledger *ledger, const struct redisReply *key,
                      const struct redisReply *len);
/* Reads the next few. */
void tidy_series_serve(struct ledger *ledger, int64_t now_ms);
void tidy_series_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                          const struct redisReply *reply);

#endif
