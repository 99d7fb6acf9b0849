#include "service/config/access.h"

#include <stdlib.h>

#include "service/base/error.h"
#include "service/config/apikeys.h"
#include "service/config/config.h"
#include "service/config/users.h"

struct access *access_load(const struct config *config, const struct site *site, struct error *err)
{
    struct access *access = calloc(1, sizeof(*access));
    const char *path = config->admin.api_keys;
    bool ok = false;

    if (!access) {
        error_set(err, "%s: out of memory", config->path);
        return NULL;
    }
    if (path && (!(access->keys = apikeys_load(path, err)) ||
                 !apikeys_check_brands(access->keys, site, path, err))) {
        config_fail_prefix(config, err, "admin.api_keys");
        goto out;
    }
    ok = (access->users = users_new(config, err)) != NULL;
out:
    if (!ok) {
        access_free(access);
        access = NULL;
    }
    return access;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    apikeys_free(access->keys);
    users_free(access->users);
    free(access);
}
