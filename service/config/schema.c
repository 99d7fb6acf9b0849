#include "service/config/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "proto/number.h"
#include "proto/slice.h"
#include "service/base/error.h"
#include "service/config/pool.h"

enum {
    FILE_MAX = 4 << 20,
    PATH_TEXT_MAX = 256, /* of a key's path in a message */
    SHOWN_MAX = 60,      /* bytes of a bad value in a message */
    LONGEST = 2048,      /* of an entry of a list, and of a number */
};

struct schema_doc {
    yaml_document_t yaml; /* kept for the lines of its keys */
    struct pool pool;     /* of the struct and all that it points to */
    void *data;
};

/* The walk over the tree that libyaml has made of the file. */
struct reader {
    struct schema_doc *doc;
    struct error *err;
    const char *file;
    bool *was_read; /* of each node: an alias leads to a node a second time */
    unsigned line;  /* of what is being read */
    char path[PATH_TEXT_MAX];
    size_t path_len;
};

/* --- messages --- */

static bool fail(const struct reader *r, const char *format, ...) PRINTF_LIKE(2, 3);

/* Sets "file:line: path: …".  Always false, so that a caller can return it. */
static bool fail(const struct reader *r, const char *format, ...)
{
    char what[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    error_set(r->err, "%s:%u: %s%s%s", r->file, r->line, r->path, r->path_len ? ": " : "", what);
    return false;
}

static bool fail_memory(const struct reader *r)
{
    error_set(r->err, "%s: out of memory", r->file);
    return false;
}

/* Adds ".name" to the path; a byte that could act in a terminal becomes '?'.  The caller cuts the
 * path back to what it was. */
static void path_add_name(struct reader *r, const char *name)
{
    size_t room = sizeof(r->path) - r->path_len;
    int n = snprintf(r->path + r->path_len, room, "%s%.40s", r->path_len ? "." : "", name);

    for (char *p = r->path + r->path_len; *p; p++) {
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
            *p = '?';
    }
    r->path_len += (size_t)n < room ? (size_t)n : room - 1;
}

static void path_cut(struct reader *r, size_t len)
{
    r->path_len = len;
    r->path[len] = '\0';
}

/* --- values --- */

/* Strict: no sign but '-', no leading zero, no blanks, no other base. */
static bool read_int(const char *text, int64_t *out)
{
    struct slice digits = slice_of(text + (*text == '-'));
    uint64_t n;

    if ((digits.len > 1 && digits.ptr[0] == '0') || !number_parse(digits, INT64_MAX, &n))
        return false;
    *out = *text == '-' ? -(int64_t)n : (int64_t)n;
    return true;
}

static void put_number(void *member, size_t size, int64_t value)
{
    if (size == sizeof(int64_t))
        *(int64_t *)member = value;
    else if (size == sizeof(int))
        *(int *)member = (int)value;
    else
        *(bool *)member = value != 0;
}

static bool set_choice(struct reader *r, const struct schema_key *key, const char *const choices[],
                       const char *text, void *member)
{
    char all[256] = "";
    size_t len = 0;

    for (int i = 0; choices[i]; i++) {
        if (strcmp(text, choices[i]) == 0) {
            put_number(member, key->size, i);
            return true;
        }
        if (len < sizeof(all))
            len +=
                (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "", choices[i]);
    }
    return fail(r, "'%.*s' is not valid; give one of: %s", SHOWN_MAX, text, all);
}

/* Characters that a value can't want and that would act in a terminal, a header or a page: controls
 * (C0, DEL, C1), line and paragraph separators, byte order marks, non-characters. */
static bool is_control(const unsigned char *p)
{
    if (p[0] < 0x20 || p[0] == 0x7f)
        return true;
    if (p[0] == 0xc2)
        return p[1] < 0xa0;
    if (p[0] == 0xe2)
        return p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
    if (p[0] == 0xef)
        return (p[1] == 0xbb && p[2] == 0xbf) || (p[1] == 0xbf && p[2] >= 0xbe);
    return false;
}

static bool set_text(struct reader *r, const struct schema_key *key, const char *text, void *member)
{
    const char *wrong = key->check ? key->check(text) : NULL;
    bool is_path =
        key->type == SCHEMA_PATH || (key->type == SCHEMA_NAME_OR_PATH && strchr(text, '/'));
    const char *slash = is_path && text[0] != '/' ? strrchr(r->file, '/') : NULL;
    size_t folder_len = slash ? (size_t)(slash + 1 - r->file) : 0, len = strlen(text);
    char *copy;

    if (wrong)
        return fail(r, "'%.*s' %s", SHOWN_MAX, text, wrong);
    copy = pool_alloc(&r->doc->pool, folder_len + len + 1);
    if (!copy)
        return fail(r, "out of memory");
    memcpy(copy, r->file, folder_len);
    memcpy(copy + folder_len, text, len + 1);
    *(char **)member = copy;
    return true;
}

/* Checks `text`, which ends with a NUL, as a single value of `key` (of TEXTS: one of them) and sets
 * `member`. */
static bool set_single(struct reader *r, const struct schema_key *key, struct slice text,
                       void *member)
{
    static const char *const words[] = {"false", "true", NULL};
    bool is_text =
        key->type == SCHEMA_TEXT || key->type == SCHEMA_PATH || key->type == SCHEMA_NAME_OR_PATH;
    size_t max = is_text ? (size_t)key->max : LONGEST;
    int64_t value = 0;

    if (text.len > max)
        return fail(r, "is %zu bytes long; at most %zu are allowed", text.len, max);
    for (size_t i = 0; i < text.len; i++) {
        if (is_control((const unsigned char *)text.ptr + i))
            return fail(r, "holds a control character at byte %zu; remove it", i);
    }
    switch (key->type) {
    case SCHEMA_INT:
    case SCHEMA_AUTO:
        if ((key->type != SCHEMA_AUTO || strcmp(text.ptr, "auto") != 0) &&
            (!read_int(text.ptr, &value) || value < key->min || value > key->max))
            return fail(r,
                        "'%.*s' is not valid; give %sa whole number from %" PRId64 " to %" PRId64,
                        SHOWN_MAX, text.ptr, key->type == SCHEMA_AUTO ? "auto or " : "", key->min,
                        key->max);
        put_number(member, key->size, value);
        return true;
    case SCHEMA_BOOL:
        if (!slice_equal(text, slice_of("true")) && !slice_equal(text, slice_of("false")))
            return fail(r, "'%.*s' is not valid; give true or false", SHOWN_MAX, text.ptr);
        return set_choice(r, key, words, text.ptr, member);
    case SCHEMA_CHOICE:
        return set_choice(r, key, key->choices, text.ptr, member);
    case SCHEMA_TEXT:
    case SCHEMA_PATH:
    case SCHEMA_NAME_OR_PATH:
    case SCHEMA_TEXTS:
        return set_text(r, key, text.ptr, member);
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        break;
    }
    return fail(r, "has no single value");
}

static bool read_single(struct reader *r, const yaml_node_t *node, const struct schema_key *key,
                        void *member)
{
    const char *text = (const char *)node->data.scalar.value;

    if (node->type != YAML_SCALAR_NODE)
        return fail(r, "wants a single value, not a %s",
                    node->type == YAML_MAPPING_NODE ? "group of keys" : "list");
    if (node->data.scalar.length == 0 || (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                                          (strcmp(text, "~") == 0 || strcmp(text, "null") == 0)))
        return fail(r, "has no value; give one or remove the line");
    return set_single(r, key, slice_make(text, node->data.scalar.length), member);
}

static bool read_value(struct reader *r, const yaml_node_t *node, const struct schema_key *key,
                       char *owner);

/* The node of that number, the next to be read; NULL and the error when an alias leads to it. */
static const yaml_node_t *enter(struct reader *r, int number)
{
    const yaml_node_t *node = yaml_document_get_node(&r->doc->yaml, number);

    if (r->was_read[number]) {
        fail(r, "aliases (*name) aren't supported; write the value out");
        return NULL;
    }
    r->was_read[number] = true;
    r->line = (unsigned)node->start_mark.line + 1;
    return node;
}

/* Room for `n` entries, told to the struct; NULL after an error. */
static char *new_entries(struct reader *r, const struct schema_key *key, size_t n, char *owner)
{
    size_t size = key->type == SCHEMA_TEXTS ? sizeof(char *) : key->size;
    char *entries;

    if ((int64_t)n < key->min) {
        fail(r, "needs at least %" PRId64 " %s", key->min, key->min == 1 ? "entry" : "entries");
        return NULL;
    }
    if ((int64_t)n > key->max) {
        fail(r, "has too many entries; at most %" PRId64 " are allowed", key->max);
        return NULL;
    }
    entries = pool_alloc(&r->doc->pool, n * size);
    if (!entries)
        fail_memory(r);
    *(char **)(owner + key->offset) = entries;
    *(unsigned *)(owner + key->count_offset) = (unsigned)n;
    return entries;
}

/* What a key that isn't there stands for. */
static bool set_default(struct reader *r, const struct schema_key *key, char *owner)
{
    char *member = owner + key->offset;

    if (key->type == SCHEMA_GROUP) {
        for (const struct schema_key *inner = key->keys; inner->name; inner++) {
            if (!set_default(r, inner, member))
                return false;
        }
        return true;
    }
    if (!key->fallback)
        return true;
    if (key->type == SCHEMA_TEXTS && !(member = new_entries(r, key, 1, owner)))
        return false;
    return set_single(r, key, slice_of(key->fallback), member);
}

/* The text of the node that stands before a ':', added to the path; NULL after an error. */
static const char *read_name(struct reader *r, int number)
{
    const yaml_node_t *node = enter(r, number);
    const char *name;

    if (!node)
        return NULL;
    if (node->type != YAML_SCALAR_NODE) {
        fail(r, "wants 'key: value' lines here");
        return NULL;
    }
    name = (const char *)node->data.scalar.value;
    path_add_name(r, name);
    if (strlen(name) != node->data.scalar.length) {
        fail(r, "the key holds a NUL; remove it");
        return NULL;
    }
    return name;
}

static bool read_group(struct reader *r, const yaml_node_t *node, const struct schema_key *keys,
                       char *owner)
{
    unsigned line = r->line;
    size_t path_len = r->path_len;
    uint64_t seen = 0;

    if (node->type != YAML_MAPPING_NODE)
        return fail(r, "wants 'key: value' lines");
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const char *name = read_name(r, pair->key);
        const struct schema_key *key = keys;
        char known[SCHEMA_SUGGESTION_MAX];
        const yaml_node_t *value;

        if (!name)
            return false;
        while (key->name && strcmp(key->name, name) != 0)
            key++;
        if (!key->name) {
            schema_suggest(keys, name, known);
            return fail(r, "unknown key; %s", known);
        }
        if (seen >> (key - keys) & 1)
            return fail(r, "is there twice; remove one");
        seen |= UINT64_C(1) << (key - keys);
        value = enter(r, pair->value);
        if (!value || !read_value(r, value, key, owner))
            return false;
        path_cut(r, path_len);
    }
    r->line = line;
    for (size_t i = 0; keys[i].name; i++) {
        if (seen >> i & 1)
            continue;
        if (keys[i].required) {
            path_add_name(r, keys[i].name);
            return fail(r, "is missing; add it: %s", keys[i].help);
        }
        if (!set_default(r, &keys[i], owner))
            return false;
    }
    return true;
}

