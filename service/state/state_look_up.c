#include "service/state/state_look_up.h"

#include "proto/token.h"
#include "service/state/state_table.h"

enum { HOPS_MAX = 8 }; /* replacements followed from an object on; ends a circle, too */

/* What is looked up of a link. */
enum look {
    LOOK_REVOKED_LINK,
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

    return state_what(state_table_find(table, &subject));
}

/* Follows the replacements from the link's object to the newest one. */
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

enum about { ABOUT_LINK, ABOUT_OBJECT, ABOUT_CLIENT, ABOUT_CAMPAIGN, ABOUTS };

static const struct {
    enum state_type type;
    enum about about;
} looks_of[LOOKS] = {
    [LOOK_REVOKED_LINK] = {STATE_REVOKED_LINK, ABOUT_LINK},
    [LOOK_REVOKED_OBJECT] = {STATE_REVOKED_OBJECT, ABOUT_OBJECT},
    [LOOK_REVOKED_CLIENT] = {STATE_REVOKED_CLIENT, ABOUT_CLIENT},
    [LOOK_REVOKED_CAMPAIGN] = {STATE_REVOKED_CAMPAIGN, ABOUT_CAMPAIGN},
    [LOOK_OPTED_OUT] = {STATE_OPTED_OUT, ABOUT_CLIENT},
    [LOOK_OBJECT] = {STATE_OBJECT, ABOUT_OBJECT},
    [LOOK_USES] = {STATE_USES, ABOUT_LINK},
    [LOOK_USED] = {STATE_USED, ABOUT_LINK},
};

_Static_assert((int)LOOKS == (int)STATE_LOOKS_MAX, "each look has a spot");

/* A function of its own, so that state_look_up_begin() sets up none of this while the table is
 * empty. */
static __attribute__((noinline)) void begin(const struct state_table *table, uint32_t brand,
                                            bool is_of_invoices, struct state_looks *looks)
{
    const struct token *token = looks->token;
    const struct state_subject about[ABOUTS] = {
        [ABOUT_LINK] = {STATE_REVOKED_LINK, 0, token->link_id},
        [ABOUT_OBJECT] = {STATE_OBJECT, brand, is_of_invoices ? token->object : 0},
        [ABOUT_CLIENT] = {STATE_OPTED_OUT, brand, token->client},
        [ABOUT_CAMPAIGN] = {STATE_REVOKED_CAMPAIGN, brand, token->campaign},
    };
    uint64_t homes[ABOUTS];
    unsigned is_fetched = 0;

    for (unsigned i = 0; i < ABOUTS; i++)
        homes[i] = state_key_of_all(&about[i]);
    for (unsigned i = 0; i < LOOKS; i++) {
        enum about of = looks_of[i].about;
        const struct state_subject subject = {looks_of[i].type, about[of].brand, about[of].id};

        looks->spots[i] = (struct state_spot){0, homes[of]};
        if (subject.id == 0 || !state_table_has(table, subject.type))
            continue;
        if (!(is_fetched >> of & 1))
            state_table_fetch(table, homes[of]);
        is_fetched |= 1u << of;
        looks->spots[i].key = state_key(&subject);
    }
}

void state_look_up_begin(const struct state_table *table, uint32_t brand, const struct token *token,
                         bool is_of_invoices, struct state_looks *looks)
{
    looks->token = token;
    looks->brand = brand;
    looks->is_empty = state_table_count(table) == 0;
    if (!looks->is_empty)
        begin(table, brand, is_of_invoices, looks);
}

static __attribute__((noinline)) void
end(const struct state_table *table, const struct state_looks *looks, struct state_of_link *out)
{
    uint32_t what[LOOKS];

    for (unsigned i = 0; i < LOOKS; i++) {
        const struct state_spot *spot = &looks->spots[i];

        what[i] = spot->key ? state_what(state_table_find_at(table, spot)) : 0;
    }
    for (unsigned i = LOOK_REVOKED_LINK; i <= LOOK_REVOKED_CAMPAIGN; i++)
        out->is_revoked = out->is_revoked || looks->token->issued_min < what[i];
    out->is_opted_out = what[LOOK_OPTED_OUT] != 0;
    out->object = (uint8_t)what[LOOK_OBJECT];
    out->uses = what[LOOK_USES];
    out->is_used = what[LOOK_USED] != 0;
    find_newest(table, looks->brand, out, looks->token->object);
}

void state_look_up_end(const struct state_table *table, const struct state_looks *looks,
                       struct state_of_link *out)
{
    *out = (struct state_of_link){.newest = 0};
    if (!looks->is_empty)
        end(table, looks, out);
}

void state_look_up(const struct state_table *table, uint32_t brand, const struct token *token,
                   bool is_of_invoices, struct state_of_link *out)
{
    struct state_looks looks;

    state_look_up_begin(table, brand, token, is_of_invoices, &looks);
    state_look_up_end(table, &looks, out);
}
