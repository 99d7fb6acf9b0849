/* completion: a script for bash, zsh or fish, made from the tables of the commands; and the words
 * that such a script asks for, which only a configuration knows. */
#include <stdio.h>
#include <string.h>

#include "service/base/error.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/config/config.h"

enum { COMPLETION_CONFIG };

static const struct cli_option completion_options[] = {
    [COMPLETION_CONFIG] = CONFIG_OPTION,
};

/* Every brand has these. */
static const char KINDS[] = "view pay login";

static bool is_same(const char *words, const char *other)
{
    return words && strcmp(words, other) == 0;
}

/* --- bash --- */

static void print_bash_words(const char *words)
{
    if (is_same(words, CLI_FILES))
        fputs("files=yes", stdout);
    else if (is_same(words, CLI_BRANDS))
        fputs("words=$(_hopcount_of brands)", stdout);
    else if (is_same(words, CLI_KINDS))
        printf("words=\"%s $(_hopcount_of kinds)\"", KINDS);
    else
        printf("words='%s'", words); /* the tables hold no quotes */
}

static void print_bash_option_words(const struct cli_command *command)
{
    for (size_t i = 0; i < command->n_options; i++) {
        const struct cli_option *o = &command->options[i];

        if (!o->value)
            continue;
        printf("    %s:--%s", command->name, o->name);
        if (o->letter)
            printf(" | %s:-%c", command->name, o->letter);
        fputs(") ", stdout);
        if (o->words)
            print_bash_words(o->words);
        else
            fputs("return", stdout);
        puts(" ;;");
    }
}

static void print_bash(void)
{
    puts("# bash completion of hopcount; made by `hopcount completion bash`");
    puts("_hopcount_of() { # brands or kinds of the configuration that the line names");
    puts("  local i config=()");
    puts("  for ((i = 3; i < COMP_CWORD; i++)); do");
    puts(
        "    case ${COMP_WORDS[i - 1]} in -c | --config) config=(-c \"${COMP_WORDS[i]}\") ;; esac");
    puts("  done");
    puts("  \"${COMP_WORDS[0]}\" completion \"$1\" \"${config[@]}\" 2>/dev/null");
    puts("}");
    puts("_hopcount() {");
    puts("  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}");
    puts("  local command=${COMP_WORDS[1]} words= files=");
    puts("  COMPREPLY=()");
    puts("  if ((COMP_CWORD == 1)); then");
    fputs("    words='--help --version help", stdout);
    for (size_t i = 0; cli_commands[i]; i++)
        printf(" %s", cli_commands[i]->name);
    puts("'");
    puts("  elif [[ $command = help ]]; then");
    fputs("    words='", stdout);
    for (size_t i = 0; cli_commands[i]; i++)
        printf("%s%s", i ? " " : "", cli_commands[i]->name);
    puts("'");
    puts("  else");
    puts("    case $command:$previous in");
    for (size_t i = 0; cli_commands[i]; i++)
        print_bash_option_words(cli_commands[i]);
    puts("    *) case $command in");
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *command = cli_commands[i];

        printf("    %s) ", command->name);
        if (command->words && !is_same(command->words, CLI_FILES)) {
            print_bash_words(command->words);
            fputs("; ", stdout);
        }
        fputs("words+='", stdout);
        for (size_t k = 0; k < command->n_options; k++)
            printf(" --%s", command->options[k].name);
        puts(" --help' ;;");
    }
    puts("      esac ;;");
    puts("    esac");
    puts("  fi");
    puts("  if [[ -n $files ]]; then");
    puts("    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")");
    puts("  else");
    puts("    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")");
    puts("  fi");
    puts("}");
    puts("complete -o filenames -F _hopcount hopcount");
}

/* --- zsh --- */

/* A text of a zsh specification: in it, brackets and colons mean something. */
static void print_zsh_text(const char *text)
{
    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            putchar('\\');
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
    }
}

