/* A pipeline's status as JSON and as text. status.json is read back with the YAML parser, which takes JSON. */
#include "cli/status.h"

#include "base/units.h"
#include "format/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <yaml.h>

#define LABEL "  %-9s "

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

/* The JSON as a document; false where there is none, or none that can be read. */
static bool load_json(const pgc_buffer *json, yaml_document_t *document)
{
    yaml_parser_t parser;
    if (json->length == 0 || !yaml_parser_initialize(&parser))
        return false;
    yaml_parser_set_input_string(&parser, (const unsigned char *)json->data, json->length);
    bool loaded = yaml_parser_load(&parser, document) && yaml_document_get_root_node(document);
    yaml_parser_delete(&parser);
    return loaded;
}

static bool load(const cli_status *status, yaml_document_t *document)
{
    return load_json(&status->json, document);
}

/* ---- the slot */

/*
 * WAL a second at the source: what the running pipeline measured; of a stopped one, what was written between its last
 * word and now.
 */
static int64_t wal_rate(const cli_status *status)
{
    yaml_document_t document;
    if (!load(status, &document))
        return 0;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    pgconvoy_lsn then_lsn;
    int64_t rate = number_of(&document, root, "source_bytes_per_s");
    if (!status->running && pgconvoy_lsn_from_text(text_of(&document, root, "source_lsn"), &then_lsn) == 0 &&
        then_lsn) {
        int64_t seconds = (int64_t)(time(NULL) - status->said);
        if (seconds > 0 && status->health.end_of_wal >= then_lsn)
            rate = (int64_t)(status->health.end_of_wal - then_lsn) / seconds;
    }
    yaml_document_delete(&document);
    return rate;
}

/* -1: never, or not known. */
static int64_t seconds_left(const cli_status *status, int64_t rate)
{
    return status->health.left_bytes < 0 || rate <= 0 ? -1 : status->health.left_bytes / rate;
}

static void add_lsn(pgc_buffer *out, const char *name, pgconvoy_lsn lsn)
{
    char text[PGCONVOY_LSN_TEXT_SIZE];
    pgc_buffer_format(out, ",\"%s\":\"%s\"", name, pgconvoy_lsn_to_text(lsn, text));
}

static void add_number(pgc_buffer *out, const char *name, int64_t number)
{
    if (number < 0)
        pgc_buffer_format(out, ",\"%s\":null", name);
    else
        pgc_buffer_format(out, ",\"%s\":%lld", name, (long long)number);
}

static void slot_json(const cli_status *status, pgc_buffer *out)
{
    const pgc_source_health *health = &status->health;
    if (!status->found) {
        pgc_buffer_text(out, ",\"slot\":null,\"slot_error\":");
        pgc_json_string(out, pgconvoy_error_message(&status->err));
        return;
    }
    int64_t rate = wal_rate(status);
    pgc_buffer_text(out, ",\"slot\":{\"name\":");
    pgc_json_string(out, status->slot);
    pgc_buffer_format(out, ",\"exists\":%s,\"active\":%s,\"wal_status\":", health->exists ? "true" : "false",
                      health->active ? "true" : "false");
    pgc_json_string(out, health->wal_status);
    add_lsn(out, "restart_lsn", health->restart_lsn);
    add_lsn(out, "confirmed_lsn", health->confirmed_lsn);
    add_lsn(out, "source_lsn", health->end_of_wal);
    add_number(out, "retained_bytes", health->retained_bytes);
    add_number(out, "left_bytes", health->left_bytes);
    add_number(out, "wal_bytes_per_s", rate);
    add_number(out, "seconds_left", seconds_left(status, rate));
    pgc_buffer_byte(out, '}');
}

