/* schema.h - YAML files read into structs by a table: each key's name, type, default, range, help.
 *
 * One table drives everything: what is accepted, the defaults, the members that are filled, the
 * help texts, and what a reload can't change.  A message names the file, the line and the key.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/compiler.h"

struct error;
struct schema_doc; /* a file that has been read: its struct, and the line of each key */

enum schema_type {
    SCHEMA_INT,          /* whole number, min…max; an int64_t or int */
    SCHEMA_AUTO,         /* the same or `auto`, which is stored as 0 */
    SCHEMA_BOOL,         /* true or false */
    SCHEMA_CHOICE,       /* one of `choices`; its index is stored */
    SCHEMA_TEXT,         /* char *, at most max bytes, never empty; absent = NULL */
    SCHEMA_PATH,         /* the same; a relative one starts at the folder of the file */
    SCHEMA_NAME_OR_PATH, /* the same; a path when it holds a '/' */
    SCHEMA_TEXTS,        /* char **, min…max of them; a single one needs no list */
    SCHEMA_GROUP,        /* a struct with keys of its own */
    SCHEMA_LIST,         /* an array of structs with keys of their own, min…max of them */
    SCHEMA_MAP,          /* `name: value` lines, the names free, into an array of structs, min…max
                          * of them; `keys` has two entries: the name, and what stands behind it */
};

struct schema_key {
    const char *name; /* NULL ends a table */
    enum schema_type type;
    bool required;
    bool at_reload;      /* a reload applies it and all that it holds; else only a restart does */
    bool at_use;         /* of a PATH: it is read whenever it is needed, or written to */
    size_t offset;       /* of the member */
    size_t size;         /* of the member; of an entry of a LIST or MAP */
    size_t count_offset; /* of the unsigned that counts TEXTS, LIST and MAP */
    int64_t min, max;
    const char *fallback; /* the default as it would be written; NULL = none */
    const char *const *choices;
    const struct schema_key *keys; /* of GROUP, LIST and MAP */
    /* Looks at a TEXT, or at one of TEXTS: NULL, or what is wrong and the remedy. */
    const char *(*check)(const char *text);
    const char *help; /* one sentence */
};

/* Reads `len` bytes of YAML into a struct of `size` bytes.  `file` is for messages and as the
 * folder of relative paths.  NULL and `*err` ("file:line: key: what is wrong; remedy") on failure.
 */
MUST_USE struct schema_doc *schema_parse(const struct schema_key *keys, size_t size,
                                         const char *file, const char *text, size_t len,
                                         struct error *err);
/* Frees the struct and all that it points to, too.  NULL is allowed. */
void schema_doc_free(struct schema_doc *doc);

/* The struct; lives as long as the document. */
void *schema_doc_data(struct schema_doc *doc);

/* The line of the key "brands[0].hosts[1]" or, where it isn't written, of what holds it; 1 at
 * least. */
unsigned schema_doc_line(const struct schema_doc *doc, const char *key);

/* Whether the key is written, not a default. */
bool schema_doc_has(const struct schema_doc *doc, const char *key);

/* A file's bytes (malloc, with room for one more), at most 4 MiB; NULL and `*err` on failure. */
MUST_USE char *schema_read_file(const char *path, size_t *len, struct error *err);

enum { SCHEMA_SUGGESTION_MAX = 320 };

/* What to write in place of the unknown `name`: "did you mean 'hosts'?", or the keys of the table.
 */
void schema_suggest(const struct schema_key *keys, const char *name,
                    char out[static SCHEMA_SUGGESTION_MAX]);

/* Every key, for people; as lines, as a Markdown table, or as a part of a manual page. */
void schema_print_help(const struct schema_key *keys, FILE *out);
void schema_print_table(const struct schema_key *keys, FILE *out);
void schema_print_manual(const struct schema_key *keys, FILE *out);

/* Writes, separated by commas, the paths of the keys whose values differ between two structs and
 * which a reload does not apply; a group that has no other keys is written by its own name.
 * Returns how many it wrote. */
unsigned schema_print_restart_keys(const struct schema_key *keys, const void *old, const void *new,
                                   FILE *out);

/* A file or folder that the value of `key`, such as "sinks[0].secret_file", names; texts are
 * borrowed for the call.  `at_reload`: a reload reads it, else only a restart does. */
typedef void schema_on_path(void *owner, const char *key, const char *path, bool at_reload);
/* Calls `on_path` for each that is set in a struct and isn't `at_use`. */
void schema_each_path(const struct schema_key *keys, const void *data, schema_on_path *on_path,
                      void *owner);

#endif
