/* completion: a script for bash or zsh, made from the tables of the commands. */
#include <stdio.h>
#include <string.h>

#include "service/cli/command.h"

static const char FILE_WORDS[] = "@file";

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
        if (!o->words)
            puts("return ;;");
        else if (strcmp(o->words, FILE_WORDS) == 0)
            puts("files=yes ;;");
        else
            printf("words='%s' ;;\n", o->words); /* the tables hold no quotes */
    }
}

static void print_bash(void)
{
    puts("# bash completion of hopcount; made by `hopcount completion bash`");
    puts("_hopcount() {");
    puts("  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}");
    puts("  local command=${COMP_WORDS[1]} words= files=");
    puts("  COMPREPLY=()");
    puts("  if ((COMP_CWORD == 1)); then");
    fputs("    words='--help --version", stdout);
    for (size_t i = 0; cli_commands[i]; i++)
        printf(" %s", cli_commands[i]->name);
    puts("'");
    puts("  else");
    puts("    case $command:$previous in");
    for (size_t i = 0; cli_commands[i]; i++)
        print_bash_option_words(cli_commands[i]);
    puts("    *) case $command in");
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *command = cli_commands[i];

        printf("    %s) words='", command->name);
        for (size_t k = 0; k < command->n_options; k++)
            printf("--%s ", command->options[k].name);
        fputs("--help", stdout);
        if (command->words && strcmp(command->words, FILE_WORDS) != 0)
            printf(" %s", command->words);
        puts("' ;;");
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
    if (words && strcmp(words, FILE_WORDS) == 0)
        fputs("_files", stdout);
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
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("  %s) _arguments", cli_commands[i]->name);
        for (size_t j = 0; j < cli_commands[i]->n_options; j++)
            print_zsh_option(&cli_commands[i]->options[j]);
        fputs(" '(-h --help)'{-h,--help}'[print this]' '*::word:", stdout);
        print_zsh_action(cli_commands[i]->words);
        puts("' ;;");
    }
    puts("  esac");
    puts("}");
    puts("if [[ $funcstack[1] = _hopcount ]]; then _hopcount \"$@\"; else "
         "compdef _hopcount hopcount; fi");
}

static int run_completion(const struct cli_args *args)
{
    if (args->n_words != 1)
        return cli_usage(&cli_completion, "name one shell, bash or zsh");
    if (strcmp(args->words[0], "bash") == 0)
        print_bash();
    else if (strcmp(args->words[0], "zsh") == 0)
        print_zsh();
    else
        return cli_usage(&cli_completion, "no completion for '%s': bash or zsh", args->words[0]);
    return CLI_OK;
}

const struct cli_command cli_completion = {
    .name = "completion",
    .usage = "bash | zsh",
    .summary = "prints a script that completes hopcount's command line",
    .notes = "    bash:  source <(hopcount completion bash)\n"
             "    zsh:   source <(hopcount completion zsh)\n",
    .words = "bash zsh",
    .run = run_completion,
};
