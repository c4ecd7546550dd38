/*
 * A table's columns change, in BigQuery's words: what sink/staged_alter.c leaves to the sink. Docs: "ALTER TABLE ADD
 * COLUMN", "ALTER COLUMN SET DATA TYPE".
 */
#include "sink/bigquery/bigquery_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

typedef pgc_staged_alteration alteration;

static pgc_bq_sink *sink_of(const alteration *a)
{
    return pgc_bq_sink_of(a->writer->sink);
}

static const pgc_bq_type *type_of(const pgc_staged_layout *layout, int column)
{
    return &pgc_bq_layout_of(layout)->types[column];
}

/* Statements that may be run twice. */
void pgc_bq_put_later(const pgc_staged_writer *writer, pgc_buffer *sql)
{
    const pgc_staged_later *later;
    for (size_t at = 0; (later = pgc_staged_next_later(writer, &at));) {
        pgc_buffer_text(sql, later->column ? "ALTER TABLE " : "ALTER TABLE IF EXISTS ");
        writer->sink->service->put_table(writer->sink, later->table, sql);
        pgc_buffer_text(sql, !later->column ? " RENAME"
                             : later->to    ? " RENAME COLUMN IF EXISTS "
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
    snprintf(key, sizeof key, "%s_ddl_%" PRIu64, sink->process, pgc_staged_next_number(&sink->base));
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
    pgc_staged_encoder encoder;
    pgc_buffer json, sql;
    const char *why;
    if (!added->missing || sink_of(a)->keeps_history)
        return 0;
    pgc_buffer_init(&json, PGC_BQ_SQL_MAX);
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    const pgconvoy_value value = {added->missing, (int32_t)strlen(added->missing), PGCONVOY_TEXT};
    const pgc_bq_type *type = type_of(a->new_layout, column);
    int result = pgc_staged_encoder_init(&encoder, err);
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
        result = pgc_staged_statement(a->writer, &sql, err);
    }
    pgc_staged_encoder_free(&encoder);
    pgc_buffer_free(&json);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_bq_add_column(const alteration *a, int column, pgconvoy_error *err)
{
    char description[PGC_STAGED_DESCRIPTION_SIZE];
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    begin_alter(a, &sql);
    pgc_buffer_text(&sql, " ADD COLUMN IF NOT EXISTS ");
    pgc_bq_quote_column(&sql, a->new_layout->names[column]);
    pgc_buffer_byte(&sql, ' ');
    put_type(type_of(a->new_layout, column), &sql);
    pgc_staged_describe_column(&a->to->columns[column], description);
    pgc_buffer_text(&sql, " OPTIONS (description = ");
    pgc_bq_quote_text(&sql, description);
    pgc_buffer_byte(&sql, ')');
    return run_now(a, &sql, err) != 0 ? -1 : fill_column(a, column, err);
}

/* Conversions that BigQuery does to a column (docs: "ALTER COLUMN SET DATA TYPE"), of those that keep every value. */
static bool can_widen(const pgc_staged_column *there, const pgc_bq_type *to)
{
    static const char *const wider[][2] = {{"INT64", "NUMERIC"},
                                           {"INTEGER", "NUMERIC"},
                                           {"INT64", "BIGNUMERIC"},
                                           {"INTEGER", "BIGNUMERIC"},
                                           {"NUMERIC", "BIGNUMERIC"}};
    const char *type = there ? pgc_json_get_text(there->more, "type") : NULL, *wanted = pgc_bq_type_name(to);
    for (size_t i = 0; type && !to->repeated && i < sizeof wider / sizeof *wider; i++)
        if (strcmp(type, wider[i][0]) == 0 && strcmp(wanted, wider[i][1]) == 0)
            return true;
    return false;
}

static int widen(const alteration *a, int column, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    begin_alter(a, &sql);
    pgc_buffer_text(&sql, " ALTER COLUMN ");
    pgc_bq_quote_column(&sql, a->new_layout->names[column]);
    pgc_buffer_text(&sql, " SET DATA TYPE ");
    put_type(type_of(a->new_layout, column), &sql);
    return run_now(a, &sql, err);
}

int pgc_bq_change_type(const alteration *a, int old, int column, pgconvoy_error *err)
{
    const pgc_bq_type *to = type_of(a->new_layout, column);
    const pgc_staged_column *there = pgc_staged_find(a, a->new_layout->names[column]);
    if (!pgc_bq_column_fits(a->new_layout, column, there))
        return can_widen(there, to) ? widen(a, column, err)
                                    : pgc_staged_refuse(a, a->to->columns[column].name, "changes its type", err);
    /* the same type of BigQuery's, but another text form of PostgreSQL's in the rows that are there */
    const pgc_bq_type *from = old >= 0 ? type_of(a->old_layout, old) : to;
    if (from->kind == PGC_BQ_AS_TEXT && to->kind == PGC_BQ_AS_TEXT && from->source->oid != to->source->oid)
        return pgc_staged_refuse(a, a->to->columns[column].name, "changes its type", err);
    return 0;
}

/* Docs: a column that the table is clustered by is neither dropped nor renamed. */
