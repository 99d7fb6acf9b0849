#include "service/admin/openapi.h"

#include "service/admin/handlers.h"
#include "service/admin/request.h"
#include "service/admin/web.h"

static void reply_document(struct request *request, const char *type, struct slice body)
{
    const struct reply reply = {
        .status = 200, .type = type, .body = body, .etag_of = body, .is_constant = true};

    request_reply(request, &reply);
}

void openapi_handle_yaml(struct request *request)
{
    const struct web_file *file = web_find_file(slice_of("openapi.yaml"));

    reply_document(request, "application/yaml", slice_make((const char *)file->bytes, file->len));
}

void openapi_handle_json(struct request *request)
{
    reply_document(request, "application/json",
                   slice_make((const char *)openapi_json, openapi_json_len));
}
