#include "service/config/keys.h"

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "service/base/error.h"
#include "service/config/linefile.h"

/* Writing to others of the group, anything to the world. */
enum { FORBIDDEN_MODE = 0026 };

static const struct {
    const char *name;
    enum token_key_state state;
} states[] = {
    {"mint", TOKEN_KEY_MINT},
    {"verify", TOKEN_KEY_VERIFY},
    {"revoked", TOKEN_KEY_REVOKED},
};

static enum token_key_state find_state(struct slice name)
{
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (slice_equal(name, slice_of(states[i].name)))
            return states[i].state;
    }
    return TOKEN_KEY_ABSENT;
}

/* 1…255 in plain decimal, or 0. */
static uint8_t parse_kid(struct slice text)
{
    unsigned kid = 0;

    if (text.len == 0 || text.len > 3 || text.ptr[0] == '0')
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return 0;
        kid = kid * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return kid <= 255 ? (uint8_t)kid : 0;
}

/* The text of a bad field may be a key that has slipped: it is never repeated. */
static bool add_line(struct token_keyring *ring, const struct linefile_line *line, const char *path,
                     struct error *err)
{
    uint8_t secret[TOKEN_KEY_LEN];
    enum token_key_state state;
    uint8_t kid;
    size_t len;
    bool ok = false;

    if (line->n_fields != 3) {
        error_set(err, "%s:%u: a line has three fields: kid, state, hex-key", path, line->number);
    } else if ((kid = parse_kid(line->field[0])) == 0) {
        error_set(err, "%s:%u: the kid is not a number from 1 to 255", path, line->number);
    } else if ((state = find_state(line->field[1])) == TOKEN_KEY_ABSENT) {
        error_set(err, "%s:%u: the state of key %u is not mint, verify or revoked", path,
                  line->number, kid);
    } else if (line->field[2].len != 2 * sizeof(secret) ||
               sodium_hex2bin(secret, sizeof(secret), line->field[2].ptr, line->field[2].len, NULL,
                              &len, NULL) != 0 ||
               len != sizeof(secret)) {
        error_set(err,
                  "%s:%u: key %u is not of %zu hexadecimal digits; make one with: hopcount "
                  "keygen",
                  path, line->number, kid, 2 * sizeof(secret));
    } else if (ring->state[kid] != TOKEN_KEY_ABSENT) {
        error_set(err, "%s:%u: key %u is there already: give each key a kid of its own", path,
                  line->number, kid);
    } else if (state == TOKEN_KEY_MINT && ring->mint_kid != 0) {
        error_set(err,
                  "%s:%u: key %u is in state mint, and so is key %u: set one of them to verify",
                  path, line->number, kid, ring->mint_kid);
    } else {
        token_keyring_set(ring, kid, state, secret);
        ok = true;
    }
    sodium_memzero(secret, sizeof(secret));
    return ok;
}

struct token_keyring *keys_load(const char *path, struct error *err)
{
    struct linefile *file = linefile_load(path, FORBIDDEN_MODE, err);
    struct token_keyring *ring = NULL;
    struct linefile_line line;
    unsigned n_keys = 0;
    bool ok = false;

    if (!file)
        goto out;
    if (!(ring = sodium_malloc(sizeof(*ring)))) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    token_keyring_init(ring);
    while (linefile_next(file, &line)) {
        if (!add_line(ring, &line, path, err))
            goto out;
        n_keys++;
    }
    if (n_keys == 0) {
        error_set(err, "%s: holds no key; make one with: hopcount keygen >>%s", path, path);
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

void keys_free(struct token_keyring *ring)
{
    sodium_free(ring);
}
