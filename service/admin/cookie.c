#include "service/admin/cookie.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "service/admin/request.h"

void cookie_set(struct request *request, const struct cookie *cookie, bool is_secure,
                const char *value, int max_age_s)
{
    char text[COOKIE_VALUE_MAX + 128];

    assert(strlen(value) <= COOKIE_VALUE_MAX);
    snprintf(text, sizeof(text), "%s=%s; Path=/; HttpOnly; SameSite=%s; Max-Age=%d%s",
             is_secure ? cookie->secure_name : cookie->plain_name, value,
             cookie->is_lax ? "Lax" : "Strict", max_age_s, is_secure ? "; Secure" : "");
    request_add_header(request, "Set-Cookie", text);
}

/* The value of a cookie (RFC 6265, 4.2.1), or an absent slice. */
static struct slice find(const struct request *request, const char *name)
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

struct slice cookie_find(const struct request *request, const struct cookie *cookie,
                         bool *is_secure)
{
    struct slice value = find(request, cookie->secure_name);

    *is_secure = value.ptr != NULL;
    if (!value.ptr && !request->is_secure)
        value = find(request, cookie->plain_name);
    return value;
}
