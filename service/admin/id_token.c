#include "service/admin/id_token.h"

#include <stdlib.h>
#include <string.h>

#include <cjose/cjose.h>
#include <sodium.h>

#include "service/base/error.h"
#include "service/base/json_text.h"

enum { HEADER_MAX = 4096, RSA_E_MAX = 8, P256_TEXT_LEN = 43 /* of 32 bytes */ };

/* What a token's header says of how it is signed. */
struct header {
    json_t *json;
    const char *alg, *kid; /* kid NULL = it names no key */
};

/* Signatures that count.  `none` and those with a shared secret don't: a public key would do as the
 * secret, and that everybody has. */
static const struct {
    const char *alg, *kty;
} algs[] = {{"RS256", "RSA"}, {"ES256", "EC"}};

enum { N_ALGS = sizeof(algs) / sizeof(algs[0]) };

static const char *kty_of(const char *alg)
{
    for (size_t i = 0; alg && i < N_ALGS; i++) {
        if (strcmp(alg, algs[i].alg) == 0)
            return algs[i].kty;
    }
    return NULL;
}

/* --- what may reach libcjose --- */

/* Whether it is base64url without padding (RFC 7515, 2), and not empty.  libcjose 0.6 takes other
 * things too, and ends the process by an assertion on some. */
static bool is_base64url(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = slice_lower(text.ptr[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return text.len > 0 && text.len % 4 != 1;
}

/* Whether it is three parts of that. */
static bool is_compact(struct slice text)
{
    struct slice part;
    unsigned n = 0;

    if (text.len == 0 || text.ptr[text.len - 1] == '.')
        return false;
    while (slice_next_part(&text, '.', &part)) {
        if (!is_base64url(part))
            return false;
        n++;
    }
    return n == 3;
}

static bool has_base64url(const json_t *key, const char *name)
{
    return is_base64url(slice_of(json_find_text(key, name)));
}

/* --- the header --- */

static bool read_header(struct slice text, struct header *header, struct error *err)
{
    const char *dot = memchr(text.ptr, '.', text.len);
    char bytes[HEADER_MAX];
    size_t len;

    if (!is_compact(text) || !dot ||
        sodium_base642bin((unsigned char *)bytes, sizeof(bytes), text.ptr, (size_t)(dot - text.ptr),
                          NULL, &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        !(header->json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL))) {
        error_set(err, "the ID token is no JWT");
        return false;
    }
    header->alg = json_find_text(header->json, "alg");
    header->kid = json_find_text(header->json, "kid");
    if (!kty_of(header->alg)) {
        error_set(err, "the ID token is signed with something else than RS256 or ES256");
        return false;
    }
    /* What must be understood (RFC 7515, 4.1.11) is understood by nobody here. */
    if (json_object_get(header->json, "crit") || json_object_get(header->json, "b64")) {
        error_set(err, "the ID token's header asks for an extension");
        return false;
    }
    return true;
}

/* --- the keys --- */

/* Bits of an RSA key, by the length of its modulus in base64. */
static bool has_good_length(const json_t *key)
{
    const char *n = json_find_text(key, "n");
    size_t bits = n ? strlen(n) * 6 : 0;

    return bits >= ID_TOKEN_RSA_MIN && bits <= ID_TOKEN_RSA_MAX + 8 && has_base64url(key, "n") &&
           has_base64url(key, "e") && strlen(json_find_text(key, "e")) <= RSA_E_MAX;
}

static bool is_coordinate(const json_t *key, const char *name)
{
    return has_base64url(key, name) && strlen(json_find_text(key, name)) == P256_TEXT_LEN;
}

/* Whether the key may sign tokens of that kind. */
static bool is_for(const json_t *key, const char *alg)
{
    const char *kty = json_find_text(key, "kty"), *use = json_find_text(key, "use");
    const char *key_alg = json_find_text(key, "alg"), *crv = json_find_text(key, "crv");

    return kty && strcmp(kty, kty_of(alg)) == 0 && (!use || strcmp(use, "sig") == 0) &&
           (!key_alg || strcmp(key_alg, alg) == 0) &&
           (strcmp(kty, "RSA") == 0 ? has_good_length(key)
                                    : crv && strcmp(crv, "P-256") == 0 && is_coordinate(key, "x") &&
                                          is_coordinate(key, "y"));
}

bool id_token_can_use(const json_t *key_set)
{
    const json_t *keys = json_object_get(key_set, "keys"), *key;
    size_t at;

    json_array_foreach(keys, at, key)
    {
        for (size_t i = 0; i < N_ALGS; i++) {
            if (is_for(key, algs[i].alg))
                return true;
        }
    }
    return false;
}

static bool is_signed_by(cjose_jws_t *jws, const json_t *key)
{
    /* Nothing of it that isn't needed, and was looked at. */
    json_t *needed = json_pack("{ss ss* ss* ss* ss* ss*}", "kty", json_find_text(key, "kty"), "n",
                               json_find_text(key, "n"), "e", json_find_text(key, "e"), "crv",
                               json_find_text(key, "crv"), "x", json_find_text(key, "x"), "y",
                               json_find_text(key, "y"));
    char *text = needed ? json_dumps(needed, JSON_COMPACT) : NULL;
    cjose_jwk_t *jwk = text ? cjose_jwk_import(text, strlen(text), NULL) : NULL;
    bool is = jwk && cjose_jws_verify(jws, jwk, NULL);

    cjose_jwk_release(jwk);
    json_decref(needed);
    free(text);
    return is;
}

/* A token that names no key may be signed with any that there is. */
static enum id_token_status check_signature(cjose_jws_t *jws, const struct header *header,
                                            const json_t *key_set, struct error *err)
{
    const json_t *keys = json_object_get(key_set, "keys"), *key;
    bool is_known = false;
    size_t at;

    json_array_foreach(keys, at, key)
    {
        const char *kid = json_find_text(key, "kid");

        if (at >= ID_TOKEN_KEYS_MAX || !is_for(key, header->alg) ||
            (header->kid && (!kid || strcmp(kid, header->kid) != 0)))
            continue;
        is_known = true;
        if (is_signed_by(jws, key))
            return ID_TOKEN_OK;
    }
    error_set(err, is_known ? "the ID token's signature is wrong"
                            : "the provider has no key that the ID token could be signed with");
    return is_known && header->kid ? ID_TOKEN_REFUSED : ID_TOKEN_UNKNOWN_KEY;
}

/* --- the claims --- */

static bool is_text(const json_t *value, const char *text)
{
    const char *own = json_string_value(value);

    return own && strlen(own) == json_string_length(value) && strcmp(own, text) == 0;
}

/* Whether it is meant for us: the one in `aud`, or one of several, and then for us by `azp`. */
static bool is_for_us(const json_t *claims, const char *client_id)
{
    const json_t *aud = json_object_get(claims, "aud"), *azp = json_object_get(claims, "azp");
    bool is = is_text(aud, client_id);

    for (size_t i = 0; i < json_array_size(aud); i++)
        is = is || is_text(json_array_get(aud, i), client_id);
    if (azp || json_array_size(aud) > 1)
        is = is && is_text(azp, client_id);
    return is;
}

/* Seconds of a claim, which may have a fraction; INT64_MIN: it is none. */
static int64_t seconds_of(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);
    double s = json_number_value(value);

    return json_is_number(value) && s >= 0 && s < 1e15 ? (int64_t)s : INT64_MIN;
}

static bool check_claims(const json_t *claims, const struct id_token_expected *expected,
                         struct error *err)
{
    const char *nonce = json_find_text(claims, "nonce"), *sub = json_find_text(claims, "sub");
    int64_t exp_s = seconds_of(claims, "exp"), iat_s = seconds_of(claims, "iat");
    int64_t now_s = expected->now_s;
    const struct {
        bool is_wrong;
        const char *why;
    } rules[] = {
        {!json_is_object(claims), "the ID token's claims are no object"},
        {!is_text(json_object_get(claims, "iss"), expected->issuer),
         "the ID token is of another issuer"},
        {!is_for_us(claims, expected->client_id), "the ID token is for another client"},
        {!sub || !sub[0] || strlen(sub) > 255, "the ID token names nobody"},
        {exp_s == INT64_MIN || iat_s == INT64_MIN, "the ID token lacks its times"},
        {exp_s != INT64_MIN && exp_s <= now_s - ID_TOKEN_SKEW_S, "the ID token has expired"},
        {iat_s > now_s + ID_TOKEN_SKEW_S,
         "the ID token is from the future; is one of the clocks wrong?"},
        {json_object_get(claims, "nbf") && (seconds_of(claims, "nbf") == INT64_MIN ||
                                            seconds_of(claims, "nbf") > now_s + ID_TOKEN_SKEW_S),
         "the ID token isn't valid yet"},
        {!nonce || strlen(nonce) != strlen(expected->nonce) ||
             sodium_memcmp(nonce, expected->nonce, strlen(nonce)) != 0,
         "the ID token belongs to another sign-in"},
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].is_wrong) {
            error_set(err, "%s", rules[i].why);
            return false;
        }
    }
    return true;
}

