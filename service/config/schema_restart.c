/* Which keys differ between two structs of one table, and need a restart. */
#include <string.h>

#include "service/config/schema.h"

static bool same_value(const struct schema_key *key, const char *a, const char *b);

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_group(const struct schema_key *keys, const char *a, const char *b)
{
    for (; keys->name; keys++) {
        if (!same_value(keys, a, b))
            return false;
    }
    return true;
}

/* Of TEXTS, LIST and MAP. */
static bool same_entries(const struct schema_key *key, const char *a, const char *b)
{
    unsigned n = *(const unsigned *)(a + key->count_offset);
    const char *entries_a = *(char *const *)(a + key->offset);
    const char *entries_b = *(char *const *)(b + key->offset);

    if (n != *(const unsigned *)(b + key->count_offset))
        return false;
    for (unsigned i = 0; i < n; i++) {
        bool same;

        if (key->type == SCHEMA_TEXTS)
            same = same_text(((char *const *)entries_a)[i], ((char *const *)entries_b)[i]);
        else
            same = same_group(key->keys, entries_a + i * key->size, entries_b + i * key->size);
        if (!same)
            return false;
    }
    return true;
}

/* `a` and `b` are the structs that have the member. */
static bool same_value(const struct schema_key *key, const char *a, const char *b)
{
    switch (key->type) {
    case SCHEMA_INT:
    case SCHEMA_AUTO:
    case SCHEMA_BOOL:
    case SCHEMA_CHOICE:
        return memcmp(a + key->offset, b + key->offset, key->size) == 0;
    case SCHEMA_TEXT:
    case SCHEMA_PATH:
    case SCHEMA_NAME_OR_PATH:
        return same_text(*(char *const *)(a + key->offset), *(char *const *)(b + key->offset));
    case SCHEMA_TEXTS:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        return same_entries(key, a, b);
    case SCHEMA_GROUP:
        break;
    }
    return same_group(key->keys, a + key->offset, b + key->offset);
}

/* Whether a reload applies one of the keys. */
static bool some_at_reload(const struct schema_key *keys)
{
    for (; keys->name; keys++) {
        if (keys->at_reload || (keys->type == SCHEMA_GROUP && some_at_reload(keys->keys)))
            return true;
    }
    return false;
}

static unsigned print_group(const struct schema_key *keys, const char *prefix, const char *old,
                            const char *new, unsigned n, FILE *out)
{
    for (; keys->name; keys++) {
        char path[128];

        snprintf(path, sizeof(path), "%s%s", prefix, keys->name);
        if (keys->at_reload || same_value(keys, old, new))
            continue;
        if (keys->type == SCHEMA_GROUP && some_at_reload(keys->keys)) {
            strncat(path, ".", sizeof(path) - strlen(path) - 1);
            n = print_group(keys->keys, path, old + keys->offset, new + keys->offset, n, out);
        } else {
            fprintf(out, "%s%s", n++ ? "," : "", path);
        }
    }
    return n;
}

unsigned schema_print_restart_keys(const struct schema_key *keys, const void *old, const void *new,
                                   FILE *out)
{
    return print_group(keys, "", old, new, 0, out);
}
