/* preset.h - the templates of a billing system: a data file (service/presets), not code. */
#ifndef CONFIG_PRESET_H
#define CONFIG_PRESET_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "service/config/config.h"

struct error;
struct schema_doc;

struct preset_target {
    char *kind; /* "view", "pay", "login" or "4" … "15" */
    char *name; /* of an own kind; may be NULL */
    char *url;  /* a whole template; or one that goes on from billing_url, "." = billing_url */
    int utm;    /* enum config_utm */
    int object; /* as of config_target */
    struct config_when when;
};

struct preset {
    struct schema_doc *doc; /* owns this struct */
    const char *path;       /* of the file, for messages; borrowed */
    char *name;
    char *title;
    bool needs_billing_url;
    struct preset_target *targets;
    unsigned n_targets;
};

/*
 * Loads a preset: one that is built in by its name, or a file by its path, which holds a '/'.
 * Borrows `name` as long as the preset lives.  NULL and `*err` on failure.
 */
MUST_USE struct preset *preset_load(const char *name, struct error *err);
void preset_free(struct preset *preset);

/* The line of targets[index].url, for messages. */
unsigned preset_target_line(const struct preset *preset, unsigned index);

#endif
