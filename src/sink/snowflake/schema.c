/*
 * Tables made, checked, and filled from their copy. The rows of a table copy go into a table of changes of their own
 * first, from where one transaction brings them to the table itself, with the table's state. So nobody sees half of a
 * table, and what is left of a copy that was cut off harms nothing.
 */
#include "sink/snowflake/snowflake_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int name_error(pgconvoy_error *err, pgconvoy_error_code code, const pgc_sf_sink *sink,
                      const pgc_sf_layout *layout, const char *what, const char *hint)
{
    pgconvoy_error_set(err, code, "table %s of %s %s", layout->name, sink->place, what);
    pgconvoy_error_hint(err, "%s", hint);
    return -1;
}

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

static int number_of(const char *comment)
{
    int number = 0;
    return comment && sscanf(comment, PGC_SF_NUMBERED, &number) == 1 ? number : 0;
}

int pgc_sf_get_columns(pgc_sf_sink *sink, const char *table, pgc_arena *arena, bool *there, bool *view,
                       pgc_staged_columns *columns, pgconvoy_error *err)
{
    const char **rows;
    size_t count = 0;
    pgc_buffer sql;
    char doing[400];
    *columns = (pgc_staged_columns){0};
    *there = *view = false;
    if (!sink->schema_exists)
        return 0;
    snprintf(doing, sizeof doing, "looking for table %.300s", table);
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    put_question(sink, table, &sql);
    int result = pgc_sf_select(sink, &sql, doing, 6, arena, &rows, &count, NULL, err);
    pgc_buffer_free(&sql);
    if (result != 0 || count == 0)
        return result;
    *there = true;
    *view = rows[0] && strcmp(rows[0], "BASE TABLE") != 0;
    columns->items = pgc_arena_zalloc(arena, count * sizeof *columns->items);
    pgc_sf_there *types = pgc_arena_zalloc(arena, count * sizeof *types);
    if (!columns->items || !types)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        const char **row = rows + 6 * i;
        if (!row[1])
            continue;
        types[i] = (pgc_sf_there){row[2], row[3] ? atoi(row[3]) : 0, row[4] ? atoi(row[4]) : 0};
        columns->items[columns->count++] = (pgc_staged_column){row[1], number_of(row[5]), &types[i]};
    }
    return 0;
}

static const pgc_staged_column *find_column(const pgc_staged_columns *columns, const char *name)
{
    for (int i = 0; i < columns->count; i++)
        if (strcmp(columns->items[i].name, name) == 0)
            return &columns->items[i];
    return NULL;
}

static int match_column(const pgc_sf_sink *sink, const pgc_sf_layout *layout, int i, const pgc_staged_columns *columns,
                        pgconvoy_error *err)
{
    static const char hint[] = "change the column there, or have the table made anew with --if-exists drop";
    const pgc_staged_column *column = find_column(columns, layout->names[i]);
    const pgc_sf_there *there = column ? column->more : NULL;
    char what[700];
    bool same;
    if (!column) {
        snprintf(what, sizeof what, "has no column \"%s\"", layout->names[i]);
        return name_error(err, PGCONVOY_ERROR_CONFIG, sink, layout, what, hint);
    }
    if (pgc_sf_type_fits(there, &layout->types[i], &same))
        return 0;
    pgc_buffer type;
    pgc_buffer_init(&type, 100);
    pgc_sf_put_type(&layout->types[i], &type);
    bool number = there->type && strcmp(there->type, "NUMBER") == 0;
    char digits[40] = "";
    if (number)
        snprintf(digits, sizeof digits, "(%d, %d)", there->precision, there->scale);
    snprintf(what, sizeof what, "has a column \"%s\" of type %s%s, and not %s", layout->names[i],
             there->type ? there->type : "?", digits, type.data ? type.data : "?");
    pgc_buffer_free(&type);
    return name_error(err, PGCONVOY_ERROR_CONFIG, sink, layout, what, hint);
}

