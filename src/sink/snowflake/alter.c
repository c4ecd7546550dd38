/*
 * A table's columns change, in Snowflake's words: what sink/staged_alter.c leaves to the sink. What follows a commit is
 * kept with it as JSON, [["table","column" or null,"new name" or null], …], and done by looking first what is there,
 * so that it may be done twice: RENAME COLUMN has no IF EXISTS.
 */
#include "sink/snowflake/snowflake_internal.h"

#include "format/json_object.h"
#include "format/json_text.h"

#include <stdio.h>
#include <stdlib.h>

typedef pgc_staged_alteration alteration;

static pgc_sf_sink *sink_of(const alteration *a)
{
    return pgc_sf_sink_of(a->writer->sink);
}

static const pgc_sf_type *type_of(const pgc_staged_layout *layout, int column)
{
    return &pgc_sf_layout_of(layout)->types[column];
}

static void begin_alter(pgc_sf_sink *sink, const char *table, pgc_buffer *sql)
{
    pgc_buffer_init(sql, PGC_SF_SQL_MAX);
    pgc_buffer_text(sql, "ALTER TABLE ");
    pgc_sf_quote_table(sink, table, sql);
}

static int run_now(pgc_sf_sink *sink, const char *table, pgc_buffer *sql, pgconvoy_error *err)
{
    char doing[300];
    snprintf(doing, sizeof doing, "following a change of table %.200s", table);
    bool told = pgc_staged_is_told(sink->config, sql);
    int result = told ? pgc_buffer_check(sql, err) : pgc_sf_run(sink, sql, false, doing, err);
    pgc_buffer_free(sql);
    return result;
}

/* ---- what follows the commit */

void pgc_sf_put_later(const pgc_staged_writer *writer, pgc_buffer *out)
{
    const pgc_staged_later *later;
    bool any = false;
    for (size_t at = 0; (later = pgc_staged_next_later(writer, &at)); any = true) {
        pgc_buffer_text(out, any ? ",[" : "[[");
        pgc_json_string(out, later->table);
        pgc_buffer_byte(out, ',');
        pgc_json_nullable(out, later->column);
        pgc_buffer_byte(out, ',');
        pgc_json_nullable(out, later->to);
        pgc_buffer_byte(out, ']');
    }
    pgc_buffer_text(out, any ? "]" : "");
}

static bool has_column(const pgc_sf_sink *sink, const pgc_staged_columns *columns, const char *name)
{
    return pgc_staged_find_column(sink->service, columns, name) != NULL;
}

static int run_one(pgc_sf_sink *sink, const char *table, const char *column, const char *to, pgc_arena *arena,
                   pgconvoy_error *err)
{
    pgc_staged_columns columns;
    pgc_buffer sql;
    if (pgc_sf_columns(&sink->base, table, arena, &columns, err) != 0)
        return -1;
    if (!columns.there || (column && !has_column(sink, &columns, column)) ||
        (column && to && has_column(sink, &columns, to)))
        return 0; /* it is done */
    begin_alter(sink, table, &sql);
    pgc_buffer_text(&sql, !column ? " RENAME TO " : to ? " RENAME COLUMN " : " DROP COLUMN IF EXISTS ");
    if (column)
        pgc_sf_quote_column(&sql, column);
    if (column && to)
        pgc_buffer_text(&sql, " TO ");
    if (column && to)
        pgc_sf_quote_column(&sql, to);
    else if (!column)
        pgc_sf_quote_table(sink, to, &sql);
    return run_now(sink, table, &sql, err);
}

static const char *member_text(const pgc_json *member)
{
    return member && member->type == PGC_JSON_TEXT ? member->text : NULL;
}

int pgc_sf_run_later(pgc_staged_sink *base, const char *text, pgconvoy_error *err)
{
    pgc_sf_sink *sink = pgc_sf_sink_of(base);
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    const pgc_json *list = pgc_json_read(arena, text, strlen(text), err);
    int result = list ? 0 : -1;
    for (const pgc_json *one = list ? list->first : NULL; one && result == 0; one = one->next) {
        const pgc_json *second = one->first ? one->first->next : NULL;
        const char *table = member_text(one->first), *column = member_text(second);
        const char *to = member_text(second ? second->next : NULL);
        if (table && (column || to))
            result = run_one(sink, table, column, to, arena, err);
    }
    pgc_arena_free(arena);
    return result;
}

