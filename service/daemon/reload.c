#include "service/daemon/reload.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/admin/admin.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/checks/checks.h"
#include "service/config/access.h"
#include "service/config/brand.h"
#include "service/config/config.h"
#include "service/config/schema.h"
#include "service/config/site.h"
#include "service/config/users.h"
#include "service/daemon/parts.h"
#include "service/daemon/watch.h"
#include "service/ledger/ledger.h"
#include "service/ledger/use_limits.h"
#include "service/public/worker.h"
#include "service/sinks/sinks.h"

/* Logs each changed key that takes effect only after a restart. */
static void warn_of_restart_keys(const struct config *old, const struct config *new)
{
    char text[256] = "";
    FILE *out = fmemopen(text, sizeof(text) - 1, "w"); /* it ends a full text with no NUL */
    unsigned n = out ? schema_print_restart_keys(config_schema, old, new, out) : 0;

    if (out)
        fclose(out);
    if (n > 0)
        log_warn("reload.ignored", "keys=%s remedy=restart", text);
}

/* Logs each brand that is left out or renamed: a token is sealed for the brand's name, so no link
 * that was mailed opens any more. */
static void warn_of_gone_brands(const struct site *old, const struct site *new)
{
    for (unsigned i = 0; i < site_n_brands(old); i++) {
        struct slice name = site_brand_at(old, i)->name;

        if (!site_find_brand(new, name))
            log_warn("reload.brand_gone", "brand=%.*s effect=\"its links are unknown now: 404\"",
                     SLICE_ARG(name));
    }
}

/* --- which files there are --- */

struct naming {
    struct watch *watch;
    bool ok;
};

static void add_file(struct naming *naming, const char *path, const char *restart_key)
{
    naming->ok = watch_add(naming->watch, path, restart_key) && naming->ok;
}

/* A folder of texts: a file that is written over itself doesn't change the folder. */
static void add_texts(struct naming *naming, const char *path, const char *restart_key)
{
    DIR *folder = opendir(path);
    struct dirent *entry;

    while (folder && (entry = readdir(folder))) {
        char *file = NULL;

        if (entry->d_name[0] == '.')
            continue;
        if (asprintf(&file, "%s/%s", path, entry->d_name) < 0) {
            naming->ok = false;
            continue;
        }
        add_file(naming, file, restart_key);
        free(file);
    }
    if (folder)
        closedir(folder);
}

static void on_path(void *owner, const char *key, const char *path, bool at_reload)
{
    const char *restart_key = at_reload ? NULL : key;

    add_file(owner, path, restart_key);
    add_texts(owner, path, restart_key);
}

static bool watch_files_of(struct watch *watch, const struct config *config)
{
    struct naming naming = {watch, true};

    schema_each_path(config_schema, config, on_path, &naming);
    return naming.ok;
}

bool reload_watch(struct watch *watch, const char *config_path, const struct config *config)
{
    bool ok;

    watch_begin(watch);
    ok = watch_add(watch, config_path, NULL);
    ok = watch_files_of(watch, config) && ok;
    watch_end(watch);
    return ok;
}

/* Logs each file that only a restart reads, and that has changed since the start. */
static void warn_of_restart_files(const struct watch *watch)
{
    char text[512] = "";
    FILE *out = fmemopen(text, sizeof(text) - 1, "w"); /* it ends a full text with no NUL */
    unsigned n = out ? watch_print_restart(watch, out) : 0;

    if (out)
        fclose(out);
    if (n > 0)
        log_warn("reload.ignored", "files=%s remedy=restart", text);
}

void reload(struct parts *p, const char *config_path, struct watch *watch)
{
    struct error err = {0};
    struct config *config;
    struct access *access;
    struct site *site;
    char quoted[LOG_QUOTE_MAX];

    watch_mark(watch);
    if (parts_load(config_path, &config, &site, &access, &err) &&
        users_check_running(config, &p->config->public, &err)) {
        warn_of_restart_keys(p->config, config);
        warn_of_gone_brands(p->site, site);
        for (unsigned i = 0; i < p->n_workers; i++)
            worker_reload(p->workers[i], site);
        ledger_use_site(p->ledger, site);
        admin_reload(p->admin, site, access); /* owns it from now on */
        sinks_reload(p->sinks, site);
        site_unref(p->site);
        p->site = site;
        checks_reload(p->checks, config, site);
        ledger_set_limits(p->ledger, use_limits_new(config));
        if (!reload_watch(watch, config_path, config))
            log_warn("reload.watch", "err=\"out of memory\" effect=\"some files are not watched\"");
        warn_of_restart_files(watch);
        log_info("reload.done", "brands=%u", site_n_brands(site));
    } else {
        /* A faulty file that only the refused configuration names is loaded when it is mended. */
        if (config && !watch_files_of(watch, config))
            log_warn("reload.watch", "err=\"out of memory\" effect=\"some files are not watched\"");
        log_error("reload.failed", "err=%s kept=old", log_quote(quoted, err.text));
        admin_note_reload_failure(p->admin);
        access_free(access);
        site_unref(site);
    }
    config_free(config);
}
