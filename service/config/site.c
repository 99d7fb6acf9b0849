#include "service/config/site.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bytes.h"
#include "service/base/error.h"
#include "service/config/brand.h"
#include "service/config/brandlist.h"
#include "service/config/config.h"
#include "service/config/keys.h"
#include "service/config/pages.h"
#include "service/config/texts.h"

/* --- which brand has a host --- */

enum { HOST_MAX = 255, HOST_NONE = -1 };

struct host_entry {
    uint8_t len; /* 0 = free */
    int number;
    char host[HOST_MAX]; /* in lower case */
};

/* Numbers of brands by host name: a hash table, filled once, then only read. */
struct hosts {
    size_t mask;
    struct host_entry entries[];
};

/* For the hosts of all brands; NULL: out of memory.  At most half full, so that a search ends soon.
 * Only the operator's names get in: no one outside can choose them to collide. */
static struct hosts *hosts_new(const struct config *config)
{
    size_t n = 0, size = 4;
    struct hosts *hosts;

    for (unsigned i = 0; i < config->n_brands; i++)
        n += config->brands[i].n_hosts;
    while (size < n * 2)
        size *= 2;
    hosts = calloc(1, sizeof(*hosts) + size * sizeof(hosts->entries[0]));
    if (hosts)
        hosts->mask = size - 1;
    return hosts;
}

/* Without port and last dot. */
static struct slice host_name(struct slice host)
{
    size_t len = host.len;

    while (len && host.ptr[len - 1] >= '0' && host.ptr[len - 1] <= '9')
        len--;
    /* "[::1]" has colons but no port: its last byte is a bracket. */
    if (len && host.ptr[len - 1] == ':')
        host.len = len - 1;
    if (host.len && host.ptr[host.len - 1] == '.')
        host.len--;
    return host;
}

/* Eight bytes at a time, in lower case as far as matters: names that are equal but for case have
 * one hash.  A byte at a time, each would wait for the multiplication before. */
static uint64_t host_hash(struct slice name)
{
    const uint64_t lower = UINT64_C(0x2020202020202020), odd = UINT64_C(0x9e3779b97f4a7c15);
    const uint8_t *p = (const uint8_t *)name.ptr;
    uint64_t hash = name.len, last = 0;
    size_t left = name.len;

    for (; left >= sizeof(last); left -= sizeof(last), p += sizeof(last)) {
        hash = (hash ^ (le64_load(p) | lower)) * odd;
        hash ^= hash >> 32;
    }
    while (left--)
        last = last << 8 | *p++;
    hash = (hash ^ (last | lower)) * odd;
    return hash ^ hash >> 32;
}

/* Most come in lower case, as they are kept. */
static bool is_of_host(const struct host_entry *entry, struct slice name)
{
    return entry->len == name.len && (memcmp(entry->host, name.ptr, name.len) == 0 ||
                                      slice_equal_nocase(slice_make(entry->host, name.len), name));
}

/* Where the host is, or the free place where it would be. */
static size_t host_place(const struct hosts *hosts, struct slice name)
{
    size_t i = host_hash(name) & hosts->mask;

    while (hosts->entries[i].len && !is_of_host(&hosts->entries[i], name))
        i = (i + 1) & hosts->mask;
    return i;
}

/* Adds `host`, in any case, at most 253 bytes.  HOST_NONE; or the number that the host has already,
 * which stays. */
static int hosts_add(struct hosts *hosts, struct slice host, int number)
{
    struct slice name = host_name(host);
    struct host_entry *entry;

    assert(name.len > 0 && name.len <= HOST_MAX);
    entry = &hosts->entries[host_place(hosts, name)];
    if (entry->len)
        return entry->number;
    for (size_t i = 0; i < name.len; i++)
        entry->host[i] = slice_lower(name.ptr[i]);
    entry->len = (uint8_t)name.len;
    entry->number = number;
    return HOST_NONE;
}

/* The number of a Host field value, or HOST_NONE.  Case, a port and a dot at the end of the name
 * make no difference. */
