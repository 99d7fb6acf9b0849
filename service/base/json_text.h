/* json_text.h - texts of JSON objects.  They live as long as the object. */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H
#include <jansson.h>

/* NULL: the object has no such member, or one that is no text. */
static inline const char *json_find_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* The same, for what is shown or compared: "" in place of NULL. */
static inline const char *json_get_text(const json_t *object, const char *name)
{
    const char *text = json_find_text(object, name);

    return text ? text : "";
}

#endif
