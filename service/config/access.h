/* access.h - who may use the admin address: API keys, and people. */
#ifndef CONFIG_ACCESS_H
#define CONFIG_ACCESS_H
#include "proto/compiler.h"

struct apikeys;
struct config;
struct error;
struct site;
struct users;

struct access {
    struct apikeys *keys; /* NULL: there is no file of them */
    struct users *users;
};

/* Reads what `config` names; brands are those of `site`.  NULL and `*err` naming file, line and
 * remedy on failure. */
MUST_USE struct access *access_load(const struct config *config, const struct site *site,
                                    struct error *err);
void access_free(struct access *access);

#endif
