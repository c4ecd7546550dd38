/*
 * Tables made, checked, and filled from their copy. The rows of a table copy go into staging first, from where one
 * transaction brings them to the table itself, with the table's state. So nobody sees half of a table, and what is left
 * of a copy that was cut off harms nothing.
 */
#include "sink/staged_internal.h"

#include "base/grow.h"

#include <stdio.h>
#include <stdlib.h>

static int table_error(const pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *what, const char *hint,
                       pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "table %s of %s %s", layout->name, sink->place, what);
    pgconvoy_error_hint(err, "%s", hint);
    return -1;
}

/* ---- what is there */

static int match_column(const pgc_staged_sink *sink, const pgc_staged_layout *layout, int i,
                        const pgc_staged_columns *columns, pgconvoy_error *err)
{
    const pgc_staged_service *service = sink->service;
    const pgc_staged_column *column = pgc_staged_find_column(service, columns, layout->names[i]);
    if (column && service->column_fits(layout, i, column))
        return 0;
    pgc_buffer what;
    pgc_buffer_init(&what, 2000);
    pgc_buffer_format(&what, column ? "has a column \"%s\" of type " : "has no column \"%s\"", layout->names[i]);
    if (column) {
        service->put_type_there(column, &what);
        pgc_buffer_text(&what, ", and not ");
        service->put_type(layout, i, &what);
    }
    if (pgc_buffer_check(&what, err) == 0)
        table_error(sink, layout, what.data,
                    "change the column there, or have the table made anew with --if-exists drop", err);
    pgc_buffer_free(&what);
    return -1;
}

/* Compares the table's columns with those of the layout. *there says whether there is such a table. */
static int match_table(pgc_staged_sink *sink, const pgc_staged_layout *layout, bool *there, pgconvoy_error *err)
{
    pgc_staged_columns columns = {0};
    pgc_arena *arena = pgc_arena_new(16384);
    *there = false;
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = sink->exists ? sink->service->columns(sink, layout->name, arena, &columns, err) : 0;
    *there = result == 0 && columns.there;
    if (*there && columns.view)
        result = table_error(sink, layout, "is no table but a view or the like", "rename or remove it", err);
    for (int i = 0; result == 0 && *there && i < layout->column_count; i++)
        result = match_column(sink, layout, i, &columns, err);
    if (result == 0 && *there && sink->keeps_history &&
        !pgc_staged_find_column(sink->service, &columns, PGC_STAGED_LSN))
        result = table_error(sink, layout, "has no column \"" PGC_STAGED_LSN "\", which mode=history writes",
                             "have the table made anew with --if-exists drop", err);
    pgc_arena_free(arena);
    return result;
}

/* ---- check_table */

/* Notes the table's name there; refuses one that another table has. Under the lock. */
static int note_name(pgc_staged_sink *sink, const pgc_staged_layout *layout, pgconvoy_error *err)
{
    char table[300];
    snprintf(table, sizeof table, "%s.%s", layout->table->schema, layout->table->name);
    for (size_t i = 0; i < sink->seen_count; i++) {
        if (strcmp(sink->seen[i].name, layout->name) != 0)
            continue;
        if (strcmp(sink->seen[i].table, table) == 0)
            return 0;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "tables %s and %s would both be %s in %s", sink->seen[i].table,
                           table, layout->name, sink->service->name);
        pgconvoy_error_hint(err, "leave one of them out, or send it into another %s with a pipeline of its own",
                            sink->service->container);
        return -1;
    }
    if (pgc_grow(&sink->seen, sink->seen_count, &sink->seen_capacity, sizeof *sink->seen, err) != 0)
        return -1;
    pgc_staged_name *added = &sink->seen[sink->seen_count++];
    *added = (pgc_staged_name){strdup(layout->name), strdup(table)};
    return added->name && added->table ? 0 : pgc_error_out_of_memory(err);
}

