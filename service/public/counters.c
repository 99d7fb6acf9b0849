#include "service/public/counters.h"

#include <stddef.h>

/* A table is read by its columns. */
/* clang-format off */

static const struct {
    const char *name;
    unsigned status;
} outcomes[OUTCOMES] = {
    [OUTCOME_REDIRECT] = {"redirect", 302},
    [OUTCOME_SILENT] = {"silent", 302},
    [OUTCOME_ONWARD] = {"onward", 200},
    [OUTCOME_BUTTON] = {"button", 200},
    [OUTCOME_PRESSED] = {"pressed", 303},
    [OUTCOME_OPTED_OUT] = {"opted_out", 200},
    [OUTCOME_RENEWED] = {"renewed", 200},
    [OUTCOME_HOME] = {"home", 302},
    [OUTCOME_HOME_PAGE] = {"home_page", 200},
    [OUTCOME_ROBOTS] = {"robots", 200},
    [OUTCOME_OPTIONS] = {"options", 200},
    [OUTCOME_NOT_FOUND] = {"not_found", 404},
    [OUTCOME_NO_TARGET] = {"no_target", 404},
    [OUTCOME_UNKNOWN_HOST] = {"unknown_host", 404},
    [OUTCOME_EXPIRED] = {"expired", 410},
    [OUTCOME_REVOKED] = {"revoked", 410},
    [OUTCOME_USED] = {"used", 410},
    [OUTCOME_SETTLED] = {"settled", 200},
    [OUTCOME_BAD_REQUEST] = {"bad_request", 400},
    [OUTCOME_VIEW] = {"view", 403},
    [OUTCOME_METHOD] = {"method", 405},
    [OUTCOME_TIMEOUT] = {"timeout", 408},
    [OUTCOME_LENGTH] = {"length", 411},
    [OUTCOME_BODY] = {"body", 413},
    [OUTCOME_LINE_LENGTH] = {"line_length", 414},
    [OUTCOME_TYPE] = {"type", 415},
    [OUTCOME_EXPECT] = {"expect", 417},
    [OUTCOME_HEAD_SIZE] = {"head_size", 431},
    [OUTCOME_UNSURE] = {"unsure", 503},
    [OUTCOME_UNIMPLEMENTED] = {"unimplemented", 501},
    [OUTCOME_LATER] = {"later", 503},
    [OUTCOME_VERSION] = {"version", 505},
};

/* clang-format on */

static const char *const ends[CLOSE_REASONS] = {
    [CLOSE_CLIENT] = "client",
    [CLOSE_REPLIED] = "replied",
    [CLOSE_REFUSED] = "refused",
    [CLOSE_IDLE] = "idle",
    [CLOSE_HEAD_TIMEOUT] = "head_timeout",
    [CLOSE_SEND_TIMEOUT] = "send_timeout",
    [CLOSE_EVICTED] = "evicted",
    [CLOSE_BUFFERS] = "buffers",
    [CLOSE_PROXY] = "proxy",
    [CLOSE_DRAIN] = "drain",
};

const char *outcome_name(unsigned outcome)
{
    return outcome < OUTCOMES ? outcomes[outcome].name : NULL;
}

unsigned outcome_status(unsigned outcome)
{
    return outcome < OUTCOMES ? outcomes[outcome].status : 0;
}

const char *close_reason_name(unsigned end)
{
    return end < CLOSE_REASONS ? ends[end] : NULL;
}
