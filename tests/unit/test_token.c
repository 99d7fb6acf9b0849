#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>

#include "proto/base32.h"
#include "proto/token.h"

/* The vector of the design: key 00 01 … 1f, kid 1, brand acme. */
static const char GOOD[] = "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m";
static const struct slice ACME = {"acme", 4};

static const struct token DESIGN = {
    .kid = 1,
    .kind = TOKEN_KIND_PAY,
    .object = 1234,
    .client = 77,
    .campaign = 12,
    .issued_min = (1795348800 - TOKEN_EPOCH_S) / 60, /* 2026-11-22T12:00:00Z */
    .ttl_code = 9,
    .channel = 1,
};

/* Key 1 mints, 2 verifies, 3 is revoked; key n is n-1, n, … */
static int set_up(void **state)
{
    static struct token_keyring ring;

    token_keyring_init(&ring);
    for (uint8_t kid = 1; kid <= 3; kid++) {
        uint8_t key[TOKEN_KEY_LEN];

        for (uint8_t i = 0; i < TOKEN_KEY_LEN; i++)
            key[i] = (uint8_t)(kid - 1 + i);
        token_keyring_set(&ring, kid, (enum token_key_state)kid, key);
    }
    *state = &ring;
    return 0;
}

static void assert_token_equal(const struct token *a, const struct token *b)
{
    assert_int_equal(a->kid, b->kid);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->object, b->object);
    assert_int_equal(a->client, b->client);
    assert_int_equal(a->campaign, b->campaign);
    assert_int_equal(a->issued_min, b->issued_min);
    assert_int_equal(a->ttl_code, b->ttl_code);
    assert_int_equal(a->channel, b->channel);
    assert_int_equal(a->variant, b->variant);
    assert_int_equal(a->silent, b->silent);
    assert_int_equal(a->once, b->once);
    assert_int_equal(a->arg_len, b->arg_len);
    assert_memory_equal(a->arg, b->arg, a->arg_len);
}

static void test_the_vector_of_the_design(void **state)
{
    const struct token_keyring *ring = *state;
    struct token token = DESIGN, opened;
    char text[TOKEN_TEXT_MAX + 1];
    size_t len;

    assert_int_equal(token_seal(ring, ACME, &token, text, &len), TOKEN_FAULT_NONE);
    assert_string_equal(text, GOOD);
    assert_int_equal(len, TOKEN_TEXT_MIN);
    assert_int_equal(token_open(ring, ACME, slice_of(GOOD), &opened), TOKEN_OK);
    assert_token_equal(&opened, &token);
    assert_int_equal(opened.link_id, token.link_id);
}