static bool read_list(struct reader *r, const yaml_node_t *node, const struct schema_key *key,
                      char *owner)
{
    const yaml_node_item_t *items = node->data.sequence.items.start;
    size_t n = (size_t)(node->data.sequence.items.top - items), path_len = r->path_len;
    char *entries = new_entries(r, key, n, owner);

    if (!entries)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t room = sizeof(r->path) - r->path_len;
        int len = snprintf(r->path + r->path_len, room, "[%zu]", i);
        const yaml_node_t *item;
        bool ok;

        r->path_len += (size_t)len < room ? (size_t)len : room - 1;
        if (!(item = enter(r, items[i])))
            return false;
        if (key->type == SCHEMA_TEXTS)
            ok = read_single(r, item, key, entries + i * sizeof(char *));
        else
            ok = read_group(r, item, key->keys, entries + i * key->size);
        if (!ok)
            return false;
        path_cut(r, path_len);
    }
    return true;
}

static bool read_map(struct reader *r, const yaml_node_t *node, const struct schema_key *key,
                     char *owner)
{
    const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
    size_t n = (size_t)(node->data.mapping.pairs.top - pairs), path_len = r->path_len;
    char *entries = new_entries(r, key, n, owner);

    if (!entries)
        return false;
    for (size_t i = 0; i < n; i++) {
        char *entry = entries + i * key->size;
        const yaml_node_t *value;
        const char *name;

        if (!read_name(r, pairs[i].key) ||
            !read_single(r, yaml_document_get_node(&r->doc->yaml, pairs[i].key), &key->keys[0],
                         entry + key->keys[0].offset))
            return false;
        name = *(char *const *)(entry + key->keys[0].offset);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(*(char *const *)(entries + k * key->size + key->keys[0].offset), name) == 0)
                return fail(r, "is there twice; remove one");
        }
        value = enter(r, pairs[i].value);
        if (!value || !read_value(r, value, &key->keys[1], entry))
            return false;
        path_cut(r, path_len);
    }
    return true;
}

