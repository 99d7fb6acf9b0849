#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjose/cjose.h>
#include <cmocka.h>
#include <sodium.h>

#include "service/admin/id_token.h"
#include "service/base/error.h"

enum { NOW_S = 1800000000 };

static const struct id_token_expected expected = {
    .issuer = "https://id.example", .client_id = "hopcount", .nonce = "n", .now_s = NOW_S};

struct keys {
    cjose_jwk_t *rsa, *ec, *short_rsa, *secret;
    json_t *set; /* of what the provider publishes */
};

/* The public half, with a name. */
static json_t *public_half(cjose_jwk_t *jwk, const char *kid)
{
    char *text = cjose_jwk_to_json(jwk, false, NULL);
    json_t *json = json_loads(text, 0, NULL);

    json_object_set_new(json, "kid", json_string(kid));
    cjose_get_dealloc()(text);
    return json;
}

static int set_up(void **state)
{
    static struct keys keys;
    static const uint8_t e[] = {1, 0, 1}, secret[32] = {1};

    keys.rsa = cjose_jwk_create_RSA_random(2048, e, sizeof(e), NULL);
    keys.short_rsa = cjose_jwk_create_RSA_random(1024, e, sizeof(e), NULL);
    keys.ec = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    keys.secret = cjose_jwk_create_oct_spec(secret, sizeof(secret), NULL);
    keys.set = json_pack("{s[ooos]}", "keys", public_half(keys.rsa, "r"), public_half(keys.ec, "e"),
                         public_half(keys.short_rsa, "short"), "no key");
    *state = &keys;
    return keys.rsa && keys.short_rsa && keys.ec && keys.secret && keys.set ? 0 : -1;
}

static int tear_down(void **state)
{
    struct keys *keys = *state;

    cjose_jwk_release(keys->rsa);
    cjose_jwk_release(keys->short_rsa);
    cjose_jwk_release(keys->ec);
    cjose_jwk_release(keys->secret);
    json_decref(keys->set);
    return 0;
}

/* A token, to be freed by the caller; `kid` NULL: it names no key. */
static char *sign(cjose_jwk_t *jwk, const char *alg, const char *kid, const char *claims)
{
    cjose_header_t *header = cjose_header_new(NULL);
    const char *text;
    cjose_jws_t *jws;
    char *copy;

    assert_true(cjose_header_set(header, CJOSE_HDR_ALG, alg, NULL));
    if (kid)
        assert_true(cjose_header_set(header, CJOSE_HDR_KID, kid, NULL));
    jws = cjose_jws_sign(jwk, header, (const uint8_t *)claims, strlen(claims), NULL);
    assert_non_null(jws);
    assert_true(cjose_jws_export(jws, &text, NULL));
    copy = strdup(text);
    cjose_jws_release(jws);
    cjose_header_release(header);
    return copy;
}

#define CLAIMS(more)                                                                      \
    "{\"iss\":\"https://id.example\",\"aud\":\"hopcount\",\"sub\":\"1\",\"nonce\":\"n\"," \
    "\"exp\":1800000001,\"iat\":1800000000" more "}"

static enum id_token_status open_text(const struct keys *keys, struct slice text, struct error *err)
{
    json_t *claims = NULL;
    enum id_token_status status = id_token_open(text, keys->set, &expected, &claims, err);

    assert_int_equal(claims != NULL, status == ID_TOKEN_OK);
    json_decref(claims);
    return status;
}

static void only_the_keys_of_the_provider_count(void **state)
{
    const struct keys *keys = *state;
    const struct {
        const char *name;
        cjose_jwk_t *key;
        const char *alg, *kid;
        enum id_token_status want;
    } cases[] = {
        {"RS256", keys->rsa, "RS256", "r", ID_TOKEN_OK},
        {"ES256", keys->ec, "ES256", "e", ID_TOKEN_OK},
        {"RS256, of no name", keys->rsa, "RS256", NULL, ID_TOKEN_OK},
        {"ES256, of no name", keys->ec, "ES256", NULL, ID_TOKEN_OK},
        {"a key that is not there", keys->rsa, "RS256", "x", ID_TOKEN_UNKNOWN_KEY},
        {"the name of a key of another kind", keys->rsa, "RS256", "e", ID_TOKEN_UNKNOWN_KEY},
        {"a key that is too short", keys->short_rsa, "RS256", "short", ID_TOKEN_UNKNOWN_KEY},
        {"another key under that name", keys->short_rsa, "RS256", "r", ID_TOKEN_REFUSED},
        {"another hash", keys->rsa, "RS512", "r", ID_TOKEN_REFUSED},
        {"another padding", keys->rsa, "PS256", "r", ID_TOKEN_REFUSED},
        {"a secret", keys->secret, "HS256", "r", ID_TOKEN_REFUSED},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = sign(cases[i].key, cases[i].alg, cases[i].kid, CLAIMS(""));
        struct error err = {0};

        print_message("%s\n", cases[i].name);
        assert_int_equal(open_text(keys, slice_of(text), &err), cases[i].want);
        free(text);
    }
}

