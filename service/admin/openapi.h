/* openapi.h - the description of the API (proto/openapi.yaml) as JSON, for the page that shows it
 * and for programs that read no YAML; made at build (web/openapi_json.c). */
#ifndef ADMIN_OPENAPI_H
#define ADMIN_OPENAPI_H
#include <stddef.h>

extern const unsigned char openapi_json[];
extern const size_t openapi_json_len;

#endif
