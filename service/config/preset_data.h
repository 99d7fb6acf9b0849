/* preset_data.h - the preset files that are built in (service/presets/embed.cmake). */
#ifndef CONFIG_PRESET_DATA_H
#define CONFIG_PRESET_DATA_H
#include <stddef.h>

struct preset_data {
    const char *name; /* NULL ends the list */
    const char *text; /* the YAML file */
    size_t len;
};

extern const struct preset_data preset_data[];

#endif
