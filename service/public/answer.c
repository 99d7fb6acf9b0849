#include "service/public/answer.h"

#include <stdlib.h>

#include "proto/click.h"
#include "service/base/error.h"
#include "service/clicklog/clicklog.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/label/label.h"
#include "service/public/loop_clock.h"
#include "service/public/office.h"
#include "service/public/reply.h"
#include "service/public/route.h"
#include "service/public/trusted_proxy.h"

struct answerer {
    struct answerer_options options;
    struct site *site;
    struct labeler *labeler;
    struct reply reply;
    struct http1_request request; /* here, and not on the stack: it is large */
    char body[REPLY_BODY_MAX];    /* of a page that is made for one reply */
};

struct answerer *answerer_new(const struct answerer_options *options, struct site *site,
                              struct error *err)
{
    struct answerer *a = calloc(1, sizeof(*a));

    if (!a) {
        error_set(err, "public: out of memory");
        return NULL;
    }
    a->options = *options;
    a->site = site_ref(site);
    reply_init(&a->reply, clock_wall_ms() / 1000);
    a->labeler = labeler_new(options->label_rules, err);
    if (!a->labeler) {
        answerer_free(a);
        a = NULL;
    }
    return a;
}

void answerer_free(struct answerer *a)
{
    if (!a)
        return;
    labeler_free(a->labeler);
    site_unref(a->site);
    free(a);
}

void answerer_set_site(struct answerer *a, struct site *site)
{
    site_unref(a->site);
    a->site = site;
}

static int64_t now_s(const struct answerer *a)
{
    return a->options.clock->wall_ms / 1000;
}

static void count(struct answerer *a, enum outcome outcome)
{
    counter64_add(&a->options.counters->requests[outcome], 1);
}

/* What the reply says of the connection's future. */
static enum reply_end reply_end(const struct http1_request *request, enum answer_end end)
{
    if (end != ANSWER_KEEP)
        return REPLY_CLOSE;
    return request->minor_version == 0 ? REPLY_KEEP_10 : REPLY_KEEP;
}

static size_t write_page(struct answerer *a, enum outcome outcome, const struct brand *brand,
                         bool is_head, enum reply_end end, char *out)
{
    enum page page = route_page(outcome);

    count(a, outcome);
    reply_set_date(&a->reply, now_s(a));
    return reply_page(&a->reply, outcome_status(outcome),
                      page == PAGES ? NULL : site_page(a->site, brand, page), is_head, end, out);
}

/* Where a redirect's target goes; then write_redirect() puts the rest around it. */
static char *redirect_target(const struct answerer *a, char *out)
{
    return out + a->reply.redirect_len;
}

static size_t write_redirect(struct answerer *a, enum outcome outcome, size_t target_len,
                             enum reply_end end, char *out)
{
    size_t len = reply_redirect_start(&a->reply, out) + target_len;

    count(a, outcome);
    return len + reply_redirect_end(end, out + len);
}

static void append_click(struct answerer *a, const struct route *route, const struct label *label)
{
    const struct token *token = &route->token;
    const struct click click = {
        .type = CLICK_TYPE_CLICK,
        .link_id = token->link_id,
        .time_ms = a->options.clock->wall_ms,
        .brand = route->brand->id,
        .object = token->object,
        .client = token->client,
        .issued_min = token->issued_min,
        .campaign = token->campaign,
        .kind = token->kind,
        .channel = token->channel,
        .variant = token->variant,
        .label = label->label,
        .reason = label->reason,
        .device = label->device,
        .browser = label->browser,
        .system = label->system,
        .referrer = label->referrer,
        .country = {label->country[0], label->country[1]},
        .hints = label->hints,
        .network = label->network,
        .visitor = label->visitor,
    };

    clicklog_append(a->options.log, &click);
    counter64_add(&a->options.counters->reasons[label->reason], 1);
}

static struct label find_label(struct answerer *a, const uint8_t peer[static IP_LEN],
                               const struct token *token)
{
    struct label_source source = {
        .request = &a->request, .has_client = token->client != 0, .has_object = token->object != 0};

    trusted_proxy_find_client(a->options.config, &a->request, peer, source.ip);
    return labeler_label(a->labeler, &source, a->options.clock->mono_ms);
}

/* Office's programs have no browser's name; most requests have, and are spared the look. */
static bool is_office(const struct answerer *a, const struct label *label)
{
    static const unsigned may_be = 1u << CLICK_BROWSER_OTHER | 1u << CLICK_BROWSER_IE |
                                   1u << CLICK_BROWSER_IN_APP | 1u << CLICK_BROWSER_MAIL;

    return may_be >> label->browser & 1 && office_is_agent(a->request.field[HTTP1_USER_AGENT]);
}

static size_t answer_link(struct answerer *a, const struct route *route, const struct label *label,
                          enum reply_end end, char *out)
{
    const struct target_facts facts = {.country = {label->country[0], label->country[1]},
                                       .device = label->device,
                                       .language = a->request.field[HTTP1_ACCEPT_LANGUAGE]};
    size_t target_len = brand_target(route->brand, &route->token, &facts, redirect_target(a, out));

