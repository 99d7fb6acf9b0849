/* webhook_preset.h - records in the words of web analytics: Google Analytics 4 (Measurement
 * Protocol) and Matomo (Tracking HTTP API).
 *
 * They get clicks, and payments with an amount; nothing else has a place there.  Who clicked is the
 * hash of the client, else that of the link, so a form with hashed fields is needed.  Pure: no I/O,
 * no clock, no allocation.
 *
 * https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference
 * https://developer.matomo.org/api-reference/tracking-api */
#ifndef SINKS_WEBHOOK_PRESET_H
#define SINKS_WEBHOOK_PRESET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/sinks/record.h"

/* Whether analytics can be told of the record. */
bool webhook_preset_has(const struct record *record);

enum { WEBHOOK_PRESET_MAX = 2048 };

/* Both write the text of a record that webhook_preset_has(), with a NUL behind it, and return its
 * length, less than WEBHOOK_PRESET_MAX.  GA4: the body of a request, JSON.  Matomo: the query of a
 * request, "?idsite=…", as it stands in the list of a bulk request: nothing in it needs escaping in
 * JSON. */
size_t webhook_preset_ga4(const struct record *record, const struct record_form *form,
                          char out[static WEBHOOK_PRESET_MAX]);
size_t webhook_preset_matomo(const struct record *record, const struct record_form *form,
                             int64_t site_id, char out[static WEBHOOK_PRESET_MAX]);

#endif
