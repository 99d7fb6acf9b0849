#include "proto/event.h"

#include <string.h>

#include <sodium.h>

#include "proto/bytes.h"
#include "proto/counter.h"
#include "proto/token.h"

static const char *const type_names[EVENT_TYPES] = {
    [EVENT_PAID] = "invoice.paid",
    [EVENT_PARTLY_PAID] = "invoice.partly_paid",
    [EVENT_UNPAID] = "invoice.unpaid",
    [EVENT_CANCELLED] = "invoice.cancelled",
    [EVENT_REFUNDED] = "invoice.refunded",
    [EVENT_CREDITED] = "invoice.credited",
    [EVENT_REPLACED] = "invoice.replaced",
    [EVENT_MAIL_SENT] = "mail.sent",
    [EVENT_OPTED_OUT] = "client.opted_out",
    [EVENT_OPTED_IN] = "client.opted_in",
    [EVENT_REVOKED] = "link.revoked",
    [EVENT_UNREVOKED] = "link.unrevoked",
    [EVENT_RENEWAL_REQUESTED] = "link.renewal_requested",
    [EVENT_USED] = "link.used",
    [EVENT_ERASED] = "client.erased",
};

static const char *const scope_names[EVENT_SCOPES] = {"link", "object", "client", "campaign"};

const char *event_type_name(enum event_type type)
{
    return type > 0 && type < EVENT_TYPES ? type_names[type] : NULL;
}

unsigned event_type_find(struct slice name)
{
    for (unsigned i = 1; i < EVENT_TYPES; i++) {
        if (slice_equal(name, slice_of(type_names[i])))
            return i;
    }
    return 0;
}

const char *event_scope_name(enum event_scope scope)
{
    return scope < EVENT_SCOPES ? scope_names[scope] : NULL;
}

int event_scope_find(struct slice name)
{
    for (int i = 0; i < EVENT_SCOPES; i++) {
        if (slice_equal(name, slice_of(scope_names[i])))
            return i;
    }
    return -1;
}

uint64_t event_id_hash(struct slice id)
{
    uint8_t hash[crypto_generichash_BYTES];

    crypto_generichash(hash, sizeof(hash), (const unsigned char *)id.ptr, id.len, NULL, 0);
    return be64_load(hash) >> 24;
}

/* The currency stands where a click has the minute of its token, the scope where it has the
 * client's network: 24 bits each are free. */
struct event event_of_token(enum event_type type, uint32_t brand, const struct token *token)
{
    return (struct event){
        .type = type,
        .brand = brand,
        .object = token->object,
        .client = token->client,
        .link_id = token->link_id,
        .campaign = token->campaign,
        .channel = token->channel,
        .variant = token->variant,
    };
}

void event_to_record(const struct event *event, struct click *out)
{
    const uint8_t *c = (const uint8_t *)event->currency;

    *out = (struct click){
        .type = CLICK_TYPE_EVENT,
        .kind = (uint8_t)event->type,
        .link_id = event->link_id,
        .time_ms = event->at_ms,
        .visitor = (uint64_t)event->amount,
        .brand = event->brand,
        .object = event->object,
        .client = event->client,
        .campaign = event->campaign,
        .variant = event->variant,
    };
    out->issued_min = (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];
    out->channel = event->channel;
    out->event_value = event->value;
    out->event_id = event->id & UINT64_C(0xffffffffff);
    if (event->type == EVENT_REVOKED || event->type == EVENT_UNREVOKED)
        out->channel = (uint8_t)event->scope;
}

bool event_from_record(const struct click *record, struct event *out)
{
    bool has_scope = record->kind == EVENT_REVOKED || record->kind == EVENT_UNREVOKED;

    if (record->kind == 0 || record->kind >= EVENT_TYPES ||
        (has_scope && record->channel >= EVENT_SCOPES))
        return false;
    *out = (struct event){
        .type = (enum event_type)record->kind,
        .at_ms = record->time_ms,
        .id = record->event_id,
        .brand = record->brand,
        .object = record->object,
        .client = record->client,
        .link_id = record->link_id,
        .campaign = record->campaign,
        .channel = has_scope ? 0 : record->channel,
        .variant = record->variant,
        .scope = has_scope ? (enum event_scope)record->channel : EVENT_SCOPE_LINK,
        .value = record->event_value,
        .amount = (int64_t)record->visitor,
        .currency = {(char)(record->issued_min >> 16), (char)(record->issued_min >> 8),
                     (char)record->issued_min},
    };
    return true;
}

static struct state_entry make_entry(const struct state_subject *subject, int64_t at_ms,
                                     uint32_t what)
{
    return (struct state_entry){state_key(subject), state_value(subject->type, at_ms, what)};
}

/* The subject of a revocation, of the type that is asked for or that its scope has. */
static struct state_subject revoked_subject(const struct event *event, enum state_type type)
{
    static const enum state_type types[EVENT_SCOPES] = {
        [EVENT_SCOPE_LINK] = STATE_REVOKED_LINK,
        [EVENT_SCOPE_OBJECT] = STATE_REVOKED_OBJECT,
        [EVENT_SCOPE_CLIENT] = STATE_REVOKED_CLIENT,
        [EVENT_SCOPE_CAMPAIGN] = STATE_REVOKED_CAMPAIGN,
    };
    const uint64_t ids[EVENT_SCOPES] = {event->link_id, event->object, event->client,
                                        event->campaign};

    return (struct state_subject){
        .type = type ? type : types[event->scope],
        .brand = event->scope == EVENT_SCOPE_LINK ? 0 : event->brand,
        .id = ids[event->scope],
    };
}