static int hosts_find(const struct hosts *hosts, struct slice host)
{
    struct slice name = host_name(host);
    const struct host_entry *entry;

    if (name.len == 0 || name.len > HOST_MAX)
        return HOST_NONE;
    entry = &hosts->entries[host_place(hosts, name)];
    return entry->len ? entry->number : HOST_NONE;
}

/* --- the site --- */

struct site {
    atomic_uint refs;
    struct token_keyring *keys;
    struct hosts *hosts;
    struct texts *texts; /* that are built in */
    struct pages pages;  /* for requests of no known brand */
    unsigned n_brands;
    struct brand brands[];
};

static void site_free(struct site *site)
{
    for (unsigned i = 0; i < site->n_brands; i++)
        brand_clear(&site->brands[i]);
    pages_clear(&site->pages);
    texts_free(site->texts);
    free(site->hosts);
    keys_free(site->keys);
    free(site);
}

struct site *site_ref(struct site *site)
{
    atomic_fetch_add_explicit(&site->refs, 1, memory_order_relaxed);
    return site;
}

/* Acquire and release: whoever frees sees all that the others did with it. */
void site_unref(struct site *site)
{
    if (site && atomic_fetch_sub_explicit(&site->refs, 1, memory_order_acq_rel) == 1)
        site_free(site);
}

/* --- building --- */

static bool add_hosts(struct site *site, const struct config *config, unsigned index,
                      struct error *err)
{
    const struct config_brand *from = &config->brands[index];

    for (unsigned i = 0; i < from->n_hosts; i++) {
        int other = hosts_add(site->hosts, slice_of(from->hosts[i]), (int)index);
        char key[64];

        if (other == HOST_NONE)
            continue;
        snprintf(key, sizeof(key), "brands[%u].hosts[%u]", index, i);
        config_fail(config, err, key, "'%s' is a host of brand %s already; remove one",
                    from->hosts[i], config->brands[other].name);
        return false;
    }
    return true;
}

/* Two brands of one number would share their counters in Redis. */
static bool check_number(const struct site *site, const struct config *config, unsigned index,
                         struct error *err)
{
    const struct brand *brand = &site->brands[index];
    char key[64];

    snprintf(key, sizeof(key), "brands[%u].name", index);
    for (unsigned i = 0; i < index; i++) {
        const struct brand *other = &site->brands[i];

        if (slice_equal(brand->name, other->name)) {
            config_fail(config, err, key, "'%.*s' is the name of brands[%u] already; rename one",
                        SLICE_ARG(brand->name), i);
            return false;
        }
        if (brand->id == other->id) {
            config_fail(config, err, key, "'%.*s' has the same number (%08x) as '%.*s'; rename one",
                        SLICE_ARG(brand->name), brand->id, SLICE_ARG(other->name));
            return false;
        }
    }
    return true;
}

/* Minted links have to lead back here. */
static bool check_base_url(const struct site *site, const struct config *config, unsigned index,
                           struct error *err)
{
    const char *host = strstr(site->brands[index].base_url, "://") + 3;
    char key[64];

    if (hosts_find(site->hosts, slice_of(host)) == (int)index)
        return true;
    snprintf(key, sizeof(key), "brands[%u].base_url", index);
    config_fail(config, err, key,
                "'%s' is not one of the brand's hosts, so its links would be unknown; add it to "
                "hosts",
                host);
    return false;
}

static bool add_keys(struct site *site, const struct config *config, struct error *err)
{
    struct keys_brands brands;
    bool ok = false;

    site->keys = keys_load(config->keys, &brands, err);
    if (!site->keys)
        goto out;
    for (unsigned kid = 1; kid < KEYS_KIDS; kid++) {
        struct slice unknown = site_find_unknown_brand(site, brands.list[kid]);

        if (unknown.ptr) {
            error_set(err,
                      "%s:%u: key %u is for the brand '%.*s', which the configuration doesn't have",
                      config->keys, brands.line[kid], kid, SLICE_ARG(unknown));
            goto out;
        }
    }
    for (unsigned i = 0; i < site->n_brands; i++) {
        struct brand *brand = &site->brands[i];

        /* Which keys are for the brand, and which of them mints. */
        for (unsigned kid = 1; kid < KEYS_KIDS; kid++) {
            if (site->keys->state[kid] == TOKEN_KEY_ABSENT ||
                !brandlist_has(brands.list[kid], brand->name))
                continue;
            brand->kids[kid / 64] |= UINT64_C(1) << kid % 64;
            if (site->keys->state[kid] == TOKEN_KEY_MINT)
                brand->mint_kid = (uint8_t)kid;
        }
    }
    ok = true;
out:
    if (!ok)
        config_fail_prefix(config, err, "keys");
    keys_brands_clear(&brands);
    return ok;
}

