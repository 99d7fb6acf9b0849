#include <inttypes.h>
#include <string.h>

#include "service/base/roff.h"
#include "service/config/schema.h"

enum { PATH_TEXT_MAX = 128, RANGE_TEXT_MAX = 192 };

/* Letters to change, add or drop to make `a` of `b`; words over 31 letters are far from all. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[33];
    size_t n = strlen(b);

    if (strlen(a) > 31 || n > 31)
        return 99;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; *a; a++, i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            unsigned best = diagonal + (*a != b[j - 1]);

            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[n];
}

void schema_suggest(const struct schema_key *keys, const char *name,
                    char out[static SCHEMA_SUGGESTION_MAX])
{
    size_t len = (size_t)snprintf(out, SCHEMA_SUGGESTION_MAX, "known here: ");
    const char *nearest = NULL;
    unsigned best = 3;

    for (const struct schema_key *key = keys; key->name; key++) {
        unsigned d = distance(name, key->name);

        if (d < best) {
            best = d;
            nearest = key->name;
        }
        if (len < SCHEMA_SUGGESTION_MAX)
            len += (size_t)snprintf(out + len, SCHEMA_SUGGESTION_MAX - len, "%s%s",
                                    key == keys ? "" : ", ", key->name);
    }
    if (nearest)
        snprintf(out, SCHEMA_SUGGESTION_MAX, "did you mean '%s'?", nearest);
}

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
    case SCHEMA_NAME_OR_PATH:
        snprintf(out, RANGE_TEXT_MAX, "name or path");
        break;
    case SCHEMA_TEXTS:
        snprintf(out, RANGE_TEXT_MAX, "text or list");
        break;
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        break;
    }
}

typedef void print_key(FILE *out, const char *path, const struct schema_key *key, bool at_reload);

/* Calls `print` for each key that has a value, with its path: "brands[].targets[].url",
 * "samples.NAME.view". */
static void walk(const struct schema_key *keys, const char *prefix, bool at_reload, FILE *out,
                 print_key *print)
{
    for (; keys->name; keys++) {
        bool reloads = at_reload || keys->at_reload;
        char path[PATH_TEXT_MAX];

        snprintf(path, sizeof(path), "%s%s%s%s", prefix, *prefix ? "." : "", keys->name,
                 keys->type == SCHEMA_LIST  ? "[]"
                 : keys->type == SCHEMA_MAP ? ".NAME"
                                            : "");
        if (keys->type != SCHEMA_GROUP)
            print(out, path, keys, reloads);
        if (keys->type == SCHEMA_MAP && keys->keys[1].keys)
            walk(keys->keys[1].keys, path, reloads, out, print);
        else if (keys->keys && keys->type != SCHEMA_MAP)
            walk(keys->keys, path, reloads, out, print);
    }
}

static const char *default_text(const struct schema_key *key)
{
    if (key->fallback)
        return key->fallback;
    return key->required ? "required" : "none";
}

static void print_lines(FILE *out, const char *path, const struct schema_key *key, bool at_reload)
{
    char range[RANGE_TEXT_MAX];

    range_text(key, range);
    fprintf(out, "%s\n    %s\n", path, key->help);
    if (*range)
        fprintf(out, "    takes %s; default: %s%s\n", range, default_text(key),
                at_reload ? "; a reload applies it" : "");
}

void schema_print_help(const struct schema_key *keys, FILE *out)
{
    walk(keys, "", false, out, print_lines);
}

static void print_row(FILE *out, const char *path, const struct schema_key *key, bool at_reload)
{
    char range[RANGE_TEXT_MAX];

    (void)at_reload; /* the text around the table says it */
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
    walk(keys, "", false, out, print_row);
}

static void print_manual(FILE *out, const char *path, const struct schema_key *key, bool at_reload)
{
    char range[RANGE_TEXT_MAX];

    range_text(key, range);
    fputs(".TP\n\\fB", out);
    roff_write(out, path);
    fputs("\\fR\n", out);
    roff_write(out, key->help);
    fputc('\n', out);
    if (!*range)
        return;
    fputs("Takes ", out);
    roff_write(out, range);
    fputs("; default: ", out);
    roff_write(out, default_text(key));
    fputs(at_reload ? "; a reload applies it.\n" : ".\n", out);
}

void schema_print_manual(const struct schema_key *keys, FILE *out)
{
    walk(keys, "", false, out, print_manual);
}
