#include "service/ledger/relabel.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/clicklog/clicklog.h"
#include "service/label/gateway.h"
#include "service/label/salt.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/siblings.h"
#include "service/ledger/trust.h"

enum {
    READ_MAX = 256,
    LOOK_MAX = 65536, /* clicks looked at in a turn, so that batches aren't kept waiting */
    AHEAD = 8,        /* clicks that are expected while one is looked at */
    RETRY_MS = 1000,  /* between two attempts to begin a log */
    DAY_S = 86400,
    /* Yesterday's salt serves for so long: normally until the next beat brings a new one. */
    SALT_GRACE_S = 300,
};

struct relabel {
    struct gateway *gateway;
    struct siblings *siblings;
    struct salt *salt;
    uint8_t agreed[SALT_LEN]; /* the salt that the pods agreed on; zeros = none */
    int64_t salt_day;         /* days since 1970 of the salt in use, agreed on or not */
    uint8_t origin[GATEWAY_ORIGIN_LEN];
    uint64_t n_clicks;    /* looked at: the number of the next one */
    struct clicklog *log; /* NULL until there is something to append */
    int64_t retry_ms;
    int64_t now_ms;
};

struct relabel *relabel_new(const struct ledger_options *options)
{
    struct relabel *relabel = calloc(1, sizeof(*relabel));

    if (!relabel)
        return NULL;
    randombytes_buf(relabel->origin, sizeof(relabel->origin));
    relabel->salt = options->salt;
    relabel->salt_day = clock_wall_ms() / 1000 / DAY_S;
    relabel->gateway = gateway_new(options->gateway);
    relabel->siblings = relabel->gateway ? siblings_new(relabel->origin, options->n_shards,
                                                        gateway_window_ms(relabel->gateway))
                                         : NULL;
    if (!relabel->siblings) {
        relabel_free(relabel);
        return NULL;
    }
    return relabel;
}

void relabel_free(struct relabel *relabel)
{
    if (!relabel)
        return;
    gateway_free(relabel->gateway);
    siblings_free(relabel->siblings);
    free(relabel);
}

/* --- the salt --- */

void relabel_set_salt(struct ledger *ledger, const uint8_t salt[static SALT_LEN], int64_t day)
{
    struct relabel *relabel = ledger->relabel;
    bool is_next_day = day > relabel->salt_day;

    relabel->salt_day = day;
    if (is_next_day)
        trust_rewrite_private_aof(ledger);
    if (memcmp(relabel->agreed, salt, SALT_LEN) == 0)
        return;
    memcpy(relabel->agreed, salt, SALT_LEN);
    salt_set(relabel->salt, salt);
    gateway_forget_networks(relabel->gateway); /* one would pass for two */
}

/* A day is over, and there is no new salt: Redis can't be asked.  The old one has had its time. */
static void forget_old_salt(struct relabel *relabel)
{
    int64_t now_s = clock_wall_ms() / 1000;

    if (now_s < (relabel->salt_day + 1) * DAY_S + SALT_GRACE_S)
        return;
    relabel->salt_day = now_s / DAY_S;
    memset(relabel->agreed, 0, SALT_LEN);
    salt_forget(relabel->salt);
    gateway_forget_networks(relabel->gateway);
}

/* --- appending --- */

/* Begun late: most processes of a quiet service never need it. */
static bool open_log(struct ledger *ledger)
{
    struct relabel *relabel = ledger->relabel;
    struct error err = {0};
    char quoted[LOG_QUOTE_MAX];

    if (relabel->log)
        return true;
    if (relabel->now_ms < relabel->retry_ms)
        return false;
    relabel->log = clickstore_new_relabel_log(ledger->store, &err);
    if (!relabel->log) {
        relabel->retry_ms = relabel->now_ms + RETRY_MS;
        log_warn("ledger.relabel", "err=%s", log_quote(quoted, err.text));
    }
    return relabel->log != NULL;
}

void relabel_append(struct ledger *ledger, const struct gateway_click *click)
{
    if (!open_log(ledger))
        return;
    clicklog_append(ledger->relabel->log, &click->click);
    ledger->now.relabelled[click->click.reason]++;
}

static void add(struct ledger *ledger, const struct gateway_click *click)
{
    struct relabel *relabel = ledger->relabel;
    struct gateway_click found[GATEWAY_FOUND_MAX];
    unsigned n = gateway_add(relabel->gateway, click, found);

    for (unsigned i = 0; i < n; i++) {
        if (found[i].is_shared)
            siblings_claim(relabel->siblings, &found[i], relabel->now_ms);
        else
            relabel_append(ledger, &found[i]);
    }
}

void relabel_add_sibling(struct ledger *ledger, const struct gateway_click *click)
{
    add(ledger, click);
}

/* --- looking --- */

static void look_at(struct ledger *ledger, const struct click *click)
{
    struct relabel *relabel = ledger->relabel;
    struct gateway_click own = {.click = *click, .is_own = true};

    if (!gateway_wants(click))
        return;
    own.number = relabel->n_clicks++;
    memcpy(own.origin, relabel->origin, sizeof(own.origin));
    own.is_shared = siblings_offer(relabel->siblings, &own);
    add(ledger, &own);
}

static void look_at_log(struct ledger *ledger, struct ledger_log *log)
{
    uint64_t tail = clicklog_tail(log->log), end = log->looked_to + LOOK_MAX;

    if (end > tail)
        end = tail;
    while (log->looked_to < end) {
        size_t n_clicks, max = end - log->looked_to < READ_MAX ? (size_t)(end - log->looked_to)
                                                               : (size_t)READ_MAX;
        size_t passed = clicklog_read(log->log, log->looked_to, max, ledger->clicks, &n_clicks);

        if (passed == 0)
            return;
        for (size_t i = 0; i < n_clicks; i++) {
            if (i + AHEAD < n_clicks)
                gateway_expect(ledger->relabel->gateway, &ledger->clicks[i + AHEAD]);
            look_at(ledger, &ledger->clicks[i]);
        }
        log->looked_to += passed;
        background_yield();
    }
}

void relabel_serve(struct ledger *ledger, int64_t now_ms)
{
    struct relabel *relabel = ledger->relabel;

    if (!relabel)
        return;
    relabel->now_ms = now_ms;
    for (unsigned i = 0; i < ledger->n_logs; i++) {
        struct ledger_log *log = ledger->logs[i];

        if (clicklog_is_live(log->log) && !clicklog_holds_relabels(log->log))
            look_at_log(ledger, log);
    }
    forget_old_salt(relabel);
    siblings_serve(ledger, relabel->siblings, now_ms);
}

void relabel_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                      const struct redisReply *reply)
{
    siblings_on_reply(ledger, ledger->relabel->siblings, ticket, reply);
}
