#include "service/admin/problem.h"

#include <stdio.h>

static const struct problem_text texts[PROBLEMS] = {
    [PROBLEM_MALFORMED_REQUEST] =
        {"malformed-request", 400, "The request can't be read",
         "The head, the path or the query of the request is not what HTTP allows, too long, or too "
         "slow in coming. The status says more: 400, 408, 414, 417, 431, 501 or 505.",
         "Send what `detail` asks for. Where it names nothing of your own, look at the proxy in "
         "between."},
    [PROBLEM_INVALID_JSON] = {"invalid-json", 400, "The body is no JSON",
                              "The body is missing, or is not one JSON document in UTF-8.",
                              "Mend the line and column that `detail` names."},
    [PROBLEM_INVALID_FIELDS] =
        {"invalid-fields", 400, "Fields of the body are wrong",
         "Fields of the body are missing, unknown, or have a value that does not fit. Nothing was "
         "changed, and of an array no element was taken.",
         "Mend what `errors` lists: all fields that are wrong, each with a sentence."},
    [PROBLEM_INVALID_PARAMETERS] =
        {"invalid-parameters", 400, "Parameters are wrong",
         "Parameters of the query, or parts of the path, are missing, unknown, or have a value "
         "that "
         "does not fit.",
         "Mend what `errors` lists: all parameters that are wrong, each with a sentence."},
    [PROBLEM_COUNTED_APART] =
        {"counted-apart", 400, "These dimensions are not counted together",
         "Several dimensions were asked for at once, as filters or groups. Such counts are kept "
         "for some time only, or not at all, and one request can read a limited number of clicks.",
         "Ask for a later or shorter time, as `detail` says, or by one dimension."},
    [PROBLEM_NO_API_KEY] =
        {"no-api-key", 401, "An API key is needed",
         "The request has no API key, one that hopcountd does not know, or the cookie of a session "
         "that has ended.",
         "Send `Authorization: Bearer KEY`. `hopcount apikey --add` makes a key; hopcountd reads "
         "it "
         "when it reloads."},
    [PROBLEM_MISSING_SCOPE] = {"missing-scope", 403, "The API key lacks a scope",
                               "The key is known, but was not made for this.",
                               "Make a key with the scope that `detail` names."},
    [PROBLEM_OTHER_BRAND] = {"other-brand", 403, "This is for other brands",
                             "The API key, or the role of who is signed in, is limited to some "
                             "brands, and this is not one of them.",
                             "Use a key of that brand, or one for all brands; a person needs a "
                             "role with that brand in `admin.users`."},
    [PROBLEM_CROSS_SITE] =
        {"cross-site", 403, "The request does not come from the dashboard",
         "A request with a session's cookie changes something only when it proves that the "
         "dashboard "
         "sent it.",
         "Programs use an API key in place of a cookie. Pages send the session's `csrf_token` in "
         "the field `X-CSRF-Token`."},
    [PROBLEM_FORBIDDEN] = {"forbidden", 403, "This is not allowed",
                           "The caller is known, but may not do that.",
                           "`detail` says what would be needed."},
    [PROBLEM_UNKNOWN_LINK] =
        {"unknown-link", 404, "There is no such link",
         "No brand that the key may see has made this link: it was changed on its way, its host is "
         "another's, or its key has been revoked.",
         "Compare the token with the one that was minted. `hopcount inspect` says what is wrong "
         "with it."},
    [PROBLEM_NOT_FOUND] = {"not-found", 404, "There is nothing here",
                           "The path is none of the API's, or what it names does not exist.",
                           "All paths are in `/v1/openapi.yaml`."},
    [PROBLEM_METHOD_NOT_ALLOWED] = {"method-not-allowed", 405, "The path takes other methods",
                                    "The path exists, but does not answer this method.",
                                    "The field `Allow` of the reply names those that it answers."},
    [PROBLEM_NOT_FOR_ONE_USE] =
        {"not-for-one-use", 409, "The link is not used up",
         "Only links of the kind login, and those that were minted with `once`, are used up.",
         "Mint the link with `once`, or don't use it up."},
    [PROBLEM_LINK_ENDED] =
        {"link-ended", 410, "The link no longer works",
         "The link has expired, was revoked, or was used by another view; `detail` says which.",
         "Mint a new link."},
    [PROBLEM_TOO_LARGE] = {"too-large", 413, "The request is too large",
                           "The body has more bytes, or its array more elements, than one request "
                           "may have.",
                           "Send several requests; `detail` says how much fits into one."},
    [PROBLEM_NOT_JSON] = {"not-json", 415, "The body must be JSON",
                          "The body does not say that it is JSON.",
                          "Send the field `Content-Type: application/json`."},
    [PROBLEM_TOO_MANY_REQUESTS] =
        {"too-many-requests", 429, "Too many requests",
         "The key has asked as often as it may in a minute; or too many wrong keys were tried.",
         "Ask again after as many seconds as the field `Retry-After` says."},
    [PROBLEM_REDIS_UNAVAILABLE] =
        {"redis-unavailable", 503, "Redis does not answer",
         "What was asked for is in Redis, and Redis does not answer now. Links lead on, and clicks "
         "are kept until it does.",
         "Ask again later. `detail` says what Redis, or the connection to it, lacks."},
    [PROBLEM_NO_MINTING_KEY] =
        {"no-minting-key", 503, "No key mints links",
         "The key file has no key in the state `mint` that is for the brand, or the clock of the "
         "machine is wrong.",
         "Tell whoever runs hopcount; `hopcount doctor` finds it."},
    [PROBLEM_BUSY] = {"busy", 503, "There is too much to do",
                      "There is no memory, no room in the log, or no place for another request of "
                      "this sort now.",
                      "Ask again after as many seconds as the field `Retry-After` says, or after "
                      "one."},
};

const struct problem_text *problem_text(enum problem problem)
{
    return &texts[problem];
}

enum problem problem_find(struct slice name)
{
    unsigned i = 0;

    while (i < PROBLEMS && !slice_equal(name, slice_of(texts[i].name)))
        i++;
    return (enum problem)i;
}

enum problem problem_of_status(int status, bool has_parameter)
{
    switch (status) {
    case 400:
        return has_parameter ? PROBLEM_INVALID_PARAMETERS : PROBLEM_MALFORMED_REQUEST;
    case 401:
        return PROBLEM_NO_API_KEY;
    case 403:
        return PROBLEM_FORBIDDEN;
    case 404:
        return PROBLEM_NOT_FOUND;
    case 405:
        return PROBLEM_METHOD_NOT_ALLOWED;
    case 409:
        return PROBLEM_NOT_FOR_ONE_USE;
    case 410:
        return PROBLEM_LINK_ENDED;
    case 413:
        return PROBLEM_TOO_LARGE;
    case 415:
        return PROBLEM_NOT_JSON;
    case 429:
        return PROBLEM_TOO_MANY_REQUESTS;
    case 503:
        return PROBLEM_BUSY;
    default:
        return PROBLEM_MALFORMED_REQUEST;
    }
}

const char *problem_type(enum problem problem, char out[static PROBLEM_TYPE_MAX])
{
    snprintf(out, PROBLEM_TYPE_MAX, "/problems/%s", texts[problem].name);
    return out;
}
