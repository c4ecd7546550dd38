/*
 * --filter: a file of lines "include|exclude KIND PATTERN" (PostgreSQL manual, pg_dump, "--filter"). A pattern may
 * stand in double quotes and then go over several lines; '#' begins a comment where no quote is open.
 */
#include "cli/pg_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

typedef struct filter {
    const cli_pg_filter *rows;
    void *command;
    const char *path;
    FILE *file;
    char *line;
    size_t line_size;
    int number;
    pgconvoy_error *err;
} filter;

/* What is a kind at all, also where the command knows no list for it. */
static const char *const kinds[] = {
    "database", "extension", "foreign_data",       "function",   "index",
    "schema",   "table",     "table_and_children", "table_data", "table_data_and_children",
    "trigger"};

static int complain(const filter *filter, const char *what)
{
    if (filter->file == stdin)
        pgconvoy_error_set(filter->err, PGCONVOY_ERROR_CONFIG,
                           "invalid format in filter read from standard input on line %d: %s", filter->number, what);
    else
        pgconvoy_error_set(filter->err, PGCONVOY_ERROR_CONFIG,
                           "invalid format in filter read from file \"%s\" on line %d: %s", filter->path,
                           filter->number, what);
    return -1;
}

static bool next_line(filter *filter)
{
    ssize_t length = getline(&filter->line, &filter->line_size, filter->file);
    if (length < 0)
        return false;
    filter->number++;
    if (length > 0 && filter->line[length - 1] == '\n')
        filter->line[length - 1] = '\0';
    return true;
}

static char *skip_space(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* A word of letters and underscores; its length, 0 when there is none. */
static size_t word_length(const char *text)
{
    size_t length = 0;
    while (isascii(text[length]) && (isalpha((unsigned char)text[length]) || (length > 0 && text[length] == '_')))
        length++;
    return length;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

/* Inside of quotes: up to the one that closes them, over as many lines as it takes. */
static char *take_quoted(filter *filter, char *at, pgc_buffer *pattern)
{
    pgc_buffer_byte(pattern, *at++);
    for (;;) {
        if (!*at) {
            if (!next_line(filter)) {
                (void)complain(filter, "unexpected end of file");
                return NULL;
            }
            pgc_buffer_byte(pattern, '\n');
            at = filter->line;
            continue;
        }
        pgc_buffer_byte(pattern, *at);
        if (*at++ == '"') {
            if (*at != '"')
                return at;
            pgc_buffer_byte(pattern, *at++);
        }
    }
}

/* The rest of the line up to a comment, with each run of blanks as one. */
static int take_pattern(filter *filter, char *at, pgc_buffer *pattern)
{
    bool blank = false;
    while (*at && *at != '#') {
        if (isspace((unsigned char)*at)) {
            blank = true;
            at++;
            continue;
        }
        if (blank && pattern->length > 0 && *at != '.' && *at != ',' && *at != '(' && *at != ')' &&
            pattern->data[pattern->length - 1] != '.' && pattern->data[pattern->length - 1] != '(')
            pgc_buffer_byte(pattern, ' ');
        blank = false;
        if (*at == '"') {
            at = take_quoted(filter, at, pattern);
            if (!at)
                return -1;
        } else
            pgc_buffer_byte(pattern, *at++);
    }
    return pattern->length > 0 ? pgc_buffer_check(pattern, filter->err)
                               : complain(filter, "missing object name pattern");
}

static const char *find_kind(const filter *filter, const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (is_word(word, length, kinds[i]))
            return kinds[i];
    char text[160];
    snprintf(text, sizeof text, "unsupported filter object type: \"%.*s\"", (int)(length < 100 ? length : 100), word);
    (void)complain(filter, text);
    return NULL;
}

/* The list of the command for a kind; NULL: there is none. */
static pgc_names *find_names(const filter *filter, const char *kind, bool include)
{
    for (const cli_pg_filter *row = filter->rows; row->kind; row++)
        if (strcmp(row->kind, kind) == 0) {
            size_t place = include ? row->include : row->exclude;
            return place ? (pgc_names *)((char *)filter->command + place) : NULL;
        }
    return NULL;
}

static int refuse_kind(const filter *filter, const char *kind, bool include)
{
    char text[160];
    snprintf(text, sizeof text, "%s filter for \"%s\" is not allowed", include ? "include" : "exclude", kind);
    for (char *at = strchr(text, '_'); at; at = strchr(at, '_'))
        *at = ' ';
    return complain(filter, text);
}

static int take_line(filter *filter)
{
    char *at = skip_space(filter->line);
    if (!*at || *at == '#')
        return 0;
    size_t length = word_length(at);
    bool include = is_word(at, length, "include");
    if (length == 0)
        return complain(filter, "no filter command found (expected \"include\" or \"exclude\")");
    if (!include && !is_word(at, length, "exclude"))
        return complain(filter, "invalid filter command (expected \"include\" or \"exclude\")");
    at = skip_space(at + length);
    length = word_length(at);
    if (length == 0)
        return complain(filter, "missing filter object type");
    const char *kind = find_kind(filter, at, length);
    if (!kind)
        return -1;
    pgc_names *names = find_names(filter, kind, include);
    if (!names)
        return refuse_kind(filter, kind, include);
    pgc_buffer pattern;
    pgc_buffer_init(&pattern, 1 << 20);
    int result = take_pattern(filter, skip_space(at + length), &pattern);
    if (result == 0)
        result = cli_names_add(names, pattern.data, filter->err);
    pgc_buffer_free(&pattern);
    return result;
}

int cli_pg_read_filter(const cli_pg_filter *rows, void *command, const char *path, pgconvoy_error *err)
{
    filter filter = {.rows = rows,
                     .command = command,
                     .path = path,
                     .err = err,
                     .file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r")};
    if (!filter.file) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "could not open filter file \"%s\": %s", path, strerror(errno));
        return -1;
    }
    int result = 0;
    while (result == 0 && next_line(&filter))
        result = take_line(&filter);
    if (result == 0 && ferror(filter.file)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not read from filter file \"%s\": %s", path,
                           strerror(errno));
        result = -1;
    }
    free(filter.line);
    if (filter.file != stdin)
        (void)fclose(filter.file);
    return result;
}
