/*
 * --config FILE: a YAML mapping of option names to a value, to a list for options that may be repeated, or to a mapping
 * for those that take KEY=VALUE. `source` and `target` may stand in for the operands. An unknown name is refused.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

typedef struct reading {
    const cli_command *command;
    const char *path;
    yaml_document_t document;
    cli_arguments *arguments;
    size_t place; /* where the next setting goes: before all of the command line's */
    char *source, *target;
} reading;

static int refuse(const reading *reading, const yaml_node_t *node, const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "%s, line %zu: %s", reading->path, node->start_mark.line + 1, what);
    pgconvoy_error_hint(err, "the names are those of pgconvoy %s --help, without the dashes", reading->command->name);
    return -1;
}

static const char *scalar(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

/* "true", "false" or NULL, by YAML 1.1's words. */
static const char *truth(const char *value)
{
    static const char *const words[] = {"true", "yes", "on", "false", "no", "off"};
    for (int i = 0; i < 6; i++)
        if (strcmp(value, words[i]) == 0)
            return i < 3 ? "true" : "false";
    return NULL;
}

static int set_value(reading *reading, const yaml_node_t *node, const pgconvoy_option *option, bool is_pipelines,
                     pgconvoy_error *err)
{
    const char *value = scalar(node);
    if (!value)
        return refuse(reading, node, "a value or a list of values is expected here", err);
    if (!option->argument && !(value = truth(value)))
        return refuse(reading, node, "true or false is expected here", err);
    if (!option->argument && strcmp(value, "false") == 0)
        return 0;
    return cli_arguments_add(reading->arguments, option, is_pipelines, value, reading->place++, err);
}

/* A list as a text: "a,b". */
static int join(reading *reading, const yaml_node_t *list, pgc_buffer *text, pgconvoy_error *err)
{
    for (yaml_node_item_t *item = list->data.sequence.items.start; item < list->data.sequence.items.top; item++) {
        const yaml_node_t *node = yaml_document_get_node(&reading->document, *item);
        const char *name = scalar(node);
        if (!name)
            return refuse(reading, node, "a list of names is expected here", err);
        pgc_buffer_format(text, "%s%s", item > list->data.sequence.items.start ? "," : "", name);
    }
    return 0;
}

/* What an option takes as KEY=VALUE can be a mapping: each of its pairs is one setting. */
static int set_pairs(reading *reading, const yaml_node_t *node, const pgconvoy_option *option, bool is_pipelines, pgconvoy_error *err)
{
    int result = 0;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top && result == 0; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&reading->document, pair->key), *value = yaml_document_get_node(&reading->document, pair->value);
        const char *name = scalar(key), *single = scalar(value);
        if (!name || (value->type != YAML_SEQUENCE_NODE && !single))
            return refuse(reading, key, "a name and its value are expected here", err);
        pgc_buffer text;
        pgc_buffer_init(&text, 1 << 20);
        pgc_buffer_format(&text, "%s=%s", name, single ? single : "");
        if (!single)
            result = join(reading, value, &text, err);
        if (result == 0)
            result = pgc_buffer_check(&text, err);
        if (result == 0)
            result = cli_arguments_add(reading->arguments, option, is_pipelines, text.data, reading->place++, err);
        pgc_buffer_free(&text);
    }
    return result;
}

static int set_option(reading *reading, const yaml_node_t *key, const yaml_node_t *node, pgconvoy_error *err)
{
    const char *name = scalar(key);
    if (!name)
        return refuse(reading, key, "the name of an option is expected here", err);
    bool is_source = strcmp(name, "source") == 0;
    if (is_source || strcmp(name, "target") == 0) {
        char **end = is_source ? &reading->source : &reading->target;
        if (!scalar(node))
            return refuse(reading, node, "a text is expected here", err);
        free(*end);
        *end = strdup(scalar(node));
        return *end ? 0 : pgc_error_out_of_memory(err);
    }
    bool is_pipelines;
    const pgconvoy_option *option = cli_option_find(name, 0, reading->command->kind, &is_pipelines);
    if (!option || strcmp(name, "config") == 0 || strcmp(name, "help") == 0) {
        char what[160];
        snprintf(what, sizeof what, "there is no option \"%.80s\"", name);
        return refuse(reading, key, what, err);
    }
    if (node->type == YAML_MAPPING_NODE && option->argument && strchr(option->argument, '='))
        return set_pairs(reading, node, option, is_pipelines, err);
    if (node->type != YAML_SEQUENCE_NODE)
        return set_value(reading, node, option, is_pipelines, err);
    for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++)
        if (set_value(reading, yaml_document_get_node(&reading->document, *item), option, is_pipelines, err) != 0)
            return -1;
    return 0;
}

static int set_options(reading *reading, pgconvoy_error *err)
{
    const yaml_node_t *root = yaml_document_get_root_node(&reading->document);
    if (!root)
        return 0; /* an empty file says nothing */
    if (root->type != YAML_MAPPING_NODE)
        return refuse(reading, root, "names with values (name: value) are expected here", err);
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++)
        if (set_option(reading, yaml_document_get_node(&reading->document, pair->key),
                       yaml_document_get_node(&reading->document, pair->value), err) != 0)
            return -1;
    return 0;
}

/* The file's source and target are taken where the command line has no operands. */
static int set_operands(reading *reading, pgconvoy_error *err)
{
    cli_arguments *arguments = reading->arguments;
    if (arguments->operand_count > 0 || (!reading->source && !reading->target) || !(reading->command->kind & CLI_MOVE))
        return 0;
    char **operands = realloc(arguments->operands, 2 * sizeof *operands);
    if (!operands)
        return pgc_error_out_of_memory(err);
    arguments->operands = operands;
    if (reading->source) {
        operands[arguments->operand_count++] = reading->source;
        reading->source = NULL;
        if (reading->target)
            operands[arguments->operand_count++] = reading->target;
        reading->target = NULL;
    }
    return 0;
}

int cli_config_read(const cli_command *command, const char *path, cli_arguments *arguments, pgconvoy_error *err)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "cannot read %s: %s", path, strerror(errno));
        pgconvoy_error_hint(err, "give --config a file that can be read");
        return -1;
    }
    reading reading = {.command = command, .path = path, .arguments = arguments};
    yaml_parser_t parser;
    int result = -1;
    if (!yaml_parser_initialize(&parser)) {
        fclose(file);
        return pgc_error_out_of_memory(err);
    }
    yaml_parser_set_input_file(&parser, file);
    if (!yaml_parser_load(&parser, &reading.document)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "%s, line %zu: not YAML: %s", path, parser.problem_mark.line + 1,
                           parser.problem ? parser.problem : "cannot be read");
        pgconvoy_error_hint(err, "mend the file; it holds lines of the form name: value");
    } else {
        result = set_options(&reading, err);
        if (result == 0)
            result = set_operands(&reading, err);
        yaml_document_delete(&reading.document);
    }
    free(reading.source);
    free(reading.target);
    yaml_parser_delete(&parser);
    fclose(file);
    return result;
}
