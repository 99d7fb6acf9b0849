/* agent_model.h - removes the names of phone models from agents, because some look like bots: "M
 * bot 54", "C Bot Tab 70", "Spider 8", "Discovery Pro".  Pure. */
#ifndef LABEL_AGENT_MODEL_H
#define LABEL_AGENT_MODEL_H
#include <stddef.h>

#include "proto/slice.h"

/*
 * Writes `text` to `out`, which takes text.len bytes, without the parts of its first brackets that
 * name a model, and returns the length.  Only agents of Android and Windows Phone are changed,
 * because only they name models.  Every part after the system's name counts as a model's, except an
 * address, "compatible" and a program with its version.
 *
 *     (Linux; Android 9; M bot 54 Build/PPR1) AppleWebKit/...  ->  (Linux; Android 9)
 * AppleWebKit/... (Linux; Android 9; Pixel 7; compatible; Examplebot/1.0)
 *                                          ->  (Linux; Android 9; compatible; Examplebot/1.0)
 */
size_t agent_without_models(struct slice text, char *out);

#endif
