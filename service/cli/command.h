/* command.h - the commands of the `hopcount` program: one table each for parsing, --help, manual
 * pages and shell completion. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"

struct error;

enum {
    CLI_OK = 0,
    CLI_FAILED = 1, /* it could not be done, or not all of it */
    CLI_USAGE = 2,  /* the command line makes no sense */
    CLI_OPTIONS_MAX = 32,
};

/* For completion: words apart by blanks; or one of these, which are found when they are asked for:
 * paths of files, and what the configuration on the line names. */
#define CLI_FILES "@file"
#define CLI_BRANDS "@brand"
#define CLI_KINDS "@kind"

struct cli_option {
    const char *name;  /* without the dashes */
    const char *value; /* "FILE", or NULL: takes none */
    const char *help;
    const char *words; /* for completion, or NULL */
    char letter;       /* short form, or 0 */
};

/* What a command was called with. */
struct cli_args {
    const char *value[CLI_OPTIONS_MAX]; /* by index in the table; NULL = absent, "" for a flag */
    char **words;                       /* what is no option, n_words of them */
    int n_words;
};

struct cli_command {
    const char *name;
    const char *usage; /* what comes behind the name */
    const char *summary;
    const char *notes; /* more for --help, or NULL */
    const char *words; /* completion of what is no option, or NULL */
    const struct cli_option *options;
    size_t n_options;
    int (*run)(const struct cli_args *args); /* CLI_OK, CLI_FAILED, CLI_USAGE */
};

/* All of them; ends with a NULL. */
extern const struct cli_command *const cli_commands[];

extern const struct cli_command cli_annotate, cli_apikey, cli_audit, cli_check, cli_completion,
    cli_doctor, cli_erase, cli_event, cli_inspect, cli_keygen, cli_ledger, cli_man, cli_mint,
    cli_report, cli_reshard, cli_revoke, cli_sinks, cli_stats, cli_top;

/* Reads the command line behind the command's name (argv[0]).  CLI_OK; or another code, after
 * saying why on stderr; *done is set when --help was asked for and printed. */
MUST_USE int cli_parse(const struct cli_command *command, int argc, char **argv,
                       struct cli_args *args, bool *done);

void cli_print_help(const struct cli_command *command);

/* The name that is most like a mistyped word; NULL: none is like it. */
struct cli_near {
    const char *name;
    size_t distance; /* letters that differ */
};

/* Whether `name` is more like the word than what `near` has; then it takes that place. */
bool cli_is_nearer(const char *word, size_t word_len, const char *name, struct cli_near *near);

/* The word for `n` things: "link" for one, "links" for none and for several. */
static inline const char *cli_noun(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

/* "hopcount: …" to stderr; returns CLI_FAILED. */
int cli_fail(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same for a command line that makes no sense, with a hint to --help; returns CLI_USAGE. */
int cli_usage(const struct cli_command *command, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same for `err`; returns CLI_FAILED. */
int cli_fail_error(const struct error *err);

#endif
