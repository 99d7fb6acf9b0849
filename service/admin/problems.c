/* The pages that `type` of a problem document leads to: one for each kind, and a list of all. */
#include <stdbool.h>
#include <stddef.h>

#include <event2/buffer.h>

#include "service/admin/handlers.h"
#include "service/admin/problem.h"
#include "service/admin/request.h"
#include "service/admin/web.h"

/* Our texts hold no markup but code between backquotes. */
static void add_text(struct evbuffer *page, const char *text)
{
    bool is_code = false;

    for (const char *at = text; *at; at++) {
        if (*at == '`') {
            is_code = !is_code;
            evbuffer_add_printf(page, is_code ? "<code>" : "</code>");
        } else {
            evbuffer_add(page, at, 1);
        }
    }
}

static void add_head(struct evbuffer *page, const char *title)
{
    static const char *const files[] = {"base.css", "layout.css", "parts.css", "controls.css",
                                        "print.css"};

    evbuffer_add_printf(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"robots\" content=\"noindex\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<title>%s – hopcount</title>\n"
        "<link rel=\"icon\" href=\"../dashboard/icon.svg\" type=\"image/svg+xml\">\n",
        title);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        evbuffer_add_printf(page, "<link rel=\"stylesheet\" href=\"../dashboard/%s\">\n", files[i]);
    evbuffer_add_printf(page,
                        "<script src=\"../dashboard/theme.js\"></script>\n</head>\n<body>\n"
                        "<main class=\"problem\" id=\"content\">\n<h1>%s</h1>\n",
                        title);
}

static void add_problem(struct evbuffer *page, const struct problem_text *text)
{
    evbuffer_add_printf(page,
                        "<p class=\"muted\">Status %d, type <code>/problems/%s</code></p>\n<p>",
                        text->status, text->name);
    add_text(page, text->meaning);
    evbuffer_add_printf(page, "</p>\n<h2>What to do</h2>\n<p>");
    add_text(page, text->remedy);
    evbuffer_add_printf(page, "</p>\n<p><a href=\"./\">All problems</a> · "
                              "<a href=\"../dashboard/api\">API reference</a></p>\n");
}

static void add_list(struct evbuffer *page)
{
    evbuffer_add_printf(page, "<p>What the <code>type</code> of an error of the "
                              "<a href=\"../dashboard/api\">API</a> says.</p>\n<ul>\n");
    for (unsigned i = 0; i < PROBLEMS; i++) {
        const struct problem_text *text = problem_text((enum problem)i);

        evbuffer_add_printf(page, "<li><a href=\"%s\"><code>%s</code></a> %s (%d)</li>\n",
                            text->name, text->name, text->title, text->status);
    }
    evbuffer_add_printf(page, "</ul>\n");
}

static void reply_page(struct request *request, struct evbuffer *page)
{
    size_t len;
    struct reply reply = {.status = 200, .type = "text/html; charset=utf-8"};

    evbuffer_add_printf(page, "</main>\n</body>\n</html>\n");
    len = evbuffer_get_length(page);
    reply.body = slice_make((const char *)evbuffer_pullup(page, -1), len);
    reply.etag_of = reply.body;
    web_add_page_headers(request);
    request_reply(request, &reply);
    evbuffer_free(page);
}

void problems_handle_list(struct request *request)
{
    struct evbuffer *page = evbuffer_new();

    if (!page) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    add_head(page, "Problems");
    add_list(page);
    reply_page(request, page);
}

void problems_handle_show(struct request *request)
{
    enum problem problem = problem_find(slice_make(request->arg, request->arg_len));
    struct evbuffer *page;

    if (problem == PROBLEMS) {
        request_fail(request, 404, NULL,
                     "there is no such kind of problem; GET /problems/ has all");
        return;
    }
    page = evbuffer_new();
    if (!page) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    add_head(page, problem_text(problem)->title);
    add_problem(page, problem_text(problem));
    reply_page(request, page);
}