static bool read_value(struct reader *r, const yaml_node_t *node, const struct schema_key *key,
                       char *owner)
{
    char *text;

    switch (key->type) {
    case SCHEMA_GROUP:
        return read_group(r, node, key->keys, owner + key->offset);
    case SCHEMA_LIST:
        if (node->type != YAML_SEQUENCE_NODE)
            return fail(r, "wants a list: entries that start with '- '");
        return read_list(r, node, key, owner);
    case SCHEMA_MAP:
        if (node->type != YAML_MAPPING_NODE)
            return fail(r, "wants 'name: value' lines");
        return read_map(r, node, key, owner);
    case SCHEMA_TEXTS:
        if (node->type == YAML_SEQUENCE_NODE)
            return read_list(r, node, key, owner);
        text = new_entries(r, key, 1, owner);
        return text && read_single(r, node, key, text);
    case SCHEMA_INT:
    case SCHEMA_AUTO:
    case SCHEMA_BOOL:
    case SCHEMA_CHOICE:
    case SCHEMA_TEXT:
    case SCHEMA_PATH:
    case SCHEMA_NAME_OR_PATH:
        break;
    }
    return read_single(r, node, key, owner + key->offset);
}

/* --- a file --- */

/* The number of the line that the byte at `at` is in, from 1. */
static unsigned line_of_byte(struct slice text, size_t at)
{
    unsigned line = 1;

    for (size_t i = 0; i < at && i < text.len; i++)
        line += text.ptr[i] == '\n';
    return line;
}

