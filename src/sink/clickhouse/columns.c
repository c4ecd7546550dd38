/* The columns that the target's table has, compared with those that a layout wants; the few changes that need no word
 * of the source. */
#include "sink/clickhouse/clickhouse_internal.h"

#include <stdlib.h>

static int read_columns(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session, const char *name,
                        pgc_http_response *response, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_format(
        &sql, "SELECT name, type, %s, is_in_sorting_key FROM system.columns WHERE database = ", sink->has.comments ? "comment" : "''");
    pgc_clickhouse_literal(&sql, sink->target.database);
    pgc_buffer_text(&sql, " AND table = ");
    pgc_clickhouse_literal(&sql, name);
    int result = pgc_clickhouse_select(session, &sql, "reading a table's columns", response, err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_clickhouse_column_list(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session, const char *name,
                               pgc_arena *arena, pgc_clickhouse_columns *columns, pgconvoy_error *err)
{
    pgc_http_response response;
    memset(columns, 0, sizeof *columns);
    if (read_columns(sink, session, name, &response, err) != 0)
        return -1;
    size_t lines = 1;
    for (const char *p = response.body.length > 0 ? response.body.data : ""; *p; p++)
        lines += *p == '\n';
    columns->names = pgc_arena_alloc(arena, lines * sizeof *columns->names);
    columns->types = pgc_arena_alloc(arena, lines * sizeof *columns->types);
    columns->numbers = pgc_arena_zalloc(arena, lines * sizeof *columns->numbers);
    columns->sorted = pgc_arena_zalloc(arena, lines * sizeof *columns->sorted);
    pgc_clickhouse_rows rows = pgc_clickhouse_rows_of(&response);
    char *fields[4];
    bool failed = !columns->names || !columns->types || !columns->numbers || !columns->sorted;
    while (!failed && pgc_clickhouse_rows_next(&rows, fields, 4)) {
        columns->names[columns->count] = pgc_arena_strdup(arena, fields[0]);
        columns->types[columns->count] = pgc_arena_strdup(arena, fields[1]);
        failed = !columns->names[columns->count] || !columns->types[columns->count];
        if (strncmp(fields[2], "pg ", 3) == 0)
            columns->numbers[columns->count] = atoi(fields[2] + 3);
        columns->sorted[columns->count] = fields[3][0] == '1';
        columns->count++;
    }
    pgc_http_response_free(&response);
    return failed ? pgc_error_out_of_memory(err) : 0;
}

const char *pgc_clickhouse_column_type(const pgc_clickhouse_columns *columns, const char *name)
{
    for (size_t i = 0; i < columns->count; i++) {
        if (strcmp(columns->names[i], name) == 0)
            return columns->types[i];
    }
    return NULL;
}

int pgc_clickhouse_column_find(const pgc_clickhouse_columns *columns, const pgconvoy_column *column)
{
    for (size_t i = 0; column->number > 0 && i < columns->count; i++) {
        if (columns->numbers[i] == column->number)
            return (int)i;
    }
    for (size_t i = 0; i < columns->count; i++) {
        if ((columns->numbers[i] == 0 || column->number == 0) && strcmp(columns->names[i], column->name) == 0)
            return (int)i;
    }
    return -1;
}

static int missing(const pgc_clickhouse_layout *layout, const char *column, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "table %s in ClickHouse has no column %s", layout->name, column);
    pgconvoy_error_hint(
        err, "it was changed, or is of somebody else's: copy it again, with --if-exists drop after pgconvoy drop");
    return -1;
}

static int other_type(const pgc_clickhouse_layout *layout, int column, const char *has, const char *wanted,
                      pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "column %s of table %s in ClickHouse is %.200s, where %.200s is wanted", layout->names[column],
                       layout->name, has, wanted);
    pgconvoy_error_hint(err, "copy the table again, with --if-exists drop after pgconvoy drop");
    return -1;
}

/* ALTER TABLE … MODIFY COLUMN name type. */
static int modify(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session, const pgc_clickhouse_layout *layout,
                  int column, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)4 << 20);
    pgc_buffer_text(&sql, "ALTER TABLE ");
    pgc_clickhouse_table_name(sink, layout->name, true, &sql);
    pgc_buffer_text(&sql, " MODIFY COLUMN ");
    pgc_clickhouse_identifier(&sql, layout->names[column]);
    pgc_buffer_byte(&sql, ' ');
    pgc_clickhouse_type_sql(layout->types[column], &sql);
    int result = pgc_clickhouse_run(session, &sql, "changing a column", err);
    pgc_buffer_free(&sql);
    if (result != 0)
        pgc_error_prefix(err, "column %s of table %s", layout->names[column], layout->name);
    return result;
}

