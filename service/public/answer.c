#include "service/public/answer.h"

#include <stdlib.h>

#include <sodium.h>

#include "proto/click.h"
#include "proto/click_names.h"
#include "proto/html.h"
#include "proto/view.h"
#include "service/base/error.h"
#include "service/clicklog/clicklog.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/label/label.h"
#include "service/public/access_log.h"
#include "service/public/loop_clock.h"
#include "service/public/office.h"
#include "service/public/press.h"
#include "service/public/presses.h"
#include "service/public/reply.h"
#include "service/public/route.h"
#include "service/public/trusted_proxy.h"
#include "service/state/event_log.h"
#include "service/state/one_use.h"
#include "service/state/state_look_up.h"
#include "service/state/state_table.h"

struct answerer {
    struct answerer_options options;
    struct site *site;
    struct labeler *labeler;
    struct reply reply;

    /* The request being answered; kept here and not on the stack because it is large. */
    struct http1_request request;
    bool is_head; /* the reply must have no body */
    enum answer_then then;
    struct page_text page;
    char url[REPLY_BODY_MAX]; /* as HTML, of a page that leads there */
    char view[VIEW_TEXT_LEN]; /* the hidden field of a page with a button */
    struct state_looks looks; /* while the states of a link are fetched */

    struct presses *presses;
    struct press press; /* the one being answered */

    bool is_noted; /* the request is one of those that the access log gets */
    struct access_record note;
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
    a->presses = presses_new(&(struct presses_options){.states = options->states,
                                                       .events = options->events,
                                                       .one_use = options->one_use,
                                                       .clock = options->clock});
    a->labeler = labeler_new(options->label_rules, &options->counters->agents, err);
    if (a->labeler && !a->presses)
        error_set(err, "public: out of memory");
    if (!a->labeler || !a->presses) {
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
    presses_free(a->presses);
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
    a->note.outcome = outcome;
}

/* --- the access log --- */

static void begin_note(struct answerer *a)
{
    a->is_noted = a->options.access && access_ring_wants(a->options.access);
    if (a->is_noted)
        a->note = (struct access_record){.time_ms = a->options.clock->wall_ms};
}

/* What may be told of a link that was opened, but for its id: the clicks of some are only summed
 * up, and note_click() alone knows of which. */
static void note_link(struct answerer *a, const struct route *route)
{
    const char *kind;

    if (!a->is_noted || (route->outcome != OUTCOME_REDIRECT && route->outcome != OUTCOME_SILENT &&
                         route->outcome != OUTCOME_EXPIRED))
        return;
    kind = brand_kind_name(route->brand, route->token.kind);
    memcpy(a->note.brand, route->brand->name.ptr, route->brand->name.len);
    a->note.campaign = route->token.campaign;
    if (kind)
        memcpy(a->note.kind, kind, strnlen(kind, ACCESS_KIND_MAX - 1));
}

static void note_click(struct answerer *a, const struct token *token, const struct label *label,
                       bool is_aggregate)
{
    a->note.is_click = true;
    a->note.reason = label->reason;
    a->note.link_id = is_aggregate ? 0 : token->link_id;
}

/* `head` is the request's; absent: it was refused, and what was read of it can't be relied on. */
static void end_note(struct answerer *a, struct slice head)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"};
    const char *method =
        head.ptr && a->request.method < HTTP1_OTHER ? methods[a->request.method] : "-";

    if (!a->is_noted)
        return;
    a->is_noted = false;
    memcpy(a->note.method, method, strlen(method));
    if (head.ptr)
        a->note.has_trace =
            traceparent_parse(http1_find_value(head, slice_of("traceparent")), &a->note.trace);
    access_ring_add(a->options.access, &a->note);
}

/* What the reply says about keeping the connection. */
static enum reply_connection connection(const struct answerer *a)
{
    if (a->then != ANSWER_KEEP)
        return REPLY_CLOSE;
    return a->request.minor_version == 0 ? REPLY_KEEP_10 : REPLY_KEEP;
}

/* `page` NULL: a reply without a body. */
static size_t write_page(struct answerer *a, enum outcome outcome, const struct page_text *page,
                         char *out)
{
    count(a, outcome);
    reply_set_date(&a->reply, now_s(a));
    return reply_page(&a->reply, outcome_status(outcome), page, a->is_head, connection(a), out);
}

