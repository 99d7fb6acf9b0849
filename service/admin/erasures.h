/* erasures.h - clients who are being erased at the wish of a request. */
#ifndef ADMIN_ERASURES_H
#define ADMIN_ERASURES_H

struct request;
struct server;

/* DELETE /v1/clients/{id}: takes the request, and replies when the client is erased. */
void erasures_handle(struct request *request);

/* GET /v1/erasures/{id}: how far one that has ended here or elsewhere is outside Redis. */
void erasures_handle_get(struct request *request);

/* Ends those under way, and replies; for the end of the process. */
void erasures_drop_all(struct server *server);

#endif
