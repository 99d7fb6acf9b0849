#include "service/admin/lead.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/click.h"
#include "proto/state.h"
#include "proto/token.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/config/site.h"
#include "service/state/state_look_up.h"
#include "service/state/state_table.h"

enum { WHY_MAX = 512 };

struct lead {
    const struct brand *brand;
    const struct token *token;
    struct target_facts facts;
    struct state_of_link state;
    bool is_expired, is_used_up, is_closed;
    enum brand_leads leads; /* nowhere when it is expired, revoked or used up */
    char target[SITE_TARGET_MAX];
    size_t target_len;
    char why[WHY_MAX];
    size_t why_len;
};

/* Adds to the sentence. */
PRINTF_LIKE(2, 3)
static void say(struct lead *lead, const char *format, ...)
{
    size_t room = sizeof(lead->why) - lead->why_len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(lead->why + lead->why_len, room, format, args);
    va_end(args);
    lead->why_len += n > 0 && (size_t)n < room ? (size_t)n : strlen(lead->why + lead->why_len);
}

static bool is_of_invoices(const struct lead *lead)
{
    return brand_kind_is_of_invoices(lead->brand, lead->token->kind);
}

/* What is known of the invoice. */
static void say_state(struct lead *lead)
{
    const char *words = lead->state.object == STATE_PARTLY_PAID
                            ? "partly paid"
                            : state_object_name(lead->state.object);

    if (!words) /* nothing was said */
        words = "";
    if (lead->state.newest != 0)
        say(lead, "Invoice %u has replaced invoice %u%s%s", lead->state.newest, lead->token->object,
            words[0] ? " and is " : "", words);
    else if (words[0])
        say(lead, "Invoice %u is %s", lead->token->object, words);
    else if (is_of_invoices(lead) && lead->token->object != 0)
        say(lead, "Nothing was said of invoice %u", lead->token->object);
    else
        say(lead, "It is about no invoice");
}

/* What follows from it. */
static void say_target(struct lead *lead)
{
    uint32_t object;
    uint8_t kind = brand_lead_kind(lead->brand, lead->token, &lead->facts, &object);
    const char *name = brand_kind_name(lead->brand, kind);

    switch (lead->leads) {
    case BRAND_LEADS_TO_OPT_OUT:
        say(lead, ": a click gets a page with a button that opts client %u out of tracking.",
            lead->token->client);
        break;
    case BRAND_LEADS_TO_PAGE:
        say(lead, ": a click gets a page that says there is nothing to pay.");
        break;
    case BRAND_LEADS_NOWHERE:
        say(lead, ", but the brand has no target for this kind, or it needs an argument that the "
                  "link lacks: a click gets a 404.");
        break;
    case BRAND_LEADS_TO_URL:
    case BRAND_LEADS_TO_BUTTON:
        if (kind == 0)
            say(lead, ": a click leads where the configuration says for that.");
        else if (object != lead->token->object)
            say(lead, ": a click leads where a %s link of invoice %u leads.", name, object);
        else
            say(lead, ": a click leads where a %s link leads.", name);
        if (lead->leads == BRAND_LEADS_TO_BUTTON)
            say(lead, " A page with a button comes first%s.",
                lead->token->once ? ", and one press uses the link up" : "");
        break;
    }
}

static void explain(struct lead *lead)
{
    if (lead->is_expired)
        say(lead, "It has expired: a click gets a page that says so and offers the way into the "
                  "account.");
    else if (lead->state.is_revoked && lead->brand->has_revoked_page)
        say(lead, "It is revoked: a click gets a page that says it was withdrawn.");
    else if (lead->state.is_revoked)
        say(lead, "It is revoked: a click is answered as one on an unknown link, by a 404.");
    else if (lead->is_closed)
        say(lead, "This process has not heard from Redis yet what became of links: a click gets a "
                  "page that asks to try again in a moment.");
    else if (lead->state.is_used)
        say(lead,
            "It was used, and is good for one use: a click gets a page that says so and offers "
            "the way into the account.");
    else if (lead->is_used_up)
        say(lead,
            "People have used it %u time%s, and it is good for %u: a click gets a page that "
            "says so and offers the way into the account.",
            lead->state.uses, lead->state.uses == 1 ? "" : "s",
            brand_kind_max_uses(lead->brand, lead->token->kind));
    else
        say_state(lead), say_target(lead);
    if (lead->state.is_opted_out)
        say(lead,
            " Client %u has opted out of tracking: clicks count in sums of the campaign only.",
            lead->token->client);
}

static void decide(struct lead *lead, const struct request *request)
{
    uint32_t max_uses = brand_kind_max_uses(lead->brand, lead->token->kind);

    state_look_up(request->server->sources.states, lead->brand->id, lead->token,
                  is_of_invoices(lead), &lead->state);
    lead->facts = (struct target_facts){
        .device = CLICK_DEVICE_OTHER, .state = lead->state.object, .newest = lead->state.newest};
    lead->is_expired = token_is_expired(lead->token, clock_wall_ms() / 1000);
    lead->is_used_up = lead->state.is_used || (max_uses > 0 && lead->state.uses >= max_uses);
    lead->is_closed = lead->brand->closed_kinds >> lead->token->kind & 1 &&
                      !state_table_is_known(request->server->sources.states);
    if (!lead->is_expired && !lead->state.is_revoked && !lead->is_used_up && !lead->is_closed)
        lead->leads =
            brand_lead(lead->brand, lead->token, &lead->facts, lead->target, &lead->target_len);
}

json_t *lead_set(json_t *object, const struct request *request, const struct brand *brand,
                 const struct token *token)
{
    struct lead lead = {.brand = brand, .token = token, .leads = BRAND_LEADS_NOWHERE};
    const char *state;
    json_t *more;

    decide(&lead, request);
    explain(&lead);
    state = state_object_name(lead.state.newest != 0 ? STATE_REPLACED : lead.state.object);
    more = json_pack("{so ss? so sb sb sb ss}", "target",
                     lead.target_len > 0 ? json_stringn(lead.target, lead.target_len) : json_null(),
                     "state", state, "replaced_by",
                     lead.state.newest ? json_integer(lead.state.newest) : json_null(), "revoked",
                     (int)lead.state.is_revoked, "used_up", (int)lead.is_used_up, "opted_out",
                     (int)lead.state.is_opted_out, "why", lead.why);
    if (!more || json_object_update(object, more) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(more);
    return object;
}