/* Compares the table's columns with those of the layout. *there says whether there is such a table. */
static int match_table(pgc_sf_sink *sink, const pgc_sf_layout *layout, bool *there, pgconvoy_error *err)
{
    pgc_staged_columns columns;
    bool view;
    pgc_arena *arena = pgc_arena_new(16384);
    *there = false;
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = pgc_sf_get_columns(sink, layout->name, arena, there, &view, &columns, err);
    if (result == 0 && view)
        result = name_error(err, PGCONVOY_ERROR_CONFIG, sink, layout, "is no table but a view or the like",
                            "rename or remove it");
    for (int i = 0; result == 0 && *there && i < layout->column_count; i++)
        result = match_column(sink, layout, i, &columns, err);
    if (result == 0 && *there && sink->target.history && !find_column(&columns, PGC_SF_LSN))
        result = name_error(err, PGCONVOY_ERROR_CONFIG, sink, layout,
                            "has no column \"" PGC_SF_LSN "\", which mode=history writes",
                            "have the table made anew with --if-exists drop");
    pgc_arena_free(arena);
    return result;
}

/* ---- check_table */

static int refuse_existing(const pgc_sf_sink *sink, const pgc_sf_layout *layout, pgconvoy_error *err)
{
    return name_error(err, PGCONVOY_ERROR_CONFIG, sink, layout, "is there already, and was not made by this pipeline",
                      "say what is to be done with it: --if-exists append, truncate or drop");
}

static int check_existing(pgc_sf_sink *sink, const pgc_sf_layout *layout, pgconvoy_if_exists if_exists,
                          pgconvoy_error *err)
{
    bool there;
    const char *how, *copy;
    pgconvoy_error unlike = {0};
    if (if_exists == PGCONVOY_IF_EXISTS_DROP)
        return 0;
    int matched = match_table(sink, layout, &there, &unlike);
    if (there) {
        pgc_arena *arena = pgc_arena_new(4096);
        int result = arena ? pgc_sf_checkpoint_owned(sink, layout->table, arena, &how, &copy, err)
                           : pgc_error_out_of_memory(err);
        bool ours = result == 0 && how;
        pgc_arena_free(arena);
        if (result != 0 || ours)
            return result;
        if (if_exists == PGCONVOY_IF_EXISTS_ERROR)
            return refuse_existing(sink, layout, err);
    }
    if (matched != 0)
        pgc_error_copy(err, &unlike);
    return matched;
}

int pgc_sf_check_table(void *arg, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    pgc_sf_sink *sink = arg;
    pgc_sf_layout *layout = pgc_sf_layout_new(sink, table, err);
    if (!layout)
        return -1;
    pthread_mutex_lock(&sink->lock);
    int result = pgc_staged_note_name(&sink->seen, &layout->base, "Snowflake", "schema", err);
    pthread_mutex_unlock(&sink->lock);
    if (result == 0)
        result = check_existing(sink, layout, if_exists, err);
    pgc_sf_layout_free(layout);
    return result;
}

/* ---- prepare_table */

static int make_table(pgc_sf_sink *sink, const pgc_sf_layout *layout, pgconvoy_error *err)
{
    char doing[400];
    pgc_buffer sql;
    snprintf(doing, sizeof doing, "creating table %.300s", layout->name);
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    pgc_buffer_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    pgc_sf_quote_table(sink, layout->name, &sql);
    pgc_buffer_text(&sql, " (");
    pgc_sf_layout_definitions(sink, layout, &sql);
    pgc_buffer_byte(&sql, ')');
    int result = pgc_sf_run(sink, &sql, false, doing, err);
    pgc_buffer_free(&sql);
    return result;
}

/* plan->how comes with what the checkpoint says. */
static int decide(pgc_sf_sink *sink, const pgc_sf_layout *layout, pgconvoy_if_exists if_exists, pgc_staged_plan *plan,
                  pgconvoy_error *err)
{
    bool there;
    pgconvoy_error unlike = {0};
    bool matches = match_table(sink, layout, &there, &unlike) == 0;
    switch (pgc_staged_plan_table(plan, there, matches, if_exists)) {
    case PGC_STAGED_IN_THE_WAY:
        return refuse_existing(sink, layout, err);
    case PGC_STAGED_UNLIKE:
        pgc_error_copy(err, &unlike);
        return -1;
    default:
        return 0;
    }
}

/* The table is this pipeline's before it is made: one that is made by a process which is killed then is not in the way
 * of the next one. */
