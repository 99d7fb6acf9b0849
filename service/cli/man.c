/* man: the manual pages, made from the tables that drive the command lines and the configuration.
 */
#include <stdio.h>
#include <string.h>

#include "service/base/roff.h"
#include "service/cli/api.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/config/config.h"
#include "service/config/schema.h"
#include "service/daemon/options.h"

static void write_head(const char *name, int section, const char *summary)
{
    printf(".\\\" made by `hopcount man %s`\n.TH %s %d \"\" \"hopcount " HOPCOUNT_VERSION "\"\n",
           name, name, section);
    /* Keys, headers and commands are there to be copied: they must not be cut or stretched. */
    puts(".nh\n.ad l");
    printf(".SH NAME\n%s \\- ", name);
    roff_write(stdout, summary);
    putchar('\n');
}

static void write_bold(const char *text)
{
    fputs("\\fB", stdout);
    roff_write(stdout, text);
    fputs("\\fR", stdout);
}

/* Text that is laid out already: aligned columns, lines of a table. */
static void write_lines(const char *text)
{
    puts(".PP\n.nf");
    roff_write(stdout, text);
    puts(".fi");
}

/* An entry of a list: what it is called and what it is for. */
static void write_entry(const char *name, const char *text)
{
    puts(".TP");
    write_bold(name);
    putchar('\n');
    roff_write(stdout, text);
    putchar('\n');
}

static void write_option(const struct cli_option *option)
{
    char name[64];

    snprintf(name, sizeof(name), "%s%.*s%s--%s%s%s", option->letter ? "-" : "",
             option->letter ? 1 : 0, &option->letter, option->letter ? ", " : "", option->name,
             option->value ? " " : "", option->value ? option->value : "");
    write_entry(name, option->help);
}

/* Further lines are indented for --help, below the first. */
static void write_usage(const char *usage)
{
    char line[256];

    while (*usage) {
        size_t len = strcspn(usage, "\n");

        snprintf(line, sizeof(line), "%.*s\n", (int)len, usage);
        roff_write(stdout, line);
        usage += len;
        usage += strspn(usage, "\n ");
        fputs(*usage ? ".br\n" : "", stdout);
    }
}

static void write_command(const struct cli_command *command)
{
    printf(".SS hopcount %s\n", command->name);
    write_bold("hopcount ");
    write_bold(command->name);
    putchar(' ');
    write_usage(command->usage);
    puts(".PP");
    roff_write(stdout, command->summary);
    putchar('\n');
    for (size_t i = 0; i < command->n_options; i++)
        write_option(&command->options[i]);
    if (command->notes)
        write_lines(command->notes);
}

static void write_hopcount(void)
{
    write_head("hopcount", 1, options_summary);
    puts(".SH SYNOPSIS\n.B hopcount\n\\fICOMMAND\\fR \\&...\n.PP\n.B hopcount help\n"
         "\\fICOMMAND\\fR\n.PP\n.B hopcount \\-\\-version\n.SH COMMANDS");
    puts("Each command takes \\fB\\-h\\fR and \\fB\\-\\-help\\fR.");
    for (size_t i = 0; cli_commands[i]; i++)
        write_command(cli_commands[i]);
    puts(".SH EXIT STATUS\n0: done.  1: it could not be done, or not all of it.  2: the command "
         "line makes no sense.\n.SH ENVIRONMENT");
    write_entry(API_KEY_VARIABLE, "The API key, where neither --key-file nor --key is given.");
    write_entry("TZ", "The time zone in which times are shown; that of the computer if it is not "
                      "set.  JSON and CSV have times in UTC.");
    write_entry("NO_COLOR", "If it is set to anything, nothing is coloured.");
    puts(".SH FILES");
    write_entry(CONFIG_OPTION_DEFAULT, "The configuration, where -c is not given.");
    puts(".SH SEE ALSO\n.BR hopcountd (8),\n.BR hopcount.yaml (5)");
}

static void write_configuration(void)
{
    write_head("hopcount.yaml", 5, "the configuration of hopcountd");
    puts(".SH DESCRIPTION\nA file in YAML.  A key that is not known, a value of another type and "
         "one out of range stop the start; the message names file, line and key.  Relative paths "
         "start at the folder of the file.  In the names below a dot leads into a group, [] is an "
         "entry of a list, and NAME is any name.\n.SH KEYS");
    schema_print_manual(config_schema, stdout);
    puts(".SH SEE ALSO\n.BR hopcountd (8),\n.BR hopcount (1)");
}

static void write_daemon(void)
{
    write_head("hopcountd", 8, options_summary);
    puts(".SH SYNOPSIS");
    for (const struct options_form *form = options_forms; form->usage; form++) {
        fputs(form == options_forms ? "" : ".br\n", stdout);
        write_bold("hopcountd ");
        roff_write(stdout, form->usage);
        putchar('\n');
    }
    puts(
        ".SH DESCRIPTION\nAnswers the sealed links of billing e\\-mails with a redirect and counts "
        "each click in Redis, exactly once.\n.SH OPTIONS");
    for (const struct options_form *form = options_forms; form->usage; form++)
        write_entry(form->usage, form->help);
    puts(".SH SIGNALS");
    roff_write(stdout, options_notes);
    puts(".SH EXIT STATUS\n0: it was told to end.  1: it could not start; why is on stderr.\n"
         ".SH ENVIRONMENT");
    write_entry("NOTIFY_SOCKET", "Where the service manager is told that it is ready, reloading or "
                                 "stopping; see sd_notify(3).");
    write_entry("WATCHDOG_USEC, WATCHDOG_PID",
                "The service manager is told once a second that all workers turn; see "
                "sd_watchdog_enabled(3).");
    write_entry("LISTEN_FDS, LISTEN_PID",
                "Sockets that the service manager has opened; each is of an address that "
                "public.listen names; see sd_listen_fds(3).");
    puts(".SH FILES");
    write_entry(CONFIG_OPTION_DEFAULT, "The configuration that the package's unit names.");
    write_entry("/var/lib/hopcount", "The default of state_dir: click logs and the private Redis.");
    puts(".SH SEE ALSO\n.BR hopcount (1),\n.BR hopcount.yaml (5)");
}

static int run_man(const struct cli_args *args)
{
    const char *page = args->n_words > 0 ? args->words[0] : "";

    if (args->n_words != 1)
        return cli_usage(&cli_man, "name one page: hopcount, hopcount.yaml or hopcountd");
    if (strcmp(page, "hopcount") == 0)
        write_hopcount();
    else if (strcmp(page, "hopcount.yaml") == 0)
        write_configuration();
    else if (strcmp(page, "hopcountd") == 0)
        write_daemon();
    else
        return cli_usage(&cli_man, "no page '%s': hopcount, hopcount.yaml or hopcountd", page);
    return CLI_OK;
}

const struct cli_command cli_man = {
    .name = "man",
    .usage = "hopcount | hopcount.yaml | hopcountd",
    .summary = "prints a manual page",
    .notes = "The package has them where man(1) finds them; without it:\n"
             "    hopcount man hopcount | man -l -\n",
    .words = "hopcount hopcount.yaml hopcountd",
    .run = run_man,
};
