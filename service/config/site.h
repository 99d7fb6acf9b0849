/* site.h - what a click is answered from: keys, brands, hosts, targets, pages.
 *
 * Built whole from a configuration, read-only afterwards, shared by all threads by reference count,
 * and replaced by a new one at reload.
 */
#ifndef CONFIG_SITE_H
#define CONFIG_SITE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "proto/token.h"
#include "service/config/brand.h"
#include "service/config/pages.h"

struct config;
struct error;
struct site;

/* Reads keys, presets and templates named by `config`.  NULL and `*err` (file, line, key, remedy)
 * on failure.  Borrows `config` for the call only. */
MUST_USE struct site *site_new(const struct config *config, struct error *err);

/* Both steps: reads the configuration at `path` and builds its site.  On failure returns NULL, sets
 * `*err` and leaves `*config` alone, so that a reload keeps what it has.  The caller frees both. */
MUST_USE struct site *site_load(const char *path, struct config **config, struct error *err);

struct site *site_ref(struct site *site);
/* Drops a reference; the last one frees.  NULL is allowed. */
void site_unref(struct site *site);

const struct token_keyring *site_keys(const struct site *site);

/* token_open() for a brand; TOKEN_UNKNOWN_KEY also when the key is not for that brand. */
MUST_USE enum token_status site_open_token(const struct site *site, const struct brand *brand,
                                           struct slice text, struct token *out);

/* Of a list of brands as a key has it (brandlist.h): the first name that is no brand of the site,
 * or an absent slice; and the only brand of the site that is in it, NULL when there are several or
 * none. */
struct slice site_find_unknown_brand(const struct site *site, const char *list);
const struct brand *site_find_only_brand(const struct site *site, const char *list);

/* The brand of a Host field value (any case, port ignored), or NULL. */
const struct brand *site_find_host(const struct site *site, struct slice host);
/* The brand of that name, or NULL. */
const struct brand *site_find_brand(const struct site *site, struct slice name);
unsigned site_n_brands(const struct site *site);
const struct brand *site_brand_at(const struct site *site, unsigned index);

/* Names what the page says in the language that the wish gets: a hash of it, never 0. */
uint32_t site_page_version(const struct site *site, const struct brand *brand,
                           const struct page_wish *wish);

/* Fills `*out`.  `brand` NULL for requests of no known brand. */
void site_page(const struct site *site, const struct brand *brand, const struct page_wish *wish,
               struct page_text *out);

#endif
