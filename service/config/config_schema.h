/* config_schema.h - the table of all configuration keys. */
#ifndef CONFIG_CONFIG_SCHEMA_H
#define CONFIG_CONFIG_SCHEMA_H

#include "service/config/schema.h"

/* The keys of struct config; ends with a NULL name. */
extern const struct schema_key config_schema[];

#endif
