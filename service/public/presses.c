#include "service/public/presses.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/bytes.h"
#include "proto/event.h"
#include "proto/token.h"
#include "proto/view.h"
#include "service/config/site.h"
#include "service/public/loop_clock.h"
#include "service/public/press.h"
#include "service/public/renewals.h"
#include "service/state/event_log.h"
#include "service/state/state_look_up.h"

enum { LANGUAGE_MAX = 64 }; /* bytes of Accept-Language that are kept; the best come first */

/* A press that waits for Redis. */
struct late {
    struct site *site; /* a reference */
    const struct brand *brand;
    struct token token;
    uint8_t view[VIEW_ID_LEN];
    bool is_used, is_aggregate, closes;
    size_t language_len, target_len;
    char language[LANGUAGE_MAX];
    char target[SITE_TARGET_MAX];
};

struct presses {
    struct presses_options options;
    struct renewals renewals;

    /* Pages of it get memory when they are first used. */
    struct late *late;
    unsigned free_late[PRESSES_LATE_MAX], n_free_late;
};

struct presses *presses_new(const struct presses_options *options)
{
    struct presses *presses = calloc(1, sizeof(*presses));

    if (!presses)
        return NULL;
    presses->options = *options;
    renewals_init(&presses->renewals);
    presses->late = calloc(PRESSES_LATE_MAX, sizeof(*presses->late));
    if (!presses->late) {
        presses_free(presses);
        return NULL;
    }
    for (unsigned i = 0; i < PRESSES_LATE_MAX; i++)
        presses->free_late[presses->n_free_late++] = PRESSES_LATE_MAX - 1 - i;
    return presses;
}

void presses_free(struct presses *presses)
{
    if (!presses)
        return;
    for (unsigned i = 0; presses->late && i < PRESSES_LATE_MAX; i++)
        site_unref(presses->late[i].site);
    free(presses->late);
    free(presses);
}

static int64_t now_s(const struct presses *presses)
{
    return presses->options.clock->wall_ms / 1000;
}

static bool append(struct presses *presses, const struct event *event)
{
    return presses->options.events && event_log_append(presses->options.events, event);
}

static void look_up(const struct presses *presses, const struct route *route,
                    struct state_of_link *out)
{
    state_look_up(presses->options.states, route->brand->id, &route->token,
                  brand_kind_is_of_invoices(route->brand, route->token.kind), out);
}

enum outcome presses_decide(const struct presses *presses, struct press *press)
{
    const struct brand *brand = press->route.brand;
    const struct token *token = &press->route.token;
    struct target_facts facts = {.country = {press->country[0], press->country[1]},
                                 .device = press->device,
                                 .language = press->request->field[HTTP1_ACCEPT_LANGUAGE]};
    struct state_of_link state;

