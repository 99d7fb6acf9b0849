/* layout.h - sees to it that all processes spread counts over one number of shards.
 *
 * The first process to count in a Redis writes the number down (FORMATS.md "Redis keyspace"); one
 * that is configured otherwise counts nothing, for its cursors would be other ones, and what was
 * counted would be counted again.
 */
#ifndef LEDGER_LAYOUT_H
#define LEDGER_LAYOUT_H
#include <stdint.h>

struct ledger;
struct redisReply;

/* Asks, unless it has been answered; again on each new connection, for FLUSHALL takes the number
 * with all the rest. */
void layout_serve(struct ledger *ledger, int64_t now_ms);
void layout_on_reply(struct ledger *ledger, const struct redisReply *reply);

#endif
