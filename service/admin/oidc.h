/* oidc.h - signing in at an OpenID provider: the authorization code flow with PKCE (OpenID Connect
 * Core 1.0, 3.1; RFC 7636).
 *
 *     browser ── /v1/session/oidc ──▶ we send it to the provider, with a sealed cookie of ours
 *     browser ◀─ sign-in, consent ──▶ provider
 *     browser ── …/oidc/callback ───▶ we ask the provider for the code's ID token, open it, and
 *                                     start a session for the entry of admin.users that it fits
 *
 * What the two visits must share is in the cookie, so any pod may answer either.  Whatever goes
 * wrong leads back to the dashboard, whose page says what (`?sign_in=…`), and where a key still
 * signs in.  For the API thread only, which never waits for the provider (asker.h).
 */
#ifndef ADMIN_OIDC_H
#define ADMIN_OIDC_H
#include "proto/compiler.h"

struct oidc;
struct server;

enum {
    OIDC_JOBS_MAX = 64,             /* people who are let in at a time … */
    OIDC_JOBS_ADDRESS_MAX = 8,      /* … and those of one address, or IPv6 network of 64 bits */
    OIDC_SIGN_IN_S = 600,           /* how long somebody may take at the provider */
    OIDC_PROVIDER_MS = 3600 * 1000, /* how long is believed what it says of itself */
    OIDC_KEYS_AGAIN_MS = 60 * 1000, /* the soonest that its keys are asked for again */
};

/* Borrows `server`.  NULL: no memory. */
MUST_USE struct oidc *oidc_new(struct server *server);
/* Sends those who are under way back to the dashboard.  NULL is allowed. */
void oidc_free(struct oidc *oidc);

/* Call before what the configuration says of people changes: whoever is under way has to begin
 * anew, and nothing of the provider is believed any more. */
void oidc_reset(struct oidc *oidc);

#endif