/* Writes the reply that belongs to an outcome; `brand` NULL = no brand. */
static size_t write_outcome(struct answerer *a, enum outcome outcome, const struct brand *brand,
                            char *out)
{
    const struct page_wish wish = {.page = route_page(outcome),
                                   .accept_language = a->request.field[HTTP1_ACCEPT_LANGUAGE]};

    if (wish.page == PAGES)
        return write_page(a, outcome, NULL, out);
    site_page(a->site, brand, &wish, &a->page);
    return write_page(a, outcome, &a->page, out);
}

/* Writes a page with a button: each view of it has a random id. */
static size_t write_button(struct answerer *a, const struct route *route, enum page page, char *out)
{
    enum outcome outcome = page == PAGE_EXPIRED ? OUTCOME_EXPIRED : OUTCOME_BUTTON;
    const struct page_wish wish = {.page = page,
                                   .accept_language = a->request.field[HTTP1_ACCEPT_LANGUAGE],
                                   .view = {a->view, sizeof(a->view)}};
    uint8_t id[VIEW_ID_LEN];

    randombytes_buf(id, sizeof(id));
    view_seal(site_keys(a->site), route->brand->name, &route->token, now_s(a), id, a->view);
    site_page(a->site, route->brand, &wish, &a->page);
    return write_page(a, outcome, &a->page, out);
}

/* Makes the page that leads to `target`; false: it is too long. */
static bool make_onward(struct answerer *a, const struct brand *brand, struct slice target)
{
    struct page_wish wish = {.page = PAGE_ONWARD,
                             .accept_language = a->request.field[HTTP1_ACCEPT_LANGUAGE]};

    if (html_escaped_len(target) > sizeof(a->url))
        return false;
    wish.url = slice_make(a->url, html_escape(target, a->url));
    site_page(a->site, brand, &wish, &a->page);
    return a->page.body_len <= REPLY_BODY_MAX;
}

/* Where the redirect's target is to be written; write_redirect() adds the rest around it. */
static char *redirect_target(const struct answerer *a, char *out)
{
    return out + a->reply.redirect_len;
}

static size_t write_redirect(struct answerer *a, enum outcome outcome, size_t target_len, char *out)
{
    size_t len = reply_redirect_start(&a->reply, out) + target_len;

    count(a, outcome);
    return len + reply_redirect_end(connection(a), out + len);
}

