/* auth.h - who may ask what: API keys, their scopes and their rates. */
#ifndef ADMIN_AUTH_H
#define ADMIN_AUTH_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct apikey;
struct apikeys;
struct auth;
struct request;
struct session;
struct slice;

/* Takes `keys` (freed on failure, too), which may be NULL: no key is known.  `rate_per_min` 0 = no
 * limit.  NULL: no memory. */
MUST_USE struct auth *auth_new(struct apikeys *keys, int64_t rate_per_min);
void auth_free(struct auth *auth);

/* From now on `keys`, taken, count; rates start anew. */
void auth_set_keys(struct auth *auth, struct apikeys *keys);

/*
 * True when the request carries a key, or the cookie of a session that stands for a key, that
 * allows `scope` (enum apikey_scope) and has requests left in this minute; the X-RateLimit fields
 * are added to its reply, and request->brands is set to the brands of the key.  By cookie, a
 * request that changes something must also show that it comes from our own page (session_cookie.h).
 * False: it was replied to, with 401, 403 or 429.
 */
MUST_USE bool auth_check(struct auth *auth, struct request *request, unsigned scope);

/* Whether a request that auth_check() let pass would pass again: its key is there still, for the
 * same brands, and its session hasn't ended.  Counts nothing. */
bool auth_still_allows(const struct auth *auth, const struct request *request, unsigned scope);

/* Whether the request carries the text of a known API key, whatever that allows.  From any thread.
 */
bool auth_knows_key(struct auth *auth, const struct request *request);

/* The name of the key whose name has that hash (its low 32 bits of event_id_hash()); NULL: there is
 * none (any more).  Borrowed until auth_set_keys(). */
const char *auth_key_name_by_hash(const struct auth *auth, uint32_t hash);

/* The key whose text this is, or the one that a session stands for; NULL: there is none (any more).
 * Borrowed until auth_set_keys(). */
const struct apikey *auth_find_key(const struct auth *auth, struct slice text);
const struct apikey *auth_find_session_key(const struct auth *auth, const struct session *session);

#endif
