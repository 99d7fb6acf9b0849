#include "service/ledger/cause.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/ledger/ledger_private.h"
#include "service/redis/redis_cause.h"
#include "service/redis/redis_link.h"

enum { BACK_OFF_MIN_MS = 100, BACK_OFF_MAX_MS = 10000, BACK_OFF_DOUBLINGS = 7 };

/* True when it is another than before. */
static bool note(struct ledger *ledger, const char *name, const char *text, bool is_down)
{
    ledger->is_down = is_down;
    snprintf(ledger->now.last_error, sizeof(ledger->now.last_error), "%s", text);
    if (strcmp(ledger->now.cause, name) == 0)
        return false;
    snprintf(ledger->now.cause, sizeof(ledger->now.cause), "%s", name);
    return true;
}

/* Each cause has an `at` of its own: of one `at`, a second line within a second isn't written. */
void cause_set(struct ledger *ledger, const struct redis_cause *cause, const char *text,
               unsigned shard)
{
    char quoted[LOG_QUOTE_MAX];

    if (note(ledger, cause->name, text, false))
        log_warn(cause->at, "shard=%u err=%s", shard, log_quote(quoted, text));
}

void cause_set_down(struct ledger *ledger, const char *text)
{
    const char *reason = strstr(text, ": ");
    struct redis_cause cause = redis_cause_of(reason ? reason + 2 : text);
    char quoted[LOG_QUOTE_MAX];

    if (ledger->now.cause[0] && !ledger->is_down)
        return;          /* that is why we left */
    if (!cause.is_known) /* else it is as a wrong password: not the same as a server that is away */
        cause = (struct redis_cause){.name = "down", .at = "redis.down"};
    if (note(ledger, cause.name, text, true))
        log_warn(cause.at, "err=%s", log_quote(quoted, text));
}

void cause_clear(struct ledger *ledger)
{
    if (ledger->now.cause[0] == '\0')
        return;
    log_info("ledger.recovered", "cause=%s", ledger->now.cause);
    ledger->now.cause[0] = '\0';
    ledger->now.last_error[0] = '\0';
}

void shard_failed(struct ledger *ledger, unsigned shard, const char *error)
{
    struct redis_cause cause = redis_cause_of(error);
    struct shard *s = &ledger->shards[shard];
    unsigned doublings = s->n_failures < BACK_OFF_DOUBLINGS ? s->n_failures : BACK_OFF_DOUBLINGS;
    uint32_t wait_ms = (uint32_t)BACK_OFF_MIN_MS << doublings;

    if (cause.remedy == REDIS_SEND_SCRIPT) {
        s->with_script = true;
        return;
    }
    if (wait_ms > BACK_OFF_MAX_MS)
        wait_ms = BACK_OFF_MAX_MS;
    s->retry_ms = clock_mono_ms() + wait_ms / 2 + randombytes_uniform(wait_ms + 1);
    s->n_failures++;
    cause_set(ledger, &cause, error, shard);
    if (cause.remedy == REDIS_RECONNECT)
        redis_link_reconnect(ledger->link, counter_key_slice(&s->tag));
}
