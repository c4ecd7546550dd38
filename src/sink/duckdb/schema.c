/* Target tables: looked up, checked, made, finished. */
#include "sink/duckdb/alter.h"

#include "base/grow.h"
#include "postgres/quote.h"

#include <stdlib.h>
#include <strings.h>

int pgc_duckdb_table_info(const pgc_duckdb_sink *sink, duckdb_connection connection, const char *schema, const char *name,
                          duckdb_result *columns, bool *there, pgconvoy_error *err)
{
    /* duckdb_tables() and duckdb_columns() go through the whole catalog, which takes long where there are thousands of tables */
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "DESCRIBE ");
    pgc_duckdb_table_name(sink, schema, name, &sql);
    int result = pgc_buffer_check(&sql, err);
    if (result == 0) {
        *there = sink->api.query(connection, sql.data, columns) == DuckDBSuccess;
        if (!*there && sink->api.result_error_type(columns) != DUCKDB_ERROR_CATALOG) {
            pgc_duckdb_result_error(&sink->api, columns, "looking for a table", err);
            result = -1;
        } else if (!*there) {
            sink->api.destroy_result(columns);
        }
    }
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_look_up(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table,
                       pgc_duckdb_existing *existing, pgconvoy_error *err)
{
    memset(existing, 0, sizeof *existing);
    duckdb_result columns;
    if (pgc_duckdb_table_info(sink, connection, table->schema, table->name, &columns, &existing->exists, err) != 0)
        return -1;
    if (!existing->exists)
        return 0;
    for (idx_t i = 0; i < sink->api.row_count(&columns); i++) {
        char *key = sink->api.value_varchar(&columns, PGC_DUCKDB_INFO_KEY, i);
        existing->has_primary_key = existing->has_primary_key || (key && strcmp(key, "PRI") == 0);
        sink->api.free(key);
    }
    sink->api.destroy_result(&columns);
    return 0;
}

/* Whether what is there under a table's name is a view. */
static int is_view(pgc_duckdb_sink *sink, const pgconvoy_table *table, bool *view, pgconvoy_error *err)
{
    pgc_buffer sql;
    duckdb_result found;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "SELECT count(*) FROM duckdb_views() WHERE database_name = ");
    pgc_quote_literal(&sql, sink->catalog);
    pgc_buffer_text(&sql, " AND lower(schema_name) = lower(");
    pgc_quote_literal(&sql, table->schema);
    pgc_buffer_text(&sql, ") AND lower(view_name) = lower(");
    pgc_quote_literal(&sql, table->name);
    pgc_buffer_text(&sql, ")");
    int result = pgc_duckdb_select(&sink->api, sink->control, &sql, "looking for views", &found, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    *view = pgc_duckdb_number(&sink->api, &found, 0, 0) > 0;
    sink->api.destroy_result(&found);
    return 0;
}

/* ---- check */

static int check_names(const pgconvoy_table *table, pgconvoy_error *err)
{
    if (strcasecmp(table->schema, PGC_DUCKDB_SCHEMA) == 0 &&
        (strcasecmp(table->name, "pipelines") == 0 || strcasecmp(table->name, "tables") == 0)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "table %s.%s has the name of one that pgconvoy keeps its position in",
                           table->schema, table->name);
        pgconvoy_error_hint(err, "leave it out with -T");
        return -1;
    }
    for (int i = 0; i < table->column_count; i++) {
        for (int j = 0; j < i; j++) {
            if (strcasecmp(table->columns[i].name, table->columns[j].name) != 0)
                continue;
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "table %s.%s has columns \"%s\" and \"%s\", which are one name in DuckDB",
                               table->schema, table->name, table->columns[j].name, table->columns[i].name);
            pgconvoy_error_hint(err, "rename one of them on the source, leave it out by the publication's column list, or leave the table "
                                     "out with -T");
            return -1;
        }
    }
    return 0;
}

