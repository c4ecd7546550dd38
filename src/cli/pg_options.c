/* Command lines of PostgreSQL's programs: rows of options into a struct, and into --help and the documentation. */
#include "cli/pg_options.h"

#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_WIDTH 40
#define LONG_BASE  256 /* a long option's code for getopt is its row's number behind the letters */

int cli_names_add(pgc_names *names, const char *name, pgconvoy_error *err)
{
    char **items = realloc(names->items, (size_t)(names->count + 1) * sizeof *items);
    char *copy = items ? strdup(name) : NULL;
    if (items)
        names->items = items;
    if (!copy)
        return pgc_error_out_of_memory(err);
    names->items[names->count++] = copy;
    return 0;
}

void cli_pg_free(const cli_pg_option *rows, void *command)
{
    for (const cli_pg_option *option = rows; option->name; option++) {
        if (option->value != CLI_PG_NAMES)
            continue;
        pgc_names *names = (pgc_names *)((char *)command + option->place);
        for (int i = 0; i < names->count; i++)
            free(names->items[i]);
        free(names->items);
        *names = (pgc_names){0};
    }
}

/* ------------------------------------------------------------------ values */

/* "-j/--jobs", "--rows-per-insert". */
static void add_shown_name(const cli_pg_option *option, char *text, size_t size)
{
    if (option->letter)
        snprintf(text, size, "-%c/--%s", option->letter, option->name);
    else
        snprintf(text, size, "--%s", option->name);
}

static int take_number(const cli_pg_option *option, const char *value, int *number, pgconvoy_error *err)
{
    char shown[64], *end;
    add_shown_name(option, shown, sizeof shown);
    errno = 0;
    long parsed = strtol(value, &end, 10);
    while (isspace((unsigned char)*end))
        end++;
    if (*end) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "invalid value \"%s\" for option %s", value, shown);
        return -1;
    }
    if (errno == ERANGE || parsed < option->minimum || parsed > option->maximum) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s must be in range %d..%d", shown, option->minimum, option->maximum);
        return -1;
    }
    *number = (int)parsed;
    return 0;
}

static int take(void *command, const cli_pg_option *option, const char *value, pgconvoy_error *err)
{
    char *place = (char *)command + option->place;
    if (option->given)
        *(bool *)((char *)command + option->given) = true;
    switch (option->value) {
    case CLI_PG_SWITCH:
    case CLI_PG_LAST:
        *(bool *)place = true;
        return 0;
    case CLI_PG_TEXT:
        *(const char **)place = value;
        return 0;
    case CLI_PG_NUMBER:
        return take_number(option, value, (int *)place, err);
    default:
        return cli_names_add((pgc_names *)place, value, err);
    }
}

int cli_pg_sections(const pgc_names *names, unsigned *sections, pgconvoy_error *err)
{
    static const char *const known[] = {"pre-data", "data", "post-data"};
    for (int i = 0; i < names->count; i++) {
        unsigned section = 0;
        while (section < 3 && strcmp(names->items[i], known[section]) != 0)
            section++;
        if (section == 3) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "unrecognized section name: \"%s\"", names->items[i]);
            return -1;
        }
        *sections |= 1u << section;
    }
    if (names->count == 0)
        *sections = PGC_SECTIONS_ALL;
    return 0;
}

/* ------------------------------------------------------------------ the line */

static size_t count_rows(const cli_pg_option *rows)
{
    size_t count = 0;
    while (rows[count].name)
        count++;
    return count;
}

/* The rows as getopt_long wants them. */
static void make_getopt(const cli_pg_option *rows, struct option *longs, char *letters)
{
    int i = 0;
    for (; rows[i].name; i++) {
        longs[i] = (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument, NULL, LONG_BASE + i};
        if (rows[i].letter && rows[i].letter != '?') {
            *letters++ = rows[i].letter;
            if (rows[i].argument)
                *letters++ = ':';
        }
    }
    longs[i] = (struct option){0};
    *letters = '\0';
}