    if (target_len == 0)
        return write_page(a, OUTCOME_NO_TARGET, route->brand, a->request.method == HTTP1_HEAD, end,
                          out);
    if (route->outcome == OUTCOME_REDIRECT)
        append_click(a, route, label);
    if (is_office(a, label)) {
        struct slice target = slice_make(redirect_target(a, out), target_len);
        struct page_text page;

        if (reply_page_fill(site_page(a->site, route->brand, PAGE_ONWARD), target, a->body,
                            &page)) {
            count(a, OUTCOME_ONWARD);
            return reply_page(&a->reply, outcome_status(OUTCOME_ONWARD), &page,
                              a->request.method == HTTP1_HEAD, end, out);
        }
    }
    return write_redirect(a, route->outcome, target_len, end, out);
}

static size_t answer_home(struct answerer *a, const struct route *route, enum reply_end end,
                          char *out)
{
    size_t len = strlen(route->brand->home);

    memcpy(redirect_target(a, out), route->brand->home, len);
    return write_redirect(a, OUTCOME_HOME, len, end, out);
}

/* The check of a balancer that is not told what to ask (haproxy's `option httpchk`) is OPTIONS of
 * "/" in HTTP/1.0, without a Host: it asks whether anybody answers. */
static size_t answer_options(struct answerer *a, enum reply_end end, char *out)
{
    return write_page(a, OUTCOME_OPTIONS, NULL, false, end, out);
}

/* A well-formed request of a method that its path does not have. */
static size_t answer_method(struct answerer *a, char *out, enum answer_end *end)
{
    *end = ANSWER_REFUSED;
    return write_page(a, OUTCOME_METHOD, NULL, false, REPLY_CLOSE, out);
}

/* The host that the request is for: the first one that has a brand, as the client may have written
 * the proxies' fields himself, and that must not make his link a 404. */
static struct slice find_host(const struct answerer *a, const uint8_t peer[static IP_LEN])
{
    struct slice hosts[TRUSTED_PROXY_HOSTS_MAX];
    unsigned n = trusted_proxy_find_hosts(a->options.config, &a->request, peer, hosts), i = 0;

    while (i + 1 < n && !site_find_host(a->site, hosts[i]))
        i++;
    return hosts[i];
}

static size_t answer_request(struct answerer *a, const uint8_t peer[static IP_LEN], char *out,
                             enum answer_end *end)
{
    const struct http1_request *request = &a->request;
    struct label label;
    struct route route;

    if (request->method == HTTP1_OPTIONS && slice_equal(request->path, slice_of("/")) &&
        !request->path_is_cut)
        return answer_options(a, reply_end(request, *end), out);
    if (request->method == HTTP1_OPTIONS || request->method == HTTP1_POST)
        return answer_method(a, out, end);
    route_decide(a->site, find_host(a, peer), request, now_s(a), &route);
    if (route.outcome == OUTCOME_UNKNOWN_HOST || route.outcome == OUTCOME_BAD_REQUEST)
        *end = ANSWER_REFUSED;
    reply_set_date(&a->reply, now_s(a));
    switch (route.outcome) {
    case OUTCOME_REDIRECT:
    case OUTCOME_SILENT:
        label = find_label(a, peer, &route.token);
        return answer_link(a, &route, &label, reply_end(request, *end), out);
    case OUTCOME_HOME:
        return answer_home(a, &route, reply_end(request, *end), out);
    default:
        return write_page(a, route.outcome, route.brand, request->method == HTTP1_HEAD,
                          reply_end(request, *end), out);
    }
}

static enum outcome refused_outcome(unsigned status)
{
    for (unsigned outcome = OUTCOME_BAD_REQUEST; outcome < OUTCOMES; outcome++) {
        if (outcome_status(outcome) == status)
            return outcome;
    }
    return OUTCOME_BAD_REQUEST;
}

bool answer_next(struct answerer *a, struct slice in, struct answer_source *source, char *out,
                 struct answer *answer)
{
    struct http1_refusal refusal;

    switch (http1_parse(in, &source->scan, &a->request, &refusal)) {
    case HTTP1_INCOMPLETE:
        return false;
    case HTTP1_REFUSED:
        answer->request_len = in.len;
        answer->end = ANSWER_REFUSED;
        answer->reply_len =
            write_page(a, refused_outcome(refusal.status), NULL, refusal.is_head, REPLY_CLOSE, out);
        return true;
    case HTTP1_COMPLETE:
        break;
    }
    source->scan = (struct http1_scan){0};
    answer->request_len = a->request.head_len;
    answer->end = source->is_last || !a->request.keep_alive ? ANSWER_CLOSE : ANSWER_KEEP;
    answer->reply_len = answer_request(a, source->ip, out, &answer->end);
    return true;
}

size_t answer_timeout(struct answerer *a, char *out)
{
    return write_page(a, OUTCOME_TIMEOUT, NULL, false, REPLY_CLOSE, out);
}
