/* proxy_user.h - the person of a request, as a trusted proxy in front names them.
 *
 * Each request stands for itself: there is no session of ours that could outlive the proxy's.
 * Fields of anybody else but public.trusted_proxies are passed over, as if they weren't there. */
#ifndef ADMIN_PROXY_USER_H
#define ADMIN_PROXY_USER_H
#include "proto/compiler.h"
#include "service/config/users.h"

struct request;

enum proxy_user_status {
    PROXY_USER_NONE,    /* no trusted proxy names anybody */
    PROXY_USER_FOUND,   /* name and role are set */
    PROXY_USER_NO_ROLE, /* the name is set, and no entry of admin.users is for it */
    PROXY_USER_BAD,     /* the proxy says it in a way that can't be believed; `why` is set */
};

struct proxy_user {
    char name[USERS_NAME_MAX + 1];
    const struct users_role *role; /* borrowed from the users */
    const char *why;               /* constant text, for people who run the proxy */
};

MUST_USE enum proxy_user_status proxy_user_find(const struct request *request,
                                                const struct users *users, struct proxy_user *out);

#endif