static void claims_must_be_for_us_and_of_now(void **state)
{
    static const struct {
        const char *claims;
        bool want;
    } cases[] = {
        {CLAIMS(""), true},
        {CLAIMS(",\"azp\":\"hopcount\""), true},
        {CLAIMS(",\"azp\":\"other\""), false},
        {CLAIMS(",\"nbf\":1800000060"), true},
        {CLAIMS(",\"nbf\":1800000061"), false},
        {CLAIMS(",\"nbf\":\"x\""), false},
        {CLAIMS(",\"iss\":\"https://id.example\""), false}, /* twice */
        {"[]", false},
        {"{}", false},
        {"no JSON", false},
        {"{\"iss\":\"https://id.example\",\"aud\":\"hopcount\",\"sub\":\"1\",\"nonce\":\"n\","
         "\"exp\":1799999941,\"iat\":1800000060}",
         true},
        {"{\"iss\":\"https://id.example\",\"aud\":\"hopcount\",\"sub\":\"1\",\"nonce\":\"n\","
         "\"exp\":1799999940,\"iat\":1800000000}",
         false},
        {"{\"iss\":\"https://id.example\",\"aud\":\"hopcount\",\"sub\":\"1\",\"nonce\":\"n\","
         "\"exp\":1800000001,\"iat\":1800000061}",
         false},
        {"{\"iss\":\"https://id.example\",\"aud\":\"hopcount\",\"sub\":\"1\",\"nonce\":\"n\","
         "\"exp\":1e300,\"iat\":1800000000}",
         false},
        {"{\"iss\":\"https://"
         "id.example\",\"aud\":\"hopcount\\u0000\",\"sub\":\"1\",\"nonce\":\"n\","
         "\"exp\":1800000001,\"iat\":1800000000}",
         false},
        {"{\"iss\":\"https://id.example/\",\"aud\":\"hopcount\",\"sub\":\"1\",\"nonce\":\"n\","
         "\"exp\":1800000001,\"iat\":1800000000}",
         false},
        {"{\"iss\":\"https://id.example\",\"aud\":[\"a\",\"hopcount\"],\"sub\":\"1\","
         "\"nonce\":\"n\",\"exp\":1800000001,\"iat\":1800000000}",
         false},
        {"{\"iss\":\"https://id.example\",\"aud\":[],\"azp\":\"hopcount\",\"sub\":\"1\","
         "\"nonce\":\"n\",\"exp\":1800000001,\"iat\":1800000000}",
         false},
        {"{\"iss\":\"https://id.example\",\"aud\":\"hopcount\",\"sub\":\"\",\"nonce\":\"n\","
         "\"exp\":1800000001,\"iat\":1800000000}",
         false},
    };
    const struct keys *keys = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = sign(keys->ec, "ES256", "e", cases[i].claims);
        struct error err = {0};

        print_message("%s\n", cases[i].claims);
        assert_int_equal(open_text(keys, slice_of(text), &err),
                         cases[i].want ? ID_TOKEN_OK : ID_TOKEN_REFUSED);
        assert_int_equal(err.text[0] == '\0', cases[i].want);
        free(text);
    }
}

/* Cut anywhere, with any byte changed, and with what isn't base64 behind it. */
static void only_the_whole_token_opens(void **state)
{
    const struct keys *keys = *state;
    char *text = sign(keys->ec, "ES256", "e", CLAIMS(""));
    size_t len = strlen(text);
    char *changed = malloc(len + 2);
    struct error err = {0};

    assert_int_equal(open_text(keys, slice_make(text, len), &err), ID_TOKEN_OK);
    for (size_t i = 0; i < len; i++) {
        assert_int_not_equal(open_text(keys, slice_make(text, i), &err), ID_TOKEN_OK);
        memcpy(changed, text, len);
        changed[i] = text[i] == 'A' ? 'Q' : 'A';
        assert_int_not_equal(open_text(keys, slice_make(changed, len), &err), ID_TOKEN_OK);
    }
    memcpy(changed, text, len);
    changed[len] = '.';
    assert_int_not_equal(open_text(keys, slice_make(changed, len + 1), &err), ID_TOKEN_OK);
    free(changed);
    free(text);
}

/* libcjose 0.6 ends the process on a `=` inside of a part. */
static void what_is_no_base64url_reaches_no_library(void **state)
{
    const struct keys *keys = *state;
    char *text = sign(keys->ec, "ES256", "e", CLAIMS(""));
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        static const char bytes[] = "=+/. \n\x80";

        for (size_t k = 0; k < sizeof(bytes); k++) {
            struct error err = {0};
            char own = text[i];

            text[i] = bytes[k]; /* and a NUL */
            assert_int_equal(open_text(keys, slice_make(text, len), &err),
                             own == bytes[k] ? ID_TOKEN_OK : ID_TOKEN_REFUSED);
            text[i] = own;
        }
    }
    free(text);
}

#define XY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void a_set_of_keys_can_be_of_use_or_not(void **state)
{
    static const struct {
        const char *set;
        bool want;
    } cases[] = {
        {"{}", false},
        {"[]", false},
        {"{\"keys\":{}}", false},
        {"{\"keys\":[]}", false},
        {"{\"keys\":[7,{},{\"kty\":7},{\"kty\":\"oct\",\"k\":\"AA\"}]}", false},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\"}]}", false},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" XY "\",\"y\":\"" XY
         "\",\"use\":\"enc\"}]}",
         false},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" XY "\",\"y\":\"" XY
         "\",\"alg\":\"ES512\"}]}",
         false},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\"}]}", false},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" XY "\",\"y\":\"" XY "A\"}]}",
         false},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" XY "\",\"y\":\"=" XY "\"}]}",
         false},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" XY "\",\"y\":\"" XY "\"}]}", true},
    };
    const struct keys *keys = *state;

    assert_true(id_token_can_use(keys->set));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *set = json_loads(cases[i].set, 0, NULL);

        print_message("%s\n", cases[i].set);
        assert_int_equal(id_token_can_use(set), cases[i].want);
        json_decref(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_keys_of_the_provider_count),
        cmocka_unit_test(claims_must_be_for_us_and_of_now),
        cmocka_unit_test(only_the_whole_token_opens),
        cmocka_unit_test(what_is_no_base64url_reaches_no_library),
        cmocka_unit_test(a_set_of_keys_can_be_of_use_or_not),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