int pgc_clickhouse_make_nullable(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session,
                                 pgc_clickhouse_layout *layout, int column, pgconvoy_error *err)
{
    pgc_clickhouse_type *type = layout->types[column];
    if (type->kind == PGC_CLICKHOUSE_ARRAY || type->kind == PGC_CLICKHOUSE_VECTOR) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA,
                           "column %s of table %s.%s is NULL, which an Array of ClickHouse cannot hold",
                           layout->names[column], layout->table->schema, layout->table->name);
        pgconvoy_error_hint(
            err, "copy the table again, now that its column may be NULL; ?arrays=array makes NULL an empty array");
        return -1;
    }
    pgc_log_info(sink->config->log, "column %s of table %s.%s may be NULL now", layout->names[column],
                 layout->table->schema, layout->table->name);
    type->nullable = true;
    return modify(sink, session, layout, column, err);
}

static const char *without_nullable(const char *type, size_t *length)
{
    *length = strlen(type);
    if (strncmp(type, "Nullable(", 9) != 0)
        return type;
    *length -= 10;
    return type + 9;
}

/* One column: *alter says that the target's is to become what layout has. */
static int match(pgc_clickhouse_layout *layout, int column, const char *has, pgc_buffer *wanted, bool *alter,
                 pgconvoy_error *err)
{
    pgc_clickhouse_type *type = layout->types[column];
    *alter = false;
    size_t length;
    const char *bare = without_nullable(has, &length);
    bool is_nullable = bare != has;
    if (is_nullable)
        type->nullable = true; /* what was NULL once may not be NULL any more: no reason to change it */
    else if (type->nullable)
        *alter = true;
    if (type->kind == PGC_CLICKHOUSE_ENUM && strncmp(bare, "Enum", 4) == 0) {
        bool added;
        if (pgc_clickhouse_type_adopt_labels(type, bare, layout->arena, &added, err) != 0)
            return -1;
        *alter |= added;
        return 0;
    }
    bool nullable = type->nullable;
    type->nullable = false;
    pgc_buffer_reset(wanted);
    pgc_clickhouse_type_sql(type, wanted);
    type->nullable = nullable;
    if (pgc_buffer_check(wanted, err) != 0)
        return -1;
    if (wanted->length == length && memcmp(wanted->data, bare, length) == 0)
        return 0;
    /* a wider type is there already: by a later change, which comes again after a crash */
    pgc_clickhouse_type there;
    pgc_clickhouse_type_read(&there, has);
    if (!pgc_clickhouse_type_is_wider(type, &there))
        return other_type(layout, column, has, wanted->data, err);
    type->kind = there.kind;
    type->width = there.width;
    type->scale = there.scale;
    return 0;
}

int pgc_clickhouse_match_columns(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session,
                                 pgc_clickhouse_layout *layout, bool may_lack, bool may_alter, pgconvoy_error *err)
{
    pgc_clickhouse_columns columns;
    pgc_buffer wanted;
    pgc_buffer_init(&wanted, (size_t)4 << 20);
    int result = pgc_clickhouse_column_list(sink, session, layout->name, layout->arena, &columns, err);
    for (int i = 0; result == 0 && i < layout->table->column_count; i++) {
        int there = pgc_clickhouse_column_find(&columns, &layout->table->columns[i]);
        const char *has = there >= 0 ? columns.types[there] : NULL;
        if (has) /* it may have been renamed since, when changes come again after a crash */
            layout->names[i] = columns.names[there];
        layout->types_there[i] = has;
        bool alter = false;
        layout->absent[i] = !has;
        if (has)
            result = match(layout, i, has, &wanted, &alter, err);
        else if (!may_lack)
            result = missing(layout, layout->names[i], err);
        if (result == 0 && alter && may_alter)
            result = modify(sink, session, layout, i, err);
    }
    pgc_buffer_free(&wanted);
    return result;
}

int pgc_clickhouse_look_at_columns(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session,
                                   pgc_clickhouse_layout *layout, pgconvoy_error *err)
{
    static const char *const own[] = {[PGC_CLICKHOUSE_KEYED] = "_version",
                                      [PGC_CLICKHOUSE_MULTISET] = "_sign",
                                      [PGC_CLICKHOUSE_HISTORY] = "_commit_lsn"};
    pgc_clickhouse_columns columns;
    if (pgc_clickhouse_column_list(sink, session, layout->name, layout->arena, &columns, err) != 0)
        return -1;
    if (!pgc_clickhouse_column_type(&columns, own[layout->form]))
        return missing(layout, own[layout->form], err);
    return pgc_clickhouse_match_columns(sink, session, layout, false, false, err);
}
