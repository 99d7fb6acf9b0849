#include "proto/token.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "proto/base32.h"
#include "proto/bytes.h"
#include "proto/token_text.h"

enum {
    TAG_LEN = 12,
    PAD_LEN = 64,
    HASH_LEN = 32,
    HEAD_LEN = 1 + TAG_LEN,
    PLAIN_MIN = 15,
    PLAIN_MAX = PLAIN_MIN + TOKEN_ARG_MAX,
    BYTES_ROOM = HEAD_LEN + PAD_LEN, /* cover() writes as much as it hides at most */
    MESSAGE_MAX = 3 + TOKEN_BRAND_MAX + PLAIN_MAX,
    USE_TAG = 1,
    USE_PAD = 2,
    USE_DERIVE = 4, /* 3 is view.c's */
    PURPOSE_MAX = 64,
    DECOY_KID = 0,
    MINUTES_MAX = 0xffffff,
};

/* Where each field of P lives; FORMATS.md "Token" is this list. */
enum {
    AT_TYPE = 0, /* kind 4 bits | ttl code 4 bits */
    AT_OBJECT = 1,
    AT_CLIENT = 5,
    AT_CAMPAIGN = 9,
    AT_ISSUED = 11, /* 3 bytes */
    AT_ROUTE = 14,  /* channel 3 bits | variant 3 bits | silent | once */
    AT_ARG = 15,
};

static void key_init(struct token_key *key, const uint8_t secret[static TOKEN_KEY_LEN])
{
    blake2b_key_init(&key->tag, secret, TOKEN_KEY_LEN, HASH_LEN);
    blake2b_key_init(&key->pad, secret, TOKEN_KEY_LEN, PAD_LEN);
}

void token_keyring_init(struct token_keyring *ring)
{
    uint8_t decoy[TOKEN_KEY_LEN];

    memset(ring, 0, sizeof(*ring));
    randombytes_buf(decoy, sizeof(decoy));
    key_init(&ring->key[DECOY_KID], decoy);
    sodium_memzero(decoy, sizeof(decoy));
}

void token_keyring_set(struct token_keyring *ring, uint8_t kid, enum token_key_state state,
                       const uint8_t key[static TOKEN_KEY_LEN])
{
    assert(kid != DECOY_KID && state != TOKEN_KEY_ABSENT);
    ring->state[kid] = (uint8_t)state;
    if (state == TOKEN_KEY_MINT)
        ring->mint_kid = kid;
    else if (ring->mint_kid == kid)
        ring->mint_kid = 0;
    if (state != TOKEN_KEY_REVOKED)
        key_init(&ring->key[kid], key);
}

static bool is_usable(const struct token_keyring *ring, uint8_t kid)
{
    return ring->state[kid] == TOKEN_KEY_MINT || ring->state[kid] == TOKEN_KEY_VERIFY;
}

bool token_derive_key(const struct token_keyring *ring, uint8_t kid, const char *purpose,
                      uint8_t out[static TOKEN_KEY_LEN])
{
    uint8_t message[1 + PURPOSE_MAX] = {USE_DERIVE};
    size_t len = strlen(purpose);

    assert(len > 0 && len <= PURPOSE_MAX);
    if (!is_usable(ring, kid))
        return false;
    memcpy(message + 1, purpose, len);
    blake2b_hash(&ring->key[kid].tag, message, 1 + len, out);
    return true;
}

uint8_t token_deriving_kid(const struct token_keyring *ring)
{
    unsigned kid = ring->mint_kid;

    while (kid < 256 && !is_usable(ring, (uint8_t)kid))
        kid++;
    return (uint8_t)kid; /* 256 is 0 */
}

/* What is hashed: `use | kid | len(brand) | brand | rest`, all but the use and the rest alike in
 * both hashes of a token. */
struct bound {
    size_t rest_at;
    uint8_t bytes[MESSAGE_MAX];
};

static void bind(struct bound *bound, uint8_t kid, struct slice brand)
{
    bound->bytes[1] = kid;
    bound->bytes[2] = (uint8_t)brand.len;
    memcpy(bound->bytes + 3, brand.ptr, brand.len);
    bound->rest_at = 3 + brand.len;
}

static void make_tag(const struct token_key *key, struct bound *bound, const uint8_t *plain,
                     size_t plain_len, uint8_t tag[static TAG_LEN])
{
    uint8_t hash[HASH_LEN];

    bound->bytes[0] = USE_TAG;
    memcpy(bound->bytes + bound->rest_at, plain, plain_len);
    blake2b_hash(&key->tag, bound->bytes, bound->rest_at + plain_len, hash);
    memcpy(tag, hash, TAG_LEN);
}

