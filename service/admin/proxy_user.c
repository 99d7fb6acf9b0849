#include "service/admin/proxy_user.h"

#include <string.h>

#include "service/admin/request.h"

static struct slice trim(struct slice s)
{
    while (s.len > 0 && s.ptr[0] == ' ')
        s = slice_make(s.ptr + 1, s.len - 1);
    while (s.len > 0 && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* Splits "marketing, sales"; returns how many. */
static size_t split_groups(const char *text, struct slice out[static USERS_GROUPS_MAX])
{
    struct slice rest = slice_of(text), group;
    size_t n = 0;

    while (text && n < USERS_GROUPS_MAX && slice_next_part(&rest, ',', &group)) {
        group = trim(group);
        if (group.len > 0)
            out[n++] = group;
    }
    return n;
}

enum proxy_user_status proxy_user_find(const struct request *request, const struct users *users,
                                       struct proxy_user *out)
{
    const struct users_proxy *proxy = users_proxy(users);
    struct slice groups[USERS_GROUPS_MAX];
    const char *name, *text = NULL;

    if (!proxy || !request->origin.is_peer_trusted)
        return PROXY_USER_NONE;
    name = request_header(request, proxy->user_header);
    if (!name || name[0] == '\0')
        return PROXY_USER_NONE;
    /* A proxy that adds its field to one of the client's own would let anybody be anybody. */
    if (request_count_headers(request, proxy->user_header) > 1) {
        out->why = "the field of the user's name came twice";
        return PROXY_USER_BAD;
    }
    if (!config_is_person(slice_of(name))) {
        out->why = "the user's name is too long, or has blanks, commas or characters beyond ASCII";
        return PROXY_USER_BAD;
    }
    if (proxy->groups_header) {
        if (request_count_headers(request, proxy->groups_header) > 1) {
            out->why = "the field of the user's groups came twice";
            return PROXY_USER_BAD;
        }
        text = request_header(request, proxy->groups_header);
    }
    memcpy(out->name, name, strlen(name) + 1);
    out->role = users_find(users, slice_of(name), groups, split_groups(text, groups));
    return out->role ? PROXY_USER_FOUND : PROXY_USER_NO_ROLE;
}
