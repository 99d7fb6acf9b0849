#include "proto/funnel_weigh.h"

#include <stdlib.h>
#include <string.h>

#include "proto/rfc3339.h"

enum { LINK_LEN = 7, ROUTE_AT = 3 }; /* of a click's fact */

/* --- the facts --- */

/* A fact where it stands. */
struct place {
    size_t at, len;
};

/* The next fact of that type from `*at` on. */
static bool next_of(const struct funnel_invoice *invoice, enum funnel_type type, size_t *at,
                    struct place *out)
{
    struct slice facts = slice_make((const char *)invoice->facts, invoice->len);
    struct funnel_fact fact;
    size_t begin = *at;

    for (; funnel_next_fact(facts, at, &fact); begin = *at) {
        if (fact.type == type) {
            *out = (struct place){begin, *at - begin};
            return true;
        }
    }
    return false;
}

static unsigned count(const struct funnel_invoice *invoice, enum funnel_type type)
{
    struct place place;
    unsigned n = 0;
    size_t at = 0;

    while (next_of(invoice, type, &at, &place))
        n++;
    return n;
}

static void remove_fact(struct funnel_invoice *invoice, struct place place)
{
    uint8_t *fact = invoice->facts + place.at;

    memmove(fact, fact + place.len, invoice->len - place.at - place.len);
    invoice->len -= place.len;
}

static void append_fact(struct funnel_invoice *invoice, const void *fact, size_t len)
{
    memcpy(invoice->facts + invoice->len, fact, len);
    invoice->len += len;
}

bool funnel_invoice_load(struct funnel_invoice *invoice, struct slice facts)
{
    struct funnel_fact fact;
    size_t at = 0;

    if (facts.len > sizeof(invoice->facts))
        return false;
    while (funnel_next_fact(facts, &at, &fact)) {
        if (fact.type == FUNNEL_MAILS || (fact.type == FUNNEL_CLIENT && at != FUNNEL_CLIENT_LEN))
            return false;
    }
    if (facts.len > 0)
        memcpy(invoice->facts, facts.ptr, facts.len);
    invoice->len = facts.len;
    return at == facts.len && count(invoice, FUNNEL_CLICK) <= FUNNEL_CLICKS_MAX &&
           count(invoice, FUNNEL_SENT) <= FUNNEL_SENT_MAX &&
           count(invoice, FUNNEL_MONEY) <= FUNNEL_MONEY_MAX;
}

/* The client is the first fact, if it is known. */
static void set_client(struct funnel_invoice *invoice, struct slice fact)
{
    if (invoice->len == 0 || invoice->facts[0] >> 4 != FUNNEL_CLIENT) {
        memmove(invoice->facts + fact.len, invoice->facts, invoice->len);
        invoice->len += fact.len;
    }
    memcpy(invoice->facts, fact.ptr, fact.len);
}

/* Makes room for another click: of three on one link the middle one goes, else the oldest. */
static void drop_click(struct funnel_invoice *invoice)
{
    struct place places[FUNNEL_CLICKS_MAX + 1], victim = {0, 0};
    unsigned n = 0;

    for (size_t at = 0;
         n < FUNNEL_CLICKS_MAX + 1 && next_of(invoice, FUNNEL_CLICK, &at, &places[n]);)
        n++;
    for (unsigned i = 0; i < n && victim.len == 0; i++) {
        unsigned same = 0, second = 0;

        for (unsigned k = 0; k <= i; k++) {
            if (memcmp(invoice->facts + places[k].at, invoice->facts + places[i].at, LINK_LEN) == 0)
                second = ++same == 2 ? k : second;
        }
        if (same == 3)
            victim = places[second];
    }
    remove_fact(invoice, victim.len ? victim : places[0]);
}