static const cli_pg_option *option_of(const cli_pg_option *rows, int code)
{
    if (code >= LONG_BASE)
        return &rows[code - LONG_BASE];
    for (; rows->name; rows++)
        if (rows->letter == code && code != '?')
            return rows;
    return NULL;
}

/* -? cannot be told from a mistake by getopt, so it is looked for where PostgreSQL's programs do. */
static bool asks_for_help(const cli_pg_option *rows, int argc, char **argv, void *command)
{
    if (argc < 2 || (strcmp(argv[1], "-?") != 0 && strcmp(argv[1], "--help") != 0))
        return false;
    for (; rows->name; rows++)
        if (rows->letter == '?')
            *(bool *)((char *)command + rows->place) = true;
    return true;
}

int cli_pg_parse(const cli_pg_option *rows, int argc, char **argv, void *command, pgconvoy_error *err)
{
    size_t count = count_rows(rows);
    struct option longs[count + 1];
    char letters[2 * count + 1];
    make_getopt(rows, longs, letters);
    if (asks_for_help(rows, argc, argv, command))
        return argc;
    optind = 1;
    for (int code; (code = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
        const cli_pg_option *option = option_of(rows, code);
        if (!option) {
            /* getopt has already said what is wrong. */
            pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "%s", "");
            return -1;
        }
        if (take(command, option, optarg, err) != 0)
            return -1;
        if (option->value == CLI_PG_LAST)
            return argc;
    }
    return optind;
}

char **cli_pg_copy_words(const char *program, int argc, char **argv)
{
    char **words = calloc((size_t)argc + 1, sizeof *words);
    for (int i = 0; words && i < argc; i++)
        words[i] = strdup(i == 0 ? program : argv[i]);
    for (int i = 1; i < argc; i++)
        cli_mask_passwords(argv[i]);
    return words;
}

void cli_pg_free_words(char **words)
{
    for (char **word = words; word && *word; word++)
        free(*word);
    free(words);
}

/* ------------------------------------------------------------------ help */

static void add_option(pgc_buffer *out, const cli_pg_option *option)
{
    char left[96];
    const char *equals = option->argument ? "=" : "", *argument = option->argument ? option->argument : "";
    if (option->letter)
        snprintf(left, sizeof left, "-%c, --%s%s%s", option->letter, option->name, equals, argument);
    else
        snprintf(left, sizeof left, "--%s%s%s", option->name, equals, argument);
    if (strlen(left) > NAME_WIDTH)
        pgc_buffer_format(out, "  %s\n  %-*s %s\n", left, NAME_WIDTH, "", option->help);
    else
        pgc_buffer_format(out, "  %-*s %s\n", NAME_WIDTH, left, option->help);
}

void cli_pg_help(const cli_pg_option *rows, const char *content, pgc_buffer *out)
{
    const char *const titles[] = {"General options", content, "Connection options"};
    for (unsigned group = CLI_PG_GENERAL; group < CLI_PG_HIDDEN; group++) {
        pgc_buffer_format(out, "\n%s:\n", titles[group]);
        for (const cli_pg_option *option = rows; option->name; option++)
            if (option->group == group)
                add_option(out, option);
    }
}

static void add_cell(pgc_buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            pgc_buffer_byte(out, '\\');
        pgc_buffer_byte(out, *text);
    }
}

void cli_pg_markdown(const cli_pg_option *rows, const char *command, pgc_buffer *out)
{
    pgc_buffer_format(out, "\n## Options of `%s`\n\n| option | meaning |\n|---|---|\n", command);
    for (const cli_pg_option *option = rows; option->name; option++) {
        if (option->group == CLI_PG_HIDDEN)
            continue;
        pgc_buffer_text(out, "| ");
        if (option->letter)
            pgc_buffer_format(out, "`-%c`, ", option->letter);
        pgc_buffer_format(out, "`--%s", option->name);
        if (option->argument)
            pgc_buffer_format(out, "=%s", option->argument);
        pgc_buffer_text(out, "` | ");
        add_cell(out, option->help);
        pgc_buffer_text(out, " |\n");
    }
}