static void print_zsh_action(const char *words)
{
    if (is_same(words, CLI_FILES))
        fputs("_files", stdout);
    else if (is_same(words, CLI_BRANDS))
        fputs("{compadd -- $(_hopcount_of brands)}", stdout);
    else if (is_same(words, CLI_KINDS))
        printf("{compadd -- %s $(_hopcount_of kinds)}", KINDS);
    else if (words)
        fputs("(", stdout), print_zsh_text(words), fputs(")", stdout);
}

static void print_zsh_option(const struct cli_option *option)
{
    if (option->letter)
        printf(" '(-%c --%s)'{-%c,--%s}'", option->letter, option->name, option->letter,
               option->name);
    else
        printf(" '--%s", option->name);
    putchar('[');
    print_zsh_text(option->help);
    putchar(']');
    if (option->value) {
        printf(":%s:", option->value);
        print_zsh_action(option->words);
    }
    putchar('\'');
}

static void print_zsh(void)
{
    puts("#compdef hopcount");
    puts("# zsh completion of hopcount; made by `hopcount completion zsh`");
    puts("_hopcount_of() { # brands or kinds of the configuration that the line names");
    puts("  local -a config");
    puts("  local i=${words[(I)(-c|--config)]}");
    puts("  ((i && i + 1 < CURRENT)) && config=(-c $words[i+1])");
    puts("  hopcount completion $1 $config 2>/dev/null");
    puts("}");
    puts("_hopcount() {");
    puts("  local -a commands=(");
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("    '%s:", cli_commands[i]->name);
        print_zsh_text(cli_commands[i]->summary);
        puts("'");
    }
    puts("  )");
    puts("  if ((CURRENT == 2)); then");
    puts("    _describe command commands");
    puts("    return");
    puts("  fi");
    puts("  local name=$words[2]");
    puts("  shift words; ((CURRENT--))");
    puts("  case $name in");
    puts("  help) compadd -- ${commands%%:*} ;;");
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("  %s) _arguments", cli_commands[i]->name);
        for (size_t j = 0; j < cli_commands[i]->n_options; j++)
            print_zsh_option(&cli_commands[i]->options[j]);
        fputs(" '(-h --help)'{-h,--help}'[print this]' '*:word:", stdout);
        print_zsh_action(cli_commands[i]->words);
        puts("' ;;");
    }
    puts("  esac");
    puts("}");
    puts("if [[ $funcstack[1] = _hopcount ]]; then _hopcount \"$@\"; else "
         "compdef _hopcount hopcount; fi");
}

/* --- fish --- */

/* A text in single quotes. */
static void print_fish_text(const char *text)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

/* Where an option wants a value, and where words may stand. */
static void print_fish_words(const char *words)
{
    if (is_same(words, CLI_BRANDS))
        fputs(" -a '(__hopcount_of brands)'", stdout);
    else if (is_same(words, CLI_KINDS))
        printf(" -a '%s (__hopcount_of kinds)'", KINDS);
    else if (words)
        printf(" -a '%s'", words); /* the tables hold no quotes */
}

static void print_fish_command(const struct cli_command *command)
{
    printf("complete -c hopcount -n __hopcount_is_first -a %s -d ", command->name);
    print_fish_text(command->summary);
    printf("\ncomplete -c hopcount -n '__hopcount_is help' -a %s\n", command->name);
    if (command->words) {
        printf("complete -c hopcount -n '__hopcount_is %s'", command->name);
        if (is_same(command->words, CLI_FILES))
            fputs(" -F", stdout);
        else
            print_fish_words(command->words);
        putchar('\n');
    }
    for (size_t i = 0; i < command->n_options; i++) {
        const struct cli_option *o = &command->options[i];

        printf("complete -c hopcount -n '__hopcount_is %s' -l %s", command->name, o->name);
        if (o->letter)
            printf(" -s %c", o->letter);
        if (is_same(o->words, CLI_FILES)) {
            fputs(" -r -F", stdout);
        } else if (o->value) {
            fputs(" -x", stdout);
            print_fish_words(o->words);
        }
        fputs(" -d ", stdout);
        print_fish_text(o->help);
        putchar('\n');
    }
    printf("complete -c hopcount -n '__hopcount_is %s' -l help -s h -d 'print this'\n",
           command->name);
}