/* A click and its opposite, that it is taken back, are nothing. */
static void add_click(struct funnel_invoice *invoice, struct slice fact)
{
    uint8_t opposite[FUNNEL_CLICK_LEN];
    struct place place;

    memcpy(opposite, fact.ptr, sizeof(opposite));
    opposite[ROUTE_AT] ^= FUNNEL_TAKEN_BACK_BIT;
    for (size_t at = 0; next_of(invoice, FUNNEL_CLICK, &at, &place);) {
        if (memcmp(invoice->facts + place.at, opposite, sizeof(opposite)) == 0) {
            remove_fact(invoice, place);
            return;
        }
    }
    append_fact(invoice, fact.ptr, fact.len);
    if (count(invoice, FUNNEL_CLICK) > FUNNEL_CLICKS_MAX)
        drop_click(invoice);
}

static void add_mail(struct funnel_invoice *invoice, struct slice fact)
{
    uint8_t sent[FUNNEL_SENT_LEN];
    struct place oldest;
    size_t at = 0;

    memcpy(sent, fact.ptr, sizeof(sent));
    sent[0] = FUNNEL_SENT << 4;
    append_fact(invoice, sent, sizeof(sent));
    if (count(invoice, FUNNEL_SENT) > FUNNEL_SENT_MAX &&
        next_of(invoice, FUNNEL_SENT, &at, &oldest))
        remove_fact(invoice, oldest);
}

bool funnel_invoice_add(struct funnel_invoice *invoice, struct slice text)
{
    struct funnel_fact fact;
    size_t at = 0;

    if (!funnel_next_fact(text, &at, &fact) || at != text.len)
        return false;
    switch (fact.type) {
    case FUNNEL_CLIENT:
        set_client(invoice, text);
        return true;
    case FUNNEL_CLICK:
        add_click(invoice, text);
        return true;
    case FUNNEL_MAILS:
        add_mail(invoice, text);
        return true;
    case FUNNEL_MONEY:
        if (count(invoice, FUNNEL_MONEY) >= FUNNEL_MONEY_MAX)
            return false;
        append_fact(invoice, text.ptr, text.len);
        return true;
    case FUNNEL_SENT:
        break;
    }
    return false;
}

static bool same_month(int64_t a_s, int64_t b_s)
{
    struct civil a, b;

    civil_from_s(a_s, &a);
    civil_from_s(b_s, &b);
    return a.year == b.year && a.month == b.month;
}

bool funnel_is_mailed(struct slice facts, uint16_t campaign, int64_t sent_s)
{
    struct funnel_fact fact;
    size_t at = 0;

    while (funnel_next_fact(facts, &at, &fact)) {
        if ((fact.type == FUNNEL_SENT || fact.type == FUNNEL_CLICK) && fact.campaign == campaign &&
            same_month(fact.sent_s, sent_s))
            return true;
    }
    return false;
}

/* --- the sums --- */

struct payment {
    struct funnel_fact fact;
    uint32_t currency; /* three letters; 0: no amount was told */
    int64_t taken;     /* back, of the amount */
};

/* Campaigns and kinds that an invoice was counted in. */
struct seen {
    unsigned n;
    uint32_t names[2 * FUNNEL_CLICKS_MAX];
};

struct scale {
    struct funnel_fact clicks[FUNNEL_CLICKS_MAX];
    unsigned n_clicks;
    struct payment money[FUNNEL_MONEY_MAX]; /* in the order of time */
    unsigned n_money;
    struct payment *live[FUNNEL_MONEY_MAX]; /* payments that still count */
    unsigned n_live;
    int64_t window_s;
    int sign;
    struct funnel_sum *sums;
    size_t n;
};

static uint32_t hour_of(int64_t time_s)
{
    return (uint32_t)((time_s - TOKEN_EPOCH_S) / 3600);
}

static void add(struct scale *scale, struct funnel_sum sum, int64_t n)
{
    sum.count = n * scale->sign;
    scale->sums[scale->n++] = sum;
}

/* Once by no kind in particular, and once by its own: an invoice of which two kinds of links were
 * clicked is one invoice. */
static void add_once(struct scale *scale, struct seen *seen, const struct funnel_fact *click,
                     enum funnel_metric metric, enum funnel_metric delay_metric, int64_t delay_s)
{
    struct funnel_sum sum = {.hour = hour_of(click->sent_s),
                             .campaign = click->campaign,
                             .variant = click->variant,
                             .channel = click->channel};