static void test_what_opens(void **state)
{
    const struct {
        const char *name, *brand, *text;
        enum token_status want;
    } cases[] = {
        {"the token itself", "acme", "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m", TOKEN_OK},
        {"upper case", "acme", "07D8TMA8GSFRVNJTKXR4VGC4Y3MS6SMXNR2A1R4CQQ89M", TOKEN_OK},
        {"o for 0 and l for 1", "acme", "o7d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2alr4cqq89m", TOKEN_OK},
        {"O for 0 and I for 1", "acme", "O7d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2aIr4cqq89m", TOKEN_OK},
        {"a full stop after it", "acme", "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m.",
         TOKEN_OK},
        {"all the marks after it", "acme",
         "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m.,;:!?'\")>]}*_=`|\\~", TOKEN_OK},
        {"an escaped quote after it", "acme", "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m%27",
         TOKEN_OK},
        {"escapes of either case, and marks", "acme",
         "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m%22%3e%3E).%20%0D%0A", TOKEN_OK},
        {"a typographic quote after it", "acme",
         "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m%E2%80%9D", TOKEN_OK},
        {"another brand", "acmf", GOOD, TOKEN_FORGED},
        {"a longer brand", "acmea", GOOD, TOKEN_FORGED},
        {"no brand", "", GOOD, TOKEN_MALFORMED},
        {"a brand of 63 bytes", "012345678901234567890123456789012345678901234567890123456789012",
         GOOD, TOKEN_FORGED},
        {"a brand of 64 bytes", "0123456789012345678901234567890123456789012345678901234567890123",
         GOOD, TOKEN_MALFORMED},
        {"nothing", "acme", "", TOKEN_MALFORMED},
        {"a character short", "acme", "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89",
         TOKEN_MALFORMED},
        {"a character short, with a mark", "acme", "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89.",
         TOKEN_MALFORMED},
        {"the unused bit is set", "acme", "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89n",
         TOKEN_MALFORMED},
        {"a character too many", "acme", "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m0",
         TOKEN_MALFORMED},
        {"two characters too many are an argument", "acme",
         "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m00", TOKEN_FORGED},
        {"u is no digit", "acme", "u7d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m", TOKEN_MALFORMED},
        {"kid 0", "acme", "00d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m", TOKEN_UNKNOWN_KEY},
        {"a kid that is not there", "acme", "z7d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m",
         TOKEN_UNKNOWN_KEY},
        {"a revoked kid", "acme", "0fd8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m",
         TOKEN_UNKNOWN_KEY},
        {"another kid", "acme", "0bd8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m", TOKEN_FORGED},
    };
    const struct token_keyring *ring = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct token token = {.object = 99};

        print_message("%s\n", cases[i].name);
        assert_int_equal(
            token_open(ring, slice_of(cases[i].brand), slice_of(cases[i].text), &token),
            cases[i].want);
        assert_int_equal(token.object, cases[i].want == TOKEN_OK ? 1234 : 99);
    }
}

/* Each of the 224 bits counts. */
static void test_any_changed_bit_is_refused(void **state)
{
    const struct token_keyring *ring = *state;
    uint8_t bytes[28];
    size_t len, n_digits;

    assert_true(base32_decode(slice_of(GOOD), bytes, sizeof(bytes), &len, &n_digits));
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        char text[TOKEN_TEXT_MIN];
        struct token token;

        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        base32_encode(bytes, sizeof(bytes), text);
        assert_int_not_equal(token_open(ring, ACME, slice_make(text, sizeof(text)), &token),
                             TOKEN_OK);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_what_can_be_sealed(void **state)
{
    struct token t = DESIGN;
    const struct {
        const char *name;
        struct token token;
        enum token_fault want;
    } cases[] = {
        {"all limits below", {.kid = 1, .kind = 1}, TOKEN_FAULT_NONE},
        {"all limits above",
         {.kid = 2,
          .kind = 15,
          .object = UINT32_MAX,
          .client = UINT32_MAX,
          .campaign = UINT16_MAX,
          .issued_min = 0xffffff,
          .ttl_code = 15,
          .channel = 7,
          .variant = 7,
          .silent = true,
          .once = true,
          .arg_len = 48,
          .arg = "0123456789._~-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgz"},
         TOKEN_FAULT_NONE},
        {"an argument of one byte",
         {.kid = 1, .kind = 1, .arg_len = 1, .arg = "~"},
         TOKEN_FAULT_NONE},
        {"kid 0", {.kid = 0, .kind = 1}, TOKEN_FAULT_KEY},
        {"an absent kid", {.kid = 4, .kind = 1}, TOKEN_FAULT_KEY},
        {"a revoked kid", {.kid = 3, .kind = 1}, TOKEN_FAULT_KEY},
        {"kind 0", {.kid = 1, .kind = 0}, TOKEN_FAULT_KIND},
        {"kind 16", {.kid = 1, .kind = 16}, TOKEN_FAULT_KIND},
        {"ttl code 16", {.kid = 1, .kind = 1, .ttl_code = 16}, TOKEN_FAULT_TTL},
        {"a minute too late", {.kid = 1, .kind = 1, .issued_min = 0x1000000}, TOKEN_FAULT_ISSUED},
        {"channel 8", {.kid = 1, .kind = 1, .channel = 8}, TOKEN_FAULT_CHANNEL},
        {"variant 8", {.kid = 1, .kind = 1, .variant = 8}, TOKEN_FAULT_VARIANT},
        {"an argument of 49 bytes", {.kid = 1, .kind = 1, .arg_len = 49}, TOKEN_FAULT_ARG},
        {"a slash in the argument",
         {.kid = 1, .kind = 1, .arg_len = 3, .arg = "a/b"},
         TOKEN_FAULT_ARG},
        {"a blank in the argument",
         {.kid = 1, .kind = 1, .arg_len = 3, .arg = "a b"},
         TOKEN_FAULT_ARG},
        {"a NUL in the argument", {.kid = 1, .kind = 1, .arg_len = 1, .arg = ""}, TOKEN_FAULT_ARG},
        {"a byte above ASCII in the argument",
         {.kid = 1, .kind = 1, .arg_len = 1, .arg = "\xe4"},
         TOKEN_FAULT_ARG},
    };
    const struct token_keyring *ring = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[TOKEN_TEXT_MAX + 1] = "#";
        size_t len = 77;
        struct token opened;

        print_message("%s\n", cases[i].name);
        t = cases[i].token;
        assert_int_equal(token_seal(ring, ACME, &t, text, &len), cases[i].want);
        if (cases[i].want != TOKEN_FAULT_NONE) {
            assert_string_equal(text, "#");
            assert_int_equal(len, 77);
            continue;
        }
        assert_int_equal(len, strlen(text));
        assert_int_equal(token_open(ring, ACME, slice_make(text, len), &opened), TOKEN_OK);
        assert_token_equal(&opened, &t);
        assert_int_equal(opened.link_id, t.link_id);
    }
}

