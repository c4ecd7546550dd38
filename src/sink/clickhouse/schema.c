/* Tables and views in the target: looked at, made, emptied, and their columns compared with what is wanted. */
#include "sink/clickhouse/clickhouse_internal.h"

#include "base/grow.h"

#include <stdlib.h>

void pgc_clickhouse_engine(const pgc_clickhouse_sink *sink, const char *table, const char *engine,
                           const char *arguments, pgc_buffer *out)
{
    if (!sink->target.replicated) {
        pgc_buffer_format(out, "%s(%s)", engine, arguments);
        return;
    }
    const char *path = sink->target.replica_path ? sink->target.replica_path : "/clickhouse/tables/{shard}";
    pgc_buffer full;
    pgc_buffer_init(&full, 65536);
    pgc_buffer_format(&full, "%s/%s/%s", path, sink->target.database, table);
    pgc_buffer_format(out, "Replicated%s(", engine);
    pgc_clickhouse_literal(out, full.data ? full.data : "");
    pgc_buffer_format(out, ", '{replica}'%s%s)", *arguments ? ", " : "", arguments);
    pgc_buffer_free(&full);
}

void pgc_clickhouse_drop_table(const pgc_clickhouse_sink *sink, const char *name, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "DROP TABLE IF EXISTS ");
    pgc_clickhouse_table_name(sink, name, true, sql);
    if (sink->target.replicated && sink->has.drop_sync)
        pgc_buffer_text(sql, " SYNC");
}

int pgc_clickhouse_truncate(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session, const char *name,
                            pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "TRUNCATE TABLE ");
    pgc_clickhouse_table_name(sink, name, true, &sql);
    int result = pgc_clickhouse_run(session, &sql, "emptying a table", err);
    pgc_buffer_free(&sql);
    return result;
}

/* ---- before anything is changed */

static bool is_own_column(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, const char *name)
{
    for (const pgc_clickhouse_own_column *own = pgc_clickhouse_own_columns(sink, layout->form); own->name; own++) {
        if (strcmp(own->name, name) == 0)
            return true;
    }
    return false;
}

static int check_names(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, pgconvoy_error *err)
{
    for (int i = 0; i < layout->table->column_count; i++) {
        if (!is_own_column(sink, layout, layout->names[i]))
            continue;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "column %s of table %s.%s has a name that this sink needs for itself", layout->names[i],
                           layout->table->schema, layout->table->name);
        pgconvoy_error_hint(err, "leave the table out with -T, or rename the column");
        return -1;
    }
    return 0;
}

/* Two tables of the source may come to one name in the target: a.b_c and a_b.c. */
static int note_name(pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, pgconvoy_error *err)
{
    const pgconvoy_table *table = layout->table;
    for (size_t i = 0; i < sink->seen_count; i++) {
        const pgc_clickhouse_seen *seen = &sink->seen[i];
        bool same = strcmp(seen->schema, table->schema) == 0 && strcmp(seen->name, table->name) == 0;
        if (same)
            return 0;
        if (strcmp(seen->target, layout->name) == 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "tables %s.%s and %s.%s would both be %s in ClickHouse",
                               seen->schema, seen->name, table->schema, table->name, layout->name);
            pgconvoy_error_hint(err, "move one of them with a pipeline of its own, into another database");
            return -1;
        }
    }
    if (pgc_grow(&sink->seen, sink->seen_count, &sink->seen_capacity, sizeof *sink->seen, err) != 0)
        return -1;
    pgc_clickhouse_seen *seen = &sink->seen[sink->seen_count];
    *seen = (pgc_clickhouse_seen){strdup(table->schema), strdup(table->name), strdup(layout->name)};
    sink->seen_count++;
    return seen->schema && seen->name && seen->target ? 0 : pgc_error_out_of_memory(err);
}

static int in_the_way(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "table %s is already in database %s and was not made by this pipeline", layout->name,
                       sink->target.database);
    pgconvoy_error_hint(err, "choose with --if-exists what becomes of it: append, truncate or drop");
    return -1;
}

int pgc_clickhouse_check_table(void *state, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                               pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = state;
    pgc_clickhouse_layout *layout = pgc_clickhouse_layout_new(sink, table, err);
    if (!layout)
        return -1;
    pthread_mutex_lock(&sink->lock);
    const char *how = "";
    bool exists = false;
    int result = check_names(sink, layout, err);
    if (result == 0)
        result = note_name(sink, layout, err);
    if (result == 0)
        result = pgc_clickhouse_checkpoint_owned(sink, table->schema, table->name, &how, err);
    if (result == 0 && !*how)
        result = pgc_clickhouse_table_exists(sink, &sink->control, layout->name, &exists, err);
    if (result == 0 && exists && if_exists == PGCONVOY_IF_EXISTS_ERROR)
        result = in_the_way(sink, layout, err);
    if (result == 0 && exists && (if_exists == PGCONVOY_IF_EXISTS_APPEND || if_exists == PGCONVOY_IF_EXISTS_TRUNCATE))
        result = pgc_clickhouse_look_at_columns(sink, &sink->control, layout, err);
    pthread_mutex_unlock(&sink->lock);
    pgc_clickhouse_layout_free(layout);
    return result;
}

