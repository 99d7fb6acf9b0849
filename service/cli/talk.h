/* talk.h - commands to a Redis of any topology, for a program that may wait for the answers.
 *
 *     talk_send(t, …); talk_send(t, …); if (!talk_wait(t)) say(talk_why(t));
 *
 * The first failure (a lost connection, an error of Redis) ends the talk: all later calls fail, and
 * talk_why() says what it was.  Whether a command that got no answer has run can't be told. */
#ifndef CLI_TALK_H
#define CLI_TALK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct error;
struct redisReply;
struct talk;

enum { TALK_IN_FLIGHT_MAX = 256 };

/* Starts connecting; `timeout_ms` is the limit of each command.  NULL and `*err`: the URL is wrong,
 * or out of memory. */
MUST_USE struct talk *talk_new(const char *url, int64_t timeout_ms, struct error *err);
/* Not from a callback.  NULL is allowed. */
void talk_free(struct talk *talk);

/* Sends the command to the node that holds `key`, and waits for the connection if there is none
 * yet. `on_answer` (NULL: only errors are of interest) is called once from within a later call,
 * unless the talk ends before; the answer, which is no error, lives as long as the call.  Not from
 * a callback. */
typedef void talk_on_answer(void *owner, const struct redisReply *answer);
MUST_USE bool talk_send(struct talk *talk, struct slice key, const struct slice *argv, size_t argc,
                        talk_on_answer *on_answer, void *owner);
/* Waits for all answers. */
MUST_USE bool talk_wait(struct talk *talk);

/* Ends the talk as a failure of Redis would; from a callback. */
void talk_fail(struct talk *talk, const char *format, ...) PRINTF_LIKE(2, 3);
const char *talk_why(const struct talk *talk);

/* Two keys with the same number are on one node; waits for the connection, 0 = there is none. */
uint64_t talk_node(struct talk *talk, struct slice key);

#endif