static void test_brands_that_can_be_sealed(void **state)
{
    char brand[TOKEN_BRAND_MAX + 1], text[TOKEN_TEXT_MAX + 1];
    const struct token_keyring *ring = *state;
    struct token token = DESIGN, opened;
    size_t text_len;

    memset(brand, 'b', sizeof(brand));
    token.arg_len = TOKEN_ARG_MAX; /* the longest message that is hashed, too */
    memset(token.arg, 'a', TOKEN_ARG_MAX);
    for (size_t len = 0; len <= sizeof(brand); len++) {
        struct slice name = slice_make(brand, len);
        bool ok = len >= 1 && len <= TOKEN_BRAND_MAX;

        assert_int_equal(token_seal(ring, name, &token, text, &text_len),
                         ok ? TOKEN_FAULT_NONE : TOKEN_FAULT_BRAND);
        if (ok)
            assert_int_equal(token_open(ring, name, slice_make(text, text_len), &opened), TOKEN_OK);
    }
    assert_int_equal(text_len, TOKEN_TEXT_MAX);
}

static void test_canonical_text(void **state)
{
    static const char *const texts[] = {
        GOOD,
        "o7D8TMA8GSFRVNJTKXR4VGC4Y3MS6SMXNR2AIR4CQQ89M.%27)",
        "/07d8tma8gsfrvnjtkxr4%0Avgc4y3ms6smxnr2a1%20r4cqq89m%20and%20more",
    };
    const struct token_keyring *ring = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char out[TOKEN_TEXT_MAX + 1];
        struct token token;

        print_message("%s\n", texts[i]);
        assert_int_equal(token_open(ring, ACME, slice_of(texts[i]), &token), TOKEN_OK);
        assert_int_equal(token_text(&token, out), TOKEN_TEXT_MIN);
        assert_string_equal(out, GOOD);
    }
}

static int64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The least time of many, which nothing else on the machine has a part in. */
static int64_t refusal_ns(const struct token_keyring *ring, const char *text)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < 300; i++) {
        struct token token;
        int64_t start = cpu_ns(), took;

        assert_int_not_equal(token_open(ring, ACME, slice_of(text), &token), TOKEN_OK);
        took = cpu_ns() - start;
        least = took < least ? took : least;
    }
    return least;
}

