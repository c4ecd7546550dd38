/*
 * A table changes on the source: the difference between two definitions as ALTER TABLEs, inside the transaction that
 * brings it. Its columns are in alter_columns.c. What cannot be followed has the table copied anew, or is refused
 * by name where it was there before us.
 */
#include "sink/duckdb/alter.h"

#include "postgres/quote.h"

int pgc_duckdb_alter_refuse(pgc_duckdb_alteration *a, const char *column, const char *what, pgconvoy_error *err)
{
    a->refused = true;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "column %s of table %s.%s %s, which cannot be followed in DuckDB",
                       column, a->from->schema, a->from->name, what);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
    return -1;
}

/* ---- statements */

static void tell(const pgc_duckdb_alteration *a, const char *statement)
{
    const pgconvoy_sink_config *config = a->writer->sink->config;
    if (config->tell)
        config->tell(config->tell_arg, statement);
}

int pgc_duckdb_alter_run(pgc_duckdb_alteration *a, pgconvoy_error *err)
{
    int result = pgc_duckdb_run(&a->writer->sink->api, a->writer->connection, &a->sql,
                                "following a change of its columns", NULL, err);
    if (result != 0)
        pgc_error_prefix(err, "table %s.%s", a->from->schema, a->from->name);
    else
        tell(a, a->sql.data);
    return result;
}

int pgc_duckdb_alter_named(pgc_duckdb_alteration *a, const char *format, const char *name, const char *second,
                           pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = a->writer->sink;
    pgc_buffer_reset(&a->sql);
    pgc_buffer_text(&a->sql, "ALTER TABLE ");
    pgc_duckdb_table_name(sink, a->from->schema, a->from->name, &a->sql);
    pgc_buffer_text(&a->sql, format);
    pgc_quote_identifier(&a->sql, name);
    if (second) {
        pgc_buffer_text(&a->sql, " TO ");
        pgc_quote_identifier(&a->sql, second);
    }
    return pgc_duckdb_alter_run(a, err);
}

int pgc_duckdb_alter_typed(pgc_duckdb_alteration *a, const char *verb, const char *name, const char *between,
                           const pgc_duckdb_type *type, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = a->writer->sink;
    pgc_buffer_reset(&a->sql);
    pgc_buffer_text(&a->sql, "ALTER TABLE ");
    pgc_duckdb_table_name(sink, a->from->schema, a->from->name, &a->sql);
    pgc_buffer_text(&a->sql, verb);
    pgc_quote_identifier(&a->sql, name);
    pgc_buffer_text(&a->sql, between);
    pgc_duckdb_type_sql(type, &a->sql);
    return pgc_duckdb_alter_run(a, err);
}

int pgc_duckdb_alter_lift_key(pgc_duckdb_alteration *a, pgconvoy_error *err)
{
    if (!a->has_primary_key)
        return 0;
    a->has_primary_key = false;
    a->lifted = true;
    tell(a, "-- the table is written anew without its primary key, which comes back at the end");
    return pgc_duckdb_rewrite(a->writer->sink, a->writer->connection, a->from, err);
}

/* ---- tables */

/* Of a table that is to go, or gets another name itself, which nobody has told yet. */
static int refuse_taken(pgc_duckdb_alteration *a, pgconvoy_error *err)
{
    pgc_duckdb_existing there;
    if (strcasecmp(a->from->name, a->to->name) == 0) /* names are alike to DuckDB then */
        return 0;
    if (pgc_duckdb_look_up(a->writer->sink, a->writer->connection, a->to, &there, err) != 0)
        return -1;
    if (!there.exists)
        return 0;
    a->refused = a->taken = true;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "table %s.%s is renamed to %s, which is there already, which cannot be followed in DuckDB", a->from->schema,
                       a->from->name, a->to->name);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again");
    return -1;
}

static int follow(pgc_duckdb_alteration *a, pgc_duckdb_actual *actual, pgconvoy_error *err)
{
    if (strcmp(a->from->schema, a->to->schema) != 0) {
        a->refused = true;
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK,
                           "table %s.%s moves to schema %s, which cannot be followed in DuckDB", a->from->schema,
                           a->from->name, a->to->schema);
        pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again");
        return -1;
    }
    if (refuse_taken(a, err) != 0 || pgc_duckdb_alter_columns(a, actual, err) != 0)
        return -1;
    if (strcmp(a->from->name, a->to->name) != 0 &&
        (pgc_duckdb_alter_named(a, " RENAME TO ", a->to->name, NULL, err) != 0 ||
         pgc_duckdb_checkpoint_rename(a->writer->sink, a->writer->connection, a->from, a->to, err) != 0))
        return -1;
    if (a->lifted && pgc_duckdb_primary_key_add(a->writer->sink, a->writer->connection, a->new_layout, err) != 0)
        return -1;
    return a->writer->sink->config->tell
               ? 0
               : pgc_duckdb_checkpoint_columns(a->writer->sink, a->writer->connection, a->from, a->to, err);
}

/*
 * DuckDB refuses, and only at the commit, to alter a table of which the same transaction has changed rows; a table that
 * it has written anew may be altered.
 */
static int make_alterable(pgc_duckdb_alteration *a, bool touched, pgconvoy_error *err)
{
    if (!touched)
        return 0;
    a->lifted = a->has_primary_key;
    a->has_primary_key = false;
    return pgc_duckdb_rewrite(a->writer->sink, a->writer->connection, a->from, err);
}

