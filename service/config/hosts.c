#include "service/config/hosts.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/bytes.h"

struct entry {
    uint8_t len; /* 0 = free */
    int number;
    char host[HOST_MAX]; /* in lower case */
};

struct hosts {
    size_t mask;
    struct entry entries[];
};

/* At most half full, so that a search ends soon.  Only the operator's names get in: no one outside
 * can choose them to collide. */
struct hosts *hosts_new(size_t n)
{
    size_t size = 4;
    struct hosts *hosts;

    while (size < n * 2)
        size *= 2;
    hosts = calloc(1, sizeof(*hosts) + size * sizeof(hosts->entries[0]));
    if (hosts)
        hosts->mask = size - 1;
    return hosts;
}

void hosts_free(struct hosts *hosts)
{
    free(hosts);
}

/* Without port and last dot. */
static struct slice name_of(struct slice host)
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
static uint64_t hash_of(struct slice name)
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
static bool is_host(const struct entry *entry, struct slice name)
{
    return entry->len == name.len && (memcmp(entry->host, name.ptr, name.len) == 0 ||
                                      slice_equal_nocase(slice_make(entry->host, name.len), name));
}

/* Where the host is, or the free place where it would be. */
static size_t place_of(const struct hosts *hosts, struct slice name)
{
    size_t i = hash_of(name) & hosts->mask;

    while (hosts->entries[i].len && !is_host(&hosts->entries[i], name))
        i = (i + 1) & hosts->mask;
    return i;
}

int hosts_add(struct hosts *hosts, struct slice host, int number)
{
    struct slice name = name_of(host);
    struct entry *entry;

    assert(name.len > 0 && name.len <= HOST_MAX);
    entry = &hosts->entries[place_of(hosts, name)];
    if (entry->len)
        return entry->number;
    for (size_t i = 0; i < name.len; i++)
        entry->host[i] = slice_lower(name.ptr[i]);
    entry->len = (uint8_t)name.len;
    entry->number = number;
    return HOST_NONE;
}

int hosts_find(const struct hosts *hosts, struct slice host)
{
    struct slice name = name_of(host);
    const struct entry *entry;

    if (name.len == 0 || name.len > HOST_MAX)
        return HOST_NONE;
    entry = &hosts->entries[place_of(hosts, name)];
    return entry->len ? entry->number : HOST_NONE;
}
