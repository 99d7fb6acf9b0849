/* ledger_settings.h - what the configuration says of the ledger, for hopcountd and for `hopcount
 * ledger drain`: both write the same to Redis. */
#ifndef LEDGER_LEDGER_SETTINGS_H
#define LEDGER_LEDGER_SETTINGS_H
#include "service/ledger/ledger.h"

struct config;

/* All options that come from the configuration, and its defaults where `config` is NULL.  The
 * caller sets redis_url and what is not configured, and owns `limits`. */
MUST_USE struct ledger_options ledger_settings(const struct config *config);

#endif
