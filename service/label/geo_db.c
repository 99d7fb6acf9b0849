#include "service/label/geo_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <maxminddb.h>

#include "proto/number.h"
#include "service/base/error.h"

enum {
    BITS = 8 * IP_LEN,
    IPV4_BITS = 32,
    SHORT_BITS = 16, /* leading bits of an IPv4 address that one table look-up resolves */
    RECENT = 1024,   /* records remembered while building: a file has few distinct countries */
};

/* A place in the tree: the number of a node, or LEAF plus the index of a value. */
#define LEAF (UINT32_C(1) << 31)

/*
 * The content of an MMDB file, laid out for look-ups.  libmaxminddb reads and checks the file.  Its
 * own look-up is too slow: it unpacks each node on the way from bytes, then a record that is a tree
 * of texts.  Over 4096 addresses and a 7.8 MB file of countries it took 280 ns and more, 6 % of a
 * whole redirect.  Here a node is one load, one table look-up resolves the first sixteen bits of an
 * IPv4 address, and the records were read at load: 26 ns.
 */
struct geo_db {
    uint32_t n_nodes, n_values, values_max;
    uint32_t (*nodes)[2];
    uint32_t *values; /* what leaves point to; values[0] = 0, not known */
    bool has_ipv6;
    uint32_t ipv4[1 << SHORT_BITS]; /* the place reached by each 16-bit prefix of IPv4 addresses */
};

/* --- what a record says --- */

/* The two letters, big-endian; 0 = none.  ZZ and XX are not countries (ISO 3166-1, user-assigned):
 * some files use them for networks whose country is not known. */
static uint32_t parse_country(const MMDB_entry_data_s *data)
{
    const char *text = data->utf8_string;

    if (!data->has_data || data->type != MMDB_DATA_TYPE_UTF8_STRING || data->data_size != 2 ||
        text[0] < 'A' || text[0] > 'Z' || text[1] < 'A' || text[1] > 'Z' ||
        memcmp(text, "ZZ", 2) == 0 || memcmp(text, "XX", 2) == 0)
        return 0;
    return (uint32_t)text[0] << 8 | (uint32_t)text[1];
}

static uint32_t read_country(MMDB_entry_s entry)
{
    static const char *const paths[][3] = {
        {"country", "iso_code", NULL}, {"country_code", NULL}, {"country", NULL}};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        MMDB_entry_data_s data;
        uint32_t country;

        if (MMDB_aget_value(&entry, &data, paths[i]) == MMDB_SUCCESS &&
            (country = parse_country(&data)) != 0)
            return country;
    }
    return 0;
}

static uint32_t parse_asn(const MMDB_entry_data_s *data)
{
    const char *text = data->utf8_string;
    uint32_t number;

    if (!data->has_data)
        return 0;
    switch (data->type) {
    case MMDB_DATA_TYPE_UTF8_STRING: /* "AS64496", the form that some files use */
        if (data->data_size < 3 || data->data_size > 12 || memcmp(text, "AS", 2) != 0 ||
            !number_parse_u32(slice_make(text + 2, data->data_size - 2), UINT32_MAX, &number))
            return 0;
        return number;
    case MMDB_DATA_TYPE_UINT16:
        return data->uint16;
    case MMDB_DATA_TYPE_UINT32:
        return data->uint32;
    case MMDB_DATA_TYPE_UINT64:
        return data->uint64 <= UINT32_MAX ? (uint32_t)data->uint64 : 0;
    default:
        return 0;
    }
}

static uint32_t read_asn(MMDB_entry_s entry)
{
    static const char *const paths[][2] = {{"autonomous_system_number", NULL}, {"asn", NULL}};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        MMDB_entry_data_s data;
        uint32_t asn;

        if (MMDB_aget_value(&entry, &data, paths[i]) == MMDB_SUCCESS &&
            (asn = parse_asn(&data)) != 0)
            return asn;
    }
    return 0;
}

