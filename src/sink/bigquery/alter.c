/*
 * A table's columns change, in BigQuery's words: what sink/staged_alter.c leaves to the sink. Docs: "ALTER TABLE ADD
 * COLUMN", "ALTER COLUMN SET DATA TYPE".
 */
#include "sink/bigquery/bigquery_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

typedef pgc_staged_alteration alteration;

static pgc_bq_sink *sink_of(const alteration *a)
{
    return a->writer->sink;
}

static const pgc_bq_type *type_of(const pgc_staged_layout *layout, int column)
{
    return &pgc_bq_layout_of(layout)->types[column];
}

/* Tables last, so that what comes before finds them under their old names. */
void pgc_bq_later_sql(const pgc_bq_writer *writer, pgc_buffer *sql)
{
    for (int tables = 0; tables < 2; tables++) {
        for (size_t i = 0; i < writer->staged.later_count; i++) {
            const pgc_staged_later *later = &writer->staged.later[i];
            if (later->cancelled || (later->column == NULL) != (tables == 1))
                continue;
            pgc_buffer_text(sql, tables ? "ALTER TABLE IF EXISTS " : "ALTER TABLE ");
            pgc_bq_quote_table(writer->staged.sink, later->table, sql);
            pgc_buffer_text(sql, tables      ? " RENAME"
                                 : later->to ? " RENAME COLUMN IF EXISTS "
                                             : " DROP COLUMN IF EXISTS ");
            if (later->column)
                pgc_bq_quote_column(sql, later->column);
            if (later->to) {
                pgc_buffer_text(sql, " TO ");
                pgc_bq_quote_column(sql, later->to);
            }
            pgc_buffer_text(sql, ";\n");
        }
    }
}

static void begin_alter(const alteration *a, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "ALTER TABLE ");
    pgc_bq_quote_table(sink_of(a), a->new_layout->name, sql);
}

static int run_now(const alteration *a, pgc_buffer *sql, pgconvoy_error *err)
{
    char key[64], doing[300];
    pgc_bq_sink *sink = sink_of(a);
    if (pgc_staged_is_told(sink->config, sql)) {
        int result = pgc_buffer_check(sql, err);
        pgc_buffer_free(sql);
        return result;
    }
    pthread_mutex_lock(&sink->lock);
    snprintf(key, sizeof key, "%s_ddl_%llu", sink->process, (unsigned long long)++sink->counter);
    pthread_mutex_unlock(&sink->lock);
    snprintf(doing, sizeof doing, "following a change of table %.200s", a->new_layout->name);
    int result = pgc_bq_run_script(sink, key, sql, doing, err);
    pgc_buffer_free(sql);
    return result;
}

static void put_type(const pgc_bq_type *type, pgc_buffer *sql)
{
    pgc_buffer_format(sql, type->repeated ? "ARRAY<%s>" : "%s", pgc_bq_type_name(type));
}

