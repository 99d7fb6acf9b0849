/* embedded.h - the YAML files that are built into the program (service/embed_yaml.cmake). */
#ifndef CONFIG_EMBEDDED_H
#define CONFIG_EMBEDDED_H
#include <stddef.h>

struct embedded_file {
    const char *name; /* without ".yaml"; NULL ends the list */
    const char *text;
    size_t len;
};

extern const struct embedded_file embedded_presets[]; /* service/presets/, by billing system */
extern const struct embedded_file embedded_texts[];   /* service/texts/, by language */

#endif
