/* schema_value.h - one value of a configuration file: from its text into a member of a struct. */
#ifndef CONFIG_SCHEMA_VALUE_H
#define CONFIG_SCHEMA_VALUE_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct pool;
struct schema_key;

struct schema_setter {
    const char *file;  /* in whose folder relative paths start */
    struct pool *pool; /* of the copies of texts */
    char wrong[400];   /* what is wrong and the remedy, after a failure */
};

/* Checks `text`, which ends with a NUL, as a single value of `key` (of TEXTS: one of them) and sets
 * `member`.  False: setter->wrong says why. */
MUST_USE bool schema_set(struct schema_setter *setter, const struct schema_key *key,
                         struct slice text, void *member);

#endif