static void slot_text(const cli_status *status, pgc_buffer *out)
{
    const pgc_source_health *health = &status->health;
    char size[PGC_UNITS_TEXT_SIZE], time[PGC_UNITS_TEXT_SIZE];
    pgc_buffer_format(out, LABEL, "slot");
    if (!status->found) {
        pgc_buffer_format(out, "cannot be asked for: %s\n", pgconvoy_error_message(&status->err));
        return;
    }
    if (!health->exists) {
        pgc_buffer_format(out, "there is no slot %s at the source\n", status->slot);
        return;
    }
    pgc_buffer_format(out, "%s, %s%s%s", status->slot, health->active ? "in use" : "not in use",
                      health->wal_status[0] ? ", WAL " : "", health->wal_status);
    if (health->retained_bytes >= 0)
        pgc_buffer_format(out, "; %s of WAL kept at the source", pgc_size_to_text(health->retained_bytes, size));
    pgc_buffer_byte(out, '\n');
    if (health->left_bytes < 0)
        return;
    int64_t rate = wal_rate(status), left = seconds_left(status, rate);
    pgc_buffer_format(out, LABEL "%s more until the source gives it up", "limit",
                      pgc_size_to_text(health->left_bytes, size));
    if (left >= 0)
        pgc_buffer_format(out, ", in %s at %s/s", pgc_duration_to_text(left * 1000000, time),
                          pgc_size_to_text(rate, size));
    pgc_buffer_byte(out, '\n');
}

/* ---- as JSON */

void cli_status_json(const cli_status *status, pgc_buffer *out)
{
    pgc_buffer_text(out, "{\"name\":");
    pgc_json_string(out, status->name);
    pgc_buffer_text(out, status->running ? ",\"running\":true" : ",\"running\":false");
    pgc_buffer_text(out, ",\"source\":");
    pgc_json_string(out, status->source ? status->source : "");
    pgc_buffer_text(out, ",\"target\":");
    pgc_json_string(out, status->target ? status->target : "");
    if (status->looked)
        slot_json(status, out);
    pgc_buffer_text(out, ",\"status\":");
    if (status->json.length > 0)
        pgc_buffer_append(out, status->json.data, status->json.length);
    else
        pgc_buffer_text(out, "null");
    pgc_buffer_text(out, ",\"conflicts\":");
    pgc_buffer_text(out, status->conflicts.length > 0 ? status->conflicts.data : "[]");
    pgc_buffer_text(out, ",\"ddl\":");
    pgc_buffer_text(out, status->ddl.length > 0 ? status->ddl.data : "null");
    pgc_buffer_byte(out, '}');
}

/* ---- as text */

