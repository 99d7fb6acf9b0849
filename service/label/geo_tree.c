#include "service/label/geo_tree.h"

#include <stdlib.h>
#include <string.h>

enum {
    BITS = 8 * IP_LEN,
    IPV4_BITS = 32,
    SHORT_BITS = 16, /* of an IPv4 address that are looked up at once */
    RECENT = 1024,   /* records that are remembered while building: countries are few */
};

/* A place of the tree: the number of a node, or LEAF with the number of a value. */
#define LEAF (UINT32_C(1) << 31)

struct geo_tree {
    uint32_t n_nodes, n_values, values_max;
    uint32_t (*nodes)[2];
    uint32_t *values; /* of the leaves; values[0] = 0, none */
    bool has_ipv6;
    uint32_t ipv4[1 << SHORT_BITS]; /* where the first bits of an IPv4 address lead */
};

/* --- building --- */

struct builder {
    struct geo_tree *tree;
    geo_tree_read *read;
    struct {
        uint32_t offset_1; /* of the record, + 1 */
        uint32_t leaf;
    } recent[RECENT];
};

static bool add_value(struct geo_tree *tree, uint32_t value)
{
    if (tree->n_values == tree->values_max) {
        uint32_t max = tree->values_max ? 2 * tree->values_max : RECENT;
        uint32_t *values = max < LEAF ? realloc(tree->values, max * sizeof(*values)) : NULL;

        if (!values)
            return false;
        tree->values = values;
        tree->values_max = max;
    }
    tree->values[tree->n_values++] = value;
    return true;
}

/* The leaf of a record; those that were not met lately are read, and may get a second value. */
static bool find_leaf(struct builder *b, MMDB_entry_s record, uint32_t *place)
{
    unsigned slot = record.offset * 2654435761U >> 22;
    uint32_t value;

    _Static_assert(RECENT == 1U << (32 - 22), "the hash's high bits number the slots");
    if (b->recent[slot].offset_1 != record.offset + 1) {
        value = b->read(record);
        b->recent[slot].offset_1 = record.offset + 1;
        b->recent[slot].leaf = value ? LEAF | b->tree->n_values : LEAF;
        if (value && !add_value(b->tree, value))
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
        return number < b->tree->n_nodes;
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
    struct geo_tree *tree = b->tree;

    for (uint32_t i = 0; i < tree->n_nodes; i++) {
        MMDB_search_node_s node;

        if (MMDB_read_node(mmdb, i, &node) != MMDB_SUCCESS ||
            !find_place(b, node.left_record_type, node.left_record, node.left_record_entry,
                        &tree->nodes[i][0]) ||
            !find_place(b, node.right_record_type, node.right_record, node.right_record_entry,
                        &tree->nodes[i][1]))
            return false;
    }
    return true;
}

/* Follows the bits [from, to) of `bytes`, or fewer if a leaf comes before. */
static inline uint32_t follow(const struct geo_tree *tree, uint32_t place, const uint8_t *bytes,
                              unsigned from, unsigned to)
{
    for (unsigned i = from; i < to && !(place & LEAF); i++)
        place = tree->nodes[place][bytes[i / 8] >> (7 - i % 8) & 1];
    return place;
}

static void fill_ipv4(struct geo_tree *tree)
{
    static const uint8_t zeros[IP_LEN];
    /* Files for both families keep IPv4 addresses in ::/96. */
    uint32_t root = tree->has_ipv6 ? follow(tree, 0, zeros, 0, BITS - IPV4_BITS) : 0;

    for (uint32_t i = 0; i < 1 << SHORT_BITS; i++) {
        const uint8_t bytes[] = {(uint8_t)(i >> 8), (uint8_t)i};

        tree->ipv4[i] = follow(tree, root, bytes, 0, SHORT_BITS);
    }
}

struct geo_tree *geo_tree_new(const MMDB_s *mmdb, geo_tree_read *read)
{
    struct geo_tree *tree = calloc(1, sizeof(*tree));
    struct builder *builder = calloc(1, sizeof(*builder));
    uint32_t n_nodes = mmdb->metadata.node_count;
    bool ok = false;

    if (!tree || !builder || n_nodes == 0 || n_nodes >= LEAF)
        goto out;
    tree->n_nodes = n_nodes;
    tree->nodes = calloc(n_nodes, sizeof(*tree->nodes));
    tree->has_ipv6 = mmdb->metadata.ip_version == 6;
    *builder = (struct builder){.tree = tree, .read = read};
    if (!tree->nodes || !add_value(tree, 0) || !read_nodes(builder, mmdb))
        goto out;
    fill_ipv4(tree);
    ok = true;
out:
    free(builder);
    if (!ok) {
        geo_tree_free(tree);
        tree = NULL;
    }
    return tree;
}

void geo_tree_free(struct geo_tree *tree)
{
    if (!tree)
        return;
    free(tree->nodes);
    free(tree->values);
    free(tree);
}

/* --- looking up --- */

bool geo_tree_has_any(const struct geo_tree *tree)
{
    return tree->n_values > 1;
}

uint32_t geo_tree_find(const struct geo_tree *tree, const uint8_t ip[static IP_LEN])
{
    static const uint8_t mapped[IP_LEN - IPV4_BITS / 8] = {[10] = 0xff, [11] = 0xff};
    uint32_t place = LEAF;

    if (memcmp(ip, mapped, sizeof(mapped)) == 0)
        place =
            follow(tree, tree->ipv4[ip[12] << 8 | ip[13]], ip, BITS - IPV4_BITS + SHORT_BITS, BITS);
    else if (tree->has_ipv6)
        place = follow(tree, 0, ip, 0, BITS);
    /* In a damaged file the way may not have ended yet. */
    return place & LEAF ? tree->values[place & ~LEAF] : 0;
}
