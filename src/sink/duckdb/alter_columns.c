/*
 * The columns of a table that changes. What DuckDB has is looked up, as a process before this one may have come further
 * or less far than the definition before says. A column is the same one by its number.
 */
#include "sink/duckdb/alter.h"

#include "postgres/quote.h"

#include <strings.h>

/* ---- what there is, and which column is which */

static int find_ci(const pgconvoy_table *table, const char *name)
{
    for (int i = 0; table && i < table->column_count; i++) {
        if (strcasecmp(table->columns[i].name, name) == 0)
            return i;
    }
    return -1;
}

static int find_number(const pgconvoy_table *table, int number)
{
    for (int i = 0; table && i < table->column_count; i++) {
        if (table->columns[i].number == number)
            return i;
    }
    return -1;
}

/* The definition before may be a later one than what DuckDB has: where numbers are known they tell which column is
 * which. */
static int look_at_numbers(pgc_duckdb_alteration *a, const pgconvoy_table *table, pgc_duckdb_actual *actual,
                           pgconvoy_error *err)
{
    size_t count = (size_t)actual->count + 1;
    const char **names = pgc_arena_alloc(actual->arena, count * sizeof *names);
    int *numbers = pgc_arena_alloc(actual->arena, count * sizeof *numbers);
    if (!names || !numbers)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < actual->count; i++)
        names[i] = actual->columns[i].name;
    if (pgc_duckdb_checkpoint_numbers(a->writer->sink, a->writer->connection, table->schema, table->name, names,
                                      actual->count, numbers, err) != 0)
        return -1;
    for (int i = 0; i < actual->count; i++) {
        actual->columns[i].number = numbers[i];
        actual->columns[i].from = numbers[i] > 0 ? find_number(a->from, numbers[i]) : find_ci(a->from, names[i]);
    }
    return 0;
}

int pgc_duckdb_alter_look(pgc_duckdb_alteration *a, const pgconvoy_table *table, pgc_duckdb_actual *actual,
                          pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = a->writer->sink;
    duckdb_result found;
    if (pgc_duckdb_table_info(sink, a->writer->connection, table->schema, table->name, &found, &actual->exists, err) !=
        0)
        return -1;
    if (!actual->exists)
        return 0;
    actual->count = (int)sink->api.row_count(&found);
    actual->columns = pgc_arena_zalloc(actual->arena, ((size_t)actual->count + 1) * sizeof *actual->columns);
    bool failed = !actual->columns;
    for (int i = 0; i < actual->count && !failed; i++) {
        pgc_duckdb_actual_column *column = &actual->columns[i];
        column->name = pgc_duckdb_cell(&sink->api, &found, (idx_t)i, PGC_DUCKDB_INFO_NAME, actual->arena);
        column->type = pgc_duckdb_cell(&sink->api, &found, (idx_t)i, PGC_DUCKDB_INFO_TYPE, actual->arena);
        failed = !column->name || !column->type;
        column->from = column->to = -1;
    }
    sink->api.destroy_result(&found);
    return failed ? pgc_error_out_of_memory(err) : look_at_numbers(a, table, actual, err);
}

static bool is_taken(const pgc_duckdb_actual *actual, int to)
{
    for (int i = 0; i < actual->count; i++) {
        if (actual->columns[i].to == to)
            return true;
    }
    return false;
}

static int number_of(const pgc_duckdb_alteration *a, const pgc_duckdb_actual_column *column)
{
    return column->number > 0 || column->from < 0 ? column->number : a->from->columns[column->from].number;
}

/* Side by side, for columns without numbers: what goes where another of the same type comes is that one renamed. */
static int pair_by_place(pgc_duckdb_alteration *a, pgc_duckdb_actual *actual, pgconvoy_error *err)
{
    for (int i = 0, t = 0; i < actual->count && t < a->to->column_count;) {
        pgc_duckdb_actual_column *column = &actual->columns[i];
        const pgconvoy_column *was = column->from >= 0 ? &a->from->columns[column->from] : NULL,
                              *to = &a->to->columns[t];
        bool numbered = was && number_of(a, column) > 0 && to->number > 0, goes = column->to < 0,
             comes = !is_taken(actual, t);
        if (goes && comes && was && !numbered && strcmp(was->type_sql, to->type_sql) == 0) {
            pgc_log_warning(a->writer->sink->config->log, "duckdb: column %s of %s.%s is taken to be renamed to %s",
                            column->name, a->to->schema, a->to->name, to->name);
            column->to = t;
        } else if (goes || comes) {
            i += goes;
            t += !goes;
            continue;
        } else if (column->to != t && was && was->number == 0 && to->number == 0) {
            return pgc_duckdb_alter_refuse(a, column->name, "changes places by name with another", err);
        }
        i++, t++;
    }
    return 0;
}

/*
 * By number where both definitions have it, by name, and then by place: what stands where a column of the same type is
 * missing is taken for that column renamed, as PostgreSQL puts new columns at the end.
 */
