/* hopcountd: turns a click on a short link into a redirect and a count. */
#include <stdio.h>

#include "service/base/error.h"
#include "service/base/log.h"
#include "service/config/config.h"
#include "service/config/schema.h"
#include "service/daemon/daemon.h"
#include "service/daemon/options.h"

static int fail(const struct error *err)
{
    fprintf(stderr, "hopcountd: %s\n", err->text);
    return 1;
}

static int run(int argc, char **argv)
{
    struct error err = {0};
    struct options options;
    struct daemon *daemon;

    if (!options_parse(argc, argv, &options, &err))
        return fail(&err);
    switch (options.mode) {
    case OPTIONS_RUN:
        daemon = daemon_start(options.config_path, &err);
        if (!daemon)
            return fail(&err);
        daemon_run(daemon);
        daemon_free(daemon);
        return 0;
    case OPTIONS_CHECK:
        if (!daemon_check(options.config_path, &err))
            return fail(&err);
        printf("%s: good\n", options.config_path);
        return 0;
    case OPTIONS_HELP_CONFIG:
        schema_print_help(config_schema, stdout);
        return 0;
    case OPTIONS_HELP:
        options_print_help(stdout);
        return 0;
    case OPTIONS_VERSION:
        printf("hopcountd %s\n", HOPCOUNT_VERSION);
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    int status = run(argc, argv);

    log_end();
    return status;
}
