#include "service/admin/oidc_visit.h"

#include <string.h>

#include <sodium.h>

#include "service/admin/seal.h"

/* What is sealed: version (1) | started (8), seconds, big-endian | seed (32) | view. */
enum {
    VERSION = 1,
    PLAIN_LEN = 1 + 8 + OIDC_VISIT_SEED_LEN, /* and the view */
    PLAIN_MAX = PLAIN_LEN + OIDC_VISIT_VIEW_MAX,
    AHEAD_S = 300, /* another pod's clock may be so much ahead of ours */
};

_Static_assert(SEAL_TEXT_LEN(PLAIN_MAX) <= OIDC_VISIT_TEXT_MAX,
               "a sealed visit is longer than OIDC_VISIT_TEXT_MAX");

static const char purpose[] = "hopcount oidc visit 1";

static void write_secret(const uint8_t bytes[static 32], char out[static OIDC_VISIT_SECRET_LEN + 1])
{
    sodium_bin2base64(out, OIDC_VISIT_SECRET_LEN + 1, bytes, 32,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static void make_secret(const struct oidc_visit *visit, const char *what,
                        char out[static OIDC_VISIT_SECRET_LEN + 1])
{
    uint8_t hash[32];

    crypto_generichash(hash, sizeof(hash), (const unsigned char *)what, strlen(what), visit->seed,
                       sizeof(visit->seed));
    write_secret(hash, out);
}

static void make_secrets(struct oidc_visit *visit)
{
    uint8_t hash[crypto_hash_sha256_BYTES];

    make_secret(visit, "state", visit->state);
    make_secret(visit, "nonce", visit->nonce);
    make_secret(visit, "verifier", visit->verifier);
    crypto_hash_sha256(hash, (const unsigned char *)visit->verifier, OIDC_VISIT_SECRET_LEN);
    write_secret(hash, visit->challenge);
}

/* No slash: so it is an address of the dashboard, wherever that is. */
static bool is_view(struct slice view)
{
    for (size_t i = 0; i < view.len; i++) {
        char c = slice_lower(view.ptr[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || !strchr("._~?&=%,:+-", c)))
            return false;
    }
    return view.len <= OIDC_VISIT_VIEW_MAX;
}

void oidc_visit_start(struct oidc_visit *visit, struct slice view, int64_t now_s)
{
    *visit = (struct oidc_visit){.started_s = now_s};
    if (view.ptr && is_view(view))
        memcpy(visit->view, view.ptr, view.len);
    randombytes_buf(visit->seed, sizeof(visit->seed));
    make_secrets(visit);
}

bool oidc_visit_seal(const struct oidc_visit *visit, const struct token_keyring *ring,
                     char out[static OIDC_VISIT_TEXT_MAX + 1])
{
    size_t view_len = strlen(visit->view);
    uint8_t plain[PLAIN_MAX];
    bool ok;

    plain[0] = VERSION;
    for (int i = 0; i < 8; i++)
        plain[1 + i] = (uint8_t)((uint64_t)visit->started_s >> (56 - 8 * i));
    memcpy(plain + 9, visit->seed, sizeof(visit->seed));
    memcpy(plain + PLAIN_LEN, visit->view, view_len);
    ok = seal_write(ring, purpose, plain, PLAIN_LEN + view_len, out, OIDC_VISIT_TEXT_MAX + 1);
    sodium_memzero(plain, sizeof(plain));
    return ok;
}

bool oidc_visit_open(struct oidc_visit *visit, const struct token_keyring *ring, struct slice text,
                     int64_t now_s, int64_t life_s)
{
    uint8_t plain[PLAIN_MAX];
    uint64_t started_s = 0;
    size_t len;

    if (!text.ptr || !seal_open(ring, purpose, text, plain, sizeof(plain), &len) ||
        len < PLAIN_LEN || plain[0] != VERSION)
        return false;
    for (int i = 0; i < 8; i++)
        started_s = started_s << 8 | plain[1 + i];
    *visit = (struct oidc_visit){.started_s = (int64_t)started_s};
    memcpy(visit->seed, plain + 9, sizeof(visit->seed));
    memcpy(visit->view, plain + PLAIN_LEN, len - PLAIN_LEN);
    make_secrets(visit);
    sodium_memzero(plain, sizeof(plain));
    return visit->started_s <= now_s + AHEAD_S && now_s - visit->started_s < life_s;
}

bool oidc_visit_has_state(const struct oidc_visit *visit, struct slice text)
{
    return text.len == OIDC_VISIT_SECRET_LEN &&
           sodium_memcmp(text.ptr, visit->state, OIDC_VISIT_SECRET_LEN) == 0;
}
