/* agent_model.h - takes the names of models out of agents: phones are called "M bot 54", "C Bot Tab
 * 70", "Spider 8" or "Discovery Pro", and are no machines for it.  Pure.
 */
#ifndef LABEL_AGENT_MODEL_H
#define LABEL_AGENT_MODEL_H
#include <stddef.h>

#include "proto/slice.h"

/*
 * Writes `text` to `out`, which takes text.len bytes, without the parts of its first brackets that
 * name a model, and returns the length.  Only systems whose agents name models are looked at:
 * Android and Windows Phone.  There every part behind the system's name is taken for a model's, but
 * for those that tell otherwise: an address, "compatible", a program with its version.
 *
 *     (Linux; Android 9; M bot 54 Build/PPR1) AppleWebKit/...  ->  (Linux; Android 9)
 * AppleWebKit/... (Linux; Android 9; Pixel 7; compatible; Examplebot/1.0)
 *                                          ->  (Linux; Android 9; compatible; Examplebot/1.0)
 */
size_t agent_without_models(struct slice text, char *out);

#endif
