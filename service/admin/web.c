#include "service/admin/web.h"

#include <string.h>

#include "service/admin/handlers.h"
#include "service/admin/request.h"

/* Nothing from elsewhere, nothing inline. */
static const char content_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const struct web_file *web_find_file(struct slice name)
{
    for (const struct web_file *file = web_files; file->name; file++) {
        if (slice_equal(slice_of(file->name), name))
            return file;
    }
    return NULL;
}

void web_add_page_headers(struct request *request)
{
    request_add_header(request, "Content-Security-Policy", content_policy);
    request_add_header(request, "Referrer-Policy", "no-referrer");
    request_add_header(request, "X-Robots-Tag", "noindex, nofollow");
    request_add_header(request, "Cross-Origin-Opener-Policy", "same-origin");
    request_add_header(request, "Cross-Origin-Resource-Policy", "same-origin");
    request_add_header(request, "Permissions-Policy", "camera=(), geolocation=(), microphone=()");
}

static void reply_file(struct request *request, int status, const struct web_file *file)
{
    struct slice bytes = slice_make((const char *)file->bytes, file->len);
    const struct reply reply = {.status = status,
                                .type = file->type,
                                .body = bytes,
                                .etag_of = status == 200 ? bytes : (struct slice){0},
                                .is_constant = true};

    web_add_page_headers(request);
    request_reply(request, &reply);
}

/* The page that an address without a file's name stands for.  The dashboard's views find out from
 * the address what to show. */
static struct slice page_of(struct slice name)
{
    static const char *const pages[][2] = {
        {"campaigns", "index.html"}, {"funnel", "index.html"},  {"links", "index.html"},
        {"targets", "index.html"},   {"health", "index.html"},  {"audit", "index.html"},
        {"shared", "index.html"},    {"api", "reference.html"},
    };

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (slice_equal(name, slice_of(pages[i][0])))
            return slice_of(pages[i][1]);
    }
    return name;
}

void web_handle_page(struct request *request)
{
    reply_file(request, 200, web_find_file(slice_of("index.html")));
}

void web_handle_asset(struct request *request)
{
    struct slice name = slice_make(request->arg, request->arg_len);
    const struct web_file *file = web_find_file(page_of(name));

    const char *accept = request_header(request, "Accept");

    if (file)
        reply_file(request, 200, file);
    else if (!memchr(name.ptr, '.', name.len) && accept && strstr(accept, "text/html"))
        /* Somebody's address of a page, and not a script's of a file: the page says it. */
        reply_file(request, 404, web_find_file(slice_of("index.html")));
    else
        request_fail(request, 404, NULL, "the dashboard has no such file");
}

/* Relative, so that it holds behind a proxy that serves us below a path. */
static void redirect(struct request *request, const char *location)
{
    const struct reply reply = {.status = 302, .type = "text/plain"};

    request_add_header(request, "Location", location);
    request_reply(request, &reply);
}

/* `/` and `/dashboard` */
void web_handle_home(struct request *request)
{
    redirect(request, "dashboard/");
}

/* `/docs` */
void web_handle_docs(struct request *request)
{
    redirect(request, "dashboard/api");
}