/* ---- definitions */

static void own_definitions(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, pgc_buffer *out)
{
    const char *separator = "";
    for (const pgc_clickhouse_own_column *own = pgc_clickhouse_own_columns(sink, layout->form); own->name; own++) {
        pgc_buffer_format(out, "%s`%s` %s", separator, own->name, own->type);
        separator = ", ";
    }
}

static void define_table(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, pgc_buffer *sql)
{
    const pgconvoy_table *table = layout->table;
    pgc_buffer_text(sql, "CREATE TABLE IF NOT EXISTS ");
    pgc_clickhouse_table_name(sink, layout->name, true, sql);
    pgc_buffer_text(sql, " (");
    for (int i = 0; i < table->column_count; i++) {
        pgc_clickhouse_identifier(sql, layout->names[i]);
        pgc_buffer_byte(sql, ' ');
        pgc_clickhouse_type_sql(layout->types[i], sql);
        if (sink->has.comments && table->columns[i].number > 0)
            pgc_buffer_format(sql, " COMMENT 'pg %d'", table->columns[i].number);
        pgc_buffer_text(sql, ", ");
    }
    own_definitions(sink, layout, sql);
    pgc_buffer_text(sql, ") ENGINE = ");
    if (layout->form == PGC_CLICKHOUSE_KEYED) {
        pgc_clickhouse_engine(sink, layout->name, "ReplacingMergeTree",
                              sink->has.is_deleted ? "_version, _deleted" : "_version", sql);
        pgc_buffer_text(sql, " ORDER BY (");
        for (int k = 0; k < table->key_count; k++) {
            pgc_buffer_text(sql, k > 0 ? ", " : "");
            pgc_clickhouse_identifier(sql, layout->names[table->key[k]]);
        }
        pgc_buffer_text(sql, ")");
    } else {
        pgc_clickhouse_engine(sink, layout->name, "MergeTree", "", sql);
        pgc_buffer_text(sql, layout->form == PGC_CLICKHOUSE_MULTISET ? " ORDER BY (_lsn)"
                                                                     : " ORDER BY (_commit_lsn, _sequence)");
    }
    /* so that the token of an INSERT is looked for among those of the last ones */
    if (sink->has.window && !sink->target.replicated)
        pgc_buffer_text(sql, " SETTINGS non_replicated_deduplication_window = 100");
}

static void select_current(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, pgc_buffer *sql)
{
    bool no_columns = layout->table->column_count == 0;
    if (layout->form == PGC_CLICKHOUSE_KEYED) {
        pgc_buffer_text(sql, "SELECT ");
        pgc_clickhouse_column_names(sink, layout, false, sql);
        pgc_buffer_text(sql, " FROM ");
        pgc_clickhouse_table_name(sink, layout->name, false, sql);
        pgc_buffer_text(sql, " FINAL WHERE _deleted = 0");
        return;
    }
    /* as many copies of a row as came and did not go */
    pgc_buffer_text(sql, "SELECT ");
    if (no_columns)
        pgc_buffer_text(sql, "_copy");
    pgc_clickhouse_column_names(sink, layout, false, sql);
    pgc_buffer_text(sql, " FROM (SELECT ");
    pgc_clickhouse_column_names(sink, layout, false, sql);
    pgc_buffer_format(sql, "%ssum(_sign) AS _copies FROM ", no_columns ? "" : ", ");
    pgc_clickhouse_table_name(sink, layout->name, false, sql);
    if (!no_columns) {
        pgc_buffer_text(sql, " GROUP BY ");
        pgc_clickhouse_column_names(sink, layout, false, sql);
    }
    pgc_buffer_text(sql, " HAVING _copies > 0) ARRAY JOIN range(toUInt64(_copies)) AS _copy");
}