struct site *site_new(const struct config *config, struct error *err)
{
    struct site *site = calloc(1, sizeof(*site) + config->n_brands * sizeof(site->brands[0]));
    struct pages_options plain = {.color = "#6b7280"};
    bool ok = false;

    if (!site || !(site->hosts = hosts_new(config))) {
        error_set(err, "%s: out of memory", config->path);
        goto out;
    }
    atomic_init(&site->refs, 1);
    if (!(site->texts = texts_new(err)))
        goto out;
    plain.texts = site->texts;
    plain.language = texts_find(site->texts, slice_of("en"));
    if (!pages_init(&site->pages, &plain)) {
        error_set(err, "%s: out of memory", config->path);
        goto out;
    }
    for (unsigned i = 0; i < config->n_brands; i++) {
        site->n_brands = i + 1;
        if (!brand_init(&site->brands[i], config, i, site->texts, err) ||
            !check_number(site, config, i, err) || !add_hosts(site, config, i, err) ||
            !check_base_url(site, config, i, err))
            goto out;
    }
    ok = add_keys(site, config, err);
out:
    if (!ok && site) {
        site_free(site);
        site = NULL;
    }
    return site;
}

struct site *site_load(const char *path, struct config **config, struct error *err)
{
    struct config *loaded = config_load(path, err);
    struct site *site = loaded ? site_new(loaded, err) : NULL;

    if (!site) {
        config_free(loaded);
        return NULL;
    }
    *config = loaded;
    return site;
}

/* --- reading --- */

const struct token_keyring *site_keys(const struct site *site)
{
    return site->keys;
}

enum token_status site_open_token(const struct site *site, const struct brand *brand,
                                  struct slice text, struct token *out)
{
    struct token token;
    enum token_status status = token_open(site->keys, brand->name, text, &token);

    if (status != TOKEN_OK)
        return status;
    if (!(brand->kids[token.kid / 64] >> token.kid % 64 & 1))
        return TOKEN_UNKNOWN_KEY;
    *out = token;
    return TOKEN_OK;
}

const struct brand *site_find_host(const struct site *site, struct slice host)
{
    int index = hosts_find(site->hosts, host);

    return index == HOST_NONE ? NULL : &site->brands[index];
}

const struct brand *site_find_brand(const struct site *site, struct slice name)
{
    for (unsigned i = 0; i < site->n_brands; i++) {
        if (slice_equal(site->brands[i].name, name))
            return &site->brands[i];
    }
    return NULL;
}

struct slice site_find_unknown_brand(const struct site *site, const char *list)
{
    struct slice rest = slice_of(list), name;

    while (rest.len > 0 && slice_next_part(&rest, ',', &name)) {
        if (!site_find_brand(site, name))
            return name;
    }
    return (struct slice){0};
}

const struct brand *site_find_only_brand(const struct site *site, const char *list)
{
    const struct brand *only = NULL;

    for (unsigned i = 0; i < site_n_brands(site); i++) {
        const struct brand *brand = site_brand_at(site, i);

        if (!brandlist_has(list, brand->name))
            continue;
        if (only)
            return NULL;
        only = brand;
    }
    return only;
}

unsigned site_n_brands(const struct site *site)
{
    return site->n_brands;
}

const struct brand *site_brand_at(const struct site *site, unsigned index)
{
    return index < site->n_brands ? &site->brands[index] : NULL;
}

uint32_t site_page_version(const struct site *site, const struct brand *brand,
                           const struct page_wish *wish)
{
    return pages_version(brand ? brand->pages : &site->pages, wish);
}

void site_page(const struct site *site, const struct brand *brand, const struct page_wish *wish,
               struct page_text *out)
{
    pages_compose(brand ? brand->pages : &site->pages, wish, out);
}