/* --- building --- */

struct builder {
    struct geo_db *db;
    uint32_t (*read)(MMDB_entry_s record);
    struct {
        uint32_t offset_1; /* offset of the record plus 1; 0 = free */
        uint32_t leaf;
    } recent[RECENT];
};

static bool add_value(struct geo_db *db, uint32_t value)
{
    if (db->n_values == db->values_max) {
        uint32_t max = db->values_max ? 2 * db->values_max : RECENT;
        uint32_t *values = max < LEAF ? realloc(db->values, max * sizeof(*values)) : NULL;

        if (!values)
            return false;
        db->values = values;
        db->values_max = max;
    }
    db->values[db->n_values++] = value;
    return true;
}

/* Finds the leaf of a record.  A record that is no longer remembered is read again and may get a
 * second value. */
static bool find_leaf(struct builder *b, MMDB_entry_s record, uint32_t *place)
{
    unsigned slot = record.offset * 2654435761U >> 22;
    uint32_t value;

    _Static_assert(RECENT == 1U << (32 - 22), "the hash's high bits number the slots");
    if (b->recent[slot].offset_1 != record.offset + 1) {
        value = b->read(record);
        b->recent[slot].offset_1 = record.offset + 1;
        b->recent[slot].leaf = value ? LEAF | b->db->n_values : LEAF;
        if (value && !add_value(b->db, value))
            return false;
    }
    *place = b->recent[slot].leaf;
    return true;
}

static bool find_place(struct builder *b, uint8_t type, uint64_t number, MMDB_entry_s record,
                       uint32_t *place)
{
    switch (type) {
    case MMDB_RECORD_TYPE_SEARCH_NODE:
        *place = (uint32_t)number;
        return number < b->db->n_nodes;
    case MMDB_RECORD_TYPE_EMPTY:
        *place = LEAF;
        return true;
    case MMDB_RECORD_TYPE_DATA:
        return find_leaf(b, record, place);
    default:
        return false;
    }
}

static bool read_nodes(struct builder *b, const MMDB_s *mmdb)
{
    struct geo_db *db = b->db;

    for (uint32_t i = 0; i < db->n_nodes; i++) {
        MMDB_search_node_s node;

        if (MMDB_read_node(mmdb, i, &node) != MMDB_SUCCESS ||
            !find_place(b, node.left_record_type, node.left_record, node.left_record_entry,
                        &db->nodes[i][0]) ||
            !find_place(b, node.right_record_type, node.right_record, node.right_record_entry,
                        &db->nodes[i][1]))
            return false;
    }
    return true;
}

/* Follows the bits [from, to) of `bytes`; stops early at a leaf. */
static inline uint32_t follow(const struct geo_db *db, uint32_t place, const uint8_t *bytes,
                              unsigned from, unsigned to)
{
    for (unsigned i = from; i < to && !(place & LEAF); i++)
        place = db->nodes[place][bytes[i / 8] >> (7 - i % 8) & 1];
    return place;
}

/* Copies everything needed out of the open file.  False: out of memory, or the file is damaged. */
static bool build(struct geo_db *db, const MMDB_s *mmdb, enum geo_db_what what)
{
    static const uint8_t zeros[IP_LEN];
    struct builder *builder = calloc(1, sizeof(*builder));
    uint32_t n_nodes = mmdb->metadata.node_count, root;
    bool ok = false;

    if (!builder || n_nodes == 0 || n_nodes >= LEAF)
        goto out;
    db->n_nodes = n_nodes;
    db->nodes = calloc(n_nodes, sizeof(*db->nodes));
    db->has_ipv6 = mmdb->metadata.ip_version == 6;
    builder->db = db;
    builder->read = what == GEO_DB_COUNTRIES ? read_country : read_asn;
    if (!db->nodes || !add_value(db, 0) || !read_nodes(builder, mmdb))
        goto out;
    /* Files with IPv6 keep IPv4 addresses in ::/96. */
    root = db->has_ipv6 ? follow(db, 0, zeros, 0, BITS - IPV4_BITS) : 0;
    for (uint32_t i = 0; i < 1 << SHORT_BITS; i++) {
        const uint8_t bytes[] = {(uint8_t)(i >> 8), (uint8_t)i};

        db->ipv4[i] = follow(db, root, bytes, 0, SHORT_BITS);
    }
    ok = true;
out:
    free(builder);
    return ok;
}

