/* openapi_json YAML > C: the description of the API as JSON, as bytes for the program that serves
 * it.
 *
 * A tool of the build (embed.cmake).  With `--json` it writes the JSON itself.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <yaml.h>

enum { DEPTH_MAX = 64 };

static json_t *node_json(yaml_document_t *document, const yaml_node_t *node, unsigned depth);

/* A scalar without quotes: null, a truth, a number or a text. */
static json_t *plain_json(const char *text, size_t len)
{
    json_int_t integer;
    double real;
    char *end;

    if (len == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
        return json_null();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(text[0] == 't');
    if (strspn(text, "+-.0123456789eE") < len || !strpbrk(text, "0123456789"))
        return json_stringn(text, len);
    errno = 0;
    integer = strtoll(text, &end, 10);
    if (*end == '\0' && errno == 0)
        return json_integer(integer);
    real = strtod(text, &end);
    return *end == '\0' ? json_real(real) : json_stringn(text, len);
}

static json_t *sequence_json(yaml_document_t *document, const yaml_node_t *node, unsigned depth)
{
    json_t *array = json_array();

    for (yaml_node_item_t *item = node->data.sequence.items.start;
         array && item < node->data.sequence.items.top; item++) {
        yaml_node_t *child = yaml_document_get_node(document, *item);

        if (json_array_append_new(array, node_json(document, child, depth)) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static json_t *mapping_json(yaml_document_t *document, const yaml_node_t *node, unsigned depth)
{
    json_t *object = json_object();

    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         object && pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(document, pair->value);

        if (key->type != YAML_SCALAR_NODE ||
            json_object_set_new(object, (const char *)key->data.scalar.value,
                                node_json(document, value, depth)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

/* A new reference, or NULL. */
static json_t *node_json(yaml_document_t *document, const yaml_node_t *node, unsigned depth)
{
    const char *text;

    if (!node || depth == DEPTH_MAX)
        return NULL;
    switch (node->type) {
    case YAML_SCALAR_NODE:
        text = (const char *)node->data.scalar.value;
        return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
                   ? plain_json(text, node->data.scalar.length)
                   : json_stringn(text, node->data.scalar.length);
    case YAML_SEQUENCE_NODE:
        return sequence_json(document, node, depth + 1);
    case YAML_MAPPING_NODE:
        return mapping_json(document, node, depth + 1);
    case YAML_NO_NODE:
        break;
    }
    return NULL;
}

/* The JSON of one YAML document (core schema of YAML 1.2, aliases resolved), to be freed; or NULL:
 * it is no such document, has a key that is no text, or is deeper than DEPTH_MAX. */
static char *to_json(FILE *yaml)
{
    yaml_document_t document;
    yaml_parser_t parser;
    json_t *json;
    char *text = NULL;

    if (!yaml_parser_initialize(&parser))
        return NULL;
    yaml_parser_set_input_file(&parser, yaml);
    if (yaml_parser_load(&parser, &document)) {
        json = node_json(&document, yaml_document_get_root_node(&document), 0);
        text = json ? json_dumps(json, JSON_COMPACT) : NULL;
        json_decref(json);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return text;
}

static void write_c(const char *json)
{
    size_t len = strlen(json);

    printf("#include \"service/admin/openapi.h\"\n\nconst unsigned char openapi_json[] = {");
    for (size_t i = 0; i < len; i++)
        printf("%s%d,", i % 20 == 0 ? "\n    " : " ", (unsigned char)json[i]);
    printf("\n};\nconst size_t openapi_json_len = sizeof(openapi_json);\n");
}

int main(int argc, char **argv)
{
    bool as_json = argc == 3 && strcmp(argv[1], "--json") == 0;
    const char *path = argc > 1 ? argv[argc - 1] : "";
    FILE *file = fopen(path, "re");
    char *json = file ? to_json(file) : NULL;

    if (!json)
        fprintf(stderr, "%s: %s\n", path, file ? "is no YAML that can be JSON" : strerror(errno));
    else if (as_json)
        puts(json);
    else
        write_c(json);
    if (file)
        fclose(file);
    free(json);
    return json && fflush(stdout) == 0 ? 0 : 1;
}
