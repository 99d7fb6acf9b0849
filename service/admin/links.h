/* links.h - how links look in the API. */
#ifndef ADMIN_LINKS_H
#define ADMIN_LINKS_H
#include <stdint.h>

#include <jansson.h>

struct brand;
struct request;
struct token;

enum { LINKS_ID_MAX = 17 };

/* A link id as 16 lower-case hex digits; returns `out`. */
const char *links_id_text(uint64_t link_id, char out[static LINKS_ID_MAX]);

/* The brand whose link the request's path names, by token or whole URL, and the opened token; NULL:
 * replied to. */
const struct brand *links_find(struct request *request, struct token *token);

/* Adds issued_at, expires_at (null = never) and expired to `object`, which it returns; or NULL, and
 * `object`, which may be NULL, is freed. */
json_t *links_set_times(json_t *object, const struct token *token);

#endif
