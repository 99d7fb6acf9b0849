#include "service/config/keys.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/number.h"
#include "service/base/error.h"
#include "service/config/brandlist.h"
#include "service/config/linefile.h"

/* The group may read; others may do nothing. */
enum { FORBIDDEN_MODE = 0026 };

static const struct {
    const char *name;
    enum token_key_state state;
} states[] = {
    {"mint", TOKEN_KEY_MINT},
    {"verify", TOKEN_KEY_VERIFY},
    {"revoked", TOKEN_KEY_REVOKED},
};

/* Whether two keys are for one and the same brand. */
static bool share_brand(const char *a, const char *b)
{
    struct slice rest = slice_of(a), name;

    if (!a || !b)
        return true;
    while (slice_next_part(&rest, ',', &name)) {
        if (brandlist_has(b, name))
            return true;
    }
    return false;
}

/* Another key that mints for a brand of the key `kid`, or 0. */
static unsigned find_other_mint(const struct token_keyring *ring, const struct keys_brands *brands,
                                uint8_t kid)
{
    for (unsigned other = 1; other < KEYS_KIDS; other++) {
        if (other != kid && ring->state[other] == TOKEN_KEY_MINT &&
            share_brand(brands->list[kid], brands->list[other]))
            return other;
    }
    return 0;
}

/* Reads the last field, which may be left out. */
static bool add_brands(struct keys_brands *brands, uint8_t kid, const struct linefile_line *line,
                       const char *path, struct error *err)
{
    char list[BRANDLIST_MAX];

    brands->line[kid] = line->number;
    if (line->n_fields < 4)
        return true;
    if (!brandlist_parse(line->field[3], list, err)) {
        error_prefix(err, "%s:%u", path, line->number);
        return false;
    }
    if (!(brands->list[kid] = strdup(list)))
        error_set(err, "%s: out of memory", path);
    return brands->list[kid] != NULL;
}

/* A bad field may hold a key that slipped into it, so errors never repeat its text. */
static bool add_line(struct token_keyring *ring, struct keys_brands *brands,
                     const struct linefile_line *line, const char *path, struct error *err)
{
    uint8_t secret[TOKEN_KEY_LEN];
    enum token_key_state state = TOKEN_KEY_ABSENT;
    uint32_t number;
    uint8_t kid = 0; /* none: the file writes it in plain decimal */
    bool ok = false;

    for (size_t i = 0; line->n_fields > 1 && i < sizeof(states) / sizeof(states[0]); i++) {
        if (slice_equal(line->field[1], slice_of(states[i].name)))
            state = states[i].state;
    }
    if (line->field[0].ptr[0] != '0' && number_parse_u32(line->field[0], KEYS_KIDS - 1, &number))
        kid = (uint8_t)number;

    if (line->n_fields != 3 && line->n_fields != 4) {
        error_set(err,
                  "%s:%u: a line has three fields, kid, state and hex-key, and may have a fourth, "
                  "the brands",
                  path, line->number);
    } else if (kid == 0) {
        error_set(err, "%s:%u: the kid is not a number from 1 to 255", path, line->number);
    } else if (state == TOKEN_KEY_ABSENT) {
        error_set(err, "%s:%u: the state of key %u is not mint, verify or revoked", path,
                  line->number, kid);
    } else if (!number_parse_hex(line->field[2], secret, sizeof(secret))) {
        error_set(err,
                  "%s:%u: key %u is not of %d hexadecimal digits; make one with: hopcount keygen",
                  path, line->number, kid, 2 * TOKEN_KEY_LEN);
    } else if (ring->state[kid] != TOKEN_KEY_ABSENT) {
        error_set(err, "%s:%u: the kid %u is used twice: give each key its own kid", path,
                  line->number, kid);
    } else if (!add_brands(brands, kid, line, path, err)) {
    } else if (state == TOKEN_KEY_MINT && find_other_mint(ring, brands, kid) != 0) {
        error_set(err,
                  "%s:%u: key %u is in state mint, and so is key %u for the same brand: set one of "
                  "them to verify",
                  path, line->number, kid, find_other_mint(ring, brands, kid));
    } else {
        token_keyring_set(ring, kid, state, secret);
        ok = true;
    }
    sodium_memzero(secret, sizeof(secret));
    return ok;
}

struct token_keyring *keys_load(const char *path, struct keys_brands *brands, struct error *err)
{
    struct linefile *file = linefile_load(path, FORBIDDEN_MODE, err);
    struct token_keyring *ring = NULL;
    struct linefile_line line;
    unsigned n_keys = 0;
    bool ok = false;

    *brands = (struct keys_brands){.line = {0}};
    if (!file)
        goto out;
    if (!(ring = sodium_malloc(sizeof(*ring)))) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    token_keyring_init(ring);
    while (linefile_next(file, &line)) {
        if (!add_line(ring, brands, &line, path, err))
            goto out;
        n_keys++;
    }
    if (n_keys == 0) {
        error_set(err, "%s: holds no key; make one with: hopcount keygen --add %s", path, path);
        goto out;
    }
    ok = true;
    sodium_mprotect_readonly(ring);
out:
    linefile_free(file);
    if (!ok) {
        keys_free(ring);
        ring = NULL;
    }
    return ring;
}

void keys_brands_clear(struct keys_brands *brands)
{
    for (unsigned kid = 0; kid < KEYS_KIDS; kid++)
        free(brands->list[kid]);
    *brands = (struct keys_brands){.line = {0}};
}

void keys_free(struct token_keyring *ring)
{
    sodium_free(ring);
}
