/* kept.h - small things that people keep for a brand: annotations, saved views, links that share a
 * view.
 *
 * Each sort is a hash in Redis, id -> JSON object (FORMATS.md "Kept for a brand").  Its limit is
 * looked at before something is added: of two requests at once both may be the last.
 */
#ifndef ADMIN_KEPT_H
#define ADMIN_KEPT_H
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/slice.h"

struct brand;
struct request;

enum { KEPT_ID_LEN = 16 }; /* hexadecimal digits, random */

struct kept_sort {
    const char *what; /* "annotation": for sentences */
    enum counter_kept key;
    size_t max;         /* of a brand */
    const char *unique; /* a member that no two of a brand have alike; NULL = none */
    /* Whether one is over, and is to be forgotten; NULL: they never are. */
    bool (*is_over)(const json_t *item);
};

enum kept_deed { KEPT_LIST, KEPT_FIND, KEPT_ADD, KEPT_CHANGE, KEPT_REMOVE };

struct kept_wish {
    const struct kept_sort *sort;
    const struct brand *brand;
    enum kept_deed deed;
    struct slice id; /* of which; not of KEPT_LIST and KEPT_ADD */
    /* Of KEPT_ADD the item, which gets the members `by` and `made_at`; of KEPT_CHANGE the members
     * that are to be others.  Taken. */
    json_t *given;
    /* When it is done: `items`, borrowed, holds by its id what was asked for: all, the one that was
     * found (or none), the one that was added or changed as it is now, or removed as it was.  Takes
     * the request. */
    void (*done)(struct request *request, const struct brand *brand, json_t *items);
};

/* Takes the request, which is replied to where the wish can't be done. */
void kept_do(struct request *request, const struct kept_wish *wish);

/* What is wrong with a text of 1 to `max` characters that people see again; NULL: nothing. */
const char *kept_text_fault(const json_t *value, size_t max, char out[static 64]);

/* An item as the API shows it, with its id and its brand; a new reference. */
MUST_USE json_t *kept_json(const char *id, const struct brand *brand, const json_t *item);
/* The same of the only one of `items`. */
MUST_USE json_t *kept_only_json(const struct brand *brand, json_t *items);
/* Takes out who made it and when: who comes by a link needn't know who works here. */
void kept_hide_maker(json_t *item);
/* All of them, in the order of the text member `by`. */
MUST_USE json_t *kept_list_json(const struct brand *brand, json_t *items, const char *by);

#endif
