/* merge.h - moves what was added to the tables of links, objects and clients into them (FORMATS.md
 * "Table"), some at a time, between batches.
 *
 * A batch appends its records to one string of each four tables.  Redis reserves as much again for
 * a string that grows, so the tables themselves never do: they are written as a whole, when what
 * was added has become as long as a part of them.  This changes no count: if a table, or what was
 * added, is no longer what was read, all stays as it was.
 */
#ifndef LEDGER_MERGE_H
#define LEDGER_MERGE_H
#include "proto/compiler.h"

struct ledger;
struct ledger_ticket;
struct merge;
struct redisReply;

/* NULL: out of memory. */
MUST_USE struct merge *merge_new(void);
void merge_free(struct merge *merge);

/* The batch script's list of keys and lengths: what was added has grown to that length. */
void merge_note(struct ledger *ledger, const struct redisReply *grown);
/* In each turn: reads the next tables, unless enough are under way. */
void merge_serve(struct ledger *ledger);
void merge_on_answer(struct ledger *ledger, const struct ledger_ticket *ticket,
                     const struct redisReply *answer);

#endif