/* Two tables whose names differ in case alone; under the lock. */
static int check_twins(pgc_duckdb_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    for (size_t i = 0; i < sink->seen_count; i++) {
        const pgc_duckdb_seen *seen = &sink->seen[i];
        if (strcasecmp(seen->name, table->name) != 0 || strcasecmp(seen->schema, table->schema) != 0)
            continue;
        if (strcmp(seen->name, table->name) == 0 && strcmp(seen->schema, table->schema) == 0)
            return 0;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "tables %s.%s and %s.%s have one name in DuckDB", seen->schema, seen->name,
                           table->schema, table->name);
        pgconvoy_error_hint(err, "leave one of them out with -T");
        return -1;
    }
    if (pgc_grow(&sink->seen, sink->seen_count, &sink->seen_capacity, sizeof *sink->seen, err) != 0)
        return -1;
    pgc_duckdb_seen *seen = &sink->seen[sink->seen_count];
    seen->schema = strdup(table->schema);
    seen->name = strdup(table->name);
    sink->seen_count++; /* close frees both, NULL or not */
    return seen->schema && seen->name ? 0 : pgc_error_out_of_memory(err);
}

/* What stands in the way of a table that is to be copied: of an interrupted copy, or of somebody else. Under the lock. */
static int check_existing(pgc_duckdb_sink *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                          pgc_duckdb_existing *existing, const char **how, pgconvoy_error *err)
{
    if (pgc_duckdb_look_up(sink, sink->control, table, existing, err) != 0 ||
        pgc_duckdb_checkpoint_owned(sink, sink->control, table, how, err) != 0)
        return -1;
    if (!existing->exists || *how)
        return 0;
    bool view;
    if (is_view(sink, table, &view, err) != 0)
        return -1;
    if (view) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "view %s.%s is in the way in %s", table->schema, table->name,
                           sink->target.file);
        pgconvoy_error_hint(err, "drop it, or leave the table out with -T");
        return -1;
    }
    if (if_exists == PGCONVOY_IF_EXISTS_ERROR) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "table %s.%s is there already in %s", table->schema, table->name,
                           sink->target.file);
        pgconvoy_error_hint(err, "say what to do with it: --if-exists append, truncate or drop");
        return -1;
    }
    return 0;
}

int pgc_duckdb_check_table(void *arg, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = arg;
    pgc_duckdb_existing existing;
    const char *how;
    bool same_order;
    if (check_names(table, err) != 0)
        return -1;
    pgc_duckdb_layout *layout = pgc_duckdb_layout_new(sink, table, err);
    if (!layout)
        return -1;
    pthread_mutex_lock(&sink->lock);
    int result = pgc_duckdb_make_room(sink, layout->column_count, err);
    if (result == 0)
        result = check_twins(sink, table, err);
    if (result == 0)
        result = check_existing(sink, table, if_exists, &existing, &how, err);
    /* somebody else's table is filled as it is, so it must have our columns */
    if (result == 0 && existing.exists && !how && if_exists != PGCONVOY_IF_EXISTS_DROP)
        result = pgc_duckdb_match_columns(sink, sink->control, layout, &same_order, err);
    pthread_mutex_unlock(&sink->lock);
    pgc_duckdb_layout_free(sink, layout);
    return result;
}

/* ---- prepare */

static void create_table_sql(const pgc_duckdb_sink *sink, const pgc_duckdb_layout *layout, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "CREATE SCHEMA IF NOT EXISTS ");
    pgc_quote_qualified(sql, sink->catalog, layout->table->schema);
    pgc_buffer_text(sql, "; CREATE TABLE ");
    pgc_duckdb_table_name(sink, layout->table->schema, layout->table->name, sql);
    pgc_buffer_text(sql, " (");
    for (int i = 0; i < layout->column_count; i++) {
        pgc_buffer_text(sql, i > 0 ? ", " : "");
        pgc_quote_identifier(sql, pgc_duckdb_layout_column(layout, i));
        pgc_buffer_text(sql, " ");
        pgc_duckdb_type_sql(layout->types[i], sql);
    }
    pgc_buffer_text(sql, ")");
}

static int is_empty(pgc_duckdb_sink *sink, const pgconvoy_table *table, bool *empty, pgconvoy_error *err)
{
    pgc_buffer sql;
    duckdb_result found;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "SELECT 1 FROM ");
    pgc_duckdb_table_name(sink, table->schema, table->name, &sql);
    pgc_buffer_text(&sql, " LIMIT 1");
    int result = pgc_duckdb_select(&sink->api, sink->control, &sql, "looking for rows", &found, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    *empty = sink->api.row_count(&found) == 0;
    sink->api.destroy_result(&found);
    return 0;
}

