/* openapi.h - the description of the API (proto/openapi.yaml, a part of the program) as JSON, for
 * the page that shows it and for programs that read no YAML. */
#ifndef ADMIN_OPENAPI_H
#define ADMIN_OPENAPI_H
#include "proto/compiler.h"
#include "proto/slice.h"

/*
 * The JSON of one YAML document (core schema of YAML 1.2, aliases resolved), to be freed with
 * free().  NULL: no memory, or it is no such document, has a key that is no text, or is deeper than
 * 64 levels.
 */
MUST_USE char *openapi_to_json(struct slice yaml);

#endif