static int refuse_existing(const pgc_staged_sink *sink, const pgc_staged_layout *layout, pgconvoy_error *err)
{
    return table_error(sink, layout, "is there already, and was not made by this pipeline",
                       "say what is to be done with it: --if-exists append, truncate or drop", err);
}

static int check_existing(pgc_staged_sink *sink, const pgc_staged_layout *layout, pgconvoy_if_exists if_exists,
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
        int result = arena ? pgc_staged_checkpoint_owned(sink, layout->table, arena, &how, &copy, err)
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

int pgc_staged_check_table(void *arg, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    pgc_staged_sink *sink = arg;
    pgc_staged_layout *layout = sink->service->layout_new(sink, table, err);
    if (!layout)
        return -1;
    pthread_mutex_lock(&sink->lock);
    int result = note_name(sink, layout, err);
    pthread_mutex_unlock(&sink->lock);
    if (result == 0)
        result = check_existing(sink, layout, if_exists, err);
    pgc_staged_layout_free(layout);
    return result;
}

/* ---- prepare_table */

/* What is to be done for a table to be as it should. */
typedef struct plan {
    const char *how; /* what the checkpoint says; then, how it is this pipeline's */
    bool drop, make;
} plan;

static bool has_number(const pgconvoy_table *table, int number)
{
    for (int i = 0; i < table->column_count; i++)
        if (table->columns[i].number == number || table->columns[i].number == 0)
            return true;
    return false;
}

/* A table of ours under this name may have been another table's of the source, with columns of the same names: what the
 * numbers say of them later must be true. Or it has columns that the source's has no more, which could not be dropped. */
static int tells_others(pgc_staged_sink *sink, const pgc_staged_layout *layout, bool *others, pgconvoy_error *err)
{
    pgc_staged_columns columns = {0};
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = sink->service->columns(sink, layout->name, arena, &columns, err);
    for (int i = 0; result == 0 && i < layout->column_count; i++) {
        const pgc_staged_column *there = pgc_staged_find_column(sink->service, &columns, layout->names[i]);
        int number = layout->table->columns[i].number;
        *others |= there && there->number > 0 && number > 0 && there->number != number;
    }
    for (int k = 0; k < columns.count && !sink->keeps_history; k++)
        *others |= columns.items[k].number > 0 && !has_number(layout->table, columns.items[k].number);
    pgc_arena_free(arena);
    return result;
}

static int decide(pgc_staged_sink *sink, const pgc_staged_layout *layout, pgconvoy_if_exists if_exists, plan *plan,
                  pgconvoy_error *err)
{
    bool there, others = false, made = plan->how && strcmp(plan->how, PGC_STAGED_MADE) == 0;
    pgconvoy_error unlike = {0};
    bool matches = match_table(sink, layout, &there, &unlike) == 0;
    if (there && !plan->how && if_exists == PGCONVOY_IF_EXISTS_ERROR)
        return refuse_existing(sink, layout, err);
    if (there && made && matches && tells_others(sink, layout, &others, err) != 0)
        return -1;
    plan->drop = there && (if_exists == PGCONVOY_IF_EXISTS_DROP || (made && (!matches || others)));
    plan->make = plan->drop || (!there && matches);
    if (plan->make) {
        plan->how = PGC_STAGED_MADE;
    } else if (!matches) {
        pgc_error_copy(err, &unlike);
        return -1;
    } else if (!plan->how) {
        plan->how = if_exists == PGCONVOY_IF_EXISTS_TRUNCATE ? PGC_STAGED_EMPTIED : PGC_STAGED_APPENDED;
    }
    return 0;
}

static int make_table(pgc_staged_sink *sink, const pgc_staged_layout *layout, pgconvoy_error *err)
{
    char doing[400];
    snprintf(doing, sizeof doing, "creating table %.300s", layout->name);
    return sink->service->make_table(sink, layout, doing, err);
}

/* The table is this pipeline's before it is made: one that is made by a process which is killed then is not in the way
 * of the next one. */
static int prepare(pgc_staged_sink *sink, const pgc_staged_layout *layout, pgconvoy_if_exists if_exists,
                   pgc_arena *arena, pgconvoy_error *err)
{
    const char *old_copy;
    char copy[160];
    plan plan = {0};
    const pgc_staged_service *service = sink->service;
    if (pgc_staged_checkpoint_owned(sink, layout->table, arena, &plan.how, &old_copy, err) != 0 ||
        decide(sink, layout, if_exists, &plan, err) != 0 ||
        service->make_copy(sink, layout, copy, sizeof copy, err) != 0)
        return -1;
    const pgconvoy_table_status status = {layout->table->schema, layout->table->name, PGCONVOY_TABLE_COPYING, 0};
    pgc_staged_commit commit = {
        .tables = &status, .table_count = 1, .how = plan.how, .copy = copy, .doing = "storing a table's state"};
    if (pgc_staged_checkpoint_commit(sink, &commit, err) != 0)
        return -1;
    if (old_copy && *old_copy)
        pgc_staged_drop_staging(sink, old_copy);
    if (plan.drop && service->drop_table(sink, layout->name, "removing a table that is to be made anew", err) != 0)
        return -1;
    return plan.make ? make_table(sink, layout, err) : 0;
}

int pgc_staged_prepare_table(void *arg, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    pgc_staged_sink *sink = arg;
    if (pgc_staged_checkpoint_ensure(sink, err) != 0)
        return -1;
    pgc_arena *arena = pgc_arena_new(4096);
    pgc_staged_layout *layout = arena ? sink->service->layout_new(sink, table, err) : NULL;
    int result = layout ? prepare(sink, layout, if_exists, arena, err) : arena ? -1 : pgc_error_out_of_memory(err);
    pgc_staged_layout_free(layout);
    pgc_arena_free(arena);
    return result;
}

/* ---- finish_table */

static int fill(pgc_staged_sink *sink, const pgc_staged_layout *layout, const pgconvoy_table_status *status,
                pgc_arena *arena, pgconvoy_error *err)
{
    const pgc_staged_service *service = sink->service;
    const char *how, *copy;
    char doing[400];
    pgc_buffer sql;
    if (pgc_staged_checkpoint_owned(sink, layout->table, arena, &how, &copy, err) != 0)
        return -1;
    if (!how || !copy || !*copy) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the copy of table %s is not in %s any more", layout->name,
                           sink->place);
        return -1;
    }
    pgc_buffer_init(&sql, PGC_STAGED_SQL_MAX);
    if (strcmp(how, PGC_STAGED_APPENDED) != 0) {
        pgc_buffer_text(&sql, service->truncate);
        service->put_table(sink, layout->name, &sql);
        pgc_buffer_text(&sql, ";\n");
    }
    snprintf(doing, sizeof doing, "filling table %.300s from its copy", layout->name);
    const pgc_staged_commit commit = {
        .statements = &sql, .tables = status, .table_count = 1, .how = how, .copy = "", .doing = doing};
    int result = service->put_fill(sink, layout, copy, status->copy_lsn, arena, &sql, err);
    if (result == 0)
        result = pgc_staged_check_commit(sink, &sql, err);
    if (result == 0)
        result = pgc_staged_checkpoint_commit(sink, &commit, err);
    pgc_buffer_free(&sql);
    if (result == 0)
        pgc_staged_drop_staging(sink, copy);
    return result;
}

int pgc_staged_finish_table(void *arg, const pgconvoy_table *table, const pgconvoy_table_status *status,
                            pgconvoy_error *err)
{
    pgc_staged_sink *sink = arg;
    pgc_arena *arena = pgc_arena_new(4096);
    pgc_staged_layout *layout = arena ? sink->service->layout_new(sink, table, err) : NULL;
    int result = layout ? fill(sink, layout, status, arena, err) : arena ? -1 : pgc_error_out_of_memory(err);
    pgc_staged_layout_free(layout);
    pgc_arena_free(arena);
    return result;
}