static void print_fish(void)
{
    puts("# fish completion of hopcount; made by `hopcount completion fish`");
    puts("function __hopcount_is_first");
    puts("  test (count (commandline -opc)) -eq 1");
    puts("end");
    puts("function __hopcount_is");
    puts("  set -l line (commandline -opc)");
    puts("  test (count $line) -gt 1; and test $line[2] = $argv[1]");
    puts("end");
    puts("function __hopcount_of # brands or kinds of the configuration that the line names");
    puts("  set -l line (commandline -opc)");
    puts("  set -l config");
    puts("  for i in (seq 3 (count $line))");
    puts("    if contains -- $line[(math $i - 1)] -c --config");
    puts("      set config -c $line[$i]");
    puts("    end");
    puts("  end");
    puts("  $line[1] completion $argv[1] $config 2>/dev/null");
    puts("end");
    puts("complete -c hopcount -f");
    puts("complete -c hopcount -n __hopcount_is_first -a help -d 'says more of a command'");
    puts("complete -c hopcount -n __hopcount_is_first -l version -d 'print the version'");
    for (size_t i = 0; cli_commands[i]; i++)
        print_fish_command(cli_commands[i]);
}

/* --- what the scripts ask for --- */

static int print_brands(const struct config *config)
{
    for (unsigned i = 0; i < config->n_brands; i++)
        puts(config->brands[i].name);
    return CLI_OK;
}

/* Kinds of the brands' own; two brands may have one of the same name. */
static int print_kinds(const struct config *config)
{
    for (unsigned i = 0; i < config->n_brands; i++) {
        for (unsigned k = 0; k < config->brands[i].n_targets; k++) {
            if (config->brands[i].targets[k].name)
                puts(config->brands[i].targets[k].name);
        }
    }
    return CLI_OK;
}

/* Needs no key file, which the person at the terminal often may not read. */
static int print_names(const struct cli_args *args, int (*print)(const struct config *config))
{
    const char *path = args->value[COMPLETION_CONFIG];
    struct error err = {0};
    struct config *config = config_load(path ? path : CONFIG_OPTION_DEFAULT, &err);
    int status = config ? print(config) : cli_fail_error(&err);

    config_free(config);
    return status;
}

static int run_completion(const struct cli_args *args)
{
    if (args->n_words != 1)
        return cli_usage(&cli_completion, "name one shell: bash, zsh or fish");
    if (strcmp(args->words[0], "brands") == 0)
        return print_names(args, print_brands);
    if (strcmp(args->words[0], "kinds") == 0)
        return print_names(args, print_kinds);
    if (args->value[COMPLETION_CONFIG])
        return cli_usage(&cli_completion, "-c is for brands and kinds");
    if (strcmp(args->words[0], "bash") == 0)
        print_bash();
    else if (strcmp(args->words[0], "zsh") == 0)
        print_zsh();
    else if (strcmp(args->words[0], "fish") == 0)
        print_fish();
    else
        return cli_usage(&cli_completion, "no completion for '%s': bash, zsh or fish",
                         args->words[0]);
    return CLI_OK;
}

const struct cli_command cli_completion = {
    .name = "completion",
    .usage = "bash | zsh | fish | brands [-c FILE] | kinds [-c FILE]",
    .summary = "prints a script that completes hopcount's command line",
    .notes =
        "    bash:  source <(hopcount completion bash)\n"
        "    zsh:   source <(hopcount completion zsh)\n"
        "    fish:  hopcount completion fish | source\n"
        "\n"
        "The scripts call `hopcount completion brands` and `hopcount completion kinds` for the\n"
        "brands of a configuration and the kinds of their own.\n",
    .words = "bash zsh fish brands kinds",
    .options = completion_options,
    .n_options = sizeof(completion_options) / sizeof(completion_options[0]),
    .run = run_completion,
};