static void append_click(struct answerer *a, const struct route *route, const struct label *label,
                         bool is_aggregate)
{
    const struct token *token = &route->token;
    struct click click = {
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

    if (is_aggregate) {
        /* Only the fields stay that the sums of a campaign need. */
        click.link_id = 0;
        click.object = 0;
        click.client = 0;
        click.visitor = 0;
        click.network = 0;
        click.hints = 0;
    }
    clicklog_append(a->options.log, &click);
    if (a->is_noted)
        note_click(a, token, label, is_aggregate);
    counter64_add(&a->options.counters->reasons[label->reason], 1);
}

/* The page of ours that an outcome shows who opened a link, or pressed its button. */
static enum click_page page_of(enum outcome outcome)
{
    static const uint8_t pages[OUTCOMES] = {
        [OUTCOME_BUTTON] = CLICK_PAGE_BUTTON,       [OUTCOME_PRESSED] = CLICK_PAGE_PRESSED,
        [OUTCOME_OPTED_OUT] = CLICK_PAGE_OPTED_OUT, [OUTCOME_RENEWED] = CLICK_PAGE_RENEWED,
        [OUTCOME_NO_TARGET] = CLICK_PAGE_NO_TARGET, [OUTCOME_EXPIRED] = CLICK_PAGE_EXPIRED,
        [OUTCOME_REVOKED] = CLICK_PAGE_REVOKED,     [OUTCOME_USED] = CLICK_PAGE_USED,
        [OUTCOME_SETTLED] = CLICK_PAGE_SETTLED,     [OUTCOME_UNSURE] = CLICK_PAGE_UNSURE,
        [OUTCOME_LATER] = CLICK_PAGE_LATER,
    };

    return pages[outcome];
}

/* Counts the page in sums of the campaign: that needs neither the link nor whose it is. */
static void append_page(struct answerer *a, const struct brand *brand, const struct token *token,
                        enum outcome outcome, uint8_t label)
{
    struct click page = {
        .type = CLICK_TYPE_PAGE,
        .time_ms = a->options.clock->wall_ms,
        .brand = brand->id,
        .campaign = token->campaign,
        .kind = token->kind,
        .channel = token->channel,
        .variant = token->variant,
        .label = label,
        .page = (uint8_t)page_of(outcome),
    };

    if (page.page != CLICK_PAGE_NONE && a->options.events && !token->silent &&
        !(brand->untracked_kinds >> token->kind & 1))
        event_log_add_page(a->options.events, &page);
}

static struct label find_label(struct answerer *a, const uint8_t peer[static IP_LEN],
                               const struct token *token)
{
    struct label_source source = {.request = &a->request, .has_client = token->client != 0};

    trusted_proxy_find_client(a->options.config, &a->request, peer, source.ip);
    return labeler_label(a->labeler, &source, a->options.clock->mono_ms);
}

/* Office's programs name no browser, so the text of the agent is searched only for the labels that
 * they can get. */
static bool is_office(const struct answerer *a, const struct label *label)
{
    static const unsigned may_be = 1u << CLICK_BROWSER_OTHER | 1u << CLICK_BROWSER_IE |
                                   1u << CLICK_BROWSER_IN_APP | 1u << CLICK_BROWSER_MAIL;

    return may_be >> label->browser & 1 && office_is_agent(a->request.field[HTTP1_USER_AGENT]);
}

/* What the reply is where the link leads to no URL; OUTCOME_REDIRECT where it does. */
static enum outcome outcome_of(enum brand_leads leads)
{
    switch (leads) {
    case BRAND_LEADS_NOWHERE:
        return OUTCOME_NO_TARGET;
    case BRAND_LEADS_TO_PAGE:
        return OUTCOME_SETTLED;
    case BRAND_LEADS_TO_BUTTON:
    case BRAND_LEADS_TO_OPT_OUT:
        return OUTCOME_BUTTON;
    case BRAND_LEADS_TO_URL:
        break;
    }
    return OUTCOME_REDIRECT;
}

/* The browser says that it must not be tracked, and that is heeded. */
static bool wants_no_tracking(const struct answerer *a)
{
    return a->options.honours_gpc && slice_equal(a->request.field[HTTP1_SEC_GPC], slice_of("1"));
}

static size_t answer_link(struct answerer *a, const struct route *route,
                          const struct state_of_link *state, const struct label *label, char *out)
{
    const struct target_facts facts = {.country = {label->country[0], label->country[1]},
                                       .device = label->device,
                                       .language = a->request.field[HTTP1_ACCEPT_LANGUAGE],
                                       .state = state->object,
                                       .newest = state->newest};
    struct slice target = {.ptr = redirect_target(a, out)};
    enum brand_leads leads =
        brand_lead(route->brand, &route->token, &facts, redirect_target(a, out), &target.len);

    if (leads != BRAND_LEADS_TO_URL)
        append_page(a, route->brand, &route->token, outcome_of(leads), label->label);
    if (leads == BRAND_LEADS_NOWHERE)
        return write_outcome(a, OUTCOME_NO_TARGET, route->brand, out);
    if (route->outcome == OUTCOME_REDIRECT) {
        /* The brand, the client or the browser may want the click in sums of campaigns only. */
        bool is_aggregate = route->brand->aggregate_kinds >> route->token.kind & 1 ||
                            state->is_opted_out || wants_no_tracking(a);

        append_click(a, route, label, is_aggregate);
    }
    if (leads == BRAND_LEADS_TO_PAGE)
        return write_outcome(a, OUTCOME_SETTLED, route->brand, out);
    if (leads == BRAND_LEADS_TO_BUTTON || leads == BRAND_LEADS_TO_OPT_OUT)
        return write_button(a, route, leads == BRAND_LEADS_TO_BUTTON ? PAGE_CONFIRM : PAGE_OPT_OUT,
                            out);
    if (is_office(a, label) && make_onward(a, route->brand, target))
        return write_page(a, OUTCOME_ONWARD, &a->page, out);
    return write_redirect(a, route->outcome, target.len, out);
}

static size_t answer_home(struct answerer *a, const struct route *route, char *out)
{
    size_t len = strlen(route->brand->home);

    memcpy(redirect_target(a, out), route->brand->home, len);
    return write_redirect(a, OUTCOME_HOME, len, out);
}

/* Answers methods other than GET and HEAD.  A load balancer with a default health check (haproxy's
 * `option httpchk`) sends OPTIONS of "/" in HTTP/1.0, without Host, and takes any 200 for healthy.
 */
static size_t answer_other_method(struct answerer *a, char *out)
{
    const struct http1_request *request = &a->request;

    if (request->method == HTTP1_OPTIONS && slice_equal(request->path, slice_of("/")) &&
        !request->path_is_cut)
        return write_outcome(a, OUTCOME_OPTIONS, NULL, out);
    a->then = ANSWER_REFUSED;
    return write_outcome(a, OUTCOME_METHOD, NULL, out);
}

/* The brand of the first host that has one.  The client itself may have sent the fields of proxies,
 * and that must not make the link a 404. */
static const struct brand *find_brand(const struct answerer *a, const uint8_t peer[static IP_LEN])
{
    struct slice hosts[TRUSTED_PROXY_HOSTS_MAX];
    unsigned n = trusted_proxy_find_hosts(a->options.config, &a->request, peer, hosts);
    const struct brand *brand = NULL;

    for (unsigned i = 0; i < n && !brand; i++)
        brand = site_find_host(a->site, hosts[i]);
    return brand;
}

/* Whether people have used the link as often as its kind allows, as far as this process knows. */
static bool is_used_up(const struct route *route, const struct state_of_link *state)
{
    uint32_t max = state->uses > 0 ? brand_kind_max_uses(route->brand, route->token.kind) : 0;

    return max > 0 && state->uses >= max;
}

/* Whether links of this kind wait until this process knows their states (until_known: closed). */
static bool must_wait(const struct answerer *a, const struct route *route)
{
    return route->brand->closed_kinds >> route->token.kind & 1 &&
           !state_table_is_known(a->options.states);
}

/* --- presses --- */

static size_t write_pressed(struct answerer *a, struct slice target, char *out)
{
    count(a, OUTCOME_PRESSED);
    reply_set_date(&a->reply, now_s(a));
    return reply_see_other(&a->reply, target, connection(a), out);
}

/* Answers a POST: only a link whose page has a button takes one.  All else is refused before its
 * body is read, and closes the connection.  False: the body is not complete. */
static bool answer_post(struct answerer *a, struct slice in, const uint8_t peer[static IP_LEN],
                        char *out, struct answer *answer)
{
    const struct http1_request *request = &a->request;
    struct press *press = &a->press;
    enum outcome outcome, refused;
    struct label label;
    struct slice body;

    route_decide(a->site, find_brand(a, peer), request, now_s(a), &press->route);
    note_link(a, &press->route);
    press->site = a->site;
    press->request = request;
    press->closes = a->then == ANSWER_CLOSE;
    press->is_aggregate = wants_no_tracking(a);
    if (press->route.outcome == OUTCOME_REDIRECT || press->route.outcome == OUTCOME_SILENT) {
        press->must_wait = must_wait(a, &press->route);
        label = find_label(a, peer, &press->route.token);
        memcpy(press->country, label.country, sizeof(press->country));
        press->device = label.device;
    }
    trusted_proxy_find_client(a->options.config, request, peer, press->ip);
    outcome = refused = presses_decide(a->presses, press);
    if (outcome == OUTCOME_PRESSED || outcome == OUTCOME_OPTED_OUT || outcome == OUTCOME_RENEWED)
        refused = press_refuse_head(request, outcome == OUTCOME_OPTED_OUT);
    if (refused != OUTCOMES) {
        a->then = ANSWER_REFUSED;
        answer->request_len = in.len;
        answer->reply_len = write_outcome(a, refused, press->route.brand, out);
        return true;
    }
    if (in.len < request->head_len + request->content_length)
        return false;
    answer->request_len = request->head_len + request->content_length;
    body = slice_make(in.ptr + request->head_len, request->content_length);
    outcome = presses_do(a->presses, press, body, outcome, &answer->late);
    /* A press comes from a page that was shown: a person's. */
    if (outcome != OUTCOMES)
        append_page(a, press->route.brand, &press->route.token, outcome, CLICK_HUMAN);
    if (outcome == OUTCOMES) {
        answer->reply_len = 0;
        a->then = ANSWER_LATER;
    } else if (outcome == OUTCOME_PRESSED) {
        answer->reply_len = write_pressed(a, press->target, out);
    } else {
        answer->reply_len = write_outcome(a, outcome, press->route.brand, out);
    }
    return true;
}

void answer_late(struct answerer *a, unsigned late, enum one_use_outcome use, char *out,
                 struct answer *answer)
{
    struct press_end end;
    enum outcome outcome = presses_end(a->presses, late, use, &end);

    a->is_head = false;
    a->request.minor_version = 1;
    a->then = end.closes ? ANSWER_CLOSE : ANSWER_KEEP;
    append_page(a, end.brand, end.token, outcome, CLICK_HUMAN);
    if (outcome == OUTCOME_PRESSED) {
        answer->reply_len = write_pressed(a, end.target, out);
    } else {
        const struct page_wish wish = {.page = route_page(outcome),
                                       .accept_language = end.language};

        site_page(end.site, end.brand, &wish, &a->page);
        answer->reply_len = write_page(a, outcome, &a->page, out);
    }
    answer->then = a->then;
    presses_release(a->presses, late);
}

static size_t answer_request(struct answerer *a, const uint8_t peer[static IP_LEN], char *out)
{
    struct state_of_link state;
    struct label label;
    struct route route;

    if (a->request.method != HTTP1_GET && a->request.method != HTTP1_HEAD)
        return answer_other_method(a, out);
    route_decide(a->site, find_brand(a, peer), &a->request, now_s(a), &route);
    note_link(a, &route);
    reply_set_date(&a->reply, now_s(a));
    switch (route.outcome) {
    case OUTCOME_REDIRECT:
    case OUTCOME_SILENT:
        if (must_wait(a, &route)) {
            label = find_label(a, peer, &route.token);
            append_page(a, route.brand, &route.token, OUTCOME_LATER, label.label);
            return write_outcome(a, OUTCOME_LATER, route.brand, out);
        }
        /* The label is found while the memory of the states is fetched, although a revoked link
         * needs none. */
        state_look_up_begin(a->options.states, route.brand->id, &route.token,
                            brand_kind_is_of_invoices(route.brand, route.token.kind), &a->looks);
        label = find_label(a, peer, &route.token);
        state_look_up_end(a->options.states, &a->looks, &state);
        if (state.is_revoked) {
            append_page(a, route.brand, &route.token, OUTCOME_REVOKED, label.label);
            return write_outcome(
                a, route.brand->has_revoked_page ? OUTCOME_REVOKED : OUTCOME_NOT_FOUND, route.brand,
                out);
        }
        if (state.is_used || is_used_up(&route, &state)) {
            append_page(a, route.brand, &route.token, OUTCOME_USED, label.label);
            return write_outcome(a, OUTCOME_USED, route.brand, out);
        }
        return answer_link(a, &route, &state, &label, out);
    case OUTCOME_HOME:
        return answer_home(a, &route, out);
    case OUTCOME_EXPIRED:
        label = find_label(a, peer, &route.token);
        append_page(a, route.brand, &route.token, OUTCOME_EXPIRED, label.label);
        if (route.brand->renews)
            return write_button(a, &route, PAGE_EXPIRED, out);
        break;
    case OUTCOME_UNKNOWN_HOST:
    case OUTCOME_BAD_REQUEST:
        a->then = ANSWER_REFUSED;
        break;
    default:
        break;
    }
    return write_outcome(a, route.outcome, route.brand, out);
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
        begin_note(a);
        /* What was read of it can't be relied on. */
        a->request.field[HTTP1_ACCEPT_LANGUAGE] = slice_make(NULL, 0);
        a->is_head = refusal.is_head;
        a->then = ANSWER_REFUSED;
        answer->request_len = in.len;
        answer->reply_len = write_outcome(a, refused_outcome(refusal.status), NULL, out);
        end_note(a, (struct slice){0});
        break;
    case HTTP1_COMPLETE:
        begin_note(a);
        source->scan = (struct http1_scan){0};
        a->is_head = a->request.method == HTTP1_HEAD;
        a->then = source->is_last || !a->request.keep_alive ? ANSWER_CLOSE : ANSWER_KEEP;
        answer->request_len = a->request.head_len;
        if (a->request.method == HTTP1_POST) {
            if (!answer_post(a, in, source->ip, out, answer))
                return false;
        } else {
            answer->reply_len = answer_request(a, source->ip, out);
        }
        /* What comes of a press that waits for Redis is not known yet; it gets no line. */
        if (a->then != ANSWER_LATER)
            end_note(a, slice_make(in.ptr, a->request.head_len));
        break;
    }
    answer->then = a->then;
    return true;
}

size_t answer_timeout(struct answerer *a, char *out)
{
    a->is_head = false;
    a->then = ANSWER_REFUSED;
    return write_outcome(a, OUTCOME_TIMEOUT, NULL, out);
}
