/* A table as BigQuery has it. What a name there cannot have becomes an underscore; that two names become one is
 * refused. */
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

static const char *table_name(pgc_arena *arena, const char *name)
{
    char text[520];
    put_words(text, name, sizeof text);
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

static int fill(const pgc_bq_sink *sink, pgc_bq_layout *layout, pgconvoy_error *err)
{
    const pgconvoy_table *table = layout->table;
    layout->name = table_name(layout->arena, layout->name);
    layout->types = pgc_arena_zalloc(layout->arena, (size_t)table->column_count * sizeof *layout->types + 1);
    if (!layout->name || !layout->types)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *column = &table->columns[i];
        layout->types[i] = pgc_bq_type_of(column->type, column->typmod, column->in_key || column->primary_key > 0,
                                          &sink->target.types);
    }
    return name_columns(layout, err) != 0 ? -1 : pgc_staged_check_names(&sink->base, &layout->base, err);
}

pgc_bq_layout *pgc_bq_layout_new(const pgc_bq_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_bq_layout *layout = (pgc_bq_layout *)pgc_staged_layout_new(sizeof *layout, table, err);
    if (!layout || fill(sink, layout, err) == 0)
        return layout;
    pgc_bq_layout_free(layout);
    return NULL;
}

void pgc_bq_layout_fields(const pgc_bq_sink *sink, const pgc_bq_layout *layout, pgc_buffer *out)
{
    const char *separator = "";
    if (sink->keeps_history || layout->column_count == 0) {
        static const char *const fields[][2] = {{PGC_STAGED_OPERATION, "STRING"},
                                                {PGC_STAGED_LSN, "INT64"},
                                                {PGC_STAGED_SEQUENCE, "INT64"},
                                                {PGC_STAGED_COMMIT_TIME, "TIMESTAMP"}};
        for (size_t i = 0; i < (sink->keeps_history ? 4u : 1u); i++, separator = ",")
            pgc_buffer_format(out, "%s{\"name\":\"%s\",\"type\":\"%s\"}", separator, fields[i][0], fields[i][1]);
    }
    for (int i = 0; i < layout->column_count; i++, separator = ",") {
        pgc_buffer_format(out, "%s{\"name\":\"%s\",\"type\":\"%s\"%s,\"description\":", separator, layout->names[i],
                          pgc_bq_type_name(&layout->types[i]),
                          layout->types[i].repeated ? ",\"mode\":\"REPEATED\"" : "");
        char description[PGC_STAGED_DESCRIPTION_SIZE];
        pgc_staged_describe_column(&layout->table->columns[i], description);
        pgc_json_string(out, description);
        pgc_buffer_byte(out, '}');
    }
}

void pgc_bq_layout_clustering(const pgc_bq_layout *layout, pgc_buffer *out)
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
    if (used > 0)
        pgc_buffer_text(out, "]}");
}