    for (unsigned own = 0; own < 2; own++) {
        uint32_t name = (uint32_t)click->campaign << 4 | (own ? click->kind : 0);
        unsigned i = 0;

        while (i < seen->n && seen->names[i] != name)
            i++;
        if (i < seen->n)
            continue;
        seen->names[seen->n++] = name;
        sum.kind = own ? click->kind : 0;
        sum.metric = (uint8_t)metric;
        sum.value = 0;
        add(scale, sum, 1);
        sum.metric = (uint8_t)delay_metric;
        sum.value = funnel_delay(delay_s);
        add(scale, sum, 1);
    }
}

/* Counts what became of a payment, and its money; returns what was not taken back of it. */
static int64_t settle(struct scale *scale, struct payment *payment, enum funnel_outcome outcome)
{
    struct funnel_sum sum = {.hour = hour_of(payment->fact.time_s),
                             .metric = (uint8_t)(FUNNEL_N_OUTCOME + outcome)};
    int64_t rest;

    if (outcome == FUNNEL_TAKEN_BACK)
        payment->taken = payment->fact.amount;
    rest = payment->fact.amount - payment->taken;
    add(scale, sum, 1);
    sum.value = payment->currency;
    sum.metric = FUNNEL_OUTCOME_AMOUNT + FUNNEL_TAKEN_BACK;
    if (payment->taken > 0)
        add(scale, sum, payment->taken);
    sum.metric = (uint8_t)(FUNNEL_OUTCOME_AMOUNT + outcome);
    if (rest > 0)
        add(scale, sum, rest);
    return rest;
}

static void settle_live(struct scale *scale, unsigned at, enum funnel_outcome outcome)
{
    settle(scale, scale->live[at], outcome);
    scale->n_live--;
    memmove(scale->live + at, scale->live + at + 1, (scale->n_live - at) * sizeof(scale->live[0]));
}

/* Takes back what an unpaid, refund or credit note says, the latest payment first.  Without an
 * amount, or of a payment without one, all of it. */
static void take_back(struct scale *scale, const struct payment *event)
{
    bool is_all = event->currency == 0 || event->fact.event == EVENT_UNPAID;
    int64_t left = event->fact.amount;

    for (unsigned i = scale->n_live; i-- > 0;) {
        struct payment *payment = scale->live[i];
        int64_t rest = payment->fact.amount - payment->taken;

        if (is_all || payment->currency == 0) {
            settle_live(scale, i, FUNNEL_TAKEN_BACK);
            if (!is_all)
                return;
        } else if (payment->currency == event->currency) {
            int64_t part = left < rest ? left : rest;

            payment->taken += part;
            left -= part;
            if (part == rest)
                settle_live(scale, i, FUNNEL_TAKEN_BACK);
            if (left == 0)
                return;
        }
    }
}

/* A paid takes the place of a paid before it. */
static void take_payment(struct scale *scale, struct payment *payment)
{
    for (unsigned i = scale->n_live; i-- > 0;) {
        if (payment->fact.event == EVENT_PAID && scale->live[i]->fact.event == EVENT_PAID)
            settle_live(scale, i, FUNNEL_REPLACED);
    }
    scale->live[scale->n_live++] = payment;
}

/* The click that earns the payment; NULL, and `*outcome` says why there is none. */
static const struct funnel_fact *
find_earner(const struct scale *scale, const struct payment *payment, enum funnel_outcome *outcome)
{
    const struct funnel_fact *last = NULL;

    for (unsigned i = 0; i < scale->n_clicks; i++) {
        if (scale->clicks[i].time_s <= payment->fact.time_s)
            last = &scale->clicks[i];
    }
    *outcome = FUNNEL_CREDITED;
    if (payment->fact.is_opted_out)
        *outcome = FUNNEL_OPTED_OUT;
    else if (!last)
        *outcome = scale->n_clicks == 0 ? FUNNEL_NO_CLICK : FUNNEL_BEFORE_CLICK;
    else if (payment->fact.time_s - last->time_s > scale->window_s)
        *outcome = FUNNEL_TOO_LATE;
    return *outcome == FUNNEL_CREDITED ? last : NULL;
}

