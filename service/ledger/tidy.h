/* tidy.h - sums up tables that have grown (FORMATS.md "Table"), some at a time, between batches.
 *
 * Nothing depends on it but memory: a table that is read, summed up and not written back because it
 * changed meanwhile stays as it was.
 */
#ifndef LEDGER_TIDY_H
#define LEDGER_TIDY_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct ledger;
struct ledger_ticket;
struct redisReply;
struct tidy;

MUST_USE struct tidy *tidy_new(void);
void tidy_free(struct tidy *tidy);

/* The batch script says that the table of that key has grown to that length. */
void tidy_note(struct ledger *ledger, const struct redisReply *key, const struct redisReply *len);
/* Reads the next ones, unless enough are under way. */
void tidy_serve(struct ledger *ledger, int64_t now_ms);
void tidy_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                   const struct redisReply *reply);

/* Asks for all of a key; replaces the part of it that was read, `old`, if it is still the same.
 * False: no command can be sent now. */
MUST_USE bool tidy_send_read(struct ledger *ledger, const struct ledger_ticket *ticket,
                             struct slice key);
MUST_USE bool tidy_send_compacted(struct ledger *ledger, const struct ledger_ticket *ticket,
                                  struct slice key, struct slice old, struct slice compacted);

#endif