/* An interrupted copy was appending to the table: that is not repeated over rows of which nobody knows whose they are. */
static int check_appended(pgc_duckdb_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    bool empty;
    if (is_empty(sink, table, &empty, err) != 0)
        return -1;
    if (empty)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "an interrupted copy was appending to table %s.%s, whose rows cannot be told apart",
                       table->schema, table->name);
    pgconvoy_error_hint(err, "delete the copied rows so that the table is empty, or run with --if-exists truncate");
    return -1;
}

/* What is to be done to have the table empty (or as it is, to append), and how it is this pipeline's after that. */
static int preparation_sql(pgc_duckdb_sink *sink, const pgc_duckdb_layout *layout, const pgc_duckdb_existing *existing,
                           pgconvoy_if_exists if_exists, const char **how, pgc_buffer *sql, pgconvoy_error *err)
{
    const pgconvoy_table *table = layout->table;
    bool appended = *how && strcmp(*how, PGC_DUCKDB_APPENDED) == 0;
    bool as_asked = !*how || appended; /* somebody else's rows may be in it */
    bool drop = as_asked ? if_exists == PGCONVOY_IF_EXISTS_DROP : strcmp(*how, PGC_DUCKDB_MADE) == 0;
    bool empty = as_asked ? if_exists == PGCONVOY_IF_EXISTS_TRUNCATE : strcmp(*how, PGC_DUCKDB_EMPTIED) == 0;
    if (!existing->exists || drop) {
        if (existing->exists) {
            pgc_buffer_text(sql, "DROP TABLE ");
            pgc_duckdb_table_name(sink, table->schema, table->name, sql);
            pgc_buffer_text(sql, "; ");
        }
        create_table_sql(sink, layout, sql);
        *how = PGC_DUCKDB_MADE;
    } else if (empty) {
        pgc_buffer_text(sql, "DELETE FROM ");
        pgc_duckdb_table_name(sink, table->schema, table->name, sql);
        *how = PGC_DUCKDB_EMPTIED;
    } else {
        if (appended && check_appended(sink, table, err) != 0)
            return -1;
        pgc_buffer_text(sql, "SELECT 1");
        *how = PGC_DUCKDB_APPENDED;
    }
    return 0;
}

static int prepare_locked(pgc_duckdb_sink *sink, const pgc_duckdb_layout *layout, pgconvoy_if_exists if_exists,
                          pgconvoy_error *err)
{
    const pgconvoy_table *table = layout->table;
    pgc_duckdb_existing existing;
    const char *how;
    pgc_buffer sql;
    if (check_existing(sink, table, if_exists, &existing, &how, err) != 0)
        return -1;
    pgc_buffer_init(&sql, (size_t)16 << 20);
    int result = preparation_sql(sink, layout, &existing, if_exists, &how, &sql, err);
    if (result == 0)
        result = pgc_duckdb_run_text(&sink->api, sink->control, "BEGIN", "starting a transaction", err);
    if (result == 0) {
        pgconvoy_table_status status = {.schema = table->schema, .name = table->name, .state = PGCONVOY_TABLE_COPYING};
        result = pgc_duckdb_run(&sink->api, sink->control, &sql, "making the table", NULL, err);
        if (result == 0)
            result = pgc_duckdb_checkpoint_table(sink, sink->control, &status, how, err);
        if (result == 0)
            result = pgc_duckdb_checkpoint_columns(sink, sink->control, table, table, err);
        if (result == 0)
            result = pgc_duckdb_commit(sink, sink->control, "making the table", err);
        if (result != 0) {
            pgc_duckdb_rollback(&sink->api, sink->control);
            pgc_error_prefix(err, "table %s.%s", table->schema, table->name);
        }
    }
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_prepare_table(void *arg, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = arg;
    if (pgc_duckdb_checkpoint_ensure(sink, err) != 0)
        return -1;
    pgc_duckdb_load_drop(sink, table);
    pgc_duckdb_layout *layout = pgc_duckdb_layout_new(sink, table, err);
    if (!layout)
        return -1;
    pthread_mutex_lock(&sink->lock);
    int result = prepare_locked(sink, layout, if_exists, err);
    pthread_mutex_unlock(&sink->lock);
    pgc_duckdb_layout_free(sink, layout);
    return result;
}

/* ---- finish */

static int finish_locked(pgc_duckdb_sink *sink, const pgc_duckdb_layout *layout, const pgconvoy_table_status *status,
                         pgconvoy_error *err)
{
    const char *how;
    if (pgc_duckdb_checkpoint_owned(sink, sink->control, layout->table, &how, err) != 0 ||
        pgc_duckdb_run_text(&sink->api, sink->control, "BEGIN", "starting a transaction", err) != 0)
        return -1;
    int result = 0;
    if (how && strcmp(how, PGC_DUCKDB_MADE) == 0) /* somebody else's table keeps the constraints it has */
        result = pgc_duckdb_primary_key_add(sink, sink->control, layout, err);
    if (result == 0)
        result = pgc_duckdb_checkpoint_table(sink, sink->control, status, NULL, err);
    if (result == 0)
        result = pgc_duckdb_commit(sink, sink->control, "finishing the table copy", err);
    if (result != 0)
        pgc_duckdb_rollback(&sink->api, sink->control);
    return result;
}

int pgc_duckdb_finish_table(void *arg, const pgconvoy_table *table, const pgconvoy_table_status *status, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = arg;
    if (pgc_duckdb_checkpoint_ensure(sink, err) != 0)
        return -1;
    pgc_duckdb_layout *layout = pgc_duckdb_layout_new(sink, table, err);
    if (!layout)
        return -1;
    if (pgc_duckdb_load_finish(sink, table, err) != 0) {
        pgc_duckdb_layout_free(sink, layout);
        return -1;
    }
    pthread_mutex_lock(&sink->lock);
    int result = finish_locked(sink, layout, status, err);
    pthread_mutex_unlock(&sink->lock);
    pgc_duckdb_layout_free(sink, layout);
    return result;
}

/* ---- the target's columns */

/* The end of what begins there: a comma or a parenthesis that is not within it, or, for a name, the space behind it. */
static const char *end_of(const char *at, bool is_name)
{
    int depth = 0;
    for (char quote = '\0'; *at; at++) {
        if (quote || *at == '"' || *at == '\'')
            quote = quote == *at ? '\0' : quote ? quote : *at;
        else if (*at == '(')
            depth++;
        else if (depth == 0 && (*at == ')' || *at == ',' || (is_name && *at == ' ')))
            break;
        else if (*at == ')')
            depth--;
    }
    return at;
}

/* A name with quotes or without. */
static bool same_name(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a_length > 1 && *a == '"') {
        a++;
        a_length -= 2;
    }
    if (b_length > 1 && *b == '"') {
        b++;
        b_length -= 2;
    }
    return a_length == b_length && strncasecmp(a, b, a_length) == 0;
}