static void test_refusals_take_the_same_time(void **state)
{
#ifdef __SANITIZE_THREAD__
    skip(); /* it slows down our code and not the hashing of libsodium: the shares shift */
#endif
    static const char *const texts[] = {
        "07d8tma8gsfrvnjtkxr4vgc4y3ms4smxnr2a1r4cqq89m",
        "0fd8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m",
        "z7d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m",
        "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89n",
        "07d8tma8gsfrvnjtkxr4vgc4y3ms4smxnr2a1r4cqq89m&utm_source=x",
        "//07d8tma8gsfrvnjtkxr4vgc4y3ms4smxnr2a1r4cqq89m",
        "07d8tma8gsfrvnjtkxr4%0Avgc4y3ms4smxnr2a1r4cqq89m",
        "07d8tma8gsfrvnjtkxr4=20vgc4y3ms4smxnr2a1r4cqq89m=20Pay=20now",
        "00000000000000000000000000000000000000000000 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
        "wp-content/plugins/some-plugin/assets/js/script.js",
    };
    int64_t least = INT64_MAX, most = 0;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int64_t ns = refusal_ns(*state, texts[i]);

        print_message("%lld ns: %s\n", (long long)ns, texts[i]);
        least = ns < least ? ns : least;
        most = ns > most ? ns : most;
    }
    assert_true(most < 2 * least);
}

static void test_expiry(void **state)
{
    const int64_t ttl_s[TOKEN_TTL_CODES] = {0,       900,      3600,     21600,   86400,   172800,
                                            259200,  604800,   1209600,  2592000, 3888000, 5184000,
                                            7776000, 10368000, 15552000, 31622400};
    struct token token = DESIGN;

    (void)state;
    for (uint8_t code = 0; code < TOKEN_TTL_CODES; code++) {
        int64_t end_s = 1795348800 + ttl_s[code];

        token.ttl_code = code;
        assert_int_equal(token_ttl_s(code), ttl_s[code]);
        assert_int_equal(token_ttl_find(slice_of(token_ttl_name(code))), code);
        assert_int_equal(token_expires_s(&token), code == 0 ? INT64_MAX : end_s);
        assert_false(token_is_expired(&token, end_s - 1));
        assert_int_equal(token_is_expired(&token, end_s), code != 0);
    }
    assert_int_equal(token_ttl_find(slice_of("31d")), -1);
    assert_int_equal(token_ttl_find(slice_of("")), -1);
}

static void test_channel_names(void **state)
{
    (void)state;
    for (uint8_t channel = 0; channel < 8; channel++)
        assert_int_equal(token_channel_find(slice_of(token_channel_name(channel))), channel);
    assert_string_equal(token_channel_name(1), "mail");
    assert_int_equal(token_channel_find(slice_of("Mail")), -1);
}

/* Against libsodium; and whoever knows a derived key knows nothing of the token key or of others.
 */
static void test_derived_keys(void **state)
{
    struct token_keyring *ring = calloc(1, sizeof(*ring));
    uint8_t secret[TOKEN_KEY_LEN], own[TOKEN_KEY_LEN], other[TOKEN_KEY_LEN], want[TOKEN_KEY_LEN];

    (void)state;
    assert_non_null(ring);
    for (uint8_t i = 0; i < TOKEN_KEY_LEN; i++)
        secret[i] = i;
    token_keyring_init(ring);
    assert_int_equal(token_deriving_kid(ring), 0);
    assert_false(token_derive_key(ring, 0, "a purpose", own));
    token_keyring_set(ring, 9, TOKEN_KEY_REVOKED, secret);
    assert_int_equal(token_deriving_kid(ring), 0);
    assert_false(token_derive_key(ring, 9, "a purpose", own));
    token_keyring_set(ring, 255, TOKEN_KEY_VERIFY, secret);
    assert_int_equal(token_deriving_kid(ring), 255);
    token_keyring_set(ring, 7, TOKEN_KEY_VERIFY, secret);
    assert_int_equal(token_deriving_kid(ring), 7);
    token_keyring_set(ring, 200, TOKEN_KEY_MINT, secret);
    assert_int_equal(token_deriving_kid(ring), 200);

    assert_true(token_derive_key(ring, 200, "a purpose", own));
    crypto_generichash(want, sizeof(want), (const uint8_t *)"\004a purpose", 10, secret,
                       sizeof(secret));
    assert_memory_equal(own, want, sizeof(own));
    assert_true(token_derive_key(ring, 200, "another purpose", other));
    assert_memory_not_equal(own, other, sizeof(own));
    free(ring);
}