/* --- loading --- */

/* Copies `fd` to its end into an unnamed file in memory; -1 and errno on failure. */
static int copy_to_memory(int fd)
{
    int copy = memfd_create("mmdb", MFD_CLOEXEC);
    ssize_t n;
    int saved;

    if (copy < 0)
        return -1;
    while ((n = sendfile(copy, fd, NULL, 1 << 20)) > 0)
        ;
    if (n == 0)
        return copy;
    saved = errno;
    close(copy);
    errno = saved;
    return -1;
}

static bool build_from_copy(struct geo_db *db, enum geo_db_what what, int copy, const char *path,
                            struct error *err)
{
    char name[32];
    MMDB_s mmdb;
    int status;
    bool ok;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
    status = MMDB_open(name, MMDB_MODE_MMAP, &mmdb);
    if (status != MMDB_SUCCESS) {
        error_set(err, "%s: not an MMDB file, or damaged:  %s", path, MMDB_strerror(status));
        return false;
    }
    ok = build(db, &mmdb, what);
    MMDB_close(&mmdb);
    if (!ok) {
        error_set(err, "%s: a damaged MMDB file, or one too large for memory", path);
        return false;
    }
    if (db->n_values == 1) {
        error_set(err, "%s: holds no %s", path,
                  what == GEO_DB_COUNTRIES ? "countries (country.iso_code, country_code or country)"
                                           : "numbers (autonomous_system_number or asn)");
        return false;
    }
    return true;
}

enum geo_db_status geo_db_load(const char *path, enum geo_db_what what, struct geo_db **out,
                               struct error *err)
{
    struct geo_db *db = calloc(1, sizeof(*db));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), copy = -1;
    enum geo_db_status status = GEO_DB_BAD;
    struct stat st;

    if (fd < 0) {
        status = errno == ENOENT ? GEO_DB_ABSENT : GEO_DB_BAD;
        error_set(err, "%s: %s", path, strerror(errno));
        goto out;
    }
    /* A pipe or a device may never end. */
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        error_set(err, "%s: is not a file", path);
        goto out;
    }
    if (!db) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    copy = copy_to_memory(fd);
    if (copy < 0) {
        error_set(err, "%s: cannot be read into memory: %s", path, strerror(errno));
        goto out;
    }
    if (!build_from_copy(db, what, copy, path, err))
        goto out;
    status = GEO_DB_OK;
    *out = db;
    db = NULL;
out:
    if (fd >= 0)
        close(fd);
    if (copy >= 0)
        close(copy);
    geo_db_free(db);
    return status;
}

void geo_db_free(struct geo_db *db)
{
    if (!db)
        return;
    free(db->nodes);
    free(db->values);
    free(db);
}

/* --- looking up --- */

uint32_t geo_db_find(const struct geo_db *db, const uint8_t ip[static IP_LEN])
{
    static const uint8_t mapped[IP_LEN - IPV4_BITS / 8] = {[10] = 0xff, [11] = 0xff};
    uint32_t place = LEAF;

    if (memcmp(ip, mapped, sizeof(mapped)) == 0)
        place = follow(db, db->ipv4[ip[12] << 8 | ip[13]], ip, BITS - IPV4_BITS + SHORT_BITS, BITS);
    else if (db->has_ipv6)
        place = follow(db, 0, ip, 0, BITS);
    /* In a damaged file the walk may end at a node instead of a leaf. */
    return place & LEAF ? db->values[place & ~LEAF] : 0;
}