static int prepare(pgc_sf_sink *sink, const pgc_sf_layout *layout, pgconvoy_if_exists if_exists, pgc_arena *arena,
                   pgconvoy_error *err)
{
    const char *old_copy;
    char copy[96];
    pgc_staged_plan plan = {0};
    snprintf(copy, sizeof copy, "_%s_%s_COPY_%" PRIu64, sink->prefix, sink->process, pgc_sf_next_number(sink));
    if (pgc_sf_checkpoint_owned(sink, layout->table, arena, &plan.how, &old_copy, err) != 0 ||
        decide(sink, layout, if_exists, &plan, err) != 0 || pgc_sf_stage_make(sink, copy, err) != 0)
        return -1;
    const pgconvoy_table_status status = {layout->table->schema, layout->table->name, PGCONVOY_TABLE_COPYING, 0};
    pgc_sf_commit commit = {
        .tables = &status, .table_count = 1, .how = plan.how, .copy = copy, .doing = "storing a table's state"};
    if (pgc_sf_checkpoint_commit(sink, &commit, err) != 0)
        return -1;
    if (old_copy && *old_copy)
        pgc_sf_stage_drop(sink, old_copy);
    if (plan.drop && pgc_sf_table_drop(sink, layout->name, "removing a table that is to be made anew", err) != 0)
        return -1;
    return plan.make ? make_table(sink, layout, err) : 0;
}

int pgc_sf_prepare_table(void *arg, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    pgc_sf_sink *sink = arg;
    if (pgc_sf_checkpoint_ensure(sink, err) != 0)
        return -1;
    pgc_arena *arena = pgc_arena_new(4096);
    pgc_sf_layout *layout = arena ? pgc_sf_layout_new(sink, table, err) : NULL;
    int result = layout ? prepare(sink, layout, if_exists, arena, err) : arena ? -1 : pgc_error_out_of_memory(err);
    pgc_sf_layout_free(layout);
    pgc_arena_free(arena);
    return result;
}

/* ---- finish_table */

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

static int fill(pgc_sf_sink *sink, const pgc_sf_layout *layout, const pgconvoy_table_status *status, pgc_arena *arena,
                pgconvoy_error *err)
{
    const char *how, *copy;
    char doing[400];
    pgc_buffer sql;
    const pgc_sf_batch *const *batches;
    size_t count;
    if (pgc_sf_checkpoint_owned(sink, layout->table, arena, &how, &copy, err) != 0)
        return -1;
    if (!how || !copy || !*copy) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the copy of table %s is not in %s any more", layout->name,
                           sink->place);
        return -1;
    }
    if (list_batches(sink, copy, arena, &batches, &count, err) != 0)
        return -1;
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    if (strcmp(how, PGC_STAGED_APPENDED) != 0) {
        pgc_buffer_text(&sql, "DELETE FROM ");
        pgc_sf_quote_table(sink, layout->name, &sql);
        pgc_buffer_text(&sql, ";\n");
    }
    pgc_sf_fill_sql(sink, layout, batches, count, status->copy_lsn, &sql);
    snprintf(doing, sizeof doing, "filling table %.300s from its copy", layout->name);
    pgc_sf_commit commit = {
        .statements = &sql, .tables = status, .table_count = 1, .how = how, .copy = "", .doing = doing};
    int result = pgc_buffer_check(&sql, err);
    if (result == 0)
        result = pgc_sf_checkpoint_commit(sink, &commit, err);
    pgc_buffer_free(&sql);
    if (result == 0)
        pgc_sf_stage_drop(sink, copy);
    return result;
}

int pgc_sf_finish_table(void *arg, const pgconvoy_table *table, const pgconvoy_table_status *status,
                        pgconvoy_error *err)
{
    pgc_sf_sink *sink = arg;
    pgc_arena *arena = pgc_arena_new(4096);
    pgc_sf_layout *layout = arena ? pgc_sf_layout_new(sink, table, err) : NULL;
    int result = layout ? fill(sink, layout, status, arena, err) : arena ? -1 : pgc_error_out_of_memory(err);
    pgc_sf_layout_free(layout);
    pgc_arena_free(arena);
    return result;
}
