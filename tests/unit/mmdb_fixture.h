/* mmdb_fixture.h - writes small MMDB files (MaxMind DB file format 2.0, records of 32 bits). */
#ifndef UNIT_MMDB_FIXTURE_H
#define UNIT_MMDB_FIXTURE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/bytes.h"
#include "proto/ip.h"

enum { MMDB_NODES_MAX = 1024, MMDB_DATA_MAX = 4096, MMDB_EMPTY = UINT16_MAX };

/* A file being made: a tree over IPv6 addresses, IPv4 ones in ::/96, and the records. */
struct mmdb_file {
    bool is_ipv4; /* a tree over IPv4 addresses only: set it after mmdb_begin() */
    unsigned n_nodes;
    uint32_t nodes[MMDB_NODES_MAX][2]; /* a node, MMDB_EMPTY, or 0x10000 + offset of a record */
    size_t data_len;
    uint8_t data[MMDB_DATA_MAX];
};

static inline void mmdb_begin(struct mmdb_file *file)
{
    memset(file, 0, sizeof(*file));
    file->n_nodes = 1;
    file->nodes[0][0] = file->nodes[0][1] = MMDB_EMPTY;
}

static inline void mmdb_put_control(uint8_t **p, unsigned type, size_t size)
{
    *(*p)++ = (uint8_t)((type > 7 ? 0 : type << 5) | size);
    if (type > 7)
        *(*p)++ = (uint8_t)(type - 7);
}

static inline void mmdb_put_text(uint8_t **p, const char *text)
{
    mmdb_put_control(p, 2, strlen(text));
    memcpy(*p, text, strlen(text));
    *p += strlen(text);
}

/* Adds a record, {"country": {"iso_code": text}} or {key: text}; returns its offset. */
static inline uint32_t mmdb_add_record(struct mmdb_file *file, const char *key, const char *text)
{
    uint8_t *p = file->data + file->data_len, *start = p;

    mmdb_put_control(&p, 7, 1);
    mmdb_put_text(&p, key ? key : "country");
    if (!key) {
        mmdb_put_control(&p, 7, 1);
        mmdb_put_text(&p, "iso_code");
    }
    mmdb_put_text(&p, text);
    file->data_len = (size_t)(p - file->data);
    return (uint32_t)(start - file->data);
}

/* The same for {key: number}, an unsigned one of 32 bits. */
static inline uint32_t mmdb_add_number(struct mmdb_file *file, const char *key, uint32_t number)
{
    uint8_t *p = file->data + file->data_len, *start = p;

    mmdb_put_control(&p, 7, 1);
    mmdb_put_text(&p, key);
    mmdb_put_control(&p, 6, 4);
    be32_store(p, number);
    p += 4;
    file->data_len = (size_t)(p - file->data);
    return (uint32_t)(start - file->data);
}

/* Lets the network of the first `bits` of `ip` have the record; bits of an IPv4 one count from
 * 96, whatever the tree. */
static inline void mmdb_add_network(struct mmdb_file *file, const char *ip, unsigned bits,
                                    uint32_t record)
{
    uint8_t bytes[IP_LEN];
    unsigned node = 0;

    if (!ip_parse(slice_of(ip), bytes))
        return;
    if (!strchr(ip, ':'))
        bytes[10] = bytes[11] = 0; /* the format has them in ::/96 */
    for (unsigned i = file->is_ipv4 ? 96 : 0; i < bits; i++) {
        uint32_t *next = &file->nodes[node][bytes[i / 8] >> (7 - i % 8) & 1];

        if (i + 1 == bits) {
            *next = 0x10000 + record;
        } else {
            if (*next == MMDB_EMPTY) {
                file->nodes[file->n_nodes][0] = file->nodes[file->n_nodes][1] = MMDB_EMPTY;
                *next = file->n_nodes++;
            }
            if (*next >= 0x10000)
                return; /* in a network that is there already */
            node = *next;
        }
    }
}

static inline void mmdb_put_number(uint8_t **p, const char *key, unsigned type, unsigned value)
{
    mmdb_put_text(p, key);
    mmdb_put_control(p, type, 4);
    be32_store(*p, value);
    *p += 4;
}

static inline uint8_t *mmdb_put_metadata(uint8_t *p, const struct mmdb_file *file)
{
    memcpy(p, "\xab\xcd\xefMaxMind.com", 14);
    p += 14;
    mmdb_put_control(&p, 7, 9);
    mmdb_put_text(&p, "binary_format_major_version");
    mmdb_put_control(&p, 5, 1);
    *p++ = 2;
    mmdb_put_text(&p, "binary_format_minor_version");
    mmdb_put_control(&p, 5, 0);
    mmdb_put_text(&p, "build_epoch");
    mmdb_put_control(&p, 9, 1);
    *p++ = 1;
    mmdb_put_text(&p, "database_type");
    mmdb_put_text(&p, "Test");
    mmdb_put_text(&p, "description");
    mmdb_put_control(&p, 7, 0);
    mmdb_put_text(&p, "ip_version");
    mmdb_put_control(&p, 5, 1);
    *p++ = file->is_ipv4 ? 4 : 6;
    mmdb_put_text(&p, "languages");
    mmdb_put_control(&p, 11, 0);
    mmdb_put_number(&p, "node_count", 6, file->n_nodes);
    mmdb_put_text(&p, "record_size");
    mmdb_put_control(&p, 5, 1);
    *p++ = 32;
    return p;
}

/* Writes the file beside `path` and moves it there, as those who update such files do. */
static inline bool mmdb_write(const struct mmdb_file *file, const char *path)
{
    static uint8_t out[MMDB_NODES_MAX * 8 + 16 + MMDB_DATA_MAX + 512];
    uint8_t *p = out;
    char beside[4096];
    FILE *f;
    bool ok;

    for (unsigned i = 0; i < file->n_nodes; i++) {
        for (unsigned side = 0; side < 2; side++, p += 4) {
            uint32_t next = file->nodes[i][side];

            be32_store(p, next == MMDB_EMPTY ? file->n_nodes
                          : next >= 0x10000  ? file->n_nodes + 16 + next - 0x10000
                                             : next);
        }
    }
    memset(p, 0, 16);
    p += 16;
    memcpy(p, file->data, file->data_len);
    p = mmdb_put_metadata(p + file->data_len, file);
    snprintf(beside, sizeof(beside), "%s.new", path);
    f = fopen(beside, "wb");
    if (!f)
        return false;
    ok = fwrite(out, 1, (size_t)(p - out), f) == (size_t)(p - out);
    return fclose(f) == 0 && ok && rename(beside, path) == 0;
}

#endif
