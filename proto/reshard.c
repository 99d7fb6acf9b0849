#include "proto/reshard.h"

#include <stdio.h>
#include <string.h>

#include "proto/bytes.h"
#include "proto/funnel.h"
#include "proto/number.h"

static const char staged[] = "new:";

static bool take_hex(struct slice *text, size_t n, uint64_t *out)
{
    *out = 0;
    if (text->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int digit = number_hex_digit(text->ptr[i]);

        if (digit < 0)
            return false;
        *out = *out << 4 | (unsigned)digit;
    }
    *text = slice_make(text->ptr + n, text->len - n);
    return true;
}

static bool take_word(struct slice *text, const char *word)
{
    size_t len = strlen(word);

    if (text->len < len || memcmp(text->ptr, word, len) != 0)
        return false;
    *text = slice_make(text->ptr + len, text->len - len);
    return true;
}

/* The shards of a bucket by both numbers. */
static bool place_bucket(struct reshard_key *out, const struct reshard_numbers *n, unsigned bucket)
{
    if (bucket >= COUNTER_BUCKETS)
        return false;
    out->from = counter_shard_of_bucket(bucket, n->from);
    out->to = counter_shard_of_bucket(bucket, n->to);
    return true;
}

/* `l:`, `o:`, `c:` and `e:` */
static bool place_table(struct reshard_key *out, const struct reshard_numbers *n, struct slice rest)
{
    uint64_t bucket;

    return take_hex(&rest, 3, &bucket) && rest.len == 0 && place_bucket(out, n, (unsigned)bucket);
}

/* `la:`, `oa:` and `ca:` */
static bool place_added(struct reshard_key *out, const struct reshard_numbers *n, struct slice rest)
{
    uint64_t quad;

    return take_hex(&rest, 2, &quad) && rest.len == 0 &&
           place_bucket(out, n, (unsigned)quad * COUNTER_QUAD);
}

/* `n:` and `once:` */
static bool place_link(struct reshard_key *out, const struct reshard_numbers *n, struct slice rest)
{
    uint64_t link;

    return take_hex(&rest, 16, &link) && rest.len == 0 &&
           place_bucket(out, n, counter_bucket_of_link(link));
}

/* `f:` */
static bool place_block(struct reshard_key *out, const struct reshard_numbers *n, struct slice rest)
{
    uint64_t brand, block;

    return take_hex(&rest, 8, &brand) && take_word(&rest, ":") && take_hex(&rest, 7, &block) &&
           rest.len == 0 &&
           place_bucket(out, n, counter_bucket_of_block((uint32_t)brand, (uint32_t)block));
}

/* `gw:` and `gwd:` */
static bool place_client(struct reshard_key *out, const struct reshard_numbers *n,
                         struct slice rest)
{
    uint64_t brand, client;

    if (!take_hex(&rest, 8, &brand) || !take_word(&rest, ":") || !take_hex(&rest, 8, &client) ||
        rest.len > 0)
        return false;
    out->from = counter_shard_of_client((uint32_t)brand, (uint32_t)client, n->from);
    out->to = counter_shard_of_client((uint32_t)brand, (uint32_t)client, n->to);
    return true;
}

/* `t:`, `x:`, `u:`, `v:`, `uh:` and `vh:`, whatever the period */
static bool place_series(struct reshard_key *out, const struct reshard_numbers *n,
                         struct slice rest)
{
    int32_t campaign = COUNTER_ALL_CAMPAIGNS;
    uint64_t brand;

    if (!take_hex(&rest, 8, &brand) || !take_word(&rest, ":"))
        return false;
    if (!take_word(&rest, "*")) {
        const char *end = rest.len ? memchr(rest.ptr, ':', rest.len) : NULL;
        uint64_t number;

        if (!end ||
            !number_parse(slice_make(rest.ptr, (size_t)(end - rest.ptr)), UINT16_MAX, &number))
            return false;
        campaign = (int32_t)number;
    }
    out->from = counter_shard_of_series((uint32_t)brand, campaign, n->from);
    out->to = counter_shard_of_series((uint32_t)brand, campaign, n->to);
    return true;
}

/* Of shard 00, whatever the number. */
static bool place_first(struct reshard_key *out, const struct reshard_numbers *n, struct slice rest)
{
    (void)n;
    (void)rest;
    out->from = out->to = 0;
    return true;
}