/* What rows have in the new column that were there before it, as a statement of the commit. */
static int fill_column(const alteration *a, int column, pgconvoy_error *err)
{
    const pgconvoy_column *added = &a->to->columns[column];
    pgc_bq_encoder encoder;
    pgc_buffer json, sql;
    const char *why;
    if (!added->missing || sink_of(a)->target.history)
        return 0;
    pgc_buffer_init(&json, PGC_BQ_SQL_MAX);
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    const pgconvoy_value value = {added->missing, (int32_t)strlen(added->missing), PGCONVOY_TEXT};
    const pgc_bq_type *type = type_of(a->new_layout, column);
    int result = pgc_bq_encoder_init(&encoder, err);
    if (result == 0)
        result = pgc_bq_encode(&encoder, type, &value, &json, &why, err);
    if (result == 1 || (result == 0 && (type->repeated || type->kind == PGC_BQ_BYTES || type->kind == PGC_BQ_JSON)))
        result = pgc_staged_refuse(a, added->name, "comes with a default of its type for the rows that are there", err);
    if (result == 0) {
        pgc_buffer_text(&sql, "UPDATE ");
        pgc_bq_quote_table(sink_of(a), a->new_layout->name, &sql);
        pgc_buffer_text(&sql, " SET ");
        pgc_bq_quote_column(&sql, a->new_layout->names[column]);
        pgc_buffer_text(&sql, " = CAST(");
        pgc_bq_quote_text(&sql, type->kind == PGC_BQ_BOOL ? json.data : added->missing);
        pgc_buffer_text(&sql, " AS ");
        put_type(type, &sql);
        pgc_buffer_text(&sql, ") WHERE TRUE");
        result = pgc_staged_is_told(sink_of(a)->config, &sql) ? 0 : pgc_staged_statement(a->writer, &sql, err);
    }
    pgc_bq_encoder_free(&encoder);
    pgc_buffer_free(&json);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_bq_add_column(const alteration *a, int column, pgconvoy_error *err)
{
    char description[512];
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    begin_alter(a, &sql);
    pgc_buffer_text(&sql, " ADD COLUMN IF NOT EXISTS ");
    pgc_bq_quote_column(&sql, a->new_layout->names[column]);
    pgc_buffer_byte(&sql, ' ');
    put_type(type_of(a->new_layout, column), &sql);
    pgc_bq_column_description(&a->to->columns[column], description, sizeof description);
    pgc_buffer_text(&sql, " OPTIONS (description = ");
    pgc_bq_quote_text(&sql, description);
    pgc_buffer_byte(&sql, ')');
    return run_now(a, &sql, err) != 0 ? -1 : fill_column(a, column, err);
}

/* Conversions that BigQuery does to a column (docs: "ALTER COLUMN SET DATA TYPE"), of those that keep every value. */
int pgc_bq_change_type(const alteration *a, int old, int column, pgconvoy_error *err)
{
    const pgc_bq_type *to = type_of(a->new_layout, column);
    const char *name = a->new_layout->names[column], *wanted = pgc_bq_type_name(to);
    bool same;
    const pgc_staged_column *column_there = pgc_staged_find(a, name);
    const pgc_json *field = column_there ? column_there->more : NULL;
    if (!pgc_bq_field_fits(field, to, &same)) {
        static const char *const wider[][2] = {{"INT64", "NUMERIC"},
                                               {"INTEGER", "NUMERIC"},
                                               {"INT64", "BIGNUMERIC"},
                                               {"INTEGER", "BIGNUMERIC"},
                                               {"NUMERIC", "BIGNUMERIC"}};
        const char *there = pgc_json_get_text(field, "type");
        bool widens = false;
        for (size_t i = 0; there && !to->repeated && i < sizeof wider / sizeof *wider; i++)
            widens = widens || (strcmp(there, wider[i][0]) == 0 && strcmp(wanted, wider[i][1]) == 0);
        if (!widens)
            return pgc_staged_refuse(a, a->to->columns[column].name, "changes its type", err);
        pgc_buffer sql;
        pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
        begin_alter(a, &sql);
        pgc_buffer_text(&sql, " ALTER COLUMN ");
        pgc_bq_quote_column(&sql, name);
        pgc_buffer_text(&sql, " SET DATA TYPE ");
        put_type(to, &sql);
        return run_now(a, &sql, err);
    }
    /* the same type of BigQuery's, but another text form of PostgreSQL's in the rows that are there */
    const pgc_bq_type *from = old >= 0 ? type_of(a->old_layout, old) : to;
    if (from->kind == PGC_BQ_AS_TEXT && to->kind == PGC_BQ_AS_TEXT && from->source->oid != to->source->oid)
        return pgc_staged_refuse(a, a->to->columns[column].name, "changes its type", err);
    return 0;
}

/* Docs: a column that the table is clustered by is neither dropped nor renamed. */
bool pgc_bq_is_clustered(const pgc_staged_layout *base, int column)
{
    const pgc_bq_layout *layout = pgc_bq_layout_of(base);
    for (int i = 0; i < layout->table->key_count && i < 4; i++) {
        if (!pgc_bq_type_clusters(&layout->types[layout->table->key[i]]))
            return false;
        if (layout->table->key[i] == column)
            return true;
    }
    return false;
}

static int number_of(const pgc_json *field)
{
    int number = 0;
    const char *description = pgc_json_get_text(field, "description");
    return description && sscanf(description, PGC_BQ_NUMBERED, &number) == 1 ? number : 0;
}

int pgc_bq_columns(void *sink, const char *table, pgc_arena *arena, bool *there, pgc_staged_columns *columns,
                   pgconvoy_error *err)
{
    const pgc_json *fields;
    *columns = (pgc_staged_columns){0};
    if (pgc_bq_get_fields(sink, table, arena, there, &fields, err) != 0)
        return -1;
    if (!fields)
        return 0;
    columns->items = pgc_arena_zalloc(arena, (size_t)fields->count * sizeof *columns->items + 1);
    if (!columns->items)
        return pgc_error_out_of_memory(err);
    for (const pgc_json *field = fields->first; field; field = field->next) {
        const char *name = pgc_json_get_text(field, "name");
        if (name)
            columns->items[columns->count++] = (pgc_staged_column){name, number_of(field), field};
    }
    return 0;
}
