/* options.h - the command line of hopcountd. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H
#include <stdbool.h>
#include <stdio.h>

#include "proto/compiler.h"

struct error;

enum options_mode {
    OPTIONS_RUN,
    OPTIONS_CHECK,       /* read the configuration and all files it names, then exit */
    OPTIONS_HELP_CONFIG, /* print every key of the configuration */
    OPTIONS_HELP,
    OPTIONS_VERSION,
};

struct options {
    enum options_mode mode;
    const char *config_path; /* borrowed from argv; NULL unless RUN or CHECK */
};

/* False and `*err` (with the remedy) for a command line that is not valid. */
MUST_USE bool options_parse(int argc, char *const *argv, struct options *out, struct error *err);

/* The ways to call it, for --help and for its manual page; ends with a NULL. */
struct options_form {
    const char *usage; /* what comes behind "hopcountd" */
    const char *help;
};
extern const struct options_form options_forms[];
extern const char options_summary[], options_notes[];

void options_print_help(FILE *out);

#endif
