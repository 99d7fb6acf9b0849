#include <inttypes.h>
#include <string.h>

#include "service/config/schema.h"

enum { PATH_TEXT_MAX = 128, RANGE_TEXT_MAX = 192 };

/* What a key takes, in words: "8…10000", "auto or 1…1024", "true or false". */
static void range_text(const struct schema_key *key, char out[static RANGE_TEXT_MAX])
{
    size_t len = 0;

    out[0] = '\0';
    switch (key->type) {
    case SCHEMA_INT:
    case SCHEMA_AUTO:
        snprintf(out, RANGE_TEXT_MAX, "%s%" PRId64 "…%" PRId64,
                 key->type == SCHEMA_AUTO ? "auto or " : "", key->min, key->max);
        break;
    case SCHEMA_BOOL:
        snprintf(out, RANGE_TEXT_MAX, "true or false");
        break;
    case SCHEMA_CHOICE:
        for (size_t i = 0; key->choices[i] && len < RANGE_TEXT_MAX; i++)
            len += (size_t)snprintf(out + len, RANGE_TEXT_MAX - len, "%s%s", i ? ", " : "",
                                    key->choices[i]);
        break;
    case SCHEMA_TEXT:
        snprintf(out, RANGE_TEXT_MAX, "text");
        break;
    case SCHEMA_PATH:
        snprintf(out, RANGE_TEXT_MAX, "path");
        break;
    case SCHEMA_TEXTS:
        snprintf(out, RANGE_TEXT_MAX, "text or list");
        break;
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
        break;
    }
}

/* Calls `print` for each key that has a value, with its path: "brands[].targets[].url". */
static void walk(const struct schema_key *keys, const char *prefix, FILE *out,
                 void (*print)(FILE *, const char *, const struct schema_key *))
{
    for (; keys->name; keys++) {
        char path[PATH_TEXT_MAX];

        snprintf(path, sizeof(path), "%s%s%s", prefix, keys->name,
                 keys->type == SCHEMA_LIST ? "[]" : "");
        if (!keys->keys) {
            print(out, path, keys);
            continue;
        }
        if (keys->type == SCHEMA_LIST)
            print(out, path, keys);
        strncat(path, ".", sizeof(path) - strlen(path) - 1);
        walk(keys->keys, path, out, print);
    }
}

static const char *default_text(const struct schema_key *key)
{
    if (key->fallback)
        return key->fallback;
    return key->required ? "required" : "none";
}

static void print_lines(FILE *out, const char *path, const struct schema_key *key)
{
    char range[RANGE_TEXT_MAX];

    range_text(key, range);
    fprintf(out, "%s\n    %s\n", path, key->help);
    if (*range)
        fprintf(out, "    takes %s; default: %s\n", range, default_text(key));
}

void schema_print_help(const struct schema_key *keys, FILE *out)
{
    walk(keys, "", out, print_lines);
}

static void print_row(FILE *out, const char *path, const struct schema_key *key)
{
    char range[RANGE_TEXT_MAX];

    range_text(key, range);
    fprintf(out, "| `%s` | %s | ", path, *range ? range : "list");
    if (key->fallback)
        fprintf(out, "`%s`", key->fallback);
    else
        fputs(default_text(key), out);
    fprintf(out, " | %s |\n", key->help);
}

void schema_print_table(const struct schema_key *keys, FILE *out)
{
    fputs("| key | takes | default | meaning |\n|---|---|---|---|\n", out);
    walk(keys, "", out, print_row);
}