/* Whether a tab is among the blanks before the first other character of a line, from 1. */
static bool is_indented_by_tab(struct slice text, size_t line)
{
    struct slice part = {0};

    for (size_t n = 0; n < line; n++) {
        if (!slice_next_part(&text, '\n', &part))
            return false;
    }
    for (size_t i = 0; i < part.len && (part.ptr[i] == ' ' || part.ptr[i] == '\t'); i++) {
        if (part.ptr[i] == '\t')
            return true;
    }
    return false;
}

static bool fail_syntax(struct reader *r, const yaml_parser_t *p, struct slice text)
{
    if (p->error == YAML_MEMORY_ERROR)
        return fail_memory(r);
    r->line = (unsigned)p->problem_mark.line + 1;
    if (p->error == YAML_READER_ERROR) {
        r->line = line_of_byte(text, p->problem_offset); /* libyaml doesn't say */
        return fail(r, "not readable as YAML: %s at byte %zu; write UTF-8 text",
                    p->problem ? p->problem : "bad byte", p->problem_offset);
    }
    if (is_indented_by_tab(text, r->line))
        return fail(r, "not readable as YAML: a tab stands before the first word; YAML takes only "
                       "blanks there");
    if (p->context)
        return fail(r, "not readable as YAML: %s (from line %zu on), %s; look at these lines",
                    p->context, p->context_mark.line + 1, p->problem);
    return fail(r, "not readable as YAML: %s; look at this line and the one before",
                p->problem ? p->problem : "bad syntax");
}

/* Makes the tree of the file's only document. */
static bool load_tree(struct reader *r, const char *text, size_t len)
{
    yaml_document_t second;
    yaml_parser_t parser;
    bool ok = false;

    if (!yaml_parser_initialize(&parser))
        return fail_memory(r);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (!yaml_parser_load(&parser, &r->doc->yaml)) {
        fail_syntax(r, &parser, slice_make(text, len));
    } else if (!yaml_document_get_root_node(&r->doc->yaml)) {
        fail(r, "the file is empty; write 'key: value' lines");
    } else if (!yaml_parser_load(&parser, &second)) {
        fail_syntax(r, &parser, slice_make(text, len));
    } else {
        ok = !yaml_document_get_root_node(&second);
        r->line = (unsigned)second.start_mark.line + 1;
        if (!ok)
            fail(r, "a second document starts here; remove it");
        yaml_document_delete(&second);
    }
    yaml_parser_delete(&parser);
    return ok;
}

