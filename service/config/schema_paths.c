/* The files that the values of a struct name. */
#include <stdio.h>
#include <string.h>

#include "service/config/schema.h"

enum { KEY_MAX = 128 };

struct walk {
    schema_on_path *on_path;
    void *owner;
};

static void walk_group(const struct walk *walk, const struct schema_key *keys, const char *prefix,
                       const char *data, bool at_reload)
{
    for (; keys->name; keys++) {
        const char *member = data + keys->offset;
        bool reloads = at_reload || keys->at_reload;
        char key[KEY_MAX], below[KEY_MAX + 16];
        const char *text = NULL;

        snprintf(key, sizeof(key), "%s%s", prefix, keys->name);
        if (keys->type == SCHEMA_PATH || keys->type == SCHEMA_NAME_OR_PATH)
            text = *(char *const *)member;
        if (text && !keys->at_use && strchr(text, '/'))
            walk->on_path(walk->owner, key, text, reloads);
        if (keys->type == SCHEMA_GROUP) {
            snprintf(below, sizeof(below), "%s.", key);
            walk_group(walk, keys->keys, below, member, reloads);
        }
        if (keys->type != SCHEMA_LIST)
            continue;
        for (unsigned i = 0; i < *(const unsigned *)(data + keys->count_offset); i++) {
            snprintf(below, sizeof(below), "%s[%u].", key, i);
            walk_group(walk, keys->keys, below, *(char *const *)member + i * keys->size, reloads);
        }
    }
}

void schema_each_path(const struct schema_key *keys, const void *data, schema_on_path *on_path,
                      void *owner)
{
    const struct walk walk = {on_path, owner};

    walk_group(&walk, keys, "", data, false);
}
