/* brand_targets.h - compiles the targets of a brand: its preset's, then its own over them. */
#ifndef CONFIG_BRAND_TARGETS_H
#define CONFIG_BRAND_TARGETS_H
#include <stdbool.h>

#include "proto/compiler.h"

struct brand_private;
struct config;
struct error;

/* Fills priv->targets from config->brands[index].  False and `*err` on failure. */
MUST_USE bool brand_targets_build(struct brand_private *priv, const struct config *config,
                                  unsigned index, struct error *err);

#endif
