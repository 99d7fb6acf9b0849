#include "service/public/office.h"

/* No program's agent is longer, and a stranger's may be as long as a head. */
enum { SEEN_MAX = 512 };

/* As words of the agent: "Microsoft Office Existence Discovery", "Mozilla/4.0 (compatible;
 * ms-office; MSOffice 16)", "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Word 16.0.4266;
 * Pro)", "Mozilla/5.0 (Macintosh; Intel Mac OS X) Excel/16.9". */
static const char *const names[] = {
    "ms-office",
    "msoffice",
    "microsoft office",
    "microsoft word",
    "microsoft excel",
    "microsoft powerpoint",
    "microsoft outlook",
    "microsoft onenote",
    "microsoft visio",
    "microsoft publisher",
    "microsoft access",
    "microsoft project",
    "word/",
    "excel/",
    "powerpoint/",
    "onenote/",
    "visio/",
};

static bool is_letter(char c)
{
    c = slice_lower(c);
    return c >= 'a' && c <= 'z';
}

/* Whether `text` begins with `name`, as a whole word if it ends with a letter. */
static bool begins_with(struct slice text, struct slice name)
{
    return text.len >= name.len && slice_lower(text.ptr[0]) == name.ptr[0] &&
           slice_equal_nocase(slice_make(text.ptr, name.len), name) &&
           (text.len == name.len || !is_letter(name.ptr[name.len - 1]) ||
            !is_letter(text.ptr[name.len]));
}

bool office_is_agent(struct slice user_agent)
{
    if (user_agent.len > SEEN_MAX)
        user_agent.len = SEEN_MAX;
    for (size_t at = 0; at < user_agent.len; at++) {
        struct slice rest = slice_make(user_agent.ptr + at, user_agent.len - at);

        if (at > 0 && is_letter(user_agent.ptr[at - 1]))
            continue;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (begins_with(rest, slice_of(names[i])))
                return true;
        }
    }
    return false;
}
