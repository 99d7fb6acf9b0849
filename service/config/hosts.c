#include "service/config/hosts.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

struct entry {
    uint8_t len; /* 0 = free */
    int number;
    char host[HOST_MAX]; /* normalised */
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

/* FNV-1a over the lower-cased name, which goes to `out`. */
static uint32_t normalise(struct slice name, char out[static HOST_MAX])
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < name.len; i++) {
        out[i] = slice_lower(name.ptr[i]);
        hash = (hash ^ (unsigned char)out[i]) * 16777619u;
    }
    return hash;
}

/* Where the host is, or the free place where it would be. */
static size_t place_of(const struct hosts *hosts, uint32_t hash, const char *host, size_t len)
{
    size_t i = hash & hosts->mask;

    while (hosts->entries[i].len &&
           (hosts->entries[i].len != len || memcmp(hosts->entries[i].host, host, len) != 0))
        i = (i + 1) & hosts->mask;
    return i;
}

int hosts_add(struct hosts *hosts, struct slice host, int number)
{
    struct slice name = name_of(host);
    char buf[HOST_MAX];
    uint32_t hash;
    struct entry *entry;

    assert(name.len > 0 && name.len <= HOST_MAX);
    hash = normalise(name, buf);
    entry = &hosts->entries[place_of(hosts, hash, buf, name.len)];
    if (entry->len)
        return entry->number;
    memcpy(entry->host, buf, name.len);
    entry->len = (uint8_t)name.len;
    entry->number = number;
    return HOST_NONE;
}

int hosts_find(const struct hosts *hosts, struct slice host)
{
    struct slice name = name_of(host);
    const struct entry *entry;
    char buf[HOST_MAX];
    uint32_t hash;

    if (name.len == 0 || name.len > HOST_MAX)
        return HOST_NONE;
    hash = normalise(name, buf);
    entry = &hosts->entries[place_of(hosts, hash, buf, name.len)];
    return entry->len ? entry->number : HOST_NONE;
}
