#include "service/cli/command.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "service/base/error.h"

enum { HELP_COLUMN = 24, FIRST_CODE = 256, HELP_CODE = 'h', NEAR_LEN_MAX = 32 };

int cli_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("hopcount: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return CLI_FAILED;
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "hopcount %s: ", command->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "; see: hopcount %s --help\n", command->name);
    va_end(args);
    return CLI_USAGE;
}

int cli_fail_error(const struct error *err)
{
    return cli_fail("%s", err->text);
}

static void print_option(const struct cli_option *option)
{
    char left[64];
    int n;

    n = snprintf(left, sizeof(left), "  %c%c --%s%s%s", option->letter ? '-' : ' ',
                 option->letter ? option->letter : ' ', option->name, option->value ? " " : "",
                 option->value ? option->value : "");
    printf("%-*s%s%s\n", HELP_COLUMN, left, n < HELP_COLUMN ? "" : "  ", option->help);
}

void cli_print_help(const struct cli_command *command)
{
    printf("usage: hopcount %s %s\n\n%s\n\n", command->name, command->usage, command->summary);
    for (size_t i = 0; i < command->n_options; i++)
        print_option(&command->options[i]);
    print_option(&(struct cli_option){.name = "help", .letter = 'h', .help = "print this"});
    if (command->notes)
        printf("\n%s", command->notes);
}

/* Fills getopt's two tables; an option's code is FIRST_CODE + its index. */
static void make_tables(const struct cli_command *command, struct option *longs, char *shorts)
{
    size_t n = 0;

    shorts[n++] = ':'; /* tells a missing value from an unknown option */
    for (size_t i = 0; i < command->n_options; i++) {
        const struct cli_option *o = &command->options[i];

        longs[i] = (struct option){.name = o->name,
                                   .has_arg = o->value ? required_argument : no_argument,
                                   .val = FIRST_CODE + (int)i};
        if (o->letter) {
            shorts[n++] = o->letter;
            if (o->value)
                shorts[n++] = ':';
        }
    }
    longs[command->n_options] = (struct option){.name = "help", .val = HELP_CODE};
    longs[command->n_options + 1] = (struct option){0};
    shorts[n++] = HELP_CODE;
    shorts[n] = '\0';
}

/* --- did you mean --- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be changed, added, left out or swapped with their neighbour to make `a`
 * into `b`; both are at most NEAR_LEN_MAX long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NEAR_LEN_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *next = before;

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = last;
        last = row;
        row = next;
    }
    return last[b_len];
}

bool cli_is_nearer(const char *word, size_t word_len, const char *name, struct cli_near *near)
{
    size_t name_len = strlen(name), n;

    if (word_len > NEAR_LEN_MAX || name_len > NEAR_LEN_MAX)
        return false;
    n = distance(word, word_len, name, name_len);
    /* A word of which most letters are wrong is another one. */
    if (n > 2 || 2 * n >= name_len || (near->name && n >= near->distance))
        return false;
    *near = (struct cli_near){.name = name, .distance = n};
    return true;
}

/* The option was given as "--name", "--name=value" or "-x". */
static int refuse_option(const struct cli_command *command, const char *given)
{
    struct cli_near near = {.name = NULL};

    for (size_t i = 0; strncmp(given, "--", 2) == 0 && i < command->n_options; i++)
        (void)cli_is_nearer(given + 2, strcspn(given + 2, "="), command->options[i].name, &near);
    if (!near.name)
        return cli_usage(command, "no option '%s'", given);
    fprintf(stderr, "hopcount %s: no option '%s'; did you mean --%s? See: hopcount %s --help\n",
            command->name, given, near.name, command->name);
    return CLI_USAGE;
}

static int take_option(const struct cli_command *command, int code, char **argv,
                       struct cli_args *args)
{
    /* The index of the option that getopt's code stands for, or -1. */
    int i = code >= FIRST_CODE ? code - FIRST_CODE : -1;

    for (size_t k = 0; i < 0 && k < command->n_options; k++) {
        if (command->options[k].letter != 0 && command->options[k].letter == code)
            i = (int)k;
    }
    if (code == ':')
        return cli_usage(command, "%s needs a value", argv[optind - 1]);
    if (i < 0)
        return refuse_option(command, argv[optind - 1]);
    if (args->value[i])
        return cli_usage(command, "--%s is given twice", command->options[i].name);
    args->value[i] = optarg ? optarg : "";
    return CLI_OK;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_args *args,
              bool *done)
{
    struct option longs[CLI_OPTIONS_MAX + 2];
    char shorts[2 * CLI_OPTIONS_MAX + 3];
    int code, status = CLI_OK;

    *args = (struct cli_args){0};
    *done = false;
    make_tables(command, longs, shorts);
    opterr = 0;
    optind = 1;
    while (status == CLI_OK && (code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (code == HELP_CODE) {
            cli_print_help(command);
            *done = true;
            return CLI_OK;
        }
        status = take_option(command, code, argv, args);
    }
    args->words = argv + optind;
    args->n_words = argc - optind;
    return status;
}
