#include "service/admin/web.h"

#include "service/admin/handlers.h"
#include "service/admin/request.h"

/* Nothing from elsewhere, nothing inline. */
static const char content_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

static const struct web_file *find_file(struct slice name)
{
    for (const struct web_file *file = web_files; file->name; file++) {
        if (slice_equal(slice_of(file->name), name))
            return file;
    }
    return NULL;
}

static void reply_file(struct request *request, const struct web_file *file)
{
    struct slice bytes = slice_make((const char *)file->bytes, file->len);
    const struct reply reply = {.status = 200, .type = file->type, .body = bytes, .etag_of = bytes};

    request_add_header(request, "Content-Security-Policy", content_policy);
    request_add_header(request, "Referrer-Policy", "no-referrer");
    request_add_header(request, "Cross-Origin-Opener-Policy", "same-origin");
    request_add_header(request, "Cross-Origin-Resource-Policy", "same-origin");
    request_add_header(request, "Permissions-Policy", "camera=(), geolocation=(), microphone=()");
    request_reply(request, &reply);
}

/* The views have addresses of their own, and the page finds out from them what to show. */
static bool is_view(struct slice name)
{
    static const char *const views[] = {"campaigns", "links", "health"};

    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        if (slice_equal(name, slice_of(views[i])))
            return true;
    }
    return false;
}

void web_handle_page(struct request *request)
{
    reply_file(request, find_file(slice_of("index.html")));
}

void web_handle_asset(struct request *request)
{
    struct slice name = slice_make(request->arg, request->arg_len);
    const struct web_file *file = find_file(is_view(name) ? slice_of("index.html") : name);

    if (file)
        reply_file(request, file);
    else
        request_fail(request, 404, NULL, "the dashboard has no such file");
}

/* `/` and `/dashboard`.  Relative, so that it holds behind a proxy that serves us below a path. */
void web_handle_home(struct request *request)
{
    const struct reply reply = {.status = 302, .type = "text/plain"};

    request_add_header(request, "Location", "dashboard/");
    request_reply(request, &reply);
}
