#include "service/config/schema_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "service/base/error.h"
#include "service/config/schema_checker.h"
#include "service/config/schema_lines.h"

static bool check_group(struct checker *c, const struct schema_key *keys);

bool checker_fail(struct checker *c, unsigned line, const char *format, ...)
{
    char what[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    error_set(c->err, "%s:%u: %s%s%s", c->file, line, c->path, c->path_len ? ": " : "", what);
    return false;
}

static bool fail_syntax(struct checker *c)
{
    const yaml_parser_t *p = &c->parser;

    c->path_len = 0;
    c->path[0] = '\0';
    if (p->error == YAML_MEMORY_ERROR)
        return checker_fail(c, 1, "out of memory");
    if (p->error == YAML_READER_ERROR)
        return checker_fail(c, 1, "not readable as YAML: %s at byte %zu; write UTF-8 text",
                            p->problem ? p->problem : "bad byte", p->problem_offset);
    return checker_fail(c, (unsigned)p->problem_mark.line + 1,
                        "not readable as YAML: %s%s%s; look at this line and the one before",
                        p->context ? p->context : "", p->context ? ", " : "",
                        p->problem ? p->problem : "bad syntax");
}

/* Goes on to the next event. */
static bool advance(struct checker *c)
{
    yaml_event_delete(&c->event);
    if (!yaml_parser_parse(&c->parser, &c->event)) {
        c->event = (yaml_event_t){0};
        return fail_syntax(c);
    }
    if (c->event.type == YAML_ALIAS_EVENT)
        return checker_fail(c, checker_line(c),
                            "aliases (*name) aren't supported; write the value out");
    return true;
}

/* Appends to the path; the caller cuts it back to what it was. */
static void PRINTF_LIKE(2, 3) path_add(struct checker *c, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(c->path + c->path_len, sizeof(c->path) - c->path_len, format, args);
    va_end(args);
    if (n > 0)
        c->path_len += (size_t)n;
    if (c->path_len >= sizeof(c->path))
        c->path_len = sizeof(c->path) - 1;
}

/* Appends the name of a key as it stands in the file: at most 40 bytes, with nothing that would
 * break the one line of a message. */
static void path_add_name(struct checker *c, const char *name)
{
    size_t from = c->path_len;

    path_add(c, "%s%.40s", c->path_len ? "." : "", name);
    for (size_t i = from; i < c->path_len; i++) {
        if ((unsigned char)c->path[i] < 0x20 || (unsigned char)c->path[i] >= 0x7f)
            c->path[i] = '?';
    }
}

static void path_cut(struct checker *c, size_t len)
{
    c->path_len = len;
    c->path[len] = '\0';
}

static bool note_line(struct checker *c)
{
    return schema_lines_add(c->lines, c->path, checker_line(c)) ||
           checker_fail(c, checker_line(c), "out of memory");
}

/* --- values --- */

static bool check_entry(struct checker *c, const struct schema_key *key)
{
    if (key->type == SCHEMA_TEXTS)
        return checker_put_scalar(c, key);
    return check_group(c, key->keys);
}

static bool check_count(struct checker *c, const struct schema_key *key, int64_t n, unsigned line)
{
    if (n < key->min)
        return checker_fail(c, line, "needs at least %" PRId64 " %s", key->min,
                            key->min == 1 ? "entry" : "entries");
    if (n > key->max)
        return checker_fail(c, line, "has too many entries; at most %" PRId64 " are allowed",
                            key->max);
    return true;
}

/* A list; the current event is its start. */
static bool check_list(struct checker *c, const struct schema_key *key)
{
    unsigned line = checker_line(c);
    size_t path_len = c->path_len;
    int64_t n = 0;

    putc('[', c->out);
    for (;;) {
        path_cut(c, path_len);
        if (!advance(c))
            return false;
        if (c->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        path_add(c, "[%" PRId64 "]", n);
        if (n++)
            fputs(", ", c->out);
        if (!note_line(c) || !check_entry(c, key))
            return false;
    }
    putc(']', c->out);
    return check_count(c, key, n, line);
}

static bool check_texts(struct checker *c, const struct schema_key *key)
{
    if (c->event.type == YAML_SEQUENCE_START_EVENT)
        return check_list(c, key);
    putc('[', c->out);
    if (!checker_put_scalar(c, key))
        return false;
    putc(']', c->out);
    return true;
}

static bool check_value(struct checker *c, const struct schema_key *key)
{
    switch (key->type) {
    case SCHEMA_GROUP:
        return check_group(c, key->keys);
    case SCHEMA_LIST:
        if (c->event.type != YAML_SEQUENCE_START_EVENT)
            return checker_fail(c, checker_line(c), "wants a list: entries that start with '- '");
        return check_list(c, key);
    case SCHEMA_TEXTS:
        return check_texts(c, key);
    case SCHEMA_INT:
    case SCHEMA_AUTO:
    case SCHEMA_BOOL:
    case SCHEMA_CHOICE:
    case SCHEMA_TEXT:
    case SCHEMA_PATH:
        break;
    }
    return checker_put_scalar(c, key);
}

/* --- groups --- */

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

static bool fail_unknown(struct checker *c, const struct schema_key *keys, const char *name)
{
    const char *nearest = NULL;
    char all[300] = "";
    unsigned best = 3;
    size_t len = 0;

    for (const struct schema_key *key = keys; key->name; key++) {
        unsigned d = distance(name, key->name);

        if (d < best) {
            best = d;
            nearest = key->name;
        }
        if (len < sizeof(all))
            len +=
                (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", len ? ", " : "", key->name);
    }
    if (nearest)
        return checker_fail(c, checker_line(c), "unknown key; did you mean '%s'?", nearest);
    return checker_fail(c, checker_line(c), "unknown key; known here: %s", all);
}

/* The key that the current event names, its path and line noted; NULL after a failure. */
static const struct schema_key *check_key(struct checker *c, const struct schema_key *keys,
                                          uint64_t *seen)
{
    const struct schema_key *key = keys;
    const char *name;

    if (c->event.type != YAML_SCALAR_EVENT) {
        checker_fail(c, checker_line(c), "wants 'key: value' lines here");
        return NULL;
    }
    name = (const char *)c->event.data.scalar.value;
    path_add_name(c, name);
    while (key->name && strcmp(key->name, name) != 0)
        key++;
    if (!key->name) {
        fail_unknown(c, keys, name);
        return NULL;
    }
    if (*seen >> (key - keys) & 1) {
        checker_fail(c, checker_line(c), "is there twice; remove one");
        return NULL;
    }
    *seen |= UINT64_C(1) << (key - keys);
    return note_line(c) ? key : NULL;
}

/* A group of keys; the current event is its start. */
static bool check_group(struct checker *c, const struct schema_key *keys)
{
    unsigned line = checker_line(c);
    size_t path_len = c->path_len;
    uint64_t seen = 0;

    if (c->event.type != YAML_MAPPING_START_EVENT)
        return checker_fail(c, line, "wants 'key: value' lines");
    putc('{', c->out);
    for (;;) {
        const struct schema_key *key;
        bool first = !seen;

        path_cut(c, path_len);
        if (!advance(c))
            return false;
        if (c->event.type == YAML_MAPPING_END_EVENT)
            break;
        key = check_key(c, keys, &seen);
        if (!key || !advance(c))
            return false;
        fprintf(c->out, "%s\"%s\": ", first ? "" : ",\n", key->name);
        if (!check_value(c, key))
            return false;
    }
    for (size_t i = 0; keys[i].name; i++) {
        if (keys[i].required && !(seen >> i & 1)) {
            path_add(c, "%s%s", c->path_len ? "." : "", keys[i].name);
            return checker_fail(c, line, "is missing; add it: %s", keys[i].help);
        }
    }
    checker_put_defaults(c, keys, seen, !seen);
    putc('}', c->out);
    return true;
}

/* Stream and document start come first; an empty file has no document. */
static bool check_document(struct checker *c, const struct schema_key *keys)
{
    if (!advance(c) || !advance(c))
        return false;
    if (c->event.type != YAML_DOCUMENT_START_EVENT)
        return checker_fail(c, 1, "the file is empty; write 'key: value' lines");
    if (!advance(c) || !check_group(c, keys) || !advance(c) || !advance(c))
        return false;
    if (c->event.type != YAML_STREAM_END_EVENT)
        return checker_fail(c, checker_line(c), "a second document starts here; remove it");
    return true;
}

bool schema_check(const struct schema_key *keys, const char *file, const char *text, size_t len,
                  FILE *out, struct schema_lines *lines, struct error *err)
{
    struct checker c = {.out = out, .lines = lines, .err = err, .file = file};
    bool ok;

    if (!yaml_parser_initialize(&c.parser))
        return checker_fail(&c, 1, "out of memory");
    yaml_parser_set_input_string(&c.parser, (const unsigned char *)text, len);
    ok = check_document(&c, keys);
    yaml_event_delete(&c.event);
    yaml_parser_delete(&c.parser);
    return ok;
}
