#include "service/redis/redis_hello.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/slice.h"
#include "service/redis/redis_url.h"
#include "service/redis/resp.h"

enum { VERSION_MIN = 7 };

unsigned redis_hello_write(const struct redis_hello *hello, struct evbuffer *out)
{
    const struct redis_url *url = hello->url;
    const char *user = hello->is_sentinel ? url->sentinel_user : url->user;
    const char *password = hello->is_sentinel ? url->sentinel_password : url->password;
    struct slice argv[8] = {slice_of("HELLO"), slice_of("2")};
    size_t argc = 2;
    char db[16];

    if (password[0]) {
        argv[argc++] = slice_of("AUTH");
        argv[argc++] = slice_of(user[0] ? user : "default");
        argv[argc++] = slice_of(password);
    }
    argv[argc++] = slice_of("SETNAME");
    argv[argc++] = slice_of(hello->name);
    if (!resp_write_command(out, argv, argc))
        return 0;
    if (hello->is_sentinel || url->db == 0)
        return 1;
    snprintf(db, sizeof(db), "%u", url->db);
    argv[0] = slice_of("SELECT");
    argv[1] = slice_of(db);
    return resp_write_command(out, argv, 2) ? 2 : 0;
}

/* The answer to HELLO is a flat list of names and values. */
static const char *find_field(const redisReply *answer, const char *name)
{
    if (answer->type != REDIS_REPLY_ARRAY)
        return NULL;
    for (size_t i = 0; i + 1 < answer->elements; i += 2) {
        const redisReply *key = answer->element[i], *value = answer->element[i + 1];

        if (key->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING &&
            strcmp(key->str, name) == 0)
            return value->str;
    }
    return NULL;
}

/* The first word stays, as redis_cause.h knows it.  What Redis says of a missing password is long,
 * and names no key of ours. */
static void explain_error(const struct redis_hello *hello, const char *text,
                          char why[static REDIS_HELLO_WHY_MAX])
{
    const char *prefix = hello->is_sentinel ? "sentinel_" : "";

    if (strncmp(text, "NOAUTH", 6) == 0)
        snprintf(why, REDIS_HELLO_WHY_MAX,
                 "NOAUTH it asks for a password; set redis.%spassword_file", prefix);
    else if (strncmp(text, "WRONGPASS", 9) == 0)
        snprintf(why, REDIS_HELLO_WHY_MAX,
                 "WRONGPASS it refuses redis.%susername, or the password (redis.%spassword_file)",
                 prefix, prefix);
    else
        snprintf(why, REDIS_HELLO_WHY_MAX, "%.*s", REDIS_HELLO_WHY_MAX - 1, text);
}

bool redis_hello_check(const struct redis_hello *hello, const struct redisReply *answer,
                       bool is_first, char why[static REDIS_HELLO_WHY_MAX])
{
    const char *version, *role;

    if (answer->type == REDIS_REPLY_ERROR) {
        explain_error(hello, answer->str, why);
        return false;
    }
    if (!is_first || hello->is_sentinel)
        return true;
    version = find_field(answer, "version");
    role = find_field(answer, "role");
    if (!version || !role) {
        snprintf(why, REDIS_HELLO_WHY_MAX, "the server's answer to HELLO is not that of a Redis");
        return false;
    }
    if (strtoul(version, NULL, 10) < VERSION_MIN) {
        snprintf(why, REDIS_HELLO_WHY_MAX, "Redis %.16s is too old, %d.0 or newer is needed",
                 version, VERSION_MIN);
        return false;
    }
    if (hello->must_be_master && strcmp(role, "master") != 0) {
        snprintf(why, REDIS_HELLO_WHY_MAX, "is a %.16s, not the master", role);
        return false;
    }
    return true;
}
