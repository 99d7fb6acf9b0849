#include "service/config/schema_value.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/number.h"
#include "service/config/pool.h"
#include "service/config/schema.h"

enum {
    SHOWN_MAX = 60, /* bytes of a bad value in a message */
    LONGEST = 2048, /* of an entry of a list, and of a number */
};

static bool fail(struct schema_setter *s, const char *format, ...) PRINTF_LIKE(2, 3);

/* Always false, so that a caller can return it. */
static bool fail(struct schema_setter *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(s->wrong, sizeof(s->wrong), format, args);
    va_end(args);
    return false;
}

/* Strict: no sign but '-', no leading zero, no blanks, no other base. */
static bool read_int(const char *text, int64_t *out)
{
    struct slice digits = slice_of(text + (*text == '-'));
    uint64_t n;

    if ((digits.len > 1 && digits.ptr[0] == '0') || !number_parse(digits, INT64_MAX, &n))
        return false;
    *out = *text == '-' ? -(int64_t)n : (int64_t)n;
    return true;
}

static void put_number(void *member, size_t size, int64_t value)
{
    if (size == sizeof(int64_t))
        *(int64_t *)member = value;
    else if (size == sizeof(int))
        *(int *)member = (int)value;
    else
        *(bool *)member = value != 0;
}

static bool set_int(struct schema_setter *s, const struct schema_key *key, const char *text,
                    void *member)
{
    int64_t value = 0;
    bool is_auto = key->type == SCHEMA_AUTO && strcmp(text, "auto") == 0;

    if (!is_auto && (!read_int(text, &value) || value < key->min || value > key->max))
        return fail(s, "'%.*s' won't do; give %sa whole number from %" PRId64 " to %" PRId64,
                    SHOWN_MAX, text, key->type == SCHEMA_AUTO ? "auto or " : "", key->min,
                    key->max);
    put_number(member, key->size, value);
    return true;
}

static bool set_choice(struct schema_setter *s, const struct schema_key *key,
                       const char *const choices[], const char *text, void *member)
{
    char all[256] = "";
    size_t len = 0;

    for (int i = 0; choices[i]; i++) {
        if (strcmp(text, choices[i]) == 0) {
            put_number(member, key->size, i);
            return true;
        }
        if (len < sizeof(all))
            len +=
                (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "", choices[i]);
    }
    return fail(s, "'%.*s' won't do; give one of: %s", SHOWN_MAX, text, all);
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

static bool set_text(struct schema_setter *s, const struct schema_key *key, const char *text,
                     void *member)
{
    const char *wrong = key->check ? key->check(text) : NULL;
    bool is_path =
        key->type == SCHEMA_PATH || (key->type == SCHEMA_NAME_OR_PATH && strchr(text, '/'));
    const char *slash = is_path && text[0] != '/' ? strrchr(s->file, '/') : NULL;
    size_t folder_len = slash ? (size_t)(slash + 1 - s->file) : 0, len = strlen(text);
    char *copy;

    if (wrong)
        return fail(s, "'%.*s' %s", SHOWN_MAX, text, wrong);
    copy = pool_alloc(s->pool, folder_len + len + 1);
    if (!copy)
        return fail(s, "out of memory");
    memcpy(copy, s->file, folder_len);
    memcpy(copy + folder_len, text, len + 1);
    *(char **)member = copy;
    return true;
}

bool schema_set(struct schema_setter *s, const struct schema_key *key, struct slice text,
                void *member)
{
    static const char *const words[] = {"false", "true", NULL};
    bool is_text =
        key->type == SCHEMA_TEXT || key->type == SCHEMA_PATH || key->type == SCHEMA_NAME_OR_PATH;
    size_t max = is_text ? (size_t)key->max : LONGEST;

    if (text.len > max)
        return fail(s, "is %zu bytes long; at most %zu are allowed", text.len, max);
    for (size_t i = 0; i < text.len; i++) {
        if (is_control((const unsigned char *)text.ptr + i))
            return fail(s, "holds a control character at byte %zu; remove it", i);
    }
    switch (key->type) {
    case SCHEMA_INT:
    case SCHEMA_AUTO:
        return set_int(s, key, text.ptr, member);
    case SCHEMA_BOOL:
        if (!slice_equal(text, slice_of("true")) && !slice_equal(text, slice_of("false")))
            return fail(s, "'%.*s' won't do; give true or false", SHOWN_MAX, text.ptr);
        return set_choice(s, key, words, text.ptr, member);
    case SCHEMA_CHOICE:
        return set_choice(s, key, key->choices, text.ptr, member);
    case SCHEMA_TEXT:
    case SCHEMA_PATH:
    case SCHEMA_NAME_OR_PATH:
    case SCHEMA_TEXTS:
        return set_text(s, key, text.ptr, member);
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        break;
    }
    return fail(s, "has no single value");
}
