/*
 * A table as BigQuery has it. All tables of a pipeline go into one dataset: those of schema public under their own
 * name, others as schema_table. What a name there cannot have becomes an underscore; that two names become one is
 * refused.
 */
#include "sink/bigquery/bigquery_internal.h"

#include "format/json_text.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

/* A column's name has letters, digits and underscores, begins with none of the digits, and with none of these (docs:
 * "Column names"). */
static const char *const reserved[] = {"_TABLE_",  "_FILE_",         "_PARTITION", "_ROW_TIMESTAMP",
                                       "__ROOT__", "_COLIDENTIFIER", "_CHANGE_"};

#define NAME_MAX_BYTES 300

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void put_words(char *to, const char *name, size_t room)
{
    size_t length = 0;
    for (; *name && length + 1 < room; name++)
        to[length++] = is_word(*name) ? *name : '_';
    to[length] = '\0';
}

static const char *column_name(pgc_arena *arena, const char *name)
{
    char text[NAME_MAX_BYTES + 1] = "", words[NAME_MAX_BYTES + 1];
    put_words(words, name, sizeof words - 4);
    bool taken = !words[0] || isdigit((unsigned char)words[0]);
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        taken = taken || strncasecmp(words, reserved[i], strlen(reserved[i])) == 0;
    snprintf(text, sizeof text, "%s%.295s", taken ? "pg_" : "", words);
    return pgc_arena_strdup(arena, text);
}

static const char *table_name(pgc_arena *arena, const pgconvoy_table *table)
{
    char schema[200], name[300], text[520];
    put_words(schema, table->schema, sizeof schema);
    put_words(name, table->name, sizeof name);
    bool plain = strcmp(table->schema, "public") == 0;
    snprintf(text, sizeof text, "%s%s%s", plain ? "" : schema, plain ? "" : "_", name);
    return pgc_arena_strdup(arena, text);
}

static int refuse_columns(const pgconvoy_table *table, int first, int second, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "columns \"%s\" and \"%s\" of table %s.%s would have the same name in BigQuery",
                       table->columns[first].name, table->columns[second].name, table->schema, table->name);
    pgconvoy_error_hint(err, "rename one of them, or leave it out of the publication");
    return -1;
}

static int name_columns(pgc_bq_layout *layout, pgconvoy_error *err)
{
    const pgconvoy_table *table = layout->table;
    for (int i = 0; i < layout->column_count; i++) {
        layout->names[i] = column_name(layout->arena, table->columns[i].name);
        if (!layout->names[i])
            return pgc_error_out_of_memory(err);
        for (int j = 0; j < i; j++)
            if (strcasecmp(layout->names[i], layout->names[j]) == 0)
                return refuse_columns(table, j, i, err);
    }
    return 0;
}

pgc_bq_layout *pgc_bq_layout_new(const pgc_bq_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(8192);
    pgc_bq_layout *layout = arena ? pgc_arena_zalloc(arena, sizeof *layout) : NULL;
    size_t count = (size_t)table->column_count;
    if (layout) {
        *layout = (pgc_bq_layout){.table = table, .arena = arena, .column_count = table->column_count};
        layout->name = table_name(arena, table);
        layout->names = pgc_arena_zalloc(arena, count * sizeof *layout->names + 1);
        layout->types = pgc_arena_zalloc(arena, count * sizeof *layout->types + 1);
    }
    if (!layout || !layout->name || !layout->names || !layout->types) {
        pgc_error_out_of_memory(err);
        pgc_arena_free(arena);
        return NULL;
    }
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *column = &table->columns[i];
        layout->types[i] = pgc_bq_type_of(column->type, column->typmod, column->in_key || column->primary_key > 0,
                                          &sink->target.types);
    }
    if (name_columns(layout, err) == 0)
        return layout;
    pgc_arena_free(arena);
    return NULL;
}

void pgc_bq_layout_free(pgc_bq_layout *layout)
{
    if (layout)
        pgc_arena_free(layout->arena);
}

void pgc_bq_column_description(const pgconvoy_column *column, char *text, size_t size)
{
    int length = column->number > 0 ? snprintf(text, size, PGC_BQ_NUMBERED ": ", column->number) : 0;
    snprintf(text + length, size - (size_t)length, "%.400s", column->type_sql ? column->type_sql : "");
}

void pgc_bq_layout_fields(const pgc_bq_sink *sink, const pgc_bq_layout *layout, pgc_buffer *out)
{
    const char *separator = "";
    if (sink->target.history || layout->column_count == 0) {
        static const char *const fields[][2] = {{PGC_BQ_OPERATION, "STRING"},
                                                {PGC_BQ_LSN, "INT64"},
                                                {PGC_BQ_SEQUENCE, "INT64"},
                                                {PGC_BQ_COMMIT_TIME, "TIMESTAMP"}};
        for (size_t i = 0; i < (sink->target.history ? 4u : 1u); i++, separator = ",")
            pgc_buffer_format(out, "%s{\"name\":\"%s\",\"type\":\"%s\"}", separator, fields[i][0], fields[i][1]);
    }
    for (int i = 0; i < layout->column_count; i++, separator = ",") {
        pgc_buffer_format(out, "%s{\"name\":\"%s\",\"type\":\"%s\"%s,\"description\":", separator, layout->names[i],
                          pgc_bq_type_name(&layout->types[i]),
                          layout->types[i].repeated ? ",\"mode\":\"REPEATED\"" : "");
        char description[512];
        pgc_bq_column_description(&layout->table->columns[i], description, sizeof description);
        pgc_json_string(out, description);
        pgc_buffer_byte(out, '}');
    }
}

void pgc_bq_layout_clustering(const pgc_bq_sink *sink, const pgc_bq_layout *layout, pgc_buffer *out)
{
    const pgconvoy_table *table = layout->table;
    int used = 0;
    for (int i = 0; i < table->key_count && used < 4; i++) {
        if (!pgc_bq_type_clusters(&layout->types[table->key[i]]))
            break;
        pgc_buffer_format(out, "%s\"%s\"", used == 0 ? ",\"clustering\":{\"fields\":[" : ",",
                          layout->names[table->key[i]]);
        used++;
    }
    (void)sink;
    if (used > 0)
        pgc_buffer_text(out, "]}");
}

void pgc_bq_layout_columns(const pgc_bq_layout *layout, const char *prefix, pgc_buffer *out)
{
    for (int i = 0; i < layout->column_count; i++) {
        pgc_buffer_text(out, i > 0 ? ", " : "");
        pgc_buffer_text(out, prefix);
        pgc_bq_quote_column(out, layout->names[i]);
    }
}
