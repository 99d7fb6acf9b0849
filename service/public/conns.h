/* conns.h - the connections of one worker: accepted up to a limit, ended when they have waited too
 * long, or when the worker ends.  conn.h says how one goes on by itself.
 *
 * Replies leave at once, connection by connection; but when clicks must be on disk first they
 * gather until the loop has nothing else to do (or a buffer is full), so that one sync serves them
 * all.
 */
#ifndef PUBLIC_CONNS_H
#define PUBLIC_CONNS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/compiler.h"
#include "service/public/conn.h"

struct error;

/* Borrows all that `*options` names, as long as it lives. */
MUST_USE struct conns *conns_new(const struct conns_options *options, struct error *err);
/* Sends what is queued and cuts all connections.  NULL is allowed. */
void conns_free(struct conns *conns);

/* Takes an accepted socket.  At the limit another connection makes room: one that lingers, else one
 * that doesn't take its replies, else the longest idle one, else the oldest unfinished head. */
void conns_accept(struct conns *conns, evutil_socket_t fd, const struct sockaddr *peer);

/* Descriptors ran out: ends a connection as conns_accept() does, but none that is in use: whose
 * head is unfinished, or that was asked something within the last second.  False: there is no
 * other. */
MUST_USE bool conns_give_up_one(struct conns *conns);

/* Closes or answers what has waited too long.  A few times a second. */
void conns_tick(struct conns *conns);

/* From now on every reply says Connection: close. */
void conns_drain(struct conns *conns);
/* Closes the connections that wait for a request; those that were never asked anything only when
 * they have waited for `silent_ms`, for the request of who has just connected is on its way. */
void conns_close_idle(struct conns *conns, int64_t silent_ms);

unsigned conns_n_open(const struct conns *conns);

#endif
