#include "service/admin/session_cookie.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "proto/slice.h"
#include "service/admin/origin.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/session.h"
#include "service/base/clock.h"
#include "service/config/site.h"

enum { COOKIE_MAX = SESSION_TEXT_MAX + 128 };

/* Browsers take a name with this prefix only over TLS, for this host alone and for all of its paths
 * (RFC 6265bis, 4.1.3.2): no neighbour under the same domain can set it. */
static const char secure_name[] = "__Host-hopcount_session";
static const char plain_name[] = "hopcount_session";

static void set_cookie(struct request *request, bool is_secure, const char *text, int max_age_s)
{
    char cookie[COOKIE_MAX];

    snprintf(cookie, sizeof(cookie), "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s",
             is_secure ? secure_name : plain_name, text, max_age_s, is_secure ? "; Secure" : "");
    request_add_header(request, "Set-Cookie", cookie);
}

/* The value of a cookie (RFC 6265, 4.2.1), or an absent slice. */
static struct slice cookie_of(const struct request *request, const char *name)
{
    const char *at = request_header(request, "Cookie");
    size_t name_len = strlen(name);

    while (at && *at) {
        size_t len = strcspn(at, ";");

        if (len > name_len && at[name_len] == '=' && strncmp(at, name, name_len) == 0)
            return slice_make(at + name_len + 1, len - name_len - 1);
        at += len + (at[len] == ';');
        at += strspn(at, " ");
    }
    return (struct slice){0};
}

/* Opens the session of a request's cookie; NULL: it has none that is right.  Over TLS only the name
 * counts that a neighbour can't set. */
static const char *open_cookie(const struct request *request, int64_t now_s,
                               struct session *session)
{
    const char *name = secure_name;
    struct slice text = cookie_of(request, name);

    if (!text.ptr && !request->is_secure) {
        name = plain_name;
        text = cookie_of(request, name);
    }
    return text.ptr && session_open(session, site_keys(request->server->site), text, now_s) &&
                   !sessions_is_signed_out(request->server->signed_out, session)
               ? name
               : NULL;
}

bool session_cookie_find(struct request *request, struct session *session)
{
    int64_t now_s = clock_wall_ms() / 1000;
    const char *name = open_cookie(request, now_s, session);
    char sealed[SESSION_TEXT_MAX + 1];

    if (!name)
        return false;
    if (now_s - session->used_s >= SESSION_RENEW_S) {
        session->used_s = now_s;
        if (session_seal(session, site_keys(request->server->site), sealed))
            set_cookie(request, name == secure_name, sealed,
                       (int)(session->started_s + SESSION_LIFE_S - now_s));
    }
    return true;
}

bool session_cookie_peek(const struct request *request, struct session *session)
{
    return open_cookie(request, clock_wall_ms() / 1000, session) != NULL;
}

bool session_cookie_may_change(const struct request *request, const char *token)
{
    const char *csrf = request_header(request, "X-CSRF-Token");

    return csrf && strlen(csrf) == SESSION_CSRF_LEN && origin_is_own_page(request) &&
           sodium_memcmp(csrf, token, SESSION_CSRF_LEN) == 0;
}

void session_cookie_set(struct request *request, const char *sealed, int max_age_s)
{
    set_cookie(request, request->is_secure, sealed, max_age_s);
}