static const struct {
    const char *prefix; /* of the name; without a colon at its end: all of it */
    enum reshard_what what;
    bool (*place)(struct reshard_key *out, const struct reshard_numbers *n, struct slice rest);
} kinds[] = {
    {"l:", RESHARD_WHOLE, place_table},
    {"o:", RESHARD_WHOLE, place_table},
    {"c:", RESHARD_WHOLE, place_table},
    {"e:", RESHARD_WHOLE, place_table},
    {"la:", RESHARD_WHOLE, place_added},
    {"oa:", RESHARD_WHOLE, place_added},
    {"ca:", RESHARD_WHOLE, place_added},
    {"f:", RESHARD_WHOLE, place_block},
    {"t:", RESHARD_WHOLE, place_series},
    {"x:", RESHARD_WHOLE, place_series},
    {"u:", RESHARD_WHOLE, place_series},
    {"v:", RESHARD_WHOLE, place_series},
    {"uh:", RESHARD_WHOLE, place_series},
    {"vh:", RESHARD_WHOLE, place_series},
    {"n:", RESHARD_WHOLE, place_link},
    {"once:", RESHARD_WHOLE, place_link},
    {"gw:", RESHARD_WHOLE, place_client},
    {"gwd:", RESHARD_WHOLE, place_client},
    {"names:", RESHARD_WHOLE, place_first},
    {"notes:", RESHARD_WHOLE, place_first},
    {"views:", RESHARD_WHOLE, place_first},
    {"shares:", RESHARD_WHOLE, place_first},
    {"salt:", RESHARD_WHOLE, place_first},
    {"check:", RESHARD_WHOLE, place_first},
    {"reports", RESHARD_WHOLE, place_first},
    {"erasure:", RESHARD_WHOLE, place_first},
    {"ev:", RESHARD_EVENT, NULL},
    {"cur:", RESHARD_CURSOR, NULL},
    {"fb:", RESHARD_BLOCKS, NULL},
    {"fi:", RESHARD_BLOCKS, NULL},
    {"w:", RESHARD_WAITING, NULL},
    {"ws", RESHARD_SLOTS, NULL},
    {"wq", RESHARD_LIST, NULL},
    {"fs:", RESHARD_SUMS, NULL},
    {"fk:", RESHARD_SUMS, NULL},
    {"payments", RESHARD_TALLY, NULL},
    {"rejected", RESHARD_TALLY, NULL},
    {"told", RESHARD_TOLD, NULL},
    {"used", RESHARD_TOLD, NULL},
    {"fq", RESHARD_DROPPED, NULL}, /* it is empty: see reshard_check_queue() */
    {"moment", RESHARD_DROPPED, NULL},
    {"state", RESHARD_DROPPED, NULL},
    {"server", RESHARD_DROPPED, NULL},
};

void reshard_look_at(struct slice key, const struct reshard_numbers *n, struct reshard_key *out)
{
    struct slice rest = key;
    uint64_t number;

    *out = (struct reshard_key){.what = RESHARD_ALONE};
    if (!take_word(&rest, "hc:{s") || !take_hex(&rest, 2, &number) || !take_word(&rest, "}:"))
        return;
    out->shard = (unsigned)number;
    if (take_word(&rest, staged)) {
        out->what = RESHARD_STAGED;
        out->name = rest;
        return;
    }
    out->name = rest;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        bool is_whole_name = kinds[i].prefix[strlen(kinds[i].prefix) - 1] != ':';

        rest = out->name;
        if (!take_word(&rest, kinds[i].prefix) || (is_whole_name && rest.len > 0))
            continue;
        if (kinds[i].place && !kinds[i].place(out, n, rest))
            return;
        if (kinds[i].what == RESHARD_BLOCKS) {
            if (!take_hex(&rest, 8, &number))
                return;
            out->brand = (uint32_t)number;
        }
        out->what = kinds[i].what;
        return;
    }
}

unsigned reshard_parts(unsigned shard, const struct reshard_numbers *n, unsigned *n_parts)
{
    *n_parts = n->to > n->from ? n->to / n->from : 1;
    return shard * n->to / n->from;
}

bool reshard_event_shard(struct slice value, unsigned n_shards, unsigned *shard)
{
    uint64_t bucket;

    if (!take_hex(&value, 3, &bucket) || value.len > 0 || bucket >= COUNTER_BUCKETS)
        return false;
    *shard = counter_shard_of_bucket((unsigned)bucket, n_shards);
    return true;
}

size_t reshard_keep_blocks(uint8_t *blocks, size_t len, uint32_t brand, unsigned shard,
                           unsigned n_shards)
{
    size_t kept = 0;

    for (size_t at = 0; at + 4 <= len; at += 4) {
        unsigned bucket = counter_bucket_of_block(brand, be32_load(blocks + at));

        if (counter_shard_of_bucket(bucket, n_shards) != shard)
            continue;
        memmove(blocks + kept, blocks + at, 4);
        kept += 4;
    }
    return kept;
}

size_t reshard_drop_heads(uint8_t *sums, size_t len)
{
    size_t kept = 0;

    for (size_t at = 0; at + FUNNEL_CELL_LEN <= len; at += FUNNEL_CELL_LEN) {
        if (sums[at + 2] == 0xff)
            continue;
        memmove(sums + kept, sums + at, FUNNEL_CELL_LEN);
        kept += FUNNEL_CELL_LEN;
    }
    return kept;
}

bool reshard_make_key(struct counter_key *key, unsigned shard, struct slice name, bool is_staged)
{
    int len = snprintf(key->text, sizeof(key->text), "hc:{s%02x}:%s%.*s", shard,
                       is_staged ? staged : "", (int)name.len, name.ptr);

    if (len < 0 || (size_t)len >= sizeof(key->text))
        return false;
    key->len = (size_t)len;
    return true;
}
