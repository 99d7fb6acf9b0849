#include "service/config/schema_check.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "service/base/error.h"
#include "service/config/schema.h"
#include "service/config/schema_lines.h"

enum { KEY_PATH_MAX = 256, SHOWN_MAX = 60 };

struct checker {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    FILE *out;
    struct schema_lines *lines;
    struct error *err;
    const char *file;
    char path[KEY_PATH_MAX]; /* of the key being read */
    size_t path_len;
};

static bool check_group(struct checker *c, const struct schema_key *keys);

static unsigned event_line(const struct checker *c)
{
    return (unsigned)c->event.start_mark.line + 1;
}

/* Always false, so that a caller can return it. */
static bool PRINTF_LIKE(3, 4) fail_at(struct checker *c, unsigned line, const char *format, ...)
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
        return fail_at(c, 1, "out of memory");
    if (p->error == YAML_READER_ERROR)
        return fail_at(c, 1, "not readable as YAML: %s at byte %zu; write UTF-8 text",
                       p->problem ? p->problem : "bad byte", p->problem_offset);
    return fail_at(c, (unsigned)p->problem_mark.line + 1,
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
        return fail_at(c, event_line(c), "aliases (*name) aren't supported; write the value out");
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

static void path_cut(struct checker *c, size_t len)
{
    c->path_len = len;
    c->path[len] = '\0';
}

static bool note_line(struct checker *c)
{
    return schema_lines_add(c->lines, c->path, event_line(c)) ||
           fail_at(c, event_line(c), "out of memory");
}

/* --- writing --- */

static void write_chars(struct checker *c, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            putc('\\', c->out);
        putc(text[i], c->out);
    }
}

static void write_text(struct checker *c, const char *text)
{
    putc('"', c->out);
    write_chars(c, text, strlen(text));
    putc('"', c->out);
}

/* A relative path starts at the folder of the file. */
static void write_path(struct checker *c, const char *text)
{
    const char *slash = text[0] == '/' ? NULL : strrchr(c->file, '/');

    putc('"', c->out);
    if (slash)
        write_chars(c, c->file, (size_t)(slash - c->file) + 1);
    write_chars(c, text, strlen(text));
    putc('"', c->out);
}

static void write_int(struct checker *c, int64_t value)
{
    fprintf(c->out, "%" PRId64, value);
}

/* --- values --- */

/* Strict: no sign but '-', no leading zero, no blanks, no other base. */
static bool read_int(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-');
    char *end;
    long long value;

    if (digits[0] < '0' || digits[0] > '9' || (digits[0] == '0' && digits[1] != '\0'))
        return false;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *out = value;
    return true;
}

static bool put_int(struct checker *c, const struct schema_key *key, const char *text)
{
    int64_t value;

    if (key->type == SCHEMA_AUTO && strcmp(text, "auto") == 0) {
        write_int(c, 0);
        return true;
    }
    if (!read_int(text, &value) || value < key->min || value > key->max)
        return fail_at(
            c, event_line(c), "'%.*s' won't do; give %sa whole number from %" PRId64 " to %" PRId64,
            SHOWN_MAX, text, key->type == SCHEMA_AUTO ? "auto or " : "", key->min, key->max);
    write_int(c, value);
    return true;
}

static bool put_bool(struct checker *c, const char *text)
{
    bool yes = strcmp(text, "true") == 0;

    if (!yes && strcmp(text, "false") != 0)
        return fail_at(c, event_line(c), "'%.*s' won't do; give true or false", SHOWN_MAX, text);
    write_int(c, yes);
    return true;
}

static bool put_choice(struct checker *c, const struct schema_key *key, const char *text)
{
    char all[256] = "";
    size_t len = 0;

    for (size_t i = 0; key->choices[i]; i++) {
        if (strcmp(text, key->choices[i]) == 0) {
            write_int(c, (int64_t)i);
            return true;
        }
        len +=
            (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "", key->choices[i]);
    }
    return fail_at(c, event_line(c), "'%.*s' won't do; give one of: %s", SHOWN_MAX, text, all);
}