/* How many columns a terminal takes for it: bytes that begin a character of UTF-8. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void name_of(yaml_document_t *document, const yaml_node_t *table, char *name, size_t size)
{
    snprintf(name, size, "%s.%s", text_of(document, table, "schema"), text_of(document, table, "table"));
}

static void add_tables(yaml_document_t *document, const yaml_node_t *status, pgc_buffer *out)
{
    const yaml_node_t *tables = member(document, status, "tables");
    if (!tables || tables->type != YAML_SEQUENCE_NODE ||
        tables->data.sequence.items.start == tables->data.sequence.items.top)
        return;
    char name[256], rows[PGC_UNITS_TEXT_SIZE], size[PGC_UNITS_TEXT_SIZE];
    int width = 5;
    for (yaml_node_item_t *item = tables->data.sequence.items.start; item < tables->data.sequence.items.top; item++) {
        name_of(document, yaml_document_get_node(document, *item), name, sizeof name);
        width = width_of(name) > width ? width_of(name) : width;
    }
    pgc_buffer_format(out, "\n  %-*s  %-11s %15s %10s\n", width, "table", "state", "rows copied", "bytes");
    for (yaml_node_item_t *item = tables->data.sequence.items.start; item < tables->data.sequence.items.top; item++) {
        const yaml_node_t *table = yaml_document_get_node(document, *item);
        name_of(document, table, name, sizeof name);
        pgc_buffer_format(out, "  %s%*s  %-11s %15s %10s\n", name, width - width_of(name), "",
                          text_of(document, table, "state"),
                          pgc_count_to_text(number_of(document, table, "rows_copied"), rows),
                          pgc_size_to_text(number_of(document, table, "bytes_copied"), size));
    }
}

static void add_progress(yaml_document_t *document, const yaml_node_t *status, pgc_buffer *out)
{
    char lag[PGC_UNITS_TEXT_SIZE], time[PGC_UNITS_TEXT_SIZE], count[PGC_UNITS_TEXT_SIZE], rate[PGC_UNITS_TEXT_SIZE];
    pgc_buffer_format(out, LABEL "%s, as of %s\n", "phase", text_of(document, status, "phase"),
                      text_of(document, status, "time"));
    pgc_buffer_format(out, LABEL "%s of %s copied\n", "tables", text_of(document, status, "tables_done"),
                      text_of(document, status, "table_count"));
    pgc_buffer_format(out, LABEL "received %s, durable %s, source %s\n", "position",
                      text_of(document, status, "received_lsn"), text_of(document, status, "durable_lsn"),
                      text_of(document, status, "source_lsn"));
    pgc_buffer_format(out, LABEL "%s, %s", "lag", pgc_size_to_text(number_of(document, status, "lag_bytes"), lag),
                      pgc_duration_to_text(number_of(document, status, "lag_ms") * 1000, time));
    if (text_of(document, status, "commit_lag_ms")[0])
        pgc_buffer_format(out, "; the last change took %s from commit to durable",
                          pgc_duration_to_text(number_of(document, status, "commit_lag_ms") * 1000, time));
    pgc_buffer_format(out, "\n" LABEL "%s, %s/s\n", "changes",
                      pgc_count_to_text(number_of(document, status, "changes"), count),
                      pgc_count_to_short_text(number_of(document, status, "changes_per_s"), rate));
    int64_t prepared = number_of(document, status, "prepared");
    if (prepared > 0)
        pgc_buffer_format(out, LABEL "%s on the target that %s not ended at the source\n", "prepared",
                          pgc_count_to_text(prepared, count), prepared == 1 ? "has" : "have");
}

/* Counted since the pipeline was made. */
static void add_conflicts(const cli_status *status, pgc_buffer *out)
{
    yaml_document_t document;
    char name[256], count[PGC_UNITS_TEXT_SIZE];
    if (!load_json(&status->conflicts, &document))
        return;
    const yaml_node_t *list = yaml_document_get_root_node(&document);
    if (list->type == YAML_SEQUENCE_NODE)
        for (yaml_node_item_t *item = list->data.sequence.items.start; item < list->data.sequence.items.top; item++) {
            const yaml_node_t *conflict = yaml_document_get_node(&document, *item);
            name_of(&document, conflict, name, sizeof name);
            pgc_buffer_format(out, LABEL "%s: %s %s\n", "conflicts", name,
                              pgc_count_to_text(number_of(&document, conflict, "count"), count),
                              text_of(&document, conflict, "kind"));
        }
    yaml_document_delete(&document);
}

static void add_ddl(const cli_status *status, pgc_buffer *out)
{
    yaml_document_t document;
    char count[PGC_UNITS_TEXT_SIZE];
    if (!load_json(&status->ddl, &document))
        return;
    pgc_buffer_format(out, LABEL "%s commands of DDL; pgconvoy.ddl_skipped on the target has them\n", "left out",
                      pgc_count_to_text(number_of(&document, yaml_document_get_root_node(&document), "skipped"), count));
    yaml_document_delete(&document);
}

void cli_status_text(const cli_status *status, bool with_tables, pgc_buffer *out)
{
    yaml_document_t document;
    pgc_buffer_format(out, "%s: %s\n", status->name, status->running ? "running" : "stopped");
    pgc_buffer_format(out, LABEL "%s\n", "source", status->source ? status->source : "?");
    pgc_buffer_format(out, LABEL "%s\n", "target", status->target ? status->target : "?");
    bool loaded = load(status, &document);
    if (loaded)
        add_progress(&document, yaml_document_get_root_node(&document), out);
    else
        pgc_buffer_text(out, "  has not moved anything yet\n");
    add_conflicts(status, out);
    add_ddl(status, out);
    if (status->looked)
        slot_text(status, out);
    if (loaded && with_tables)
        add_tables(&document, yaml_document_get_root_node(&document), out);
    if (loaded)
        yaml_document_delete(&document);
}
