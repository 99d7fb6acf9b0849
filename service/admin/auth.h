/* auth.h - who may ask what: API keys and people, their scopes and their rates. */
#ifndef ADMIN_AUTH_H
#define ADMIN_AUTH_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/admin/request.h"
#include "service/admin/session.h"

struct access;
struct apikey;
struct auth;
struct slice;
struct users;

/* Takes `access` (freed on failure, too), which may be NULL: nobody is known.  `rate_per_min` 0 =
 * no limit.  NULL: no memory. */
MUST_USE struct auth *auth_new(struct access *access, int64_t rate_per_min);
void auth_free(struct auth *auth);

/* From now on `access`, taken, counts; rates start anew. */
void auth_set_access(struct auth *auth, struct access *access);

/* The people that are known; borrowed until auth_set_access().  May be NULL. */
const struct users *auth_users(const struct auth *auth);

/* By whose authority a request comes. */
enum auth_by { AUTH_BY_KEY, AUTH_BY_PROXY, AUTH_BY_OIDC, AUTH_BY_SHARE };

/* Writes who it is, as struct request has it: a person with how they signed in. */
void auth_write_who(char out[static REQUEST_WHO_MAX + 1], enum auth_by by, const char *name);

/* Whose scopes and brands they are, for the end of a sentence: "this API key", "your role", "this
 * link".  `who` as struct request has it. */
const char *auth_whose(const char *who);

struct auth_person {
    enum auth_by by;
    char who[REQUEST_WHO_MAX + 1];   /* as struct request has it */
    const char *name;                /* without how they signed in; points into `who` */
    unsigned scopes;                 /* enum apikey_scope */
    uint8_t hash[APIKEY_HASH_LEN];   /* of the key, or of the role's entry (users.h) */
    const char *brands;              /* as in brandlist.h; NULL = all.  Until auth_set_access() */
    unsigned rate;                   /* the place of its rate */
    char csrf[SESSION_CSRF_LEN + 1]; /* what a request that changes something must show; "" = it
                                        comes with a key, and needs nothing */
};

enum auth_status {
    AUTH_FOUND,       /* out is filled */
    AUTH_NOBODY,      /* the request names nobody */
    AUTH_UNKNOWN_KEY, /* an API key that isn't there */
    AUTH_NO_ROLE,     /* a person whom no entry of admin.users is for; who and name are set */
    AUTH_BAD_PROXY,   /* the proxy in front says it wrongly */
};

/* An API key in the request counts before what a proxy says, even if that is nobody whom we know,
 * and that before the cookie of a session.  AUTH_BAD_PROXY sets `*why`, a constant text. */
MUST_USE enum auth_status auth_find(const struct auth *auth, const struct request *request,
                                    struct auth_person *out, const char **why);
/* Whether a person was found by the cookie of a session. */
bool auth_is_by_session(const struct auth_person *person);

/*
 * True when the request carries a key, comes by a proxy from a person, or carries the cookie of a
 * session, and that allows `scope` (enum apikey_scope) and has requests left in this minute; the
 * X-RateLimit fields are added to its reply, and request->brands is set to the brands that it is
 * for.  Without a key, a request that changes something must also show that it comes from our own
 * page (session_cookie.h).  False: it was replied to, with 401, 403 or 429.
 */
MUST_USE bool auth_check(struct auth *auth, struct request *request, unsigned scope);

/* The credentials of "Authorization: Bearer …", or an absent slice. */
struct slice auth_bearer(const struct request *request);

/* The hash of the key or role by which a request comes that auth_check() let pass; false: it has
 * just been taken away. */
MUST_USE bool auth_maker(const struct auth *auth, const struct request *request,
                         uint8_t out[static APIKEY_HASH_LEN]);
/* Whether the key or role with that hash is there still, and may share views of a brand.  `who` is
 * the maker as auth_write_who() writes it; "" while that isn't known: of a person's share, ask
 * again when it is, for another role may be theirs by now. */
bool auth_may_share(const struct auth *auth, const uint8_t maker[static APIKEY_HASH_LEN],
                    const char *who, struct slice brand);
/* Notes that a request comes by the link of that id, and whether that has requests left in this
 * minute.  False: replied to. */
MUST_USE bool auth_check_share(struct auth *auth, struct request *request, const char *id);

/* Whether a request that auth_check() let pass would pass again: its key or role is there still,
 * for the same brands, and its session hasn't ended.  Or, by another `scope`, whether that would
 * let it pass as well.  Counts nothing. */
bool auth_still_allows(const struct auth *auth, const struct request *request, unsigned scope);

/* Whether the request carries the text of a known API key, whatever that allows.  From any thread.
 */
bool auth_knows_key(struct auth *auth, const struct request *request);

/* Whether the person was not seen for SESSION_IDLE_S, as far as is remembered: they are new, and a
 * sign-in by a proxy is worth an entry in the audit log.  From now on they were seen. */
MUST_USE bool auth_note_seen(struct auth *auth, const struct auth_person *person);

/* The key or person whose `who` has that hash (its low 32 bits of event_id_hash()); NULL: there is
 * none (any more), or a person whom only a group lets in.  Borrowed until the next call. */
const char *auth_name_by_hash(struct auth *auth, uint32_t hash);

/* The key whose text this is; NULL: there is none (any more).  Borrowed until auth_set_access(). */
const struct apikey *auth_find_key(const struct auth *auth, struct slice text);

#endif