/* Whether two types' texts have fields of the same names, as far as they are STRUCTs. DuckDB casts by these names: what was renamed would become NULL. */
static bool same_fields(const char *a, const char *b)
{
    static const char word[] = "STRUCT(";
    if (strncmp(a, word, sizeof word - 1) != 0 || strncmp(b, word, sizeof word - 1) != 0)
        return true;
    a += sizeof word - 1;
    b += sizeof word - 1;
    for (;;) {
        const char *a_type = end_of(a, true), *b_type = end_of(b, true);
        if (!same_name(a, (size_t)(a_type - a), b, (size_t)(b_type - b)) || *a_type != ' ' || *b_type != ' ' || !same_fields(a_type + 1, b_type + 1))
            return false;
        a = end_of(a_type, false);
        b = end_of(b_type, false);
        if (*a != *b)
            return false;
        if (*a != ',')
            return true;
        for (a++; *a == ' '; a++)
            ;
        for (b++; *b == ' '; b++)
            ;
    }
}

/* DuckDB quotes names in a type's text only where it must. */
static bool same_type_text(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == '"')
            a++;
        while (*b == '"')
            b++;
        if (*a != *b)
            return false;
        if (!*a)
            return true;
    }
}

static int other_fields(const pgc_duckdb_layout *layout, int column, const char *has, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "column %s of table %s.%s is %s in the DuckDB file: the composite type has other fields by now", pgc_duckdb_layout_column(layout, column),
                       layout->table->schema, layout->table->name, has);
    pgconvoy_error_hint(err, "pgconvoy drop, then sync --if-exists drop copies anew");
    return -1;
}

/* A column that this pipeline made has had another type at the source, and nobody has told of the change. */
static int refuse_loss(pgc_duckdb_sink *sink, const pgc_duckdb_layout *layout, int column, const char *wanted, const char *has, pgconvoy_error *err)
{
    bool made;
    if (pgc_duckdb_checkpoint_is_made(sink, sink->control, layout->table, &made, err) != 0)
        return -1;
    if (!made)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "column %s of table %s.%s is %s in the DuckDB file, which would round or cut off what is %s by now", pgc_duckdb_layout_column(layout, column),
                       layout->table->schema, layout->table->name, has, wanted);
    pgconvoy_error_hint(err, "was its type altered at the source, or an option of the target? pgconvoy drop, then sync --if-exists drop copies anew");
    return -1;
}