/* Turns P into C and back, whatever its length: what is behind it is of no meaning. */
static void cover(const struct token_key *key, struct bound *bound,
                  const uint8_t tag[static TAG_LEN], const uint8_t in[static PAD_LEN],
                  uint8_t out[static PAD_LEN])
{
    uint8_t pad[PAD_LEN];

    _Static_assert(PLAIN_MAX <= PAD_LEN, "one hash hides the longest token");
    _Static_assert(HEAD_LEN + PLAIN_MAX == TOKEN_BYTES_MAX, "a token's bytes are its head and C");
    bound->bytes[0] = USE_PAD;
    memcpy(bound->bytes + bound->rest_at, tag, TAG_LEN);
    blake2b_hash(&key->pad, bound->bytes, bound->rest_at + TAG_LEN, pad);
    for (size_t i = 0; i < PAD_LEN; i += sizeof(uint64_t))
        le64_store(out + i, le64_load(in + i) ^ le64_load(pad + i));
}

static bool is_arg(const uint8_t *arg, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = arg[i], lower = c | 0x20;

        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' &&
            c != '~' && c != '-')
            return false;
    }
    return true;
}

static void read_plain(const uint8_t *plain, size_t len, struct token *out)
{
    out->kind = plain[AT_TYPE] >> 4;
    out->ttl_code = plain[AT_TYPE] & 15;
    out->object = be32_load(plain + AT_OBJECT);
    out->client = be32_load(plain + AT_CLIENT);
    out->campaign = be16_load(plain + AT_CAMPAIGN);
    out->issued_min = be24_load(plain + AT_ISSUED);
    out->channel = plain[AT_ROUTE] >> 5;
    out->variant = plain[AT_ROUTE] >> 2 & 7;
    out->silent = (plain[AT_ROUTE] & 2) != 0;
    out->once = (plain[AT_ROUTE] & 1) != 0;
    out->arg_len = (uint8_t)(len - AT_ARG);
    memcpy(out->arg, plain + AT_ARG, len - AT_ARG);
}

/* Opens the digits that `text` starts with.  Takes the same time whatever comes out. */
static enum token_status open_digits(const struct token_keyring *ring, struct slice brand,
                                     struct slice text, struct token *out)
{
    uint8_t bytes[BYTES_ROOM] = {0}, plain[PAD_LEN], tag[TAG_LEN];
    size_t len = 0, n_digits = 0;
    bool is_text, is_known, is_ours;
    struct bound bound;
    uint8_t kid;

    is_text =
        base32_decode(text, bytes, TOKEN_BYTES_MAX, &len, &n_digits) && len >= HEAD_LEN + PLAIN_MIN;
    /* From here on every text costs the same: a malformed one is handled as the shortest token. */
    if (!is_text)
        len = HEAD_LEN + PLAIN_MIN;
    kid = is_text && is_usable(ring, bytes[0]) ? bytes[0] : DECOY_KID;
    is_known = kid != DECOY_KID;
    bind(&bound, kid, brand);
    cover(&ring->key[kid], &bound, bytes + 1, bytes + HEAD_LEN, plain);
    make_tag(&ring->key[kid], &bound, plain, len - HEAD_LEN, tag);
    is_ours = sodium_memcmp(tag, bytes + 1, TAG_LEN) == 0;
    if (!is_text)
        return TOKEN_MALFORMED;
    if (!is_known)
        return TOKEN_UNKNOWN_KEY;
    if (!is_ours)
        return TOKEN_FORGED;
    if (plain[AT_TYPE] >> 4 == 0 || !is_arg(plain + AT_ARG, len - HEAD_LEN - AT_ARG))
        return TOKEN_MALFORMED;
    read_plain(plain, len - HEAD_LEN, out);
    out->kid = kid;
    out->link_id = be64_load(tag);
    out->n_bytes = (uint8_t)len;
    memcpy(out->bytes, bytes, sizeof(out->bytes));
    return TOKEN_OK;
}

/* A refusal always costs all tries, so that it tells nothing by its time. */
__attribute__((noinline)) static enum token_status open_changed(const struct token_keyring *ring,
                                                                struct slice brand,
                                                                struct slice text,
                                                                struct token *out)
{
    enum token_status status = TOKEN_MALFORMED;
    struct token_tries tries;

    token_text_find_tries(text, &tries);
    for (size_t i = 0; i < TOKEN_TEXT_TRIES; i++) {
        struct slice digits = i < tries.n ? tries.digits[i] : slice_make("", 0);
        enum token_status each = open_digits(ring, brand, digits, out);

        if (each == TOKEN_OK)
            return TOKEN_OK;
        if (status == TOKEN_MALFORMED)
            status = each;
    }
    return status;
}

enum token_status token_open(const struct token_keyring *ring, struct slice brand,
                             struct slice text, struct token *out)
{
    enum token_status status, changed;

    if (text.len < TOKEN_TEXT_MIN || brand.len == 0 || brand.len > TOKEN_BRAND_MAX)
        return TOKEN_MALFORMED;
    status = open_digits(ring, brand, text, out);
    if (status == TOKEN_OK)
        return TOKEN_OK;
    changed = open_changed(ring, brand, text, out);
    return changed == TOKEN_OK || status == TOKEN_MALFORMED ? changed : status;
}

size_t token_text(const struct token *token, char out[static TOKEN_TEXT_MAX + 1])
{
    size_t len = base32_text_len(token->n_bytes);

    base32_encode(token->bytes, token->n_bytes, out);
    out[len] = '\0';
    return len;
}

