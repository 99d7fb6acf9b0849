#include "service/daemon/options.h"

#include <string.h>

#include "service/base/error.h"

static const struct {
    const char *name;
    enum options_mode mode;
} modes[] = {
    {"--check", OPTIONS_CHECK}, {"--help-config", OPTIONS_HELP_CONFIG}, {"--help", OPTIONS_HELP},
    {"-h", OPTIONS_HELP},       {"--version", OPTIONS_VERSION},
};

bool options_parse(int argc, char *const *argv, struct options *out, struct error *err)
{
    struct options options = {.mode = OPTIONS_RUN};
    bool needs_file;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
            options.config_path = argv[++i];
        } else if (strcmp(argv[i], "-c") == 0) {
            error_set(err, "-c needs a configuration file; try hopcountd --help");
            return false;
        } else {
            size_t mode = 0;

            while (mode < sizeof(modes) / sizeof(modes[0]) &&
                   strcmp(argv[i], modes[mode].name) != 0)
                mode++;
            if (mode == sizeof(modes) / sizeof(modes[0])) {
                error_set(err, "unknown argument '%s'; try hopcountd --help", argv[i]);
                return false;
            }
            options.mode = modes[mode].mode;
        }
    }
    needs_file = options.mode == OPTIONS_RUN || options.mode == OPTIONS_CHECK;
    if (needs_file && !options.config_path) {
        error_set(err, "no configuration file; use hopcountd -c FILE");
        return false;
    }
    *out = options;
    return true;
}

const char options_summary[] = "counted links for billing e-mails";

const struct options_form options_forms[] = {
    {"-c FILE", "runs in the foreground, logs to stderr"},
    {"-c FILE --check", "reads the configuration and the files it names, and ends"},
    {"--help-config", "every key of the configuration"},
    {"--help", "prints this"},
    {"--version", "prints the version"},
    {NULL, NULL},
};

const char options_notes[] =
    "SIGTERM drains and ends (SIGINT without the drain delay; a second one ends at once).\n"
    "SIGHUP reads the configuration again, and keeps the old one if the new one is bad.\n";

void options_print_help(FILE *out)
{
    fprintf(out, "hopcountd - %s\n\n", options_summary);
    for (const struct options_form *form = options_forms; form->usage; form++)
        fprintf(out, "  hopcountd %-18s %s\n", form->usage, form->help);
    fprintf(out, "\n%s", options_notes);
}