static void test_keyring(void **state)
{
    static struct token_keyring ring;
    const uint8_t key[TOKEN_KEY_LEN] = {1};
    struct token token = DESIGN;
    char text[TOKEN_TEXT_MAX + 1];
    size_t len;

    (void)state;
    token_keyring_init(&ring);
    assert_int_equal(ring.mint_kid, 0);
    token_keyring_set(&ring, 255, TOKEN_KEY_MINT, key);
    assert_int_equal(ring.mint_kid, 255);
    token.kid = 255;
    assert_int_equal(token_seal(&ring, ACME, &token, text, &len), TOKEN_FAULT_NONE);
    assert_int_equal(token_open(&ring, ACME, slice_of(text), &token), TOKEN_OK);
    token_keyring_set(&ring, 255, TOKEN_KEY_REVOKED, key);
    assert_int_equal(ring.mint_kid, 0);
    assert_int_equal(token_open(&ring, ACME, slice_of(text), &token), TOKEN_UNKNOWN_KEY);
}

/* --- proto/vectors/token.json --- */

static json_t *load_vectors(struct token_keyring *ring)
{
    json_t *vectors = json_load_file(SOURCE_DIR "/proto/vectors/token.json", 0, NULL), *each;
    static const char *const states[] = {"", "mint", "verify", "revoked"};
    size_t i;

    assert_non_null(vectors);
    token_keyring_init(ring);
    json_array_foreach(json_object_get(vectors, "keys"), i, each)
    {
        const char *name, *hex;
        uint8_t key[TOKEN_KEY_LEN];
        int kid, state = 1;

        assert_int_equal(json_unpack(each, "{si ss ss}", "kid", &kid, "state", &name, "key", &hex),
                         0);
        assert_int_equal(sodium_hex2bin(key, sizeof(key), hex, strlen(hex), NULL, NULL, NULL), 0);
        while (state < 3 && strcmp(name, states[state]) != 0)
            state++;
        token_keyring_set(ring, (uint8_t)kid, (enum token_key_state)state, key);
    }
    return vectors;
}

static struct token token_of(const json_t *fields)
{
    json_int_t object, client;
    int kind, campaign, issued, ttl, channel, variant, silent, once;
    const char *arg;
    size_t arg_len;
    struct token t;

    assert_int_equal(json_unpack((json_t *)fields, "{si sI sI si si si si si sb sb ss%}", "kind",
                                 &kind, "object", &object, "client", &client, "campaign", &campaign,
                                 "issued_min", &issued, "ttl_code", &ttl, "channel", &channel,
                                 "variant", &variant, "silent", &silent, "once", &once, "arg", &arg,
                                 &arg_len),
                     0);
    t = (struct token){.kind = (uint8_t)kind,
                       .object = (uint32_t)object,
                       .client = (uint32_t)client,
                       .campaign = (uint16_t)campaign,
                       .issued_min = (uint32_t)issued,
                       .ttl_code = (uint8_t)ttl,
                       .channel = (uint8_t)channel,
                       .variant = (uint8_t)variant,
                       .silent = silent,
                       .once = once,
                       .arg_len = (uint8_t)arg_len};
    memcpy(t.arg, arg, arg_len);
    return t;
}

