/*
 * status: what the pipelines of a state folder last said of themselves (status.json, each second while one runs).
 * Whether one runs is told by its lock, which the kernel gives back however a process ends.
 */
#include "cli/cli.h"

#include "base/units.h"
#include "format/json_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>
#include <yaml.h>

typedef struct names {
    char **items;
    size_t count;
} names;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static int add_name(names *names, const char *name, pgconvoy_error *err)
{
    char **items = realloc(names->items, (names->count + 1) * sizeof *items);
    if (!items)
        return pgc_error_out_of_memory(err);
    names->items = items;
    if (!(items[names->count] = strdup(name)))
        return pgc_error_out_of_memory(err);
    names->count++;
    return 0;
}

/* A pipeline's folder has the note of its ends. */
static bool is_pipeline(const char *dir, const char *name)
{
    char *source = cli_pipeline_note(dir, name, "source");
    free(source);
    return source != NULL;
}

static int list_pipelines(const char *dir, names *names, pgconvoy_error *err)
{
    DIR *folder = opendir(dir);
    if (!folder) {
        if (errno == ENOENT)
            return 0;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "cannot read the folder %s: %s", dir, strerror(errno));
        pgconvoy_error_hint(err, "name another one with --state-dir");
        return -1;
    }
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && is_pipeline(dir, entry->d_name))
            result = add_name(names, entry->d_name, err);
    closedir(folder);
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, by_text);
    return result;
}

static bool is_running(const char *dir, const char *name)
{
    pgconvoy_error err;
    char *path = cli_state_path(dir, name, "lock", &err);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    free(path);
    if (fd < 0)
        return false;
    bool running = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return running;
}

/* ---- as JSON */

static void add_json(const char *dir, const char *name, pgc_buffer *out)
{
    static const char *const ends[] = {"source", "target"};
    pgconvoy_error err;
    pgc_buffer_text(out, "{\"name\":");
    pgc_json_string(out, name);
    pgc_buffer_text(out, is_running(dir, name) ? ",\"running\":true" : ",\"running\":false");
    for (int i = 0; i < 2; i++) {
        char *end = cli_pipeline_note(dir, name, ends[i]);
        pgc_buffer_format(out, ",\"%s\":", ends[i]);
        pgc_json_string(out, end ? end : "");
        free(end);
    }
    pgc_buffer_text(out, ",\"status\":");
    char *path = cli_state_path(dir, name, "status.json", &err);
    size_t start = out->length;
    if (!path || cli_read_file(path, out) != 0 || out->length == start) {
        out->length = start;
        pgc_buffer_text(out, "null");
    }
    while (out->length > start && out->data[out->length - 1] == '\n')
        out->length--;
    free(path);
    pgc_buffer_byte(out, '}');
}

/* ---- as a table: status.json is read back with the YAML parser, which takes JSON */

static const yaml_node_t *member(yaml_document_t *document, const yaml_node_t *object, const char *name)
{
    if (!object || object->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = object->data.mapping.pairs.start; pair < object->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(document, pair->key);
        if (key && key->type == YAML_SCALAR_NODE && strcmp((const char *)key->data.scalar.value, name) == 0)
            return yaml_document_get_node(document, pair->value);
    }
    return NULL;
}

