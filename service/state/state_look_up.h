/* state_look_up.h - what the state table says of one link, for the reply to a click. */
#ifndef STATE_STATE_LOOK_UP_H
#define STATE_STATE_LOOK_UP_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/state.h"
#include "service/state/state_table.h"

struct token;

/* All zero if no event was about the link. */
struct state_of_link {
    bool is_revoked;   /* the link was, or its object, client or campaign for links of its age */
    bool is_used;      /* a one-time link was used up, or the API used a login link up */
    bool is_opted_out; /* the client must not be tracked */
    uint8_t object;    /* enum state_object: of the object, or of the newest that replaced it */
    uint32_t newest;   /* the newest object that replaced the link's object; 0 = none did */
    uint32_t uses;     /* clicks by people, if the link's limit was reached; else 0 */
};

/*
 * Looks up the link of `token` of the brand with the number `brand`.  `is_of_invoices`: the token's
 * object is an invoice, so events of invoices and revocations of objects are about it; otherwise
 * its number is that of something else.  Takes no lock; costs nothing while the table is empty.
 */
void state_look_up(const struct state_table *table, uint32_t brand, const struct token *token,
                   bool is_of_invoices, struct state_of_link *out);

/* The same in two steps.  With millions of entries most of a look-up is a wait for memory: what the
 * caller does between the steps costs nothing then. */
enum { STATE_LOOKS_MAX = 8 };
struct state_looks {
    const struct token *token; /* borrowed */
    uint32_t brand;
    bool is_empty;
    struct state_spot spots[STATE_LOOKS_MAX];
};
void state_look_up_begin(const struct state_table *table, uint32_t brand, const struct token *token,
                         bool is_of_invoices, struct state_looks *looks);
void state_look_up_end(const struct state_table *table, const struct state_looks *looks,
                       struct state_of_link *out);

#endif