struct schema_doc *schema_parse(const struct schema_key *keys, size_t size, const char *file,
                                const char *text, size_t len, struct error *err)
{
    struct schema_doc *doc = calloc(1, sizeof(*doc));
    struct reader r = {.doc = doc, .err = err, .file = file, .line = 1};
    const yaml_node_t *root;
    bool ok = false;

    if (!doc || !(doc->data = pool_alloc(&doc->pool, size))) {
        fail_memory(&r);
        goto out;
    }
    if (!load_tree(&r, text, len))
        goto out;
    /* Numbers of nodes start at 1. */
    r.was_read = calloc((size_t)(doc->yaml.nodes.top - doc->yaml.nodes.start) + 1, sizeof(bool));
    if (r.was_read)
        ok = (root = enter(&r, 1)) && read_group(&r, root, keys, doc->data);
    else
        fail_memory(&r);
out:
    free(r.was_read);
    if (!ok) {
        schema_doc_free(doc);
        doc = NULL;
    }
    return doc;
}

void schema_doc_free(struct schema_doc *doc)
{
    if (!doc)
        return;
    yaml_document_delete(&doc->yaml);
    pool_clear(&doc->pool);
    free(doc);
}

void *schema_doc_data(struct schema_doc *doc)
{
    return doc->data;
}

/* The node that the next step of `*path` leads to, and the line of that step; NULL: nowhere. */
static const yaml_node_t *step(const struct schema_doc *doc, const yaml_node_t *node,
                               const char **path, unsigned *line)
{
    yaml_document_t *yaml = (yaml_document_t *)&doc->yaml; /* libyaml knows no const */

    if (node->type == YAML_SEQUENCE_NODE && **path == '[') {
        const yaml_node_item_t *items = node->data.sequence.items.start;
        size_t index = strtoul(*path + 1, NULL, 10);

        if (index >= (size_t)(node->data.sequence.items.top - items))
            return NULL;
        *path += strcspn(*path, "]") + 1;
        node = yaml_document_get_node(yaml, items[index]);
        *line = (unsigned)node->start_mark.line + 1;
        return node;
    }
    *path += **path == '.';
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         node->type == YAML_MAPPING_NODE && pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(yaml, pair->key);
        size_t len = name->type == YAML_SCALAR_NODE ? name->data.scalar.length : 0;

        if (len == 0 || strncmp(*path, (const char *)name->data.scalar.value, len) != 0 ||
            !strchr(".[", (*path)[len])) /* or the end */
            continue;
        *path += len;
        *line = (unsigned)name->start_mark.line + 1;
        return yaml_document_get_node(yaml, pair->value);
    }
    return NULL;
}

unsigned schema_doc_line(const struct schema_doc *doc, const char *key)
{
    const yaml_node_t *node = yaml_document_get_root_node((yaml_document_t *)&doc->yaml);
    unsigned line = 1;

    while (node && *key)
        node = step(doc, node, &key, &line);
    return line;
}

bool schema_doc_has(const struct schema_doc *doc, const char *key)
{
    const yaml_node_t *node = yaml_document_get_root_node((yaml_document_t *)&doc->yaml);
    unsigned line;

    while (node && *key)
        node = step(doc, node, &key, &line);
    return node != NULL;
}

char *schema_read_file(const char *path, size_t *len, struct error *err)
{
    FILE *file = fopen(path, "re");
    char *buf = NULL;
    bool ok = false;

    if (!file) {
        error_set(err, "%s: cannot open: %s; check the path and its permissions", path,
                  strerror(errno));
        goto out;
    }
    buf = malloc(FILE_MAX + 1);
    if (!buf) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    *len = fread(buf, 1, FILE_MAX + 1, file);
    if (ferror(file))
        error_set(err, "%s: cannot read: %s", path, strerror(errno));
    else if (*len > FILE_MAX)
        error_set(err, "%s: cannot read: over 4 MiB; is this the configuration?", path);
    else
        ok = true;
out:
    if (file)
        fclose(file);
    if (!ok) {
        free(buf);
        buf = NULL;
    }
    return buf;
}
