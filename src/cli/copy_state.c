/* See copy_state.h. status.json is that of a pipeline; read back with the YAML parser, which takes JSON. */
#include "cli/copy_state.h"

#include "base/clock.h"
#include "base/units.h"
#include "format/json_text.h"
#include "postgres/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define INTERVAL_US INT64_C(1000000)

/* ------------------------------------------------------------------ a copy that runs */

static bool make_folder(const char *path)
{
    char *copy = strdup(path);
    bool made = copy != NULL;
    for (char *at = copy; made && at && *at; at++) {
        if (at[1] != '/' && at[1] != '\0')
            continue;
        char next = at[1];
        at[1] = '\0';
        made = mkdir(copy, 0700) == 0 || errno == EEXIST;
        at[1] = next;
    }
    free(copy);
    return made;
}

/* A pipeline's note is not to be written over, since `drop` needs it. */
static bool is_of_copy(const char *dir, const char *name)
{
    char *source = cli_pipeline_note(dir, name, "source"), *kind = cli_pipeline_note(dir, name, "kind");
    bool is = !source || (kind && strcmp(kind, "copy") == 0);
    free(source);
    free(kind);
    return is;
}

static bool write_note(const cli_copy_state *state, const cli_arguments *arguments)
{
    static const char *const keys[] = {"source", "target"};
    pgconvoy_error err;
    char *path = cli_state_path(state->dir, state->name, "pipeline", &err);
    pgc_buffer text;
    pgc_buffer_init(&text, 1 << 16);
    for (int i = 0; i < 2; i++) {
        pgc_buffer end;
        pgc_buffer_init(&end, 1 << 14);
        pgc_connection_without_password(arguments->operands[i], &end);
        pgc_buffer_format(&text, "%s=%s\n", keys[i], end.data ? end.data : "");
        pgc_buffer_free(&end);
    }
    pgc_buffer_text(&text, "kind=copy\n");
    bool written = path && !text.failed && cli_write_file(path, &text) == 0;
    pgc_buffer_free(&text);
    free(path);
    return written;
}

int cli_copy_state_begin(cli_copy_state *state, const cli_arguments *arguments, const char *name, pgconvoy_error *err)
{
    *state = (cli_copy_state){.name = name, .lock = -1, .dir = cli_state_dir(arguments, err)};
    char *folder = state->dir ? cli_state_path(state->dir, name, NULL, err) : NULL,
         *lock = folder ? cli_state_path(state->dir, name, "lock", err) : NULL;
    if (!lock) {
        free(folder);
        return -1;
    }
    if (is_of_copy(state->dir, name) && make_folder(folder)) {
        state->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (state->lock >= 0 && (flock(state->lock, LOCK_EX | LOCK_NB) != 0 || !write_note(state, arguments))) {
            close(state->lock);
            state->lock = -1;
        }
    }
    free(lock);
    free(folder);
    return 0;
}

void cli_copy_state_say(cli_copy_state *state, const pgconvoy_progress *progress)
{
    int64_t now = pgc_clock_monotonic_us();
    cli_rates rates = {.rows_per_s = cli_meter_update(&state->rows, now, progress->rows_copied),
                       .bytes_per_s = cli_meter_update(&state->bytes, now, progress->bytes_copied)};
    if (state->lock < 0 || (progress->phase != PGCONVOY_PHASE_DONE && now - state->said_us < INTERVAL_US))
        return;
    pgconvoy_error err;
    char *path = cli_state_path(state->dir, state->name, "status.json", &err);
    pgc_buffer text;
    pgc_buffer_init(&text, (size_t)256 << 20);
    cli_progress_json(state->name, progress, &rates, true, &text);
    pgc_buffer_byte(&text, '\n');
    if (path && !text.failed)
        (void)cli_write_file(path, &text); /* a status that cannot be written does not stop the work */
    pgc_buffer_free(&text);
    free(path);
    state->said_us = now;
}

void cli_copy_state_end(cli_copy_state *state)
{
    if (state->dir && state->lock >= 0)
        close(state->lock);
    free(state->dir);
    state->dir = NULL;
}

/* ------------------------------------------------------------------ status */

static const char *member(yaml_document_t *document, const yaml_node_t *object, const char *name,
                          const yaml_node_t **node)
{
    *node = NULL;
    for (yaml_node_pair_t *pair = object->data.mapping.pairs.start; pair < object->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(document, pair->key);
        if (key && key->type == YAML_SCALAR_NODE && strcmp((const char *)key->data.scalar.value, name) == 0)
            *node = yaml_document_get_node(document, pair->value);
    }
    return *node && (*node)->type == YAML_SCALAR_NODE ? (const char *)(*node)->data.scalar.value : "";
}