int pgc_clickhouse_make_view(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session,
                             const pgc_clickhouse_layout *layout, pgconvoy_error *err)
{
    if (layout->form == PGC_CLICKHOUSE_HISTORY)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)16 << 20);
    int result = 0;
    if (!sink->has.replace_view) {
        pgc_clickhouse_drop_table(sink, layout->view, &sql);
        result = pgc_clickhouse_run(session, &sql, "replacing a view", err);
        pgc_buffer_reset(&sql);
    }
    pgc_buffer_text(&sql, sink->has.replace_view ? "CREATE OR REPLACE VIEW " : "CREATE VIEW IF NOT EXISTS ");
    pgc_clickhouse_table_name(sink, layout->view, true, &sql);
    pgc_buffer_text(&sql, " AS ");
    select_current(sink, layout, &sql);
    if (result == 0)
        result = pgc_clickhouse_run(session, &sql, "creating a view", err);
    if (result != 0)
        pgc_error_prefix(err, "view %s", layout->view);
    pgc_buffer_free(&sql);
    return result;
}

static int drop_table(pgc_clickhouse_sink *sink, const char *name, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_clickhouse_drop_table(sink, name, &sql);
    int result = pgc_clickhouse_run(&sink->control, &sql, "dropping a table", err);
    pgc_buffer_free(&sql);
    return result;
}

static int create_table(pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)16 << 20);
    define_table(sink, layout, &sql);
    int result = pgc_clickhouse_run(&sink->control, &sql, "creating a table", err);
    pgc_buffer_free(&sql);
    if (result != 0)
        pgc_error_prefix(err, "table %s.%s", layout->table->schema, layout->table->name);
    return result;
}

/*
 * The checkpoint says COPYING, and that the table is ours, before the table is made or touched: if it ends in between,
 * the next run finds a table that is its own and not complete, or none.
 */
static int prepare(pgc_clickhouse_sink *sink, pgc_clickhouse_layout *layout, pgconvoy_if_exists if_exists,
                   pgconvoy_error *err)
{
    const pgconvoy_table *table = layout->table;
    const char *how;
    bool exists;
    if (pgc_clickhouse_checkpoint_owned(sink, table->schema, table->name, &how, err) != 0 ||
        pgc_clickhouse_table_exists(sink, &sink->control, layout->name, &exists, err) != 0)
        return -1;
    if (exists && !*how && if_exists == PGCONVOY_IF_EXISTS_ERROR)
        return in_the_way(sink, layout, err);
    if (exists && !*how && if_exists == PGCONVOY_IF_EXISTS_DROP) {
        if (drop_table(sink, layout->view, err) != 0 || drop_table(sink, layout->name, err) != 0)
            return -1;
        exists = false;
    }
    /* what a copy of ours has left is older than its definition may be by now: made anew, unless it was there before us
     */
    bool made = strcmp(how, PGC_CLICKHOUSE_MADE) == 0;
    bool empty = exists && !made &&
                 (strcmp(how, PGC_CLICKHOUSE_EMPTIED) == 0 || (!*how && if_exists == PGCONVOY_IF_EXISTS_TRUNCATE));
    if (empty && pgc_clickhouse_truncate(sink, &sink->control, layout->name, err) != 0)
        return -1;
    const char *now = *how      ? how
                      : !exists ? PGC_CLICKHOUSE_MADE
                      : empty   ? PGC_CLICKHOUSE_EMPTIED
                                : PGC_CLICKHOUSE_APPENDED;
    const pgconvoy_table_status status = {table->schema, table->name, PGCONVOY_TABLE_COPYING, 0};
    if (pgc_clickhouse_checkpoint_store(sink, 0, &status, 1, now, err) != 0 ||
        (made && exists && drop_table(sink, layout->name, err) != 0) || create_table(sink, layout, err) != 0)
        return -1;
    /* what stays may lack what rows need by now: NULL, a label */
    if (exists && !made && pgc_clickhouse_match_columns(sink, &sink->control, layout, false, true, err) != 0)
        return -1;
    return pgc_clickhouse_make_view(sink, &sink->control, layout, err);
}

int pgc_clickhouse_prepare_table(void *state, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                                 pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = state;
    pgc_clickhouse_layout *layout = pgc_clickhouse_layout_new(sink, table, err);
    if (!layout)
        return -1;
    pgc_clickhouse_copy_forget(sink, table->oid);
    pthread_mutex_lock(&sink->lock);
    int result = prepare(sink, layout, if_exists, err);
    pthread_mutex_unlock(&sink->lock);
    pgc_clickhouse_layout_free(layout);
    return result;
}

int pgc_clickhouse_finish_table(void *state, const pgconvoy_table *table, const pgconvoy_table_status *status,
                                pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = state;
    if (pgc_clickhouse_copy_finish(sink, table, err) != 0)
        return -1;
    pthread_mutex_lock(&sink->lock);
    int result = pgc_clickhouse_checkpoint_store(sink, 0, status, 1, NULL, err);
    pthread_mutex_unlock(&sink->lock);
    return result;
}
