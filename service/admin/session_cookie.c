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

enum { COOKIE_MAX = 192 };

/* Browsers take a name with this prefix only over TLS, for this host alone and for all of its paths
 * (RFC 6265bis, 4.1.3.2): no neighbour under the same domain can set it. */
static const char secure_name[] = "__Host-hopcount_session";
static const char plain_name[] = "hopcount_session";

void session_cookie_set(struct request *request, const char *id, int max_age_s)
{
    bool is_secure = request->is_secure;
    char cookie[COOKIE_MAX];

    snprintf(cookie, sizeof(cookie), "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s",
             is_secure ? secure_name : plain_name, id, max_age_s, is_secure ? "; Secure" : "");
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

/* Over TLS only the name counts that a neighbour can't set. */
static struct slice session_id(const struct request *request)
{
    struct slice id = cookie_of(request, secure_name);

    return id.ptr || request->is_secure ? id : cookie_of(request, plain_name);
}

struct session *session_cookie_find(const struct request *request)
{
    struct slice id = session_id(request);

    return id.ptr ? sessions_find(request->server->sessions, id, clock_mono_ms()) : NULL;
}

const struct session *session_cookie_peek(const struct request *request)
{
    struct slice id = session_id(request);

    return id.ptr ? sessions_peek(request->server->sessions, id, clock_mono_ms()) : NULL;
}

bool session_cookie_may_change(const struct request *request, const struct session *session)
{
    const char *csrf = request_header(request, "X-CSRF-Token");

    return csrf && strlen(csrf) == SESSION_ID_LEN && origin_is_own_page(request) &&
           sodium_memcmp(csrf, session->csrf, SESSION_ID_LEN) == 0;
}
