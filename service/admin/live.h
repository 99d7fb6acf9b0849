/* live.h - the streams of GET /v1/live: counters once a second, as server-sent events (HTML
 * standard, 9.2). */
#ifndef ADMIN_LIVE_H
#define ADMIN_LIVE_H
#include "proto/compiler.h"

struct event_base;
struct live;
struct server;

enum { LIVE_STREAMS_MAX = 256, LIVE_STREAMS_PER_KEY_MAX = 64 };

/* NULL: no memory.  Borrows `server`. */
MUST_USE struct live *live_new(struct server *server, struct event_base *base);
/* Ends all streams; after the server's fetches have ended. */
void live_free(struct live *live);

#endif
