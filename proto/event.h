/* event.h - events that other programs send: the state of an invoice, an opt-out from tracking, a
 * revocation (FORMATS.md "Event").
 *
 * An event travels through the click log as a record of its own type, so that it is applied exactly
 * once like a click.  Pure: no I/O, no clock, no allocation. */
#ifndef PROTO_EVENT_H
#define PROTO_EVENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"
#include "proto/slice.h"
#include "proto/state.h"

struct token;

/* The numbers are stored in records: never change one, only add; 1…15. */
enum event_type {
    EVENT_PAID = 1,    /* value: 1 = the client must not be tracked */
    EVENT_PARTLY_PAID, /* the same */
    EVENT_UNPAID,
    EVENT_CANCELLED,
    EVENT_REFUNDED,
    EVENT_CREDITED,
    EVENT_REPLACED,  /* value: the number of the new object */
    EVENT_MAIL_SENT, /* value: how many mails */
    EVENT_OPTED_OUT, /* value: version of the text that the client agreed to; 0 = none */
    EVENT_OPTED_IN,  /* the same */
    EVENT_REVOKED,   /* value: links issued before this minute since TOKEN_EPOCH_S are revoked */
    EVENT_UNREVOKED, /* withdraws a revocation */
    EVENT_RENEWAL_REQUESTED, /* a person with an expired link asks for a new one; value: its kind */
    EVENT_USED, /* a one-time link was used up; id: the view that used it; value: the link's kind */
    EVENT_ERASED, /* `hopcount erase`: sinks are to forget the client up to then; Redis gets nothing
                   */
    EVENT_TYPES
};

/* What a revocation covers. */
enum event_scope {
    EVENT_SCOPE_LINK,
    EVENT_SCOPE_OBJECT,
    EVENT_SCOPE_CLIENT,
    EVENT_SCOPE_CAMPAIGN,
    EVENT_SCOPES
};

enum { EVENT_ID_MAX = 64, EVENT_CURRENCY_LEN = 3 };

/* Amounts up to this are exact in a double, so every JSON parser reads them correctly. */
#define EVENT_AMOUNT_MAX INT64_C(9007199254740991)

struct event {
    enum event_type type;
    int64_t at_ms; /* Unix: when it happened */
    uint64_t id; /* event_id_hash(); events with the same id, type and subject are the same event */
    uint32_t brand;  /* click_brand_id() */
    uint32_t object; /* 0 = none; also in the fields below */
    uint32_t client;
    uint64_t link_id; /* of a revocation or renewal of one link */
    uint16_t campaign;
    uint8_t channel, variant;
    enum event_scope scope; /* of REVOKED, UNREVOKED */
    uint32_t value;         /* see enum event_type */
    int64_t amount;         /* minor units of the currency; of REVOKED: who, event_id_hash() */
    char currency[EVENT_CURRENCY_LEN]; /* ISO 4217, upper case; NULs = none */
};

/* "invoice.paid", "mail.sent", "client.opted_out" … */
const char *event_type_name(enum event_type type);
/* The type of that name, or 0. */
unsigned event_type_find(struct slice name);
/* "link", "object", "client", "campaign"; the scope of such a text, or -1. */
const char *event_scope_name(enum event_scope scope);
int event_scope_find(struct slice name);

/* 40 bits of BLAKE2b of an event's id as its sender wrote it. */
uint64_t event_id_hash(struct slice id);

/* An event of the link's token and of all that it names; time, id and value are the caller's to
 * set, and zero. */
struct event event_of_token(enum event_type type, uint32_t brand, const struct token *token);

void event_to_record(const struct event *event, struct click *out);
/* `record` is of CLICK_TYPE_EVENT.  False: of a type that this version does not know. */
MUST_USE bool event_from_record(const struct click *record, struct event *out);

/* The entries that the event adds to the state table; returns how many, 0 if it changes nothing
 * there. */
enum { EVENT_ENTRIES_MAX = 2 };
unsigned event_entries(const struct event *event, struct state_entry out[static EVENT_ENTRIES_MAX]);

/* The number of the state table, 0…COUNTER_BUCKETS - 1, that holds the event's entries: that of its
 * subject.  What is kept of the object (funnel.h) is in the same shard. */
unsigned event_bucket(const struct event *event);

/* Whether the billing system is to be told of it: what clients ask for on our pages. */
bool event_is_told(enum event_type type);

/* Whether it is kept for some time in a stream of its shard: what is told, and the use of a link by
 * a client, for the client's timeline. */
bool event_is_kept(const struct event *event);

/* The event as it stands in those streams (FORMATS.md "Told"). */
enum { EVENT_TOLD_LEN = 40 };
void event_told_put(uint8_t out[static EVENT_TOLD_LEN], const struct event *event);
/* False: not of this format, or of a type that this version does not know. */
MUST_USE bool event_told_get(struct slice in, struct event *out);

/* The event's name in Redis while repetitions of it are ignored: a hash of id, type and subject. */
uint64_t event_key(const struct event *event);

#endif
