#include "service/admin/handlers.h"
#include "service/admin/request.h"
#include "service/admin/server.h"

/* application/health+json, as most monitors read it; `output` says why not. */
static void reply_health(struct request *request, const char *failed)
{
    static const char pass[] = "{\"status\":\"pass\"}";
    char text[96];
    struct reply reply = {.status = 200, .type = "application/health+json"};

    reply.body = slice_of(pass);
    if (failed) {
        snprintf(text, sizeof(text), "{\"status\":\"fail\",\"output\":\"%s\"}", failed);
        reply.status = 503;
        reply.body = slice_of(text);
    }
    request_reply(request, &reply);
}

/* The front's event loop runs: nothing else is checked. */
void probes_handle_live(struct request *request)
{
    reply_health(request, NULL);
}

void probes_handle_ready(struct request *request)
{
    switch ((enum admin_state)atomic_load(&request->server->state)) {
    case ADMIN_STARTING:
        reply_health(request, "starting");
        break;
    case ADMIN_READY:
        reply_health(request, NULL);
        break;
    case ADMIN_DRAINING:
        reply_health(request, "draining");
        break;
    }
}

/* What a balancer asks that is not told what to ask (haproxy's `option httpchk`). */
void probes_handle_options(struct request *request)
{
    const struct reply reply = {.status = 204, .type = "application/health+json"};

    request_add_header(request, "Allow", "GET, HEAD, OPTIONS");
    if (atomic_load(&request->server->state) == ADMIN_READY)
        request_reply(request, &reply);
    else
        probes_handle_ready(request);
}