static void check_valid(const struct token_keyring *ring, const json_t *v)
{
    struct slice brand = slice_of(json_string_value(json_object_get(v, "brand")));
    const char *text = json_string_value(json_object_get(v, "text"));
    const char *canonical = json_string_value(json_object_get(v, "token"));
    const char *id = json_string_value(json_object_get(v, "link_id"));
    const json_t *expires = json_object_get(v, "expires_s");
    struct token want = token_of(json_object_get(v, "fields")), got;
    char out[TOKEN_TEXT_MAX + 1], got_id[17];
    size_t len;

    want.kid = (uint8_t)json_integer_value(json_object_get(v, "kid"));
    assert_int_equal(token_open(ring, brand, slice_of(text), &got), TOKEN_OK);
    assert_token_equal(&got, &want);
    snprintf(got_id, sizeof(got_id), "%016llx", (unsigned long long)got.link_id);
    assert_string_equal(got_id, id);
    assert_int_equal(token_issued_s(&got), json_integer_value(json_object_get(v, "issued_s")));
    assert_int_equal(token_expires_s(&got),
                     json_is_null(expires) ? INT64_MAX : json_integer_value(expires));
    assert_int_equal(token_text(&got, out), strlen(canonical));
    assert_string_equal(out, canonical);
    assert_int_equal(token_seal(ring, brand, &want, out, &len), TOKEN_FAULT_NONE);
    assert_string_equal(out, canonical);
    assert_int_equal(want.link_id, got.link_id);
}

/* A text that was changed on its way opens to the token itself. */
static void check_changed(const struct token_keyring *ring, const json_t *v)
{
    struct slice brand = slice_of(json_string_value(json_object_get(v, "brand")));
    struct slice text = slice_of(json_string_value(json_object_get(v, "text")));
    char out[TOKEN_TEXT_MAX + 1];
    struct token token;

    assert_int_equal(token_open(ring, brand, text, &token), TOKEN_OK);
    (void)token_text(&token, out);
    assert_string_equal(out, json_string_value(json_object_get(v, "token")));
}

static void check_invalid(const struct token_keyring *ring, const json_t *v)
{
    static const char *const reasons[] = {
        [TOKEN_OK] = "none",
        [TOKEN_MALFORMED] = "malformed",
        [TOKEN_UNKNOWN_KEY] = "unknown_key",
        [TOKEN_FORGED] = "forged",
    };
    struct slice brand = slice_of(json_string_value(json_object_get(v, "brand")));
    struct slice text = slice_of(json_string_value(json_object_get(v, "text")));
    struct token token = {.object = 99};

    assert_string_equal(reasons[token_open(ring, brand, text, &token)],
                        json_string_value(json_object_get(v, "reason")));
    assert_int_equal(token.object, 99);
}

static void test_the_vectors(void **state)
{
    static struct token_keyring ring;
    json_t *vectors = load_vectors(&ring), *each;
    size_t i;

    (void)state;
    assert_true(json_array_size(json_object_get(vectors, "valid")) >= 24);
    assert_true(json_array_size(json_object_get(vectors, "invalid")) >= 40);
    json_array_foreach(json_object_get(vectors, "valid"), i, each)
    {
        print_message("opens: %s\n", json_string_value(json_object_get(each, "name")));
        check_valid(&ring, each);
    }
    assert_true(json_array_size(json_object_get(vectors, "changed")) >= 100);
    json_array_foreach(json_object_get(vectors, "changed"), i, each)
    {
        print_message("opens: %s\n", json_string_value(json_object_get(each, "name")));
        check_changed(&ring, each);
    }
    json_array_foreach(json_object_get(vectors, "invalid"), i, each)
    {
        print_message("refused: %s\n", json_string_value(json_object_get(each, "name")));
        check_invalid(&ring, each);
    }
    json_decref(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_vector_of_the_design, set_up),
        cmocka_unit_test_setup(test_what_opens, set_up),
        cmocka_unit_test_setup(test_any_changed_bit_is_refused, set_up),
        cmocka_unit_test_setup(test_what_can_be_sealed, set_up),
        cmocka_unit_test_setup(test_brands_that_can_be_sealed, set_up),
        cmocka_unit_test_setup(test_canonical_text, set_up),
        cmocka_unit_test_setup(test_refusals_take_the_same_time, set_up),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_channel_names),
        cmocka_unit_test(test_keyring),
        cmocka_unit_test(test_derived_keys),
        cmocka_unit_test(test_the_vectors),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