static unsigned object_entries(const struct event *event, enum state_object state,
                               struct state_entry *out)
{
    struct state_subject subject = {STATE_OBJECT, event->brand, event->object};

    if (event->object == 0)
        return 0;
    out[0] = make_entry(&subject, event->at_ms, state);
    if (state != STATE_REPLACED)
        return 1;
    subject.type = STATE_REPLACED_BY;
    out[1] = make_entry(&subject, event->at_ms, event->value);
    return 2;
}

static unsigned revoked_entries(const struct event *event, uint32_t before, struct state_entry *out)
{
    struct state_subject subject = revoked_subject(event, 0), by = subject;

    by.type = STATE_REVOKED_BY;
    by.id ^= (uint64_t)(event->scope + 1) << 60; /* four scopes, one type */
    out[0] = make_entry(&subject, event->at_ms, before);
    out[1] = make_entry(&by, event->at_ms, (uint32_t)(event->amount & UINT32_MAX));
    return 2;
}

unsigned event_entries(const struct event *event, struct state_entry out[static EVENT_ENTRIES_MAX])
{
    const struct state_subject client = {STATE_OPTED_OUT, event->brand, event->client};
    const struct state_subject link = {STATE_USED, 0, event->link_id};

    switch (event->type) {
    case EVENT_PAID:
        return object_entries(event, STATE_PAID, out);
    case EVENT_PARTLY_PAID:
        return object_entries(event, STATE_PARTLY_PAID, out);
    case EVENT_UNPAID:
        return object_entries(event, STATE_UNPAID, out);
    case EVENT_CANCELLED:
        return object_entries(event, STATE_CANCELLED, out);
    case EVENT_REFUNDED:
        return object_entries(event, STATE_REFUNDED, out);
    case EVENT_CREDITED:
        return object_entries(event, STATE_CREDITED, out);
    case EVENT_REPLACED:
        return object_entries(event, STATE_REPLACED, out);
    case EVENT_OPTED_OUT:
    case EVENT_OPTED_IN:
        out[0] = make_entry(&client, event->at_ms, event->type == EVENT_OPTED_OUT);
        return event->client != 0;
    case EVENT_REVOKED:
        return revoked_entries(event, event->value, out);
    case EVENT_UNREVOKED:
        return revoked_entries(event, 0, out);
    case EVENT_USED:
        out[0] = make_entry(&link, event->at_ms, 1);
        return 1;
    case EVENT_MAIL_SENT:
    case EVENT_RENEWAL_REQUESTED:
    case EVENT_ERASED:
    case EVENT_TYPES:
        break;
    }
    return 0;
}

unsigned event_bucket(const struct event *event)
{
    if (event->link_id != 0)
        return counter_bucket_of_link(event->link_id);
    if (event->object != 0 || event->type == EVENT_MAIL_SENT)
        return counter_bucket_of_block(event->brand, event->object / COUNTER_BLOCK);
    return counter_bucket_of_item(event->brand, event->client ? event->client : event->campaign);
}

bool event_is_told(enum event_type type)
{
    return type == EVENT_OPTED_OUT || type == EVENT_RENEWAL_REQUESTED;
}

bool event_is_kept(const struct event *event)
{
    return event_is_told(event->type) || (event->type == EVENT_USED && event->client != 0);
}

/* Type, channel, variant, zero; brand; object; client; link; campaign and two zeros; value; time.
 */
void event_told_put(uint8_t out[static EVENT_TOLD_LEN], const struct event *event)
{
    memset(out, 0, EVENT_TOLD_LEN);
    out[0] = (uint8_t)event->type;
    out[1] = event->channel;
    out[2] = event->variant;
    be32_store(out + 4, event->brand);
    be32_store(out + 8, event->object);
    be32_store(out + 12, event->client);
    be64_store(out + 16, event->link_id);
    be16_store(out + 24, event->campaign);
    be32_store(out + 28, event->value);
    be64_store(out + 32, (uint64_t)event->at_ms);
}

bool event_told_get(struct slice in, struct event *out)
{
    const uint8_t *p = (const uint8_t *)in.ptr;

    if (in.len != EVENT_TOLD_LEN || p[0] == 0 || p[0] >= EVENT_TYPES || p[1] > 7 || p[2] > 7)
        return false;
    *out = (struct event){
        .type = (enum event_type)p[0],
        .channel = p[1],
        .variant = p[2],
        .brand = be32_load(p + 4),
        .object = be32_load(p + 8),
        .client = be32_load(p + 12),
        .link_id = be64_load(p + 16),
        .campaign = be16_load(p + 24),
        .value = be32_load(p + 28),
        .at_ms = (int64_t)be64_load(p + 32),
    };
    return true;
}

uint64_t event_key(const struct event *event)
{
    static const uint8_t zero_key[crypto_shorthash_KEYBYTES];
    uint8_t bytes[32] = {0}, hash[crypto_shorthash_BYTES];

    be64_store(bytes, event->id);
    bytes[0] = (uint8_t)event->type; /* an id has 40 bits */
    be64_store(bytes + 8, event->link_id);
    be32_store(bytes + 16, event->brand);
    be32_store(bytes + 20, event->object);
    be32_store(bytes + 24, event->client);
    bytes[28] = (uint8_t)(event->campaign >> 8);
    bytes[29] = (uint8_t)event->campaign;
    bytes[30] = event->variant;
    bytes[31] = (uint8_t)event->scope;
    crypto_shorthash(hash, bytes, sizeof(bytes), zero_key);
    return be64_load(hash);
}