static int adapt_type(pgc_duckdb_sink *sink, duckdb_connection connection, const pgc_duckdb_layout *layout, int column,
                      const char *has, pgconvoy_error *err)
{
    pgc_buffer type, sql;
    pgc_buffer_init(&type, (size_t)16 << 20);
    pgc_buffer_init(&sql, (size_t)16 << 20);
    pgc_duckdb_type_sql(layout->types[column], &type);
    int result = pgc_buffer_check(&type, err);
    if (result == 0 && pgc_duckdb_type_loses(type.data, has))
        result = refuse_loss(sink, layout, column, type.data, has, err);
    if (result == 0 && !same_fields(type.data, has))
        result = other_fields(layout, column, has, err);
    if (result == 0 && strstr(has, "ENUM(") && !same_type_text(type.data, has)) {
        pgc_buffer_text(&sql, "ALTER TABLE ");
        pgc_duckdb_table_name(sink, layout->table->schema, layout->table->name, &sql);
        pgc_buffer_text(&sql, " ALTER COLUMN ");
        pgc_quote_identifier(&sql, pgc_duckdb_layout_column(layout, column));
        pgc_buffer_format(&sql, " TYPE %s", type.data);
        result = pgc_duckdb_run(&sink->api, connection, &sql, "adding labels to an enum", NULL, err);
        if (result != 0) {
            pgc_error_prefix(err, "column %s of table %s.%s", pgc_duckdb_layout_column(layout, column), layout->table->schema,
                             layout->table->name);
            if (!err->hint[0])
                pgconvoy_error_hint(err, "was a label renamed at the source, which rows here still have? pgconvoy drop, then sync --if-exists drop copies anew");
        }
    }
    pgc_buffer_free(&type);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_match_columns(pgc_duckdb_sink *sink, duckdb_connection connection, pgc_duckdb_layout *layout,
                             bool *same_order, pgconvoy_error *err)
{
    const pgconvoy_table *table = layout->table;
    duckdb_result found;
    bool there;
    if (pgc_duckdb_table_info(sink, connection, table->schema, table->name, &found, &there, err) != 0)
        return -1;
    if (!there) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "table %s.%s is not there any more in %s", table->schema, table->name,
                           sink->target.file);
        pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again");
        return -1;
    }
    idx_t count = sink->api.row_count(&found);
    *same_order = count == (idx_t)layout->column_count;
    for (idx_t i = 0; i < count; i++) {
        const char *name = pgc_duckdb_cell(&sink->api, &found, i, PGC_DUCKDB_INFO_NAME, layout->arena);
        for (int c = 0; name && c < layout->column_count; c++) {
            /* nearly always the same place: looked at first */
            int at = (int)(((idx_t)c + i) % (idx_t)layout->column_count);
            if (strcasecmp(name, pgc_duckdb_layout_column(layout, at)) != 0)
                continue;
            *same_order = *same_order && (idx_t)at == i;
            layout->target_names[at] = name;
            layout->target_types[at] = pgc_duckdb_cell(&sink->api, &found, i, PGC_DUCKDB_INFO_TYPE, layout->arena);
            break;
        }
    }
    sink->api.destroy_result(&found);
    for (int c = 0; c < layout->column_count; c++) {
        if (layout->target_names[c] && layout->target_types[c])
            continue;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "table %s.%s in %s has no column \"%s\"", table->schema, table->name,
                           sink->target.file, pgc_duckdb_layout_column(layout, c));
        pgconvoy_error_hint(err, "add the column there, or have the table made anew with --if-exists drop");
        return -1;
    }
    return 0;
}

int pgc_duckdb_adapt_columns(pgc_duckdb_sink *sink, duckdb_connection connection, pgc_duckdb_layout *layout,
                             bool *same_order, pgconvoy_error *err)
{
    if (pgc_duckdb_match_columns(sink, connection, layout, same_order, err) != 0)
        return -1;
    for (int c = 0; c < layout->column_count; c++) {
        if (adapt_type(sink, connection, layout, c, layout->target_types[c], err) != 0)
            return -1;
    }
    return 0;
}