enum id_token_status id_token_open(struct slice text, const json_t *key_set,
                                   const struct id_token_expected *expected, json_t **claims,
                                   struct error *err)
{
    struct header header = {.json = NULL};
    enum id_token_status status = ID_TOKEN_REFUSED;
    cjose_jws_t *jws = NULL;
    json_t *found = NULL;
    uint8_t *plain;
    size_t len;

    if (text.len > ID_TOKEN_MAX) {
        error_set(err, "the ID token is too long");
        return ID_TOKEN_REFUSED;
    }
    if (!read_header(text, &header, err))
        goto out;
    if (!(jws = cjose_jws_import(text.ptr, text.len, NULL))) {
        error_set(err, "the ID token is no JWT");
        goto out;
    }
    status = check_signature(jws, &header, key_set, err);
    if (status != ID_TOKEN_OK)
        goto out;
    status = ID_TOKEN_REFUSED;
    if (!cjose_jws_get_plaintext(jws, &plain, &len, NULL) ||
        !(found = json_loadb((const char *)plain, len, JSON_REJECT_DUPLICATES, NULL))) {
        error_set(err, "the ID token's claims are no JSON");
        goto out;
    }
    if (check_claims(found, expected, err)) {
        *claims = json_incref(found);
        status = ID_TOKEN_OK;
    }
out:
    json_decref(found);
    cjose_jws_release(jws);
    json_decref(header.json);
    return status;
}