static int pair(pgc_duckdb_alteration *a, pgc_duckdb_actual *actual, pgconvoy_error *err)
{
    for (int i = 0; i < actual->count; i++) {
        int number = number_of(a, &actual->columns[i]);
        if (number > 0)
            actual->columns[i].to = find_number(a->to, number);
    }
    for (int i = 0; i < actual->count; i++) {
        int to = find_ci(a->to, actual->columns[i].name);
        bool another = to >= 0 && number_of(a, &actual->columns[i]) > 0 &&
                       a->to->columns[to].number > 0; /* one that was dropped had the name, too */
        if (actual->columns[i].to < 0 && to >= 0 && !another && !is_taken(actual, to))
            actual->columns[i].to = to;
    }
    return pair_by_place(a, actual, err);
}

/* ---- what is done */

/* DuckDB drops no column that an index is on, or that stands before one such. from: its place in the definition before,
 * -1 not known. */
static int drop_column(pgc_duckdb_alteration *a, const char *name, int from, pgconvoy_error *err)
{
    bool before_key = from < 0;
    for (int i = from; i >= 0 && i < a->from->column_count; i++)
        before_key |= a->from->columns[i].primary_key > 0;
    if (before_key && pgc_duckdb_alter_lift_key(a, err) != 0)
        return -1;
    if (a->to->column_count == 0) /* a table keeps at least one column */
        return pgc_duckdb_alter_refuse(a, name, "was the last and is dropped", err);
    return pgc_duckdb_alter_named(a, " DROP COLUMN ", name, NULL, err);
}

static int drop_columns(pgc_duckdb_alteration *a, const pgc_duckdb_actual *actual, pgconvoy_error *err)
{
    for (int i = 0; i < actual->count; i++) {
        /* one that the definition before did not have either is somebody else's */
        const pgc_duckdb_actual_column *column = &actual->columns[i];
        if (column->to < 0 && (column->from >= 0 || column->number > 0) &&
            drop_column(a, column->name, column->from, err) != 0)
            return -1;
    }
    return 0;
}

static bool name_is_free(const pgc_duckdb_actual *actual, const char *name)
{
    for (int i = 0; i < actual->count; i++) {
        bool gone = actual->columns[i].to < 0 && (actual->columns[i].from >= 0 || actual->columns[i].number > 0);
        if (!gone && strcasecmp(actual->columns[i].name, name) == 0)
            return false;
    }
    return true;
}

/* A name may be one that another column gives up: round by round, and in a circle by way of a name of ours. */
static int rename_columns(pgc_duckdb_alteration *a, pgc_duckdb_actual *actual, pgconvoy_error *err)
{
    for (int rounds = 0; rounds <= 2 * actual->count; rounds++) {
        pgc_duckdb_actual_column *waiting = NULL;
        bool renamed = false;
        for (int i = 0; i < actual->count; i++) {
            pgc_duckdb_actual_column *column = &actual->columns[i];
            const char *name = column->to >= 0 ? a->to->columns[column->to].name : column->name;
            if (strcmp(name, column->name) == 0)
                continue;
            if (strcasecmp(name, column->name) != 0 && !name_is_free(actual, name)) {
                waiting = column;
                continue;
            }
            if (pgc_duckdb_alter_named(a, " RENAME COLUMN ", column->name, name, err) != 0)
                return -1;
            column->name = name;
            renamed = true;
        }
        if (!waiting)
            return 0;
        if (!renamed) {
            if (pgc_duckdb_alter_named(a, " RENAME COLUMN ", waiting->name, "pgconvoy_renamed", err) != 0)
                return -1;
            waiting->name = "pgconvoy_renamed";
        }
    }
    return 0;
}

static int change_type(pgc_duckdb_alteration *a, int old, int new_, pgconvoy_error *err)
{
    const pgc_duckdb_type *from = a->old_layout->types[old], *to = a->new_layout->types[new_];
    const pgconvoy_column *column = &a->to->columns[new_];
    bool same;
    if (pgc_duckdb_type_same(from, to, &same, err) != 0)
        return -1;
    /* the same DuckDB type from another PostgreSQL type: text forms may differ (xml to text does not, money to text
     * does) */
    if (same)
        return from->kind == to->kind || pgc_duckdb_type_is_wider(from, to)
                   ? 0
                   : pgc_duckdb_alter_refuse(a, column->name, "changes its type", err);
    if (!pgc_duckdb_type_is_wider(from, to))
        return pgc_duckdb_alter_refuse(a, column->name, "changes its type", err);
    if (a->from->columns[old].primary_key > 0 && pgc_duckdb_alter_lift_key(a, err) != 0)
        return -1;
    return pgc_duckdb_alter_typed(a, " ALTER COLUMN ", column->name, " TYPE ", to, err);
}