static const char *text_of(yaml_document_t *document, const yaml_node_t *object, const char *name)
{
    const yaml_node_t *node = member(document, object, name);
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

static int64_t number_of(yaml_document_t *document, const yaml_node_t *object, const char *name)
{
    return strtoll(text_of(document, object, name), NULL, 10);
}

static void add_tables(yaml_document_t *document, const yaml_node_t *status, pgc_buffer *out)
{
    const yaml_node_t *tables = member(document, status, "tables");
    if (!tables || tables->type != YAML_SEQUENCE_NODE)
        return;
    char rows[PGC_UNITS_TEXT_SIZE], size[PGC_UNITS_TEXT_SIZE];
    pgc_buffer_format(out, "  %-48s  %-12s %15s %10s\n", "table", "state", "rows copied", "bytes");
    for (yaml_node_item_t *item = tables->data.sequence.items.start; item < tables->data.sequence.items.top; item++) {
        const yaml_node_t *table = yaml_document_get_node(document, *item);
        char name[256];
        snprintf(name, sizeof name, "%s.%s", text_of(document, table, "schema"), text_of(document, table, "table"));
        pgc_buffer_format(out, "  %-48s  %-12s %15s %10s\n", name, text_of(document, table, "state"),
                          pgc_count_to_text(number_of(document, table, "rows_copied"), rows),
                          pgc_size_to_text(number_of(document, table, "bytes_copied"), size));
    }
}

static void add_status(yaml_document_t *document, bool with_tables, pgc_buffer *out)
{
    const yaml_node_t *status = yaml_document_get_root_node(document);
    char lag[PGC_UNITS_TEXT_SIZE], lag_time[PGC_UNITS_TEXT_SIZE], count[PGC_UNITS_TEXT_SIZE], rate[PGC_UNITS_TEXT_SIZE];
    pgc_buffer_format(out, "  %s as of %s: %s of %s tables copied\n", text_of(document, status, "phase"),
                      text_of(document, status, "time"), text_of(document, status, "tables_done"),
                      text_of(document, status, "table_count"));
    pgc_buffer_format(out, "  durable at %s, source at %s, lag %s (%s)\n", text_of(document, status, "durable_lsn"),
                      text_of(document, status, "source_lsn"),
                      pgc_size_to_text(number_of(document, status, "lag_bytes"), lag),
                      pgc_duration_to_text(number_of(document, status, "lag_ms") * 1000, lag_time));
    pgc_buffer_format(out, "  %s changes, %s/s\n", pgc_count_to_text(number_of(document, status, "changes"), count),
                      pgc_count_to_short_text(number_of(document, status, "changes_per_s"), rate));
    if (with_tables)
        add_tables(document, status, out);
}

static void add_text(const char *dir, const char *name, bool with_tables, pgc_buffer *out)
{
    pgconvoy_error err;
    char *source = cli_pipeline_note(dir, name, "source"), *target = cli_pipeline_note(dir, name, "target");
    pgc_buffer_format(out, "%s: %s\n  %s → %s\n", name, is_running(dir, name) ? "running" : "stopped",
                      source ? source : "?", target ? target : "?");
    free(source);
    free(target);
    char *path = cli_state_path(dir, name, "status.json", &err);
    FILE *file = path ? fopen(path, "re") : NULL;
    free(path);
    if (!file) {
        pgc_buffer_text(out, "  has not moved anything yet\n");
        return;
    }
    yaml_parser_t parser;
    yaml_document_t document;
    if (yaml_parser_initialize(&parser)) {
        yaml_parser_set_input_file(&parser, file);
        if (yaml_parser_load(&parser, &document)) {
            add_status(&document, with_tables, out);
            yaml_document_delete(&document);
        }
        yaml_parser_delete(&parser);
    }
    fclose(file);
}

/* ---- the command */

static void add_all(const char *dir, const names *names, bool one, bool json, pgc_buffer *out)
{
    if (json && !one)
        pgc_buffer_text(out, "{\"pipelines\":[");
    for (size_t i = 0; i < names->count; i++) {
        if (json && i > 0)
            pgc_buffer_byte(out, ',');
        if (json)
            add_json(dir, names->items[i], out);
        else
            add_text(dir, names->items[i], one, out);
    }
    if (json)
        pgc_buffer_text(out, one ? "\n" : "]}\n");
    else if (names->count == 0)
        pgc_buffer_format(out, "there are no pipelines in %s\n", dir);
}

int cli_run_status(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    (void)command;
    bool one = arguments->operand_count > 0;
    names names = {0};
    pgc_buffer out;
    pgc_buffer_init(&out, (size_t)1 << 30);
    char *dir = cli_state_dir(arguments, err);
    int result = dir ? 0 : -1;
    if (result == 0 && !one)
        result = list_pipelines(dir, &names, err);
    else if (result == 0 && (strchr(arguments->operands[0], '/') || !is_pipeline(dir, arguments->operands[0]))) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "nothing is known of a pipeline %s in %s", arguments->operands[0],
                           dir);
        pgconvoy_error_hint(err, "pgconvoy status lists what there is; --state-dir names another folder");
        result = -1;
    } else if (result == 0)
        result = add_name(&names, arguments->operands[0], err);
    if (result == 0) {
        add_all(dir, &names, one, cli_setting_value(arguments, "json") != NULL, &out);
        result = pgc_buffer_check(&out, err);
    }
    if (result == 0 && (fwrite(out.data, 1, out.length, stdout) != out.length || fflush(stdout) != 0)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot write to standard output: %s", strerror(errno));
        result = -1;
    }
    free_names(&names);
    pgc_buffer_free(&out);
    free(dir);
    return result == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}
