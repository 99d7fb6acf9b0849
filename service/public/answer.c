#include "service/public/answer.h"

#include <stdlib.h>

#include <sodium.h>

#include "proto/bytes.h"
#include "proto/click.h"
#include "proto/event.h"
#include "proto/html.h"
#include "proto/view.h"
#include "service/base/error.h"
#include "service/clicklog/clicklog.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/label/label.h"
#include "service/public/loop_clock.h"
#include "service/public/office.h"
#include "service/public/press.h"
#include "service/public/renewals.h"
#include "service/public/reply.h"
#include "service/public/route.h"
#include "service/public/trusted_proxy.h"
#include "service/state/event_log.h"
#include "service/state/one_use.h"
#include "service/state/state_look_up.h"
#include "service/state/state_table.h"

enum { LANGUAGE_MAX = 64 }; /* bytes of Accept-Language that are kept; the best come first */

/* A press that waits for Redis: what its reply needs, for the request is gone by then. */
struct late {
    struct site *site; /* a reference */
    const struct brand *brand;
    struct token token;
    uint8_t view[VIEW_ID_LEN];
    bool is_used; /* the state table says so, whatever Redis says */
    bool closes;  /* the connection, after the reply */
    size_t language_len, target_len;
    char language[LANGUAGE_MAX];
    char target[SITE_TARGET_MAX];
};

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
    char url[REPLY_BODY_MAX];     /* as HTML, of a page that leads there */
    char view[VIEW_TEXT_LEN];     /* the hidden field of a page with a button */
    char target[SITE_TARGET_MAX]; /* of a press */

    struct renewals renewals;
    struct state_looks looks; /* while the states of a link are fetched */

    /* Pages of it get memory when they are first used. */
    struct late *late;
    unsigned free_late[ANSWER_LATE_MAX], n_free_late;
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
    renewals_init(&a->renewals);
    reply_init(&a->reply, clock_wall_ms() / 1000);
    a->late = calloc(ANSWER_LATE_MAX, sizeof(*a->late));
    while (a->n_free_late < ANSWER_LATE_MAX) {
        a->free_late[a->n_free_late] = ANSWER_LATE_MAX - 1 - a->n_free_late;
        a->n_free_late++;
    }
    a->labeler = labeler_new(options->label_rules, &options->counters->agents, err);
    if (a->labeler && !a->late)
        error_set(err, "public: out of memory");
    if (!a->labeler || !a->late) {
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
    for (unsigned i = 0; a->late && i < ANSWER_LATE_MAX; i++)
        site_unref(a->late[i].site);
    free(a->late);
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
    counter64_add(&a->options.counters->reasons[label->reason], 1);
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

    if (leads == BRAND_LEADS_NOWHERE)
        return write_outcome(a, OUTCOME_NO_TARGET, route->brand, out);
    if (route->outcome == OUTCOME_REDIRECT) {
        /* The brand, the client or the browser may want the click in sums of campaigns only. */
        bool is_aggregate =
            route->brand->aggregate_kinds >> route->token.kind & 1 || state->is_opted_out ||
            (a->options.honours_gpc && slice_equal(a->request.field[HTTP1_SEC_GPC], slice_of("1")));

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

struct pressing {
    struct route route;
    struct slice target; /* in a->target */
    bool is_used;
};

/* Finds what a POST of the link is answered by: PRESSED if by its target, which is set, once the
 * body has come and is right. */
static enum outcome decide_press(struct answerer *a, const uint8_t peer[static IP_LEN],
                                 struct pressing *p)
{
    const struct brand *brand = p->route.brand;
    const struct token *token = &p->route.token;
    struct state_of_link state;
    struct target_facts facts;
    struct label label;

    if (p->route.outcome == OUTCOME_EXPIRED)
        return brand->renews ? OUTCOME_RENEWED : OUTCOME_EXPIRED;
    if (p->route.outcome != OUTCOME_REDIRECT && p->route.outcome != OUTCOME_SILENT)
        return OUTCOME_METHOD;
    if (must_wait(a, &p->route))
        return OUTCOME_LATER;
    state_look_up(a->options.states, brand->id, token,
                  brand_kind_is_of_invoices(brand, token->kind), &state);
    if (state.is_revoked)
        return brand->has_revoked_page ? OUTCOME_REVOKED : OUTCOME_NOT_FOUND;
    /* Not whether it is used up: the view of the page was the use, and its press belongs to it. */
    p->is_used = state.is_used;
    if (p->is_used && !token->once) /* a login link that the billing system has used up */
        return OUTCOME_USED;
    label = find_label(a, peer, token);
    facts = (struct target_facts){.country = {label.country[0], label.country[1]},
                                  .device = label.device,
                                  .language = a->request.field[HTTP1_ACCEPT_LANGUAGE],
                                  .state = state.object,
                                  .newest = state.newest};
    p->target.ptr = a->target;
    switch (brand_lead(brand, token, &facts, a->target, &p->target.len)) {
    case BRAND_LEADS_NOWHERE:
        return OUTCOME_NO_TARGET;
    case BRAND_LEADS_TO_URL:
        return OUTCOME_METHOD;
    case BRAND_LEADS_TO_BUTTON:
        return OUTCOME_PRESSED;
    case BRAND_LEADS_TO_OPT_OUT:
        return OUTCOME_OPTED_OUT;
    case BRAND_LEADS_TO_PAGE:
        break;
    }
    return OUTCOME_SETTLED;
}

static size_t write_pressed(struct answerer *a, struct slice target, char *out)
{
    count(a, OUTCOME_PRESSED);
    reply_set_date(&a->reply, now_s(a));
    return reply_see_other(&a->reply, target, connection(a), out);
}

/* Tells all processes that the link was used.  A second press of the same view makes the same
 * event, which counts once.  False: there is no room in the log. */
static bool append_use(struct answerer *a, const struct late *late)
{
    const struct token *token = &late->token;
    const struct event event = {
        .type = EVENT_USED,
        .at_ms = a->options.clock->wall_ms,
        .id = be64_load(late->view) >> 24,
        .brand = late->brand->id,
        .object = token->object,
        .client = token->client,
        .link_id = token->link_id,
        .campaign = token->campaign,
        .channel = token->channel,
        .variant = token->variant,
    };

    return a->options.events && event_log_append(a->options.events, &event);
}

/* Asks Redis to use the link up; the reply comes by answer_late(), or at once when Redis can't be
 * asked. */
static void answer_use(struct answerer *a, const struct pressing *p,
                       const uint8_t view[static VIEW_ID_LEN], char *out, struct answer *answer)
{
    struct slice language = a->request.field[HTTP1_ACCEPT_LANGUAGE];
    unsigned number = a->n_free_late > 0 ? a->free_late[a->n_free_late - 1] : ANSWER_LATE_MAX;
    const struct one_use_request request = {.link_id = p->route.token.link_id,
                                            .view = view,
                                            .ends_s = token_expires_s(&p->route.token),
                                            .ticket = number};
    struct late *late;

    if (number == ANSWER_LATE_MAX || !a->options.one_use ||
        !one_use_ask(a->options.one_use, &request)) {
        answer->reply_len = write_outcome(a, OUTCOME_UNSURE, p->route.brand, out);
        return;
    }
    a->n_free_late--;
    late = &a->late[number];
    late->site = site_ref(a->site);
    late->brand = p->route.brand;
    late->token = p->route.token;
    memcpy(late->view, view, VIEW_ID_LEN);
    late->is_used = p->is_used;
    late->closes = a->then == ANSWER_CLOSE;
    late->language_len = language.len < LANGUAGE_MAX ? language.len : LANGUAGE_MAX;
    if (late->language_len > 0)
        memcpy(late->language, language.ptr, late->language_len);
    late->target_len = p->target.len;
    memcpy(late->target, p->target.ptr, p->target.len);
    answer->reply_len = 0;
    answer->late = number;
    a->then = ANSWER_LATER;
}

/* Records the client's wish, with what the page said.  One that a mail program made (RFC 8058) was
 * made without a page. */
static size_t write_opted_out(struct answerer *a, const struct route *route, bool is_one_click,
                              char *out)
{
    const struct page_wish shown = {.page = PAGE_OPT_OUT,
                                    .accept_language = a->request.field[HTTP1_ACCEPT_LANGUAGE]};
    const struct token *token = &route->token;
    struct event event = {
        .type = EVENT_OPTED_OUT,
        .at_ms = a->options.clock->wall_ms,
        .brand = route->brand->id,
        .client = token->client,
        .campaign = token->campaign,
        .channel = token->channel,
        .variant = token->variant,
        .value = is_one_click ? 0 : site_page_version(a->site, route->brand, &shown),
    };

    randombytes_buf(&event.id, sizeof(event.id));
    event.id >>= 24; /* of 40 bits */
    if (!a->options.events || !event_log_append(a->options.events, &event))
        return write_outcome(a, OUTCOME_UNSURE, route->brand, out);
    return write_outcome(a, OUTCOME_OPTED_OUT, route->brand, out);
}

/* Asks the billing system for a fresh link, unless the link or the network has asked for enough.
 * The answer is the same whatever happens: who holds an old link learns nothing of its client. */
static size_t write_renewed(struct answerer *a, const struct route *route,
                            const uint8_t peer[static IP_LEN], char *out)
{
    const struct token *token = &route->token;
    /* The hour in place of an id: a link's second wish in it is the same event, which counts once,
     * whichever process it comes to. */
    const struct event event = {
        .type = EVENT_RENEWAL_REQUESTED,
        .at_ms = a->options.clock->wall_ms,
        .id = (uint64_t)(now_s(a) / 3600),
        .brand = route->brand->id,
        .object = token->object,
        .client = token->client,
        .link_id = token->link_id,
        .campaign = token->campaign,
        .channel = token->channel,
        .variant = token->variant,
        .value = token->kind,
    };
    struct state_of_link state;
    uint8_t ip[IP_LEN];

    trusted_proxy_find_client(a->options.config, &a->request, peer, ip);
    state_look_up(a->options.states, route->brand->id, token,
                  brand_kind_is_of_invoices(route->brand, token->kind), &state);
    /* Without room in the log the wish is lost; the client is told nothing else. */
    if (!state.is_revoked && a->options.events &&
        renewals_take(&a->renewals, ip, token->link_id, now_s(a)))
        (void)!event_log_append(a->options.events, &event);
    return write_outcome(a, OUTCOME_RENEWED, route->brand, out);
}

/* Answers a POST: only a link whose page has a button takes one.  All else is refused before its
 * body is read, and closes the connection.  False: the body is not complete. */
static bool answer_post(struct answerer *a, struct slice in, const uint8_t peer[static IP_LEN],
                        char *out, struct answer *answer)
{
    const struct http1_request *request = &a->request;
    struct pressing p = {.route = {.outcome = OUTCOME_METHOD}};
    enum outcome outcome, refused;
    uint8_t view[VIEW_ID_LEN];
    struct slice body;
    bool is_one_click;

    route_decide(a->site, find_brand(a, peer), request, now_s(a), &p.route);
    outcome = refused = decide_press(a, peer, &p);
    if (outcome == OUTCOME_PRESSED || outcome == OUTCOME_OPTED_OUT || outcome == OUTCOME_RENEWED)
        refused = press_refuse_head(request, outcome == OUTCOME_OPTED_OUT);
    if (refused != OUTCOMES) {
        a->then = ANSWER_REFUSED;
        answer->request_len = in.len;
        answer->reply_len = write_outcome(a, refused, p.route.brand, out);
        return true;
    }
    if (in.len < request->head_len + request->content_length)
        return false;
    answer->request_len = request->head_len + request->content_length;
    body = slice_make(in.ptr + request->head_len, request->content_length);
    is_one_click = outcome == OUTCOME_OPTED_OUT && press_is_one_click(request, body);
    if (!is_one_click &&
        !press_is_ours(request, body,
                       &(struct press_link){a->site, p.route.brand, &p.route.token, now_s(a)},
                       view))
        answer->reply_len = write_outcome(a, OUTCOME_VIEW, p.route.brand, out);
    else if (outcome == OUTCOME_RENEWED)
        answer->reply_len = write_renewed(a, &p.route, peer, out);
    else if (outcome == OUTCOME_OPTED_OUT)
        answer->reply_len = write_opted_out(a, &p.route, is_one_click, out);
    else if (p.route.token.once)
        answer_use(a, &p, view, out, answer);
    else
        answer->reply_len = write_pressed(a, p.target, out);
    return true;
}

void answer_late(struct answerer *a, unsigned number, enum one_use_outcome use, char *out,
                 struct answer *answer)
{
    struct late *late = &a->late[number];
    struct page_wish wish = {.accept_language = slice_make(late->language, late->language_len)};
    bool is_let_in = (use == ONE_USE_FIRST && !late->is_used) || use == ONE_USE_REPEATED;

    /* Without the event a Redis that forgets the use would let it happen again. */
    if (is_let_in && !append_use(a, late)) {
        is_let_in = false;
        use = ONE_USE_UNSURE;
    }
    a->is_head = false;
    a->request.minor_version = 1;
    a->then = late->closes ? ANSWER_CLOSE : ANSWER_KEEP;
    if (is_let_in) {
        answer->reply_len = write_pressed(a, slice_make(late->target, late->target_len), out);
    } else {
        wish.page = use == ONE_USE_UNSURE ? PAGE_UNSURE : PAGE_USED;
        site_page(late->site, late->brand, &wish, &a->page);
        answer->reply_len =
            write_page(a, use == ONE_USE_UNSURE ? OUTCOME_UNSURE : OUTCOME_USED, &a->page, out);
    }
    answer->then = a->then;
    site_unref(late->site);
    late->site = NULL;
    a->free_late[a->n_free_late++] = number;
}

static size_t answer_request(struct answerer *a, const uint8_t peer[static IP_LEN], char *out)
{
    struct state_of_link state;
    struct label label;
    struct route route;

    if (a->request.method != HTTP1_GET && a->request.method != HTTP1_HEAD)
        return answer_other_method(a, out);
    route_decide(a->site, find_brand(a, peer), &a->request, now_s(a), &route);
    reply_set_date(&a->reply, now_s(a));
    switch (route.outcome) {
    case OUTCOME_REDIRECT:
    case OUTCOME_SILENT:
        if (must_wait(a, &route))
            return write_outcome(a, OUTCOME_LATER, route.brand, out);
        /* The label is found while the memory of the states is fetched, although a revoked link
         * needs none. */
        state_look_up_begin(a->options.states, route.brand->id, &route.token,
                            brand_kind_is_of_invoices(route.brand, route.token.kind), &a->looks);
        label = find_label(a, peer, &route.token);
        state_look_up_end(a->options.states, &a->looks, &state);
        if (state.is_revoked)
            return write_outcome(
                a, route.brand->has_revoked_page ? OUTCOME_REVOKED : OUTCOME_NOT_FOUND, route.brand,
                out);
        if (state.is_used || is_used_up(&route, &state))
            return write_outcome(a, OUTCOME_USED, route.brand, out);
        return answer_link(a, &route, &state, &label, out);
    case OUTCOME_HOME:
        return answer_home(a, &route, out);
    case OUTCOME_EXPIRED:
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
        /* What was read of it can't be relied on. */
        a->request.field[HTTP1_ACCEPT_LANGUAGE] = slice_make(NULL, 0);
        a->is_head = refusal.is_head;
        a->then = ANSWER_REFUSED;
        answer->request_len = in.len;
        answer->reply_len = write_outcome(a, refused_outcome(refusal.status), NULL, out);
        break;
    case HTTP1_COMPLETE:
        source->scan = (struct http1_scan){0};
        a->is_head = a->request.method == HTTP1_HEAD;
        a->then = source->is_last || !a->request.keep_alive ? ANSWER_CLOSE : ANSWER_KEEP;
        answer->request_len = a->request.head_len;
        if (a->request.method == HTTP1_POST) {
            if (!answer_post(a, in, source->ip, out, answer))
                return false;
            break;
        }
        answer->reply_len = answer_request(a, source->ip, out);
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
