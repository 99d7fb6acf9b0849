/* web.h - the files of the dashboard, embedded at build (web/embed.cmake). */
#ifndef ADMIN_WEB_H
#define ADMIN_WEB_H
#include <stddef.h>

struct web_file {
    const char *name; /* "app.js" */
    const char *type; /* Content-Type */
    const unsigned char *bytes;
    size_t len;
};

/* Ends with a name of NULL. */
extern const struct web_file web_files[];

#endif
