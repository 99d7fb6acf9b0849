#include "service/config/preset.h"

#include <stdlib.h>
#include <string.h>

#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/config_check.h"
#include "service/config/embedded.h"
#include "service/config/schema.h"

/* A table is read by its columns. */
/* clang-format off */

static const char *const utm_names[] = {"false", "true", "brand", NULL};
static const char *const object_names[] = {"invoice", "other", NULL};

#define MEMBER(owner, member) \
    .offset = offsetof(struct owner, member), .size = sizeof(((struct owner *)0)->member)

static const struct schema_key target_keys[] = {
    {.name = "kind",
     .type = SCHEMA_TEXT,
     .required = true,
     MEMBER(preset_target, kind),
     .max = 16,
     .check = config_check_kind,
     .help = "view, pay, login, or 4 … 15."},
    {.name = "name",
     .type = SCHEMA_TEXT,
     MEMBER(preset_target, name),
     .max = 31,
     .check = config_check_kind_name,
     .help = "Name of an own kind."},
    {.name = "url",
     .type = SCHEMA_TEXT,
     .required = true,
     MEMBER(preset_target, url),
     .max = 2048,
     .help = "Template, from billing_url on or whole; '.' is billing_url itself."},
    {.name = "utm",
     .type = SCHEMA_CHOICE,
     MEMBER(preset_target, utm),
     .choices = utm_names,
     .fallback = "brand",
     .help = "Whether utm_… is appended."},
    {.name = "when",
     .type = SCHEMA_GROUP,
     MEMBER(preset_target, when),
     .keys = config_when_keys,
     .help = "Where it leads when its object is in a state."},
    {.name = "object",
     .type = SCHEMA_CHOICE,
     MEMBER(preset_target, object),
     .choices = object_names,
     .fallback = "invoice",
     .help = "What its object is."},
    {.name = NULL},
};

static const struct schema_key preset_keys[] = {
    {.name = "name",
     .type = SCHEMA_TEXT,
     .required = true,
     MEMBER(preset, name),
     .max = 63,
     .check = config_check_kind_name,
     .help = "Name of the preset."},
    {.name = "title",
     .type = SCHEMA_TEXT,
     MEMBER(preset, title),
     .max = 63,
     .help = "Name of the billing system."},
    {.name = "needs_billing_url",
     .type = SCHEMA_BOOL,
     MEMBER(preset, needs_billing_url),
     .fallback = "true",
     .help = "Whether a brand must give billing_url."},
    {.name = "targets",
     .type = SCHEMA_LIST,
     .offset = offsetof(struct preset, targets),
     .size = sizeof(struct preset_target),
     .count_offset = offsetof(struct preset, n_targets),
     .min = 0,
     .max = 15,
     .keys = target_keys,
     .help = "A template per kind."},
    {.name = NULL},
};

/* clang-format on */

static struct preset *parse(const char *path, const char *text, size_t len, struct error *err)
{
    struct schema_doc *doc = schema_parse(preset_keys, sizeof(struct preset), path, text, len, err);
    struct preset *preset;

    if (!doc)
        return NULL;
    preset = schema_doc_data(doc);
    preset->doc = doc;
    preset->path = path;
    return preset;
}

struct preset *preset_load(const char *name, struct error *err)
{
    struct preset *preset = NULL;
    char *text, known[256] = "";
    size_t len = 0;

    if (!strchr(name, '/')) {
        for (const struct embedded_file *data = embedded_presets; data->name; data++) {
            if (strcmp(data->name, name) == 0)
                return parse(name, data->text, data->len, err);
            if (len < sizeof(known))
                len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "",
                                        data->name);
        }
        error_set(err, "unknown preset '%.60s'; one of: %s, or a path with a '/'", name, known);
        return NULL;
    }
    text = schema_read_file(name, &len, err);
    if (text)
        preset = parse(name, text, len, err);
    free(text);
    return preset;
}

void preset_free(struct preset *preset)
{
    if (preset)
        schema_doc_free(preset->doc);
}

unsigned preset_target_line(const struct preset *preset, unsigned index)
{
    char key[32];

    snprintf(key, sizeof(key), "targets[%u].url", index);
    return schema_doc_line(preset->doc, key);
}
