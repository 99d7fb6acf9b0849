#include "service/config/schema.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/base/error.h"
#include "service/config/schema_check.h"
#include "service/config/schema_lines.h"

enum { FILE_MAX = 4 << 20 };

/* Memory of a libcyaml schema made from a table: one block per group, in a chain. */
struct block {
    struct block *next;
    cyaml_schema_value_t value; /* of the entries of a list */
    cyaml_schema_field_t fields[];
};

struct schema_doc {
    struct schema_lines lines;
    struct block *blocks;
    cyaml_schema_value_t top;
    void *data;
};

static const cyaml_schema_value_t text_value = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)};

/* What libcyaml says first is the reason; what follows is where, in the rewritten text. */
static void on_cyaml_log(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
    char *reason = ctx;

    (void)level;
    if (!*reason)
        vsnprintf(reason, ERROR_TEXT_MAX / 2, format, args);
}

static cyaml_config_t cyaml_options(char reason[static ERROR_TEXT_MAX / 2])
{
    return (cyaml_config_t){
        .log_fn = on_cyaml_log,
        .log_ctx = reason,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_NO_ALIAS,
    };
}

static const struct block *block_new(struct schema_doc *doc, const struct schema_key *keys);

/* libcyaml's schema of one key; false: out of memory. */
static bool field_set(struct schema_doc *doc, const struct schema_key *key,
                      cyaml_schema_field_t *field)
{
    cyaml_schema_value_t *value = &field->value;
    const struct block *inner = NULL;

    if (key->keys && !(inner = block_new(doc, key->keys)))
        return false;
    *field = (cyaml_schema_field_t){.key = key->name, .data_offset = (uint32_t)key->offset};
    value->flags = CYAML_FLAG_OPTIONAL;
    value->data_size = (uint32_t)key->size;
    switch (key->type) {
    case SCHEMA_INT:
    case SCHEMA_AUTO:
    case SCHEMA_BOOL:
    case SCHEMA_CHOICE:
        value->type = CYAML_INT;
        break;
    case SCHEMA_TEXT:
    case SCHEMA_PATH:
        *value = text_value;
        value->flags = CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER;
        break;
    case SCHEMA_GROUP:
        value->type = CYAML_MAPPING;
        value->mapping.fields = inner->fields;
        break;
    case SCHEMA_TEXTS:
    case SCHEMA_LIST:
        value->type = CYAML_SEQUENCE;
        value->flags = CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER;
        value->sequence.max = CYAML_UNLIMITED;
        value->sequence.entry = inner ? &inner->value : &text_value;
        field->count_offset = (uint32_t)key->count_offset;
        field->count_size = sizeof(unsigned);
        if (inner)
            ((struct block *)inner)->value.data_size = (uint32_t)key->size;
        else
            value->data_size = sizeof(char *);
        break;
    }
    return true;
}

static const struct block *block_new(struct schema_doc *doc, const struct schema_key *keys)
{
    struct block *block;
    size_t n = 0;

    while (keys[n].name)
        n++;
    block = calloc(1, sizeof(*block) + (n + 1) * sizeof(block->fields[0]));
    if (!block)
        return NULL;
    block->next = doc->blocks;
    doc->blocks = block;
    block->value.type = CYAML_MAPPING;
    block->value.mapping.fields = block->fields;
    for (size_t i = 0; i < n; i++) {
        if (!field_set(doc, &keys[i], &block->fields[i]))
            return NULL;
    }
    return block;
}

/* Checks `text` and writes it anew, complete; malloc'd, NULL and `*err` on failure. */
static char *rewrite(struct schema_doc *doc, const struct schema_key *keys, const char *file,
                     const char *text, size_t len, size_t *out_len, struct error *err)
{
    char *whole = NULL;
    FILE *out = open_memstream(&whole, out_len);
    bool ok;

    if (!out) {
        error_set(err, "%s: out of memory", file);
        return NULL;
    }
    ok = schema_check(keys, file, text, len, out, &doc->lines, err);
    if (ferror(out) && ok) {
        error_set(err, "%s: out of memory", file);
        ok = false;
    }
    if (fclose(out) != 0 || !ok) {
        free(whole);
        return NULL;
    }
    return whole;
}

struct schema_doc *schema_parse(const struct schema_key *keys, size_t size, const char *file,
                                const char *text, size_t len, struct error *err)
{
    struct schema_doc *doc = calloc(1, sizeof(*doc));
    char reason[ERROR_TEXT_MAX / 2] = "";
    cyaml_config_t options = cyaml_options(reason);
    const struct block *block;
    char *whole = NULL;
    size_t whole_len = 0;
    bool ok = false;
    cyaml_err_t status;

    if (!doc || !(block = block_new(doc, keys))) {
        error_set(err, "%s: out of memory", file);
        goto out;
    }
    doc->top = block->value;
    doc->top.flags = CYAML_FLAG_POINTER;
    doc->top.data_size = (uint32_t)size;
    whole = rewrite(doc, keys, file, text, len, &whole_len, err);
    if (!whole)
        goto out;
    status =
        cyaml_load_data((const uint8_t *)whole, whole_len, &options, &doc->top, &doc->data, NULL);
    if (status != CYAML_OK) {
        reason[strcspn(reason, "\n")] = '\0';
        error_set(err, "%s: %s (%s)", file, cyaml_strerror(status), reason);
        goto out;
    }
    ok = true;
out:
    free(whole);
    if (!ok) {
        schema_doc_free(doc);
        doc = NULL;
    }
    return doc;
}

void schema_doc_free(struct schema_doc *doc)
{
    char reason[ERROR_TEXT_MAX / 2] = "";
    cyaml_config_t options = cyaml_options(reason);

    if (!doc)
        return;
    if (doc->data)
        (void)cyaml_free(&options, &doc->top, doc->data, 0);
    while (doc->blocks) {
        struct block *next = doc->blocks->next;

        free(doc->blocks);
        doc->blocks = next;
    }
    schema_lines_clear(&doc->lines);
    free(doc);
}

void *schema_doc_data(struct schema_doc *doc)
{
    return doc->data;
}

unsigned schema_doc_line(const struct schema_doc *doc, const char *key)
{
    return schema_lines_find(&doc->lines, key);
}

/* Reads what `fd` holds; false: an error (errno) or more than FILE_MAX (errno 0). */
static bool read_all(int fd, char *buf, size_t *len)
{
    *len = 0;
    for (;;) {
        ssize_t n = read(fd, buf + *len, FILE_MAX + 1 - *len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            return true;
        *len += (size_t)n;
        if (*len > FILE_MAX) {
            errno = 0;
            return false;
        }
    }
}

char *schema_read_file(const char *path, size_t *len, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *buf = NULL;
    bool ok = false;

    if (fd < 0) {
        error_set(err, "%s: cannot open: %s; check the path and its permissions", path,
                  strerror(errno));
        goto out;
    }
    buf = malloc(FILE_MAX + 1);
    if (!buf) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    if (!read_all(fd, buf, len)) {
        error_set(err, "%s: cannot read: %s", path,
                  errno ? strerror(errno) : "over 4 MiB; is this the configuration?");
        goto out;
    }
    ok = true;
out:
    if (fd >= 0)
        close(fd);
    if (!ok) {
        free(buf);
        buf = NULL;
    }
    return buf;
}
