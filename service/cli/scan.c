#include "service/cli/scan.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "service/cli/talk.h"

enum { CURSOR_MAX = 24 };

struct page {
    char *text; /* the keys, one behind the other */
    size_t *ends;
    size_t n;
    char cursor[CURSOR_MAX];
    bool ok;
};

static void page_clear(struct page *page)
{
    free(page->text);
    free(page->ends);
    page->text = NULL;
    page->ends = NULL;
    page->n = 0;
}

/* The answer to SCAN: {cursor, {key, …}}. */
static void on_page(void *owner, const struct redisReply *answer)
{
    struct page *page = owner;
    const struct redisReply *keys;
    size_t len = 0;

    page_clear(page);
    page->ok = answer->type == REDIS_REPLY_ARRAY && answer->elements == 2 &&
               answer->element[0]->type == REDIS_REPLY_STRING &&
               answer->element[1]->type == REDIS_REPLY_ARRAY &&
               answer->element[0]->len < sizeof(page->cursor);
    if (!page->ok)
        return;
    memcpy(page->cursor, answer->element[0]->str, answer->element[0]->len + 1);
    keys = answer->element[1];
    for (size_t i = 0; i < keys->elements; i++)
        len += keys->element[i]->len;
    page->text = malloc(len + 1);
    page->ends = calloc(keys->elements + 1, sizeof(*page->ends));
    page->ok = page->text && page->ends;
    for (size_t i = 0, at = 0; page->ok && i < keys->elements; i++) {
        memcpy(page->text + at, keys->element[i]->str, keys->element[i]->len);
        at += keys->element[i]->len;
        page->ends[page->n++] = at;
    }
}

static struct slice shard_key(struct counter_key *key, unsigned shard)
{
    counter_key_shards(key, shard);
    return counter_key_slice(key);
}

/* The keys of the node that holds `shard`.  A key of another node, which a cluster that moves slots
 * may show too, is found there. */
static bool scan_node(struct talk *talk, unsigned shard, uint64_t node, const char *pattern,
                      scan_on_key *each, void *owner)
{
    struct slice argv[6] = {slice_of("SCAN"),  {NULL, 0},         slice_of("MATCH"),
                            slice_of(pattern), slice_of("COUNT"), slice_of("500")};
    struct page page = {.cursor = "0"};
    struct counter_key of;
    bool ok = true;

    do {
        char at[CURSOR_MAX];
        size_t begin = 0;

        snprintf(at, sizeof(at), "%s", page.cursor);
        argv[1] = slice_of(at);
        ok = talk_send(talk, shard_key(&of, shard), argv, 6, on_page, &page) && talk_wait(talk);
        if (ok && !page.ok) {
            talk_fail(talk, "Redis does not answer SCAN as it should");
            ok = false;
        }
        for (size_t i = 0; ok && i < page.n; i++) {
            struct slice text = slice_make(page.text + begin, page.ends[i] - begin);

            begin = page.ends[i];
            if (talk_node(talk, text) == node)
                ok = each(owner, text);
        }
        /* What was passed over as another node's could be this one's under a new number. */
        if (ok && talk_node(talk, shard_key(&of, shard)) != node) {
            talk_fail(talk, "the connection to Redis was lost, or the cluster moves slots");
            ok = false;
        }
    } while (ok && strcmp(page.cursor, "0") != 0);
    page_clear(&page);
    return ok;
}

bool scan_keys(struct talk *talk, unsigned n_shards, const char *pattern, scan_on_key *each,
               void *owner)
{
    uint64_t nodes[COUNTER_SHARDS_MAX];
    struct counter_key key;

    for (unsigned s = 0; s < n_shards; s++) {
        unsigned first = 0;

        nodes[s] = talk_node(talk, shard_key(&key, s));
        if (nodes[s] == 0)
            return false;
        while (nodes[first] != nodes[s])
            first++;
        if (first == s && !scan_node(talk, s, nodes[s], pattern, each, owner))
            return false;
    }
    return true;
}