static enum token_fault find_fault(const struct token_keyring *ring, struct slice brand,
                                   const struct token *token)
{
    if (!is_usable(ring, token->kid))
        return TOKEN_FAULT_KEY;
    if (brand.len == 0 || brand.len > TOKEN_BRAND_MAX)
        return TOKEN_FAULT_BRAND;
    if (token->kind == 0 || token->kind > 15)
        return TOKEN_FAULT_KIND;
    if (token->ttl_code >= TOKEN_TTL_CODES)
        return TOKEN_FAULT_TTL;
    if (token->issued_min > MINUTES_MAX)
        return TOKEN_FAULT_ISSUED;
    if (token->channel > 7)
        return TOKEN_FAULT_CHANNEL;
    if (token->variant > 7)
        return TOKEN_FAULT_VARIANT;
    if (token->arg_len > TOKEN_ARG_MAX || !is_arg((const uint8_t *)token->arg, token->arg_len))
        return TOKEN_FAULT_ARG;
    return TOKEN_FAULT_NONE;
}

enum token_fault token_seal(const struct token_keyring *ring, struct slice brand,
                            struct token *token, char out[static TOKEN_TEXT_MAX + 1],
                            size_t *out_len)
{
    const struct token_key *key = &ring->key[token->kid];
    enum token_fault fault = find_fault(ring, brand, token);
    uint8_t bytes[BYTES_ROOM], plain[PAD_LEN] = {0};
    struct bound bound;
    size_t len;

    if (fault != TOKEN_FAULT_NONE)
        return fault;
    plain[AT_TYPE] = (uint8_t)(token->kind << 4 | token->ttl_code);
    be32_store(plain + AT_OBJECT, token->object);
    be32_store(plain + AT_CLIENT, token->client);
    be16_store(plain + AT_CAMPAIGN, token->campaign);
    be24_store(plain + AT_ISSUED, token->issued_min);
    plain[AT_ROUTE] =
        (uint8_t)(token->channel << 5 | token->variant << 2 | token->silent << 1 | token->once);
    memcpy(plain + AT_ARG, token->arg, token->arg_len);
    len = AT_ARG + (size_t)token->arg_len;
    bytes[0] = token->kid;
    bind(&bound, token->kid, brand);
    make_tag(key, &bound, plain, len, bytes + 1);
    cover(key, &bound, bytes + 1, plain, bytes + HEAD_LEN);
    token->link_id = be64_load(bytes + 1);
    token->n_bytes = (uint8_t)(HEAD_LEN + len);
    memcpy(token->bytes, bytes, sizeof(token->bytes));
    *out_len = token_text(token, out);
    return TOKEN_FAULT_NONE;
}

/* --- names --- */

static const struct {
    const char *name;
    int minutes;
} ttls[TOKEN_TTL_CODES] = {
    {"never", 0},
    {"15m", 15},
    {"1h", 60},
    {"6h", 6 * 60},
    {"1d", 24 * 60},
    {"2d", 2 * 24 * 60},
    {"3d", 3 * 24 * 60},
    {"7d", 7 * 24 * 60},
    {"14d", 14 * 24 * 60},
    {"30d", 30 * 24 * 60},
    {"45d", 45 * 24 * 60},
    {"60d", 60 * 24 * 60},
    {"90d", 90 * 24 * 60},
    {"120d", 120 * 24 * 60},
    {"180d", 180 * 24 * 60},
    {"366d", 366 * 24 * 60},
};

static const char *const channels[8] = {"unknown", "mail",   "sms",  "pdf",
                                        "qr",      "portal", "chat", "other"};

int64_t token_ttl_s(uint8_t ttl_code)
{
    assert(ttl_code < TOKEN_TTL_CODES);
    return (int64_t)ttls[ttl_code].minutes * 60;
}

int64_t token_expires_s(const struct token *token)
{
    int64_t ttl_s = token_ttl_s(token->ttl_code);

    return ttl_s == 0 ? INT64_MAX : token_issued_s(token) + ttl_s;
}

uint8_t token_ttl_code_for(int64_t ttl_s)
{
    uint8_t code = 1; /* they ascend from here */

    while (code < TOKEN_TTL_CODES && token_ttl_s(code) < ttl_s)
        code++;
    return code < TOKEN_TTL_CODES ? code : 0;
}

const char *token_ttl_name(uint8_t ttl_code)
{
    assert(ttl_code < TOKEN_TTL_CODES);
    return ttls[ttl_code].name;
}

int token_ttl_find(struct slice name)
{
    for (int i = 0; i < TOKEN_TTL_CODES; i++) {
        if (slice_equal(name, slice_of(ttls[i].name)))
            return i;
    }
    return -1;
}

const char *token_channel_name(uint8_t channel)
{
    assert(channel < 8);
    return channels[channel];
}

int token_channel_find(struct slice name)
{
    for (int i = 0; i < 8; i++) {
        if (slice_equal(name, slice_of(channels[i])))
            return i;
    }
    return -1;
}
