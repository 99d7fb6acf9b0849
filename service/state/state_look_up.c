#include "service/state/state_look_up.h"

#include "proto/token.h"
#include "service/state/state_table.h"

enum { HOPS_MAX = 8 }; /* of an object that replaces one that replaces one …; a circle ends here */

/* What is looked up of a link.  The order is that of `subjects` below. */
enum look {
    LOOK_LINK,
    LOOK_REVOKED_OBJECT,
    LOOK_REVOKED_CLIENT,
    LOOK_REVOKED_CAMPAIGN,
    LOOK_OPTED_OUT,
    LOOK_OBJECT,
    LOOK_USES,
    LOOK_USED,
    LOOKS
};

static uint32_t find(const struct state_table *table, enum state_type type, uint32_t brand,
                     uint64_t id)
{
    const struct state_subject subject = {type, brand, id};

    return state_what(state_table_find(table, state_key(&subject)));
}

/* Follows what replaced what. */
static void find_newest(const struct state_table *table, uint32_t brand, struct state_of_link *out,
                        uint32_t object)
{
    for (unsigned hop = 0; out->object == STATE_REPLACED && hop < HOPS_MAX; hop++) {
        uint32_t next = find(table, STATE_REPLACED_BY, brand, object);

        if (next == 0)
            return;
        object = out->newest = next;
        out->object = (uint8_t)find(table, STATE_OBJECT, brand, object);
    }
}

/* Apart from state_look_up(), so that a redirect doesn't prepare all this for an empty table. */
static __attribute__((noinline)) void look_up(const struct state_table *table, uint32_t brand,
                                              const struct token *token, bool is_of_invoices,
                                              struct state_of_link *out)
{
    const bool has_object = is_of_invoices && token->object != 0;
    const struct {
        struct state_subject subject;
        bool is_wanted;
    } looks[LOOKS] = {
        [LOOK_LINK] = {{STATE_REVOKED_LINK, 0, token->link_id}, true},
        [LOOK_REVOKED_OBJECT] = {{STATE_REVOKED_OBJECT, brand, token->object}, has_object},
        [LOOK_REVOKED_CLIENT] = {{STATE_REVOKED_CLIENT, brand, token->client}, token->client != 0},
        [LOOK_REVOKED_CAMPAIGN] = {{STATE_REVOKED_CAMPAIGN, brand, token->campaign},
                                   token->campaign != 0},
        [LOOK_OPTED_OUT] = {{STATE_OPTED_OUT, brand, token->client}, token->client != 0},
        [LOOK_OBJECT] = {{STATE_OBJECT, brand, token->object}, has_object},
        [LOOK_USES] = {{STATE_USES, 0, token->link_id}, true},
        [LOOK_USED] = {{STATE_USED, 0, token->link_id},
                       token->once || token->kind == TOKEN_KIND_LOGIN},
    };
    uint64_t keys[LOOKS], values[LOOKS];
    uint32_t what[LOOKS];

    for (unsigned i = 0; i < LOOKS; i++)
        keys[i] = looks[i].is_wanted && state_table_has(table, looks[i].subject.type)
                      ? state_key(&looks[i].subject)
                      : 0;
    state_table_find_all(table, keys, values, LOOKS);
    for (unsigned i = 0; i < LOOKS; i++)
        what[i] = state_what(values[i]);
    for (unsigned i = LOOK_LINK; i <= LOOK_REVOKED_CAMPAIGN; i++)
        out->is_revoked = out->is_revoked || token->issued_min < what[i];
    out->is_opted_out = what[LOOK_OPTED_OUT] != 0;
    out->object = (uint8_t)what[LOOK_OBJECT];
    out->uses = what[LOOK_USES];
    out->is_used = what[LOOK_USED] != 0;
    find_newest(table, brand, out, token->object);
}

void state_look_up(const struct state_table *table, uint32_t brand, const struct token *token,
                   bool is_of_invoices, struct state_of_link *out)
{
    *out = (struct state_of_link){.newest = 0};
    if (state_table_count(table) > 0)
        look_up(table, brand, token, is_of_invoices, out);
}