    if (press->route.outcome == OUTCOME_EXPIRED)
        return brand->renews ? OUTCOME_RENEWED : OUTCOME_EXPIRED;
    if (press->route.outcome != OUTCOME_REDIRECT && press->route.outcome != OUTCOME_SILENT)
        return OUTCOME_METHOD;
    if (press->must_wait)
        return OUTCOME_LATER;
    look_up(presses, &press->route, &state);
    if (state.is_revoked)
        return brand->has_revoked_page ? OUTCOME_REVOKED : OUTCOME_NOT_FOUND;
    /* Not whether it is used up: the view of the page was the use, and its press belongs to it. */
    press->is_used = state.is_used;
    press->is_aggregate |= state.is_opted_out || brand->aggregate_kinds >> token->kind & 1;
    if (press->is_used && !token->once) /* a login link that the billing system has used up */
        return OUTCOME_USED;
    facts.state = state.object;
    facts.newest = state.newest;
    press->target.ptr = press->target_text;
    switch (brand_lead(brand, token, &facts, press->target_text, &press->target.len)) {
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

/* Asks Redis to use the link up.  False: it can't be asked now. */
static bool ask_use(struct presses *presses, const struct press *press,
                    const uint8_t view[static VIEW_ID_LEN], unsigned *number)
{
    struct slice language = press->request->field[HTTP1_ACCEPT_LANGUAGE];
    struct one_use_request request = {.link_id = press->route.token.link_id,
                                      .view = view,
                                      .ends_s = token_expires_s(&press->route.token)};
    struct late *late;

    if (presses->n_free_late == 0 || !presses->options.one_use)
        return false;
    request.ticket = *number = presses->free_late[presses->n_free_late - 1];
    if (!one_use_ask(presses->options.one_use, &request))
        return false;
    presses->n_free_late--;
    late = &presses->late[*number];
    late->site = site_ref(press->site);
    late->brand = press->route.brand;
    late->token = press->route.token;
    memcpy(late->view, view, VIEW_ID_LEN);
    late->is_used = press->is_used;
    late->is_aggregate = press->is_aggregate;
    late->closes = press->closes;
    late->language_len = language.len < LANGUAGE_MAX ? language.len : LANGUAGE_MAX;
    if (late->language_len > 0)
        memcpy(late->language, language.ptr, late->language_len);
    late->target_len = press->target.len;
    memcpy(late->target, press->target.ptr, press->target.len);
    return true;
}

/* Records the client's wish, with what the page said.  One that a mail program made (RFC 8058) was
 * made without a page. */
static enum outcome opt_out(struct presses *presses, const struct press *press, bool is_one_click)
{
    const struct page_wish shown = {
        .page = PAGE_OPT_OUT, .accept_language = press->request->field[HTTP1_ACCEPT_LANGUAGE]};
    struct event event =
        event_of_token(EVENT_OPTED_OUT, press->route.brand->id, &press->route.token);

    /* It is of the client: not of an invoice, and the link is the client's own affair. */
    event.object = 0;
    event.link_id = 0;
    event.at_ms = presses->options.clock->wall_ms;
    event.value = is_one_click ? 0 : site_page_version(press->site, press->route.brand, &shown);
    randombytes_buf(&event.id, sizeof(event.id));
    event.id >>= 24; /* of 40 bits */
    return append(presses, &event) ? OUTCOME_OPTED_OUT : OUTCOME_UNSURE;
}

/* Asks the billing system for a fresh link, unless the link or the network has asked for enough.
 * The answer is the same whatever happens, even without room in the log: who holds an old link
 * learns nothing of its client. */
static void renew(struct presses *presses, const struct press *press)
{
    const struct token *token = &press->route.token;
    struct event event = event_of_token(EVENT_RENEWAL_REQUESTED, press->route.brand->id, token);
    struct state_of_link state;

    event.at_ms = presses->options.clock->wall_ms;
    /* The hour in place of an id: a link's second wish in it is the same event, which counts once,
     * whichever process it comes to. */
    event.id = (uint64_t)(now_s(presses) / 3600);
    event.value = token->kind;
    look_up(presses, &press->route, &state);
    if (!state.is_revoked &&
        renewals_take(&presses->renewals, press->ip, token->link_id, now_s(presses)))
        (void)!append(presses, &event);
}

enum outcome presses_do(struct presses *presses, const struct press *press, struct slice body,
                        enum outcome decided, unsigned *late)
{
    const struct press_link link = {press->site, press->route.brand, &press->route.token,
                                    now_s(presses)};
    bool is_one_click = decided == OUTCOME_OPTED_OUT && press_is_one_click(press->request, body);
    uint8_t view[VIEW_ID_LEN];

    if (!is_one_click && !press_is_ours(press->request, body, &link, view))
        return OUTCOME_VIEW;
    if (decided == OUTCOME_OPTED_OUT)
        return opt_out(presses, press, is_one_click);
    if (decided == OUTCOME_RENEWED)
        renew(presses, press);
    else if (press->route.token.once)
        return ask_use(presses, press, view, late) ? OUTCOMES : OUTCOME_UNSURE;
    return decided;
}

enum outcome presses_end(struct presses *presses, unsigned number, enum one_use_outcome use,
                         struct press_end *end)
{
    const struct late *late = &presses->late[number];
    bool is_let_in = (use == ONE_USE_FIRST && !late->is_used) || use == ONE_USE_REPEATED;
    struct event event = event_of_token(EVENT_USED, late->brand->id, &late->token);

    *end = (struct press_end){.site = late->site,
                              .brand = late->brand,
                              .token = &late->token,
                              .language = slice_make(late->language, late->language_len),
                              .target = slice_make(late->target, late->target_len),
                              .closes = late->closes};
    if (!is_let_in)
        return use == ONE_USE_UNSURE ? OUTCOME_UNSURE : OUTCOME_USED;
    /* Tells all processes; a second press of the same view makes the same event, which counts once.
     * Without the event a Redis that forgets the use would let it happen again. */
    event.at_ms = presses->options.clock->wall_ms;
    event.id = be64_load(late->view) >> 24;
    event.value = late->token.kind;
    if (late->is_aggregate)
        event.object = event.client = 0;
    return append(presses, &event) ? OUTCOME_PRESSED : OUTCOME_UNSURE;
}

void presses_release(struct presses *presses, unsigned number)
{
    site_unref(presses->late[number].site);
    presses->late[number].site = NULL;
    presses->free_late[presses->n_free_late++] = number;
}