static const char *text_of(yaml_document_t *document, const yaml_node_t *object, const char *name)
{
    const yaml_node_t *node;
    return member(document, object, name, &node);
}

static void show_tables(yaml_document_t *document, const yaml_node_t *root, pgc_buffer *out)
{
    char rows[PGC_UNITS_TEXT_SIZE], size[PGC_UNITS_TEXT_SIZE];
    const yaml_node_t *tables;
    (void)member(document, root, "tables", &tables);
    if (!tables || tables->type != YAML_SEQUENCE_NODE)
        return;
    pgc_buffer_format(out, "  %-48s  %-12s %15s %10s\n", "table", "state", "rows copied", "bytes");
    for (yaml_node_item_t *item = tables->data.sequence.items.start; item < tables->data.sequence.items.top; item++) {
        const yaml_node_t *table = yaml_document_get_node(document, *item);
        const char *state = text_of(document, table, "state");
        char name[256];
        snprintf(name, sizeof name, "%.120s.%.120s", text_of(document, table, "schema"),
                 text_of(document, table, "table"));
        pgc_buffer_format(out, "  %-48s  %-12s %15s %10s\n", name, strcmp(state, "live") == 0 ? "copied" : state,
                          pgc_count_to_text(strtoll(text_of(document, table, "rows_copied"), NULL, 10), rows),
                          pgc_size_to_text(strtoll(text_of(document, table, "bytes_copied"), NULL, 10), size));
    }
}

static void show_text(const char *json, bool with_tables, pgc_buffer *out)
{
    yaml_parser_t parser;
    yaml_document_t document;
    char rows[PGC_UNITS_TEXT_SIZE], size[PGC_UNITS_TEXT_SIZE];
    if (!json || !yaml_parser_initialize(&parser)) {
        pgc_buffer_text(out, "  has not copied anything yet\n");
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)json, strlen(json));
    if (yaml_parser_load(&parser, &document)) {
        const yaml_node_t *root = yaml_document_get_root_node(&document);
        if (root && root->type == YAML_MAPPING_NODE) {
            pgc_buffer_format(out, "  %s as of %s: %s of %s tables copied, %s rows, %s\n",
                              text_of(&document, root, "phase"), text_of(&document, root, "time"),
                              text_of(&document, root, "tables_done"), text_of(&document, root, "table_count"),
                              pgc_count_to_text(strtoll(text_of(&document, root, "rows_copied"), NULL, 10), rows),
                              pgc_size_to_text(strtoll(text_of(&document, root, "bytes_copied"), NULL, 10), size));
            if (with_tables)
                show_tables(&document, root, out);
        }
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
}

static void show_json(const char *name, bool running, char *const ends[2], const char *json, pgc_buffer *out)
{
    static const char *const keys[] = {"source", "target"};
    pgc_buffer_text(out, "{\"name\":");
    pgc_json_string(out, name);
    pgc_buffer_format(out, ",\"kind\":\"copy\",\"running\":%s", running ? "true" : "false");
    for (int i = 0; i < 2; i++) {
        pgc_buffer_format(out, ",\"%s\":", keys[i]);
        pgc_json_string(out, ends[i] ? ends[i] : "");
    }
    pgc_buffer_format(out, ",\"status\":%s}", json ? json : "null");
}

bool cli_copy_state_show(const char *dir, const char *name, bool running, bool with_tables, bool json, pgc_buffer *out)
{
    char *kind = cli_pipeline_note(dir, name, "kind");
    bool is_copy = kind && strcmp(kind, "copy") == 0;
    free(kind);
    if (!is_copy)
        return false;
    pgconvoy_error err;
    char *ends[] = {cli_pipeline_note(dir, name, "source"), cli_pipeline_note(dir, name, "target")},
         *path = cli_state_path(dir, name, "status.json", &err);
    pgc_buffer status;
    pgc_buffer_init(&status, (size_t)1 << 30);
    bool said = path && cli_read_file(path, &status) == 0 && status.length > 0;
    while (said && status.length > 0 && status.data[status.length - 1] == '\n')
        status.data[--status.length] = '\0';
    if (json) {
        show_json(name, running, ends, said ? status.data : NULL, out);
    } else {
        pgc_buffer_format(out, "%s: copy, %s\n  %s → %s\n", name, running ? "running" : "not running",
                          ends[0] ? ends[0] : "?", ends[1] ? ends[1] : "?");
        show_text(said ? status.data : NULL, with_tables, out);
    }
    pgc_buffer_free(&status);
    free(path);
    free(ends[0]);
    free(ends[1]);
    return true;
}
