/* web.h - the files of the dashboard, embedded at build (web/embed.cmake). */
#ifndef ADMIN_WEB_H
#define ADMIN_WEB_H
#include <stddef.h>

#include "proto/slice.h"

struct web_file {
    const char *name; /* "app.js" */
    const char *type; /* Content-Type */
    const unsigned char *bytes;
    size_t len;
};

/* Ends with a name of NULL. */
extern const struct web_file web_files[];

struct request;

/* Adds the fields of a page to the reply: it may load what we serve, and nothing else. */
void web_add_page_headers(struct request *request);

/* NULL: there is no file of that name. */
const struct web_file *web_find_file(struct slice name);

#endif
