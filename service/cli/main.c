/* hopcount - the command line: keys, links, statistics. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "service/base/log.h"
#include "service/cli/command.h"

const struct cli_command *const cli_commands[] = {
    &cli_keygen, &cli_apikey, &cli_mint,    &cli_inspect,    &cli_check,  &cli_doctor, &cli_event,
    &cli_revoke, &cli_stats,  &cli_top,     &cli_annotate,   &cli_report, &cli_audit,  &cli_erase,
    &cli_ledger, &cli_sinks,  &cli_reshard, &cli_completion, &cli_man,    NULL,
};

static void print_usage(FILE *out)
{
    fputs("usage: hopcount COMMAND …\n\n", out);
    for (size_t i = 0; cli_commands[i]; i++)
        fprintf(out, "  %-12s%s\n", cli_commands[i]->name, cli_commands[i]->summary);
    fputs("\n`hopcount help COMMAND` says more; `hopcount --version` prints the version.\n", out);
}

/* The command of that name; NULL: there is none, which was said on stderr. */
static const struct cli_command *find_command(const char *name)
{
    struct cli_near near = {.name = NULL};

    for (size_t i = 0; cli_commands[i]; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
        (void)cli_is_nearer(name, strlen(name), cli_commands[i]->name, &near);
    }
    (void)cli_is_nearer(name, strlen(name), "help", &near);
    if (near.name)
        fprintf(stderr, "hopcount: no command '%s'; did you mean %s? See: hopcount --help\n", name,
                near.name);
    else
        fprintf(stderr, "hopcount: no command '%s'; see: hopcount --help\n", name);
    return NULL;
}

static int run_command(int argc, char **argv)
{
    const struct cli_command *command = find_command(argv[1]);
    struct cli_args args;
    bool done;
    int status;

    if (!command)
        return CLI_USAGE;
    status = cli_parse(command, argc - 1, argv + 1, &args, &done);
    if (status != CLI_OK || done)
        return status;
    return command->run(&args);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && (argc == 2 || strcmp(argv[2], "help") == 0))) {
        print_usage(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "help") == 0 && argc == 3) {
        const struct cli_command *command = find_command(argv[2]);

        if (command)
            cli_print_help(command);
        return command ? CLI_OK : CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("hopcount " HOPCOUNT_VERSION);
        return CLI_OK;
    }
    return run_command(argc, argv);
}

int main(int argc, char **argv)
{
    int status;

    if (sodium_init() < 0)
        return cli_fail("the system gives no random numbers");
    status = run(argc, argv);
    log_end();
    /* A full disk shows only here. */
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_fail("cannot write the output: %s", strerror(errno ? errno : EIO));
    return status;
}
