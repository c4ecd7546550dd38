/*
 * A command line taken apart: options before, between and behind the operands, `--name value`, `--name=value`, `-j4`,
 * `-j 4`, and `--` after which all are operands. "-" alone is an operand.
 */
#include "cli/cli.h"

#include <stdlib.h>

#define ANY_KIND ~0u

int cli_arguments_add(cli_arguments *arguments, const pgconvoy_option *option, bool is_pipelines, const char *value,
                      size_t place, pgconvoy_error *err)
{
    cli_setting *settings = realloc(arguments->settings, (arguments->setting_count + 1) * sizeof *settings);
    if (!settings)
        return pgc_error_out_of_memory(err);
    arguments->settings = settings;
    char *copy = strdup(value);
    if (!copy)
        return pgc_error_out_of_memory(err);
    memmove(&settings[place + 1], &settings[place], (arguments->setting_count - place) * sizeof *settings);
    settings[place] = (cli_setting){option, is_pipelines, copy};
    arguments->setting_count++;
    return 0;
}

static int add_operand(cli_arguments *arguments, const char *text, pgconvoy_error *err)
{
    char *copy = strdup(text);
    char **operands = copy ? realloc(arguments->operands, (arguments->operand_count + 1) * sizeof *operands) : NULL;
    if (!operands) {
        free(copy);
        return pgc_error_out_of_memory(err);
    }
    arguments->operands = operands;
    if (!arguments->command) {
        arguments->command = copy;
        return 0;
    }
    operands[arguments->operand_count++] = copy;
    return 0;
}

static int usage(pgconvoy_error *err, const char *what, const char *option, int length)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "option %.*s %s", length, option, what);
    pgconvoy_error_hint(err, "see pgconvoy --help");
    return -1;
}

/* --name, --name=value, --name value. */
static int parse_long(cli_arguments *arguments, char **argv, int argc, int *i, pgconvoy_error *err)
{
    const char *text = argv[*i];
    int length = (int)strcspn(text, "=");
    const char *value = text[length] == '=' ? text + length + 1 : NULL;
    char name[64];
    bool is_pipelines = false;
    const pgconvoy_option *option = NULL;
    if ((size_t)length - 2 < sizeof name) {
        memcpy(name, text + 2, (size_t)length - 2);
        name[length - 2] = '\0';
        option = cli_option_find(name, 0, ANY_KIND, &is_pipelines);
    }
    if (!option)
        return usage(err, "is not known", text, length);
    if (!option->argument && value)
        return usage(err, "takes no value", text, length);
    if (option->argument && !value) {
        if (*i + 1 >= argc)
            return usage(err, "needs a value", text, length);
        value = argv[++*i];
    }
    return cli_arguments_add(arguments, option, is_pipelines, value ? value : "true", arguments->setting_count, err);
}

/* -j4, -j 4, -x. */
static int parse_short(cli_arguments *arguments, char **argv, int argc, int *i, pgconvoy_error *err)
{
    const char *text = argv[*i];
    bool is_pipelines;
    const pgconvoy_option *option = cli_option_find(NULL, text[1], ANY_KIND, &is_pipelines);
    if (!option)
        return usage(err, "is not known", text, 2);
    if (!option->argument && text[2] != '\0')
        return usage(err, "takes no value", text, 2);
    const char *value = option->argument ? text + 2 : "true";
    if (option->argument && *value == '\0') {
        if (*i + 1 >= argc)
            return usage(err, "needs a value", text, 2);
        value = argv[++*i];
    }
    return cli_arguments_add(arguments, option, is_pipelines, value, arguments->setting_count, err);
}

int cli_arguments_parse(int argc, char **argv, cli_arguments *arguments, pgconvoy_error *err)
{
    bool only_operands = false;
    int result = 0;
    for (int i = 1; i < argc && result == 0; i++) {
        const char *text = argv[i];
        if (only_operands || text[0] != '-' || text[1] == '\0')
            result = add_operand(arguments, text, err);
        else if (strcmp(text, "--") == 0)
            only_operands = true;
        else if (strcmp(text, "--help") == 0)
            arguments->help = true;
        else if (text[1] == '-')
            result = parse_long(arguments, argv, argc, &i, err);
        else
            result = parse_short(arguments, argv, argc, &i, err);
    }
    return result;
}

void cli_arguments_free(cli_arguments *arguments)
{
    for (size_t i = 0; i < arguments->operand_count; i++)
        free(arguments->operands[i]);
    for (size_t i = 0; i < arguments->setting_count; i++)
        free(arguments->settings[i].value);
    free(arguments->operands);
    free(arguments->settings);
    free(arguments->command);
    memset(arguments, 0, sizeof *arguments);
}

/* scheme://user:PASSWORD@… */
static void mask_authority(char *text)
{
    char *start = strstr(text, "://");
    if (!start)
        return;
    start += 3;
    char *end = start + strcspn(start, "/?#");
    char *at = NULL;
    for (char *c = start; c < end; c++)
        if (*c == '@')
            at = c;
    char *colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;
    if (colon)
        memset(colon + 1, 'x', (size_t)(at - colon - 1));
}

/* password=… and sslpassword=…, of a URI's query or of key=value words, quoted or not. */
static void mask_words(char *text)
{
    static const char word[] = "password";
    for (char *found = text; (found = strstr(found, word)) != NULL;) {
        found += sizeof word - 1;
        char *value = found + strspn(found, " ");
        if (*value != '=')
            continue;
        value += 1 + strspn(value + 1, " ");
        char quote = *value == '\'' ? *value++ : '\0';
        for (; *value && (quote ? *value != quote : *value != ' ' && *value != '&'); value++) {
            if (*value == '\\' && value[1])
                *value++ = 'x';
            *value = 'x';
        }
        found = value;
    }
}

void cli_mask_passwords(char *text)
{
    mask_authority(text);
    mask_words(text);
}