static void weigh_money(struct scale *scale)
{
    struct seen seen = {.n = 0};

    for (unsigned i = 0; i < scale->n_money; i++) {
        enum event_type event = scale->money[i].fact.event;

        if (event == EVENT_PAID || event == EVENT_PARTLY_PAID)
            take_payment(scale, &scale->money[i]);
        else
            take_back(scale, &scale->money[i]);
    }
    for (unsigned i = 0; i < scale->n_live; i++) {
        struct payment *payment = scale->live[i];
        enum funnel_outcome outcome;
        const struct funnel_fact *click = find_earner(scale, payment, &outcome);
        int64_t rest = settle(scale, payment, outcome);

        if (!click)
            continue;
        add_once(scale, &seen, click, FUNNEL_N_PAID, FUNNEL_PAY_DELAY,
                 payment->fact.time_s - click->time_s);
        if (rest > 0)
            add(scale,
                (struct funnel_sum){.hour = hour_of(click->sent_s),
                                    .campaign = click->campaign,
                                    .metric = FUNNEL_AMOUNT,
                                    .kind = click->kind,
                                    .variant = click->variant,
                                    .channel = click->channel,
                                    .value = payment->currency},
                rest);
    }
}

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Clicks of one second are in the order of what they say, so that it is the same everywhere. */
static int by_click(const void *left, const void *right)
{
    const struct funnel_fact *a = left, *b = right;
    int order = compare(a->time_s, b->time_s);

    if (order == 0)
        order = compare(a->campaign, b->campaign);
    if (order == 0)
        order = compare(a->kind, b->kind);
    if (order == 0)
        order = compare(a->variant << 3 | a->channel, b->variant << 3 | b->channel);
    return order ? order : compare(a->sent_s, b->sent_s);
}

static int by_event(const void *left, const void *right)
{
    const struct payment *a = left, *b = right;
    int order = compare(a->fact.time_s, b->fact.time_s);

    if (order == 0)
        order = compare(funnel_rank(a->fact.event), funnel_rank(b->fact.event));
    if (order == 0)
        order = compare(a->currency, b->currency);
    return order ? order : compare(a->fact.amount, b->fact.amount);
}

static size_t weigh(struct slice facts, int64_t window_s, int sign, struct funnel_sum *out)
{
    struct scale scale; /* not set to zeros: it is large, and mostly stays empty */
    struct seen seen = {.n = 0};
    struct funnel_fact fact;
    size_t at = 0;

    scale.window_s = window_s;
    scale.sign = sign;
    scale.sums = out;
    scale.n = 0;
    scale.n_clicks = scale.n_money = scale.n_live = 0;
    while (funnel_next_fact(facts, &at, &fact)) {
        if (fact.type == FUNNEL_CLICK && !fact.is_taken_back &&
            scale.n_clicks < FUNNEL_CLICKS_MAX) {
            scale.clicks[scale.n_clicks++] = fact;
        } else if (fact.type == FUNNEL_MONEY && scale.n_money < FUNNEL_MONEY_MAX) {
            scale.money[scale.n_money++] = (struct payment){
                .fact = fact, .currency = be24_load((const uint8_t *)fact.currency)};
        }
    }
    if (scale.n_clicks > 1)
        qsort(scale.clicks, scale.n_clicks, sizeof(scale.clicks[0]), by_click);
    for (unsigned i = 0; i < scale.n_clicks; i++)
        add_once(&scale, &seen, &scale.clicks[i], FUNNEL_N_CLICKED, FUNNEL_CLICK_DELAY,
                 scale.clicks[i].time_s - scale.clicks[i].sent_s);
    if (scale.n_money > 0) {
        qsort(scale.money, scale.n_money, sizeof(scale.money[0]), by_event);
        weigh_money(&scale);
    }
    return scale.n;
}

size_t funnel_weigh(struct slice facts, int64_t window_s, int sign,
                    struct funnel_sum out[static FUNNEL_SUMS_MAX])
{
    return facts.len > 0 ? weigh(facts, window_s, sign, out) : 0;
}