/* Characters that a value can't want and that would act in a terminal, a header or a page: controls
 * (C0, DEL, C1), line and paragraph separators, byte order marks, non-characters. */
static bool is_control(const unsigned char *p)
{
    if (p[0] < 0x20 || p[0] == 0x7f)
        return true;
    if (p[0] == 0xc2)
        return p[1] < 0xa0;
    if (p[0] == 0xe2)
        return p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
    if (p[0] == 0xef)
        return (p[1] == 0xbb && p[2] == 0xbf) || (p[1] == 0xbf && p[2] >= 0xbe);
    return false;
}

static bool put_text(struct checker *c, const struct schema_key *key, const char *text)
{
    const char *wrong = key->check ? key->check(text) : NULL;

    if (wrong)
        return fail_at(c, event_line(c), "'%.*s' %s", SHOWN_MAX, text, wrong);
    if (key->type == SCHEMA_PATH)
        write_path(c, text);
    else
        write_text(c, text);
    return true;
}

/* The current scalar's text, if it is one that any key may have. */
static const char *scalar_text(struct checker *c, const struct schema_key *key)
{
    const char *text = (const char *)c->event.data.scalar.value;
    size_t len = c->event.data.scalar.length;
    bool plain = c->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool null = plain && (strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
    size_t max = key->type == SCHEMA_TEXT || key->type == SCHEMA_PATH ? (size_t)key->max : 2048;

    if (len == 0 || null) {
        fail_at(c, event_line(c), "has no value; give one or remove the line");
        return NULL;
    }
    if (len > max) {
        fail_at(c, event_line(c), "is %zu bytes long; at most %zu are allowed", len, max);
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        if (is_control((const unsigned char *)text + i)) {
            fail_at(c, event_line(c), "holds a control character at byte %zu; remove it", i);
            return NULL;
        }
    }
    return text;
}

static bool check_scalar(struct checker *c, const struct schema_key *key)
{
    const char *text;

    if (c->event.type != YAML_SCALAR_EVENT)
        return fail_at(c, event_line(c), "wants a single value, not a %s",
                       c->event.type == YAML_MAPPING_START_EVENT ? "group of keys" : "list");
    text = scalar_text(c, key);
    if (!text)
        return false;
    switch (key->type) {
    case SCHEMA_INT:
    case SCHEMA_AUTO:
        return put_int(c, key, text);
    case SCHEMA_BOOL:
        return put_bool(c, text);
    case SCHEMA_CHOICE:
        return put_choice(c, key, text);
    case SCHEMA_TEXT:
    case SCHEMA_PATH:
    case SCHEMA_TEXTS:
        return put_text(c, key, text);
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
        break;
    }
    return fail_at(c, event_line(c), "has no single value");
}

static bool check_entry(struct checker *c, const struct schema_key *key)
{
    if (key->type == SCHEMA_TEXTS)
        return check_scalar(c, key);
    return check_group(c, key->keys);
}

static bool check_count(struct checker *c, const struct schema_key *key, int64_t n, unsigned line)
{
    if (n < key->min)
        return fail_at(c, line, "needs at least %" PRId64 " %s", key->min,
                       key->min == 1 ? "entry" : "entries");
    if (n > key->max)
        return fail_at(c, line, "has too many entries; at most %" PRId64 " are allowed", key->max);
    return true;
}

/* A list; the current event is its start. */
static bool check_list(struct checker *c, const struct schema_key *key)
{
    unsigned line = event_line(c);
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
    if (!check_scalar(c, key))
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
            return fail_at(c, event_line(c), "wants a list: entries that start with '- '");
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
    return check_scalar(c, key);
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
        return fail_at(c, event_line(c), "unknown key; did you mean '%s'?", nearest);
    return fail_at(c, event_line(c), "unknown key; known here: %s", all);
}

/* The key that the current event names, its path and line noted; NULL after a failure. */
static const struct schema_key *check_key(struct checker *c, const struct schema_key *keys,
                                          uint64_t *seen)
{
    const struct schema_key *key = keys;
    const char *name;

    if (c->event.type != YAML_SCALAR_EVENT) {
        fail_at(c, event_line(c), "wants 'key: value' lines here");
        return NULL;
    }
    name = (const char *)c->event.data.scalar.value;
    path_add(c, "%s%.40s", c->path_len ? "." : "", name);
    while (key->name && strcmp(key->name, name) != 0)
        key++;
    if (!key->name) {
        fail_unknown(c, keys, name);
        return NULL;
    }
    if (*seen >> (key - keys) & 1) {
        fail_at(c, event_line(c), "is there twice; remove one");
        return NULL;
    }
    *seen |= UINT64_C(1) << (key - keys);
    return note_line(c) ? key : NULL;
}

static void write_defaults(struct checker *c, const struct schema_key *keys, uint64_t seen,
                           bool first);

/* What a key that isn't there stands for; false when it stands for nothing. */
static bool write_default(struct checker *c, const struct schema_key *key, bool first)
{
    if (!key->fallback && key->type != SCHEMA_GROUP)
        return false;
    fprintf(c->out, "%s\"%s\": ", first ? "" : ",\n", key->name);
    switch (key->type) {
    case SCHEMA_INT:
        fputs(key->fallback, c->out);
        break;
    case SCHEMA_AUTO:
        fputs(strcmp(key->fallback, "auto") == 0 ? "0" : key->fallback, c->out);
        break;
    case SCHEMA_BOOL:
        putc(strcmp(key->fallback, "true") == 0 ? '1' : '0', c->out);
        break;
    case SCHEMA_CHOICE:
        for (int64_t i = 0; key->choices[i]; i++) {
            if (strcmp(key->choices[i], key->fallback) == 0)
                write_int(c, i);
        }
        break;
    case SCHEMA_TEXT:
    case SCHEMA_PATH:
        write_text(c, key->fallback);
        break;
    case SCHEMA_TEXTS:
        putc('[', c->out);
        write_text(c, key->fallback);
        putc(']', c->out);
        break;
    case SCHEMA_GROUP:
        putc('{', c->out);
        write_defaults(c, key->keys, 0, true);
        putc('}', c->out);
        break;
    case SCHEMA_LIST:
        break;
    }
    return true;
}

static void write_defaults(struct checker *c, const struct schema_key *keys, uint64_t seen,
                           bool first)
{
    for (size_t i = 0; keys[i].name; i++) {
        if (!(seen >> i & 1) && write_default(c, &keys[i], first))
            first = false;
    }
}

/* A group of keys; the current event is its start. */
static bool check_group(struct checker *c, const struct schema_key *keys)
{
    unsigned line = event_line(c);
    size_t path_len = c->path_len;
    uint64_t seen = 0;

    if (c->event.type != YAML_MAPPING_START_EVENT)
        return fail_at(c, line, "wants 'key: value' lines");
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
            return fail_at(c, line, "is missing; add it: %s", keys[i].help);
        }
    }
    write_defaults(c, keys, seen, !seen);
    putc('}', c->out);
    return true;
}

/* Stream and document start come first; an empty file has no document. */
static bool check_document(struct checker *c, const struct schema_key *keys)
{
    if (!advance(c) || !advance(c))
        return false;
    if (c->event.type != YAML_DOCUMENT_START_EVENT)
        return fail_at(c, 1, "the file is empty; write 'key: value' lines");
    if (!advance(c) || !check_group(c, keys) || !advance(c) || !advance(c))
        return false;
    if (c->event.type != YAML_STREAM_END_EVENT)
        return fail_at(c, event_line(c), "a second document starts here; remove it");
    return true;
}

bool schema_check(const struct schema_key *keys, const char *file, const char *text, size_t len,
                  FILE *out, struct schema_lines *lines, struct error *err)
{
    struct checker c = {.out = out, .lines = lines, .err = err, .file = file};
    bool ok;

    if (!yaml_parser_initialize(&c.parser))
        return fail_at(&c, 1, "out of memory");
    yaml_parser_set_input_string(&c.parser, (const unsigned char *)text, len);
    ok = check_document(&c, keys);
    yaml_event_delete(&c.event);
    yaml_parser_delete(&c.parser);
    return ok;
}