/* Rows from before have what the source's catalog keeps for them. */
static int add_column(pgc_duckdb_alteration *a, int to, pgconvoy_error *err)
{
    const pgconvoy_column *column = &a->to->columns[to];
    const pgc_duckdb_type *type = a->new_layout->types[to];
    if (column->computed && !column->missing && a->is_made)
        return pgc_duckdb_alter_refuse(a, column->name, "was added, and what it gave the rows from before only the source knows", err);
    if (!column->missing)
        return pgc_duckdb_alter_typed(a, " ADD COLUMN ", column->name, " ", type, err);
    if (!pgc_duckdb_type_reads_text(type))
        return pgc_duckdb_alter_refuse(a, column->name,
                                       "was added with a default of a type whose text DuckDB does not read", err);
    pgc_duckdb_sink *sink = a->writer->sink;
    pgc_buffer_reset(&a->sql);
    pgc_buffer_text(&a->sql, "ALTER TABLE ");
    pgc_duckdb_table_name(sink, a->from->schema, a->from->name, &a->sql);
    pgc_buffer_text(&a->sql, " ADD COLUMN ");
    pgc_quote_identifier(&a->sql, column->name);
    pgc_buffer_byte(&a->sql, ' ');
    pgc_duckdb_type_sql(type, &a->sql);
    pgc_buffer_text(&a->sql, " DEFAULT CAST(");
    pgc_quote_literal(&a->sql, column->missing);
    pgc_buffer_text(&a->sql, " AS ");
    pgc_duckdb_type_sql(type, &a->sql);
    pgc_buffer_byte(&a->sql, ')');
    return pgc_duckdb_alter_run(a, err);
}

/* DuckDB's own text of a type, which its tables are told with. */
static int canonical_type(const pgc_duckdb_alteration *a, const char *type, pgc_arena *arena, const char **text, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = a->writer->sink;
    pgc_buffer sql;
    duckdb_result found;
    pgc_buffer_init(&sql, (size_t)16 << 20);
    pgc_buffer_format(&sql, "SELECT typeof(CAST(NULL AS %s))", type);
    int result = pgc_duckdb_select(&sink->api, a->writer->connection, &sql, "looking at a type", &found, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    *text = pgc_duckdb_cell(&sink->api, &found, 0, 0, arena);
    sink->api.destroy_result(&found);
    return *text ? 0 : pgc_error_out_of_memory(err);
}

/*
 * What DuckDB has may be older than the definition before says, in a stream that began after both. Whole numbers are
 * widened; any other column than one that the table would be made with casts values, and may round them without a word.
 */
static int widen_actual(pgc_duckdb_alteration *a, const pgc_duckdb_actual_column *column, pgc_arena *arena, pgconvoy_error *err)
{
    pgc_buffer wanted;
    const char *made;
    const pgc_duckdb_type *type = a->new_layout->types[column->to];
    pgc_buffer_init(&wanted, (size_t)16 << 20);
    pgc_duckdb_type_sql(type, &wanted);
    int result = pgc_buffer_check(&wanted, err);
    if (result == 0 && pgc_duckdb_type_integer_rank(column->type) > 0 &&
        pgc_duckdb_type_integer_rank(wanted.data) > pgc_duckdb_type_integer_rank(column->type))
        result = pgc_duckdb_alter_typed(a, " ALTER COLUMN ", column->name, " TYPE ", type, err);
    else if (result == 0 && a->is_made && !strstr(column->type, "ENUM(") && strcmp(wanted.data, column->type) != 0) { /* labels come with rows */
        result = canonical_type(a, wanted.data, arena, &made, err);
        if (result == 0 && strcmp(made, column->type) != 0)
            result = pgc_duckdb_alter_refuse(a, column->name, "has another type by now", err);
    }
    pgc_buffer_free(&wanted);
    return result;
}

static int change_types(pgc_duckdb_alteration *a, const pgc_duckdb_actual *actual, pgconvoy_error *err)
{
    for (int i = 0; i < actual->count; i++) {
        const pgc_duckdb_actual_column *column = &actual->columns[i];
        if (column->to < 0)
            continue;
        bool same = true;
        int result = 0;
        if (column->from >= 0)
            result =
                pgc_duckdb_type_same(a->old_layout->types[column->from], a->new_layout->types[column->to], &same, err);
        if (result == 0)
            result = same ? widen_actual(a, column, actual->arena, err) : change_type(a, column->from, column->to, err);
        if (result == 0 && same && column->from >= 0)
            result = change_type(a, column->from, column->to, err);
        if (result != 0)
            return -1;
        /* another primary key: what the index holds to be unique need not be so any more */
        if (column->from >= 0 &&
            (a->from->columns[column->from].primary_key > 0) != (a->to->columns[column->to].primary_key > 0) &&
            pgc_duckdb_alter_lift_key(a, err) != 0)
            return -1;
    }
    return 0;
}

int pgc_duckdb_alter_columns(pgc_duckdb_alteration *a, pgc_duckdb_actual *actual, pgconvoy_error *err)
{
    if (pair(a, actual, err) != 0 || drop_columns(a, actual, err) != 0 || rename_columns(a, actual, err) != 0)
        return -1;
    for (int t = 0; t < a->to->column_count; t++) {
        if (!is_taken(actual, t) && add_column(a, t, err) != 0)
            return -1;
    }
    return change_types(a, actual, err);
}
