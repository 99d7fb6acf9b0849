#include "service/label/agent_model.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool holds(struct slice text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* True for "Examplebot/1.0"; false for "Build/1.0" and "SM-1/2", because a build may follow a
 * model. */
static bool names_program(struct slice part)
{
    for (size_t i = 1; i + 1 < part.len; i++) {
        if (part.ptr[i] == '/' && isdigit((unsigned char)part.ptr[i + 1]))
            return !holds(part, "Build/") && !holds(part, " Release/") &&
                   isalpha((unsigned char)part.ptr[i - 1]);
    }
    return false;
}

/* The length of the brackets that `text` begins with.  Brackets inside them, as in the model "moto
 * g(60)", are skipped.  Some agents are cut off before the closing bracket. */
static size_t brackets_len(struct slice text)
{
    size_t depth = 0;

    for (size_t i = 0; i < text.len; i++) {
        depth += text.ptr[i] == '(';
        depth -= text.ptr[i] == ')';
        if (depth == 0)
            return i;
    }
    return text.len;
}

/* Copies those of the parts between semicolons that name no model. */
static size_t copy_parts(struct slice parts, char *out)
{
    bool is_behind_system = false;
    size_t len = 0;

    while (parts.len > 0) {
        const char *end = memchr(parts.ptr + 1, ';', parts.len - 1);
        struct slice part = slice_make(parts.ptr, end ? (size_t)(end - parts.ptr) : parts.len);

        if (!is_behind_system || holds(part, "://") || holds(part, "@") ||
            holds(part, "compatible") || names_program(part)) {
            memcpy(out + len, part.ptr, part.len);
            len += part.len;
        }
        is_behind_system =
            is_behind_system || holds(part, "Android") || holds(part, "Windows Phone");
        parts = slice_make(part.ptr + part.len, parts.len - part.len);
    }
    return len;
}

size_t agent_without_models(struct slice text, char *out)
{
    const char *open = memchr(text.ptr, '(', text.len);
    size_t before = open ? (size_t)(open - text.ptr) : text.len;
    size_t inside = brackets_len(slice_make(text.ptr + before, text.len - before));
    size_t len = before;

    memcpy(out, text.ptr, before);
    len += copy_parts(slice_make(text.ptr + before, inside), out + len);
    memcpy(out + len, text.ptr + before + inside, text.len - before - inside);
    return len + text.len - before - inside;
}
