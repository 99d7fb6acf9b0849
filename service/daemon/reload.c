#include "service/daemon/reload.h"

#include <stdio.h>

#include "service/admin/admin.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/checks/checks.h"
#include "service/config/config.h"
#include "service/config/schema.h"
#include "service/config/site.h"
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
    FILE *out = fmemopen(text, sizeof(text), "w");
    unsigned n = out ? schema_print_restart_keys(config_schema, old, new, out) : 0;

    if (out)
        fclose(out);
    if (n > 0)
        log_warn("reload.ignored", "keys=%s remedy=restart", text);
}

void reload(struct parts *p, const char *config_path, struct watch *watch)
{
    struct error err = {0};
    struct config *config;
    struct access *access;
    struct site *site;
    char quoted[LOG_QUOTE_MAX];

    watch_mark(watch);
    if (parts_load(config_path, &config, &site, &access, &err)) {
        warn_of_restart_keys(p->config, config);
        for (unsigned i = 0; i < p->n_workers; i++)
            worker_reload(p->workers[i], site);
        ledger_use_site(p->ledger, site);
        admin_reload(p->admin, site, access); /* owns it from now on */
        sinks_reload(p->sinks, site);
        site_unref(p->site);
        p->site = site;
        checks_reload(p->checks, config, site);
        ledger_set_limits(p->ledger, use_limits_new(config));
        if (!watch_files(watch,
                         (const char *[]){config_path, config->keys, config->admin.api_keys}))
            log_warn("reload.watch", "err=\"out of memory\" watched=\"files of before\"");
        log_info("reload.done", "brands=%u", site_n_brands(site));
    } else {
        log_error("reload.failed", "err=%s kept=old", log_quote(quoted, err.text));
        admin_note_reload_failure(p->admin);
        site_unref(site);
    }
    config_free(config);
}
