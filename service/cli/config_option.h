/* config_option.h - the option -c of the commands that read the configuration. */
#ifndef CLI_CONFIG_OPTION_H
#define CLI_CONFIG_OPTION_H

#include "proto/compiler.h"

struct config;
struct error;
struct site;

#define CONFIG_OPTION_DEFAULT "/etc/hopcount/hopcount.yaml"

/* A row of a command's table of options. */
#define CONFIG_OPTION                                                                     \
    {                                                                                     \
        "config", "FILE", "the configuration (" CONFIG_OPTION_DEFAULT ")", CLI_FILES, 'c' \
    }

/* Loads the configuration at `path`, NULL = the usual place.  NULL and `*err` on failure; else the
 * caller frees both. */
MUST_USE struct site *config_option_load(const char *path, struct config **config,
                                         struct error *err);

#endif
