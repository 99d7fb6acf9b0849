/* state_look_up.h - what the state table says of one link, for the answer to a click. */
#ifndef STATE_STATE_LOOK_UP_H
#define STATE_STATE_LOOK_UP_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/state.h"
#include "service/state/state_table.h"

struct token;

/* All zero when nothing was said. */
struct state_of_link {
    bool is_revoked;   /* the link, or its object, client or campaign, for links as old as it */
    bool is_used;      /* a one-time link was used up, or a login link was by the API */
    bool is_opted_out; /* the client must not be tracked */
    uint8_t object;    /* enum state_object: of the object; if that was replaced, of the newest */
    uint32_t newest;   /* the object that has replaced the link's, maybe over several; 0 = none */
    uint32_t uses;     /* clicks by people on a link with a limit, once that was reached; else 0 */
};

/*
 * Looks up the link of `token` of the brand of that number.  `is_of_invoices`: events of invoices
 * and revocations of objects are about the token's object; else it is something else with a number.
 * Without a lock; costs nothing while the table is empty.
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