static int alter_with(pgc_duckdb_alteration *a, pgc_duckdb_actual *actual, bool touched, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = a->writer->sink;
    pgc_duckdb_existing existing;
    a->new_layout = pgc_duckdb_layout_new(sink, a->to, err);
    a->old_layout = a->new_layout ? pgc_duckdb_layout_new(sink, a->from, err) : NULL;
    int result = a->old_layout ? pgc_duckdb_look_up(sink, a->writer->connection, a->from, &existing, err) : -1;
    if (result == 0) {
        a->has_primary_key = existing.has_primary_key;
        a->writer->catalog_changed = a->writer->wrote = true;
        result = make_alterable(a, touched, err);
    }
    if (result == 0)
        result = follow(a, actual, err);
    pgc_duckdb_layout_free(sink, a->new_layout);
    pgc_duckdb_layout_free(sink, a->old_layout);
    return result;
}

/* The table goes by its new name where a process before this one has followed it, but for what came after. */
static int find_table(pgc_duckdb_alteration *a, const pgconvoy_table *old_table, pgc_duckdb_actual *actual,
                      pgconvoy_error *err)
{
    a->from = old_table;
    if (pgc_duckdb_alter_look(a, old_table, actual, err) != 0 || actual->exists)
        return actual->exists ? 0 : -1;
    return pgc_duckdb_alter_look(a, a->to, actual, err);
}

static int drop_as(pgc_duckdb_alteration *a, pgconvoy_error *err)
{
    pgc_buffer_reset(&a->sql);
    pgc_buffer_text(&a->sql, "DROP TABLE IF EXISTS ");
    pgc_duckdb_table_name(a->writer->sink, a->from->schema, a->from->name, &a->sql);
    return pgc_duckdb_alter_run(a, err) != 0 ? -1 : pgc_duckdb_checkpoint_rename(a->writer->sink, a->writer->connection, a->from, a->to, err);
}

/* Its rows are copied under the new name; what has the old one does not count as copied should a table of that name come. */
static int leave_taken(pgc_duckdb_alteration *a, pgconvoy_error *err)
{
    const pgconvoy_table_status waiting = {.schema = a->from->schema, .name = a->from->name, .state = PGCONVOY_TABLE_WAITING};
    return pgc_duckdb_checkpoint_table(a->writer->sink, a->writer->connection, &waiting, NULL, err);
}

/* A table that this pipeline has made is made again by its copy. 1: that is to be done; else the refusal stands. */
static int leave_to_copy(pgc_duckdb_alteration *a)
{
    pgconvoy_error unused = {0};
    if (a->taken)
        return a->is_made && leave_taken(a, &unused) == 0 ? 1 : -1;
    bool same = strcmp(a->from->schema, a->to->schema) == 0 && strcmp(a->from->name, a->to->name) == 0;
    return a->is_made && (same || drop_as(a, &unused) == 0) ? 1 : -1;
}

int pgc_duckdb_change_schema(void *arg, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                             pgconvoy_error *err)
{
    pgc_duckdb_writer *writer = arg;
    pgc_duckdb_stream_table *table = pgc_duckdb_stream_table_known(writer, old_table);
    if (table && pgc_duckdb_apply_table(writer, table, err) != 0)
        return -1;
    pgc_duckdb_alteration a = {.writer = writer, .to = new_table};
    pgc_duckdb_actual actual = {.arena = pgc_arena_new(8192)};
    if (!actual.arena)
        return pgc_error_out_of_memory(err);
    pgc_buffer_init(&a.sql, (size_t)16 << 20);
    bool touched = table && table->touched;
    int result = find_table(&a, old_table, &actual, err);
    if (result == 0 && !actual.exists) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "table %s.%s is not there any more in %s", old_table->schema,
                           old_table->name, writer->sink->target.file);
        pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again");
        result = -1;
    }
    if (result == 0)
        result = pgc_duckdb_checkpoint_is_made(writer->sink, writer->connection, a.from, &a.is_made, err);
    if (result == 0)
        result = alter_with(&a, &actual, touched, err);
    if (result != 0 && a.refused)
        result = leave_to_copy(&a);
    pgc_buffer_free(&a.sql);
    pgc_arena_free(actual.arena);
    pgc_duckdb_stream_table_forget(writer, old_table);
    return result;
}

/* ---- commands of DDL: what was dropped goes here, and the rest comes by change_schema */

static int drop_table(pgc_duckdb_writer *writer, const pgconvoy_ddl_object *object, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = writer->sink;
    const pgconvoy_table named = {.oid = object->table_oid, .schema = object->schema, .name = object->name};
    const char *how;
    pgc_duckdb_stream_table_drop(writer, object->table_oid);
    pthread_mutex_lock(&sink->lock);
    int looked = pgc_duckdb_checkpoint_owned(sink, writer->connection, &named, &how, err);
    pthread_mutex_unlock(&sink->lock);
    if (looked != 0)
        return -1;
    if (!how || strcmp(how, PGC_DUCKDB_APPENDED) == 0)
        return 0; /* somebody else's rows may be in it */
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "DROP TABLE IF EXISTS ");
    pgc_duckdb_table_name(sink, object->schema, object->name, &sql);
    writer->catalog_changed = writer->wrote = true;
    int result = pgc_duckdb_run(&sink->api, writer->connection, &sql, "dropping a table", NULL, err);
    if (result == 0 && sink->config->tell)
        sink->config->tell(sink->config->tell_arg, sql.data);
    pgc_buffer_free(&sql);
    if (result == 0)
        result = pgc_duckdb_checkpoint_forget(sink, writer->connection, &named, err);
    return result;
}

int pgc_duckdb_apply_ddl(void *arg, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    for (size_t i = 0; i < ddl->object_count; i++) {
        const pgconvoy_ddl_object *object = &ddl->objects[i];
        if (object->dropped && strcmp(object->type, "table") == 0 && object->schema && object->name &&
            drop_table(arg, object, err) != 0)
            return -1;
    }
    return 0;
}
