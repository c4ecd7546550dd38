/* Tables in Snowflake's terms: looked at, made, filled from their copy (sink/staged_schema.c has when). */
#include "sink/snowflake/snowflake_internal.h"

#include "base/grow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what is there */

static void put_question(const pgc_sf_sink *sink, const char *table, pgc_buffer *sql)
{
    const char *database = sink->target.database; /* target.c lets no quote through */
    pgc_buffer_format(
        sql,
        "SELECT T.TABLE_TYPE, C.COLUMN_NAME, C.DATA_TYPE, C.NUMERIC_PRECISION, C.NUMERIC_SCALE, "
        "C.COMMENT FROM \"%s\".INFORMATION_SCHEMA.TABLES AS T LEFT JOIN \"%s\".INFORMATION_SCHEMA.COLUMNS "
        "AS C ON C.TABLE_SCHEMA = T.TABLE_SCHEMA AND C.TABLE_NAME = T.TABLE_NAME WHERE T.TABLE_SCHEMA = ",
        database, database);
    pgc_sf_quote_text(sql, sink->target.schema);
    pgc_buffer_text(sql, " AND T.TABLE_NAME = ");
    pgc_sf_quote_text(sql, table);
    pgc_buffer_text(sql, " ORDER BY C.ORDINAL_POSITION");
}

int pgc_sf_columns(pgc_staged_sink *base, const char *table, pgc_arena *arena, pgc_staged_columns *columns,
                   pgconvoy_error *err)
{
    pgc_sf_sink *sink = pgc_sf_sink_of(base);
    const char **rows;
    size_t count = 0;
    pgc_buffer sql;
    char doing[400];
    *columns = (pgc_staged_columns){0};
    if (!sink->exists)
        return 0;
    snprintf(doing, sizeof doing, "looking for table %.300s", table);
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    put_question(sink, table, &sql);
    int result = pgc_sf_select(sink, &sql, doing, 6, arena, &rows, &count, NULL, err);
    pgc_buffer_free(&sql);
    if (result != 0 || count == 0)
        return result;
    columns->there = true;
    columns->view = rows[0] && strcmp(rows[0], "BASE TABLE") != 0;
    columns->items = pgc_arena_zalloc(arena, count * sizeof *columns->items);
    pgc_sf_there *types = pgc_arena_zalloc(arena, count * sizeof *types);
    if (!columns->items || !types)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        const char **row = rows + 6 * i;
        if (!row[1])
            continue;
        types[i] = (pgc_sf_there){row[2], row[3] ? atoi(row[3]) : 0, row[4] ? atoi(row[4]) : 0};
        columns->items[columns->count++] = (pgc_staged_column){.name = row[1], .number = pgc_staged_described_number(row[5]), .more = &types[i]};
    }
    return 0;
}

bool pgc_sf_column_fits(const pgc_staged_layout *layout, int column, const pgc_staged_column *there)
{
    bool same;
    return pgc_sf_type_fits(there ? there->more : NULL, &pgc_sf_layout_of(layout)->types[column], &same);
}

void pgc_sf_put_type_there(const pgc_staged_column *there, pgc_buffer *out)
{
    const pgc_sf_there *type = there->more;
    pgc_buffer_text(out, type->type ? type->type : "?");
    if (type->type && strcmp(type->type, "NUMBER") == 0)
        pgc_buffer_format(out, "(%d, %d)", type->precision, type->scale);
}

void pgc_sf_put_column_type(const pgc_staged_layout *layout, int column, pgc_buffer *out)
{
    pgc_sf_put_type(&pgc_sf_layout_of(layout)->types[column], out);
}

/* ---- making and removing */

int pgc_sf_make_table(pgc_staged_sink *base, const pgc_staged_layout *layout, const char *doing, pgconvoy_error *err)
{
    pgc_sf_sink *sink = pgc_sf_sink_of(base);
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    pgc_buffer_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    pgc_sf_quote_table(sink, layout->name, &sql);
    pgc_buffer_text(&sql, " (");
    pgc_sf_layout_definitions(sink, pgc_sf_layout_of(layout), &sql);
    pgc_buffer_byte(&sql, ')');
    int result = pgc_sf_run(sink, &sql, false, doing, err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_sf_drop_table(pgc_staged_sink *base, const char *table, const char *doing, pgconvoy_error *err)
{
    pgc_sf_sink *sink = pgc_sf_sink_of(base);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "DROP TABLE IF EXISTS ");
    pgc_sf_quote_table(sink, table, &sql);
    int result = pgc_sf_run(sink, &sql, false, doing, err);
    pgc_buffer_free(&sql);
    return result;
}

/* ---- table copies */

int pgc_sf_make_copy(pgc_staged_sink *base, const pgc_staged_layout *layout, char *name, size_t size,
                     pgconvoy_error *err)
{
    (void)layout; /* tables of changes are all the same */
    pgc_sf_sink *sink = pgc_sf_sink_of(base);
    snprintf(name, size, "_%s_%s_COPY_%" PRIu64, sink->prefix, sink->process, pgc_staged_next_number(base));
    return pgc_sf_stage_make(sink, name, err);
}

int pgc_sf_note_copied(pgc_sf_sink *sink, const pgc_sf_batch *batch, pgconvoy_error *err)
{
    pthread_mutex_lock(&sink->lock);
    int result = pgc_grow(&sink->copied, sink->copied_count, &sink->copied_capacity, sizeof *sink->copied, err);
    if (result == 0)
        sink->copied[sink->copied_count++] = *batch;
    pthread_mutex_unlock(&sink->lock);
    return result;
}

/* The complete batches of a copy, in the arena. */
static int list_batches(pgc_sf_sink *sink, const char *copy, pgc_arena *arena, const pgc_sf_batch *const **batches,
                        size_t *count, pgconvoy_error *err)
{
    pthread_mutex_lock(&sink->lock);
    const pgc_sf_batch **list = pgc_arena_zalloc(arena, sink->copied_count * sizeof *list + 1);
    pgc_sf_batch *all = pgc_arena_zalloc(arena, sink->copied_count * sizeof *all + 1);
    *count = 0;
    for (size_t i = 0; list && all && i < sink->copied_count; i++) {
        if (strcmp(sink->copied[i].table, copy) != 0)
            continue;
        all[*count] = sink->copied[i];
        list[*count] = &all[*count];
        ++*count;
    }
    pthread_mutex_unlock(&sink->lock);
    *batches = list;
    return list && all ? 0 : pgc_error_out_of_memory(err);
}

int pgc_sf_put_fill(pgc_staged_sink *base, const pgc_staged_layout *layout, const char *copy, pgconvoy_lsn lsn,
                    pgc_arena *arena, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_sf_sink *sink = pgc_sf_sink_of(base);
    const pgc_sf_batch *const *batches;
    size_t count;
    if (list_batches(sink, copy, arena, &batches, &count, err) != 0)
        return -1;
    pgc_sf_fill_sql(sink, pgc_sf_layout_of(layout), batches, count, lsn, sql);
    return 0;
}
