#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "service/config/schema_checker.h"

/* How much of a bad value a message shows. */
enum { SHOWN_MAX = 60 };

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
        return checker_fail(c, checker_line(c),
                            "'%.*s' won't do; give %sa whole number from %" PRId64 " to %" PRId64,
                            SHOWN_MAX, text, key->type == SCHEMA_AUTO ? "auto or " : "", key->min,
                            key->max);
    write_int(c, value);
    return true;
}

static bool put_bool(struct checker *c, const char *text)
{
    bool yes = strcmp(text, "true") == 0;

    if (!yes && strcmp(text, "false") != 0)
        return checker_fail(c, checker_line(c), "'%.*s' won't do; give true or false", SHOWN_MAX,
                            text);
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
    return checker_fail(c, checker_line(c), "'%.*s' won't do; give one of: %s", SHOWN_MAX, text,
                        all);
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
        return checker_fail(c, checker_line(c), "'%.*s' %s", SHOWN_MAX, text, wrong);
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
        checker_fail(c, checker_line(c), "has no value; give one or remove the line");
        return NULL;
    }
    if (len > max) {
        checker_fail(c, checker_line(c), "is %zu bytes long; at most %zu are allowed", len, max);
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        if (is_control((const unsigned char *)text + i)) {
            checker_fail(c, checker_line(c), "holds a control character at byte %zu; remove it", i);
            return NULL;
        }
    }
    return text;
}

bool checker_put_scalar(struct checker *c, const struct schema_key *key)
{
    const char *text;

    if (c->event.type != YAML_SCALAR_EVENT)
        return checker_fail(c, checker_line(c), "wants a single value, not a %s",
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
    return checker_fail(c, checker_line(c), "has no single value");
}

/* --- defaults --- */

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
        checker_put_defaults(c, key->keys, 0, true);
        putc('}', c->out);
        break;
    case SCHEMA_LIST:
        break;
    }
    return true;
}

void checker_put_defaults(struct checker *c, const struct schema_key *keys, uint64_t seen,
                          bool first)
{
    for (size_t i = 0; keys[i].name; i++) {
        if (!(seen >> i & 1) && write_default(c, &keys[i], first))
            first = false;
    }
}
