/* texts_data.h - the files of what pages say that are built in (service/texts/embed.cmake). */
#ifndef CONFIG_TEXTS_DATA_H
#define CONFIG_TEXTS_DATA_H
#include <stddef.h>

struct texts_data {
    const char *language; /* NULL ends the list */
    const char *text;     /* the YAML file */
    size_t len;
};

extern const struct texts_data texts_data[];

#endif
