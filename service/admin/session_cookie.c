#include "service/admin/session_cookie.h"

#include <string.h>

#include <sodium.h>

#include "proto/slice.h"
#include "service/admin/cookie.h"
#include "service/admin/origin.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/session.h"
#include "service/base/clock.h"
#include "service/config/site.h"

_Static_assert((int)SESSION_TEXT_MAX <= (int)COOKIE_VALUE_MAX, "a session doesn't fit a cookie");

static const struct cookie session_cookie = {.secure_name = "__Host-hopcount_session",
                                             .plain_name = "hopcount_session"};

/* Opens the session of a request's cookie; false: it has none that is right. */
static bool open_cookie(const struct request *request, int64_t now_s, struct session *session,
                        bool *is_secure)
{
    struct slice text = cookie_find(request, &session_cookie, is_secure);

    return text.ptr && session_open(session, site_keys(request->server->site), text, now_s) &&
           !sessions_is_signed_out(request->server->signed_out, session);
}

bool session_cookie_find(struct request *request, struct session *session)
{
    int64_t now_s = clock_wall_ms() / 1000;
    char sealed[SESSION_TEXT_MAX + 1];
    bool is_secure;

    if (!open_cookie(request, now_s, session, &is_secure))
        return false;
    if (now_s - session->used_s >= SESSION_RENEW_S) {
        session->used_s = now_s;
        if (session_seal(session, site_keys(request->server->site), sealed))
            cookie_set(request, &session_cookie, is_secure, sealed,
                       (int)(session->started_s + SESSION_LIFE_S - now_s));
    }
    return true;
}

bool session_cookie_peek(const struct request *request, struct session *session)
{
    bool is_secure;

    return open_cookie(request, clock_wall_ms() / 1000, session, &is_secure);
}

bool session_cookie_may_change(const struct request *request, const char *token)
{
    const char *csrf = request_header(request, "X-CSRF-Token");

    return csrf && strlen(csrf) == SESSION_CSRF_LEN && origin_is_own_page(request) &&
           sodium_memcmp(csrf, token, SESSION_CSRF_LEN) == 0;
}

void session_cookie_set(struct request *request, const char *sealed, int max_age_s)
{
    cookie_set(request, &session_cookie, request->is_secure, sealed, max_age_s);
}