/* ---- columns that come */

/* What rows have in the new column that were there before it, as a statement of the commit. */
static int fill_column(const alteration *a, int column, pgconvoy_error *err)
{
    const pgconvoy_column *added = &a->to->columns[column];
    pgc_sf_sink *sink = sink_of(a);
    pgc_staged_encoder encoder;
    pgc_buffer json, literal, sql;
    const char *why;
    if (!added->missing || sink->keeps_history)
        return 0;
    pgc_buffer_init(&json, PGC_SF_SQL_MAX);
    pgc_buffer_init(&literal, PGC_SF_SQL_MAX);
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    const pgconvoy_value value = {added->missing, (int32_t)strlen(added->missing), PGCONVOY_TEXT};
    const pgc_sf_type *type = type_of(a->new_layout, column);
    int result = pgc_staged_encoder_init(&encoder, err);
    if (result == 0)
        result = pgc_sf_encode(&encoder, type, &value, &json, &why, err);
    if (result == 1)
        result = pgc_staged_refuse(a, added->name, "comes with a default that its type there cannot hold", err);
    if (result == 0) {
        pgc_sf_quote_text(&literal, encoder.text.data);
        pgc_buffer_text(&sql, "UPDATE ");
        pgc_sf_quote_table(sink, a->new_layout->name, &sql);
        pgc_buffer_text(&sql, " SET ");
        pgc_sf_quote_column(&sql, a->new_layout->names[column]);
        pgc_buffer_text(&sql, " = ");
        pgc_sf_put_cast(type, literal.data ? literal.data : "''", &sql);
        result = pgc_staged_statement(a->writer, &sql, err);
    }
    pgc_staged_encoder_free(&encoder);
    pgc_buffer_free(&json);
    pgc_buffer_free(&literal);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_sf_add_column(const alteration *a, int column, pgconvoy_error *err)
{
    pgc_buffer sql;
    begin_alter(sink_of(a), a->new_layout->name, &sql);
    pgc_buffer_text(&sql, " ADD COLUMN IF NOT EXISTS ");
    pgc_sf_quote_column(&sql, a->new_layout->names[column]);
    pgc_sf_layout_definition(pgc_sf_layout_of(a->new_layout), column, &sql);
    return run_now(sink_of(a), a->new_layout->name, &sql, err) != 0 ? -1 : fill_column(a, column, err);
}

/* ---- types that change */

int pgc_sf_change_type(const alteration *a, int old, int column, pgconvoy_error *err)
{
    const pgc_sf_type *to = type_of(a->new_layout, column);
    const char *name = a->new_layout->names[column], *shown = a->to->columns[column].name;
    const pgc_staged_column *there = pgc_staged_find(a, name);
    const pgc_sf_there *type = there ? there->more : NULL;
    if (!pgc_sf_column_fits(a->new_layout, column, there)) {
        pgc_buffer sql;
        if (!pgc_sf_type_widens(type, to))
            return pgc_staged_refuse(a, shown, "changes its type", err);
        begin_alter(sink_of(a), a->new_layout->name, &sql);
        pgc_buffer_text(&sql, " ALTER COLUMN ");
        pgc_sf_quote_column(&sql, name);
        pgc_buffer_text(&sql, " SET DATA TYPE ");
        pgc_sf_put_type(to, &sql);
        return run_now(sink_of(a), a->new_layout->name, &sql, err);
    }
    /* the same type of Snowflake's, but another text form of PostgreSQL's in the rows that are there */
    const pgc_sf_type *from = old >= 0 ? type_of(a->old_layout, old) : to;
    bool text = from->kind == PGC_SF_AS_TEXT && to->kind == PGC_SF_AS_TEXT;
    bool list = from->kind == PGC_SF_ARRAY && to->kind == PGC_SF_ARRAY && from->element_kind != to->element_kind;
    if ((text && from->source->oid != to->source->oid) || list)
        return pgc_staged_refuse(a, shown, "changes its type", err);
    return 0;
}
