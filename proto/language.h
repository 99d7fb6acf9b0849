/* language.h - the Accept-Language field (RFC 9110, 12.5.4).  Pure. */
#ifndef PROTO_LANGUAGE_H
#define PROTO_LANGUAGE_H
#include <stdbool.h>

#include "proto/slice.h"

/* The tag with the highest weight in `accept_language`, the first of equals; len 0 when the field
 * is absent, malformed or only `*`.  Points into the field. */
struct slice language_preferred(struct slice accept_language);

/*
 * The index of the language, of `n` in `tags`, that `accept_language` wants most (lookup, RFC 4647,
 * 3.4): of all its wishes, by their weights, the first that one of the languages fits.  "de-AT" is
 * fitted best by "de-AT", then by "de", then by "de-CH".  `fallback` when it wants none of them;
 * for `*` too, unless it refuses that one (q=0) and not another.
 */
unsigned language_choose(struct slice accept_language, const struct slice tags[], unsigned n,
                         unsigned fallback);

/* Whether `tag` is `range` or more special: "de" takes "de" and "de-AT", not "den" (basic
 * filtering, RFC 4647, 3.3.1).  '_' is as good as '-', and an old code as its new one: "he" takes
 * "iw". */
bool language_matches(struct slice tag, struct slice range);

#endif
