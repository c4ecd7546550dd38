/*
 * A table's columns change on the source: the difference between two definitions as ALTER TABLEs, inside the transaction that brings it.
 *
 * What DuckDB has is looked up, as a process before this one may have come further or less far than the definition before says. A column is the same one by its
 * number. What cannot be followed is refused by name.
 */
#include "sink/duckdb/duckdb_internal.h"

#include "postgres/quote.h"

#include <strings.h>

typedef struct alteration {
    pgc_duckdb_writer *writer;
    const pgconvoy_table *from, *to;
    pgc_duckdb_layout *old_layout, *new_layout;
    bool has_primary_key, lifted;
    pgc_buffer sql;
} alteration;

static int refuse(const alteration *a, const char *column, const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "column %s of table %s.%s %s, which cannot be followed in DuckDB", column,
                       a->from->schema, a->from->name, what);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
    return -1;
}

/* ---- statements */

static void tell(const alteration *a, const char *statement)
{
    const pgconvoy_sink_config *config = a->writer->sink->config;
    if (config->tell)
        config->tell(config->tell_arg, statement);
}

/* What a->sql says. */
static int run(alteration *a, pgconvoy_error *err)
{
    int result = pgc_duckdb_run(&a->writer->sink->api, a->writer->connection, &a->sql, "following a change of its columns", NULL, err);
    if (result != 0)
        pgc_error_prefix(err, "table %s.%s", a->from->schema, a->from->name);
    else
        tell(a, a->sql.data);
    return result;
}

static int alter(alteration *a, const char *format, const char *name, const char *second, pgconvoy_error *err)
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
    return run(a, err);
}

/* ADD COLUMN name type, or ALTER COLUMN name TYPE type. */
static int alter_typed(alteration *a, const char *verb, const char *name, const char *between, const pgc_duckdb_type *type,
                       pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = a->writer->sink;
    pgc_buffer_reset(&a->sql);
    pgc_buffer_text(&a->sql, "ALTER TABLE ");
    pgc_duckdb_table_name(sink, a->from->schema, a->from->name, &a->sql);
    pgc_buffer_text(&a->sql, verb);
    pgc_quote_identifier(&a->sql, name);
    pgc_buffer_text(&a->sql, between);
    pgc_duckdb_type_sql(type, &a->sql);
    return run(a, err);
}

/* The key comes back at the end, where the new definition has one. */
static int lift_primary_key(alteration *a, pgconvoy_error *err)
{
    if (!a->has_primary_key)
        return 0;
    a->has_primary_key = false;
    a->lifted = true;
    tell(a, "-- the table is written anew without its primary key, which comes back at the end");
    return pgc_duckdb_rewrite(a->writer->sink, a->writer->connection, a->from, err);
}

/* DuckDB drops no column that an index is on, or that stands before one such. from: its place in the definition before, -1 not known. */
static int drop_column(alteration *a, const char *name, int from, pgconvoy_error *err)
{
    bool before_key = from < 0;
    for (int i = from; i >= 0 && i < a->from->column_count; i++)
        before_key |= a->from->columns[i].primary_key > 0;
    if (before_key && lift_primary_key(a, err) != 0)
        return -1;
    if (a->to->column_count == 0) /* a table keeps at least one column */
        return refuse(a, name, "was the last and is dropped", err);
    return alter(a, " DROP COLUMN ", name, NULL, err);
}

/* ---- types */

static int digits_of(pgc_duckdb_kind kind)
{
    switch (kind) {
    case PGC_DUCKDB_SMALLINT:
        return 5;
    case PGC_DUCKDB_INTEGER:
    case PGC_DUCKDB_UINTEGER:
        return 10;
    case PGC_DUCKDB_BIGINT:
        return 19;
    case PGC_DUCKDB_HUGEINT:
        return 38;
    default:
        return 0;
    }
}

/* The type as SQL, which is how DuckDB tells types apart. */
static int same_sql(const pgc_duckdb_type *a, const pgc_duckdb_type *b, bool *same, pgconvoy_error *err)
{
    pgc_buffer first, second;
    pgc_buffer_init(&first, (size_t)16 << 20);
    pgc_buffer_init(&second, (size_t)16 << 20);
    pgc_duckdb_type_sql(a, &first);
    pgc_duckdb_type_sql(b, &second);
    *same = first.data && second.data && strcmp(first.data, second.data) == 0;
    int result = pgc_buffer_check(&first, err) != 0 ? -1 : pgc_buffer_check(&second, err);
    pgc_buffer_free(&first);
    pgc_buffer_free(&second);
    return result;
}

static bool is_wider(const pgc_duckdb_type *old, const pgc_duckdb_type *new_);

/* The same for a part of a LIST or STRUCT, which may also be what it was. */
static bool is_as_wide(const pgc_duckdb_type *old, const pgc_duckdb_type *new_)
{
    pgconvoy_error ignored;
    bool same;
    return (same_sql(old, new_, &same, &ignored) == 0 && same && old->kind == new_->kind) || is_wider(old, new_);
}

/* True when every value of old is one of new_, and DuckDB's cast gives it as PostgreSQL would. */
static bool is_wider(const pgc_duckdb_type *old, const pgc_duckdb_type *new_)
{
    int digits = digits_of(old->kind);
    switch (new_->kind) {
    case PGC_DUCKDB_INTEGER:
        return old->kind == PGC_DUCKDB_SMALLINT;
    case PGC_DUCKDB_BIGINT:
        return digits > 0 && digits <= 10;
    case PGC_DUCKDB_DOUBLE:
        return old->kind == PGC_DUCKDB_FLOAT || (digits > 0 && digits <= 10);
    case PGC_DUCKDB_HUGEINT:
    case PGC_DUCKDB_DECIMAL:
        if (old->kind == PGC_DUCKDB_DECIMAL || old->kind == PGC_DUCKDB_HUGEINT)
            return old->scale <= new_->scale && old->width - old->scale <= new_->width - new_->scale;
        return digits > 0 && digits <= new_->width - new_->scale;
    case PGC_DUCKDB_TIMESTAMP:
        return old->kind == PGC_DUCKDB_DATE;
    case PGC_DUCKDB_ENUM:
        for (int i = 0; old->kind == PGC_DUCKDB_ENUM && i < old->source->label_count; i++) {
            if (pgc_duckdb_label_find(new_->labels, old->source->labels[i], strlen(old->source->labels[i])) < 0)
                return false;
        }
        return old->kind == PGC_DUCKDB_ENUM;
    case PGC_DUCKDB_LIST:
        return old->kind == PGC_DUCKDB_LIST && is_as_wide(old->element, new_->element);
    case PGC_DUCKDB_STRUCT:
        if (old->kind != PGC_DUCKDB_STRUCT || old->field_count != new_->field_count)
            return false;
        for (int i = 0; i < new_->field_count; i++) {
            if (strcmp(old->source->fields[i].name, new_->source->fields[i].name) != 0 || !is_as_wide(&old->fields[i], &new_->fields[i]))
                return false;
        }
        return true;
    case PGC_DUCKDB_CHARACTERS:
        return digits > 0 || old->kind == PGC_DUCKDB_ENUM || old->kind == PGC_DUCKDB_UUID || old->kind == PGC_DUCKDB_JSON ||
               old->kind == PGC_DUCKDB_AS_TEXT || old->kind == PGC_DUCKDB_DECIMAL;
    case PGC_DUCKDB_AS_TEXT: /* numeric that loses its precision */
        return new_->source == old->source && (old->kind == PGC_DUCKDB_DECIMAL || old->kind == PGC_DUCKDB_HUGEINT);
    default:
        return false;
    }
}

static int change_type(alteration *a, int old, int new_, pgconvoy_error *err)
{
    const pgc_duckdb_type *from = a->old_layout->types[old], *to = a->new_layout->types[new_];
    const pgconvoy_column *column = &a->to->columns[new_];
    bool same;
    if (same_sql(from, to, &same, err) != 0)
        return -1;
    /* the same DuckDB type from another PostgreSQL type: text forms may differ (xml to text does not, money to text does) */
    if (same)
        return from->kind == to->kind || is_wider(from, to) ? 0 : refuse(a, column->name, "changes its type", err);
    if (!is_wider(from, to))
        return refuse(a, column->name, "changes its type", err);
    if (a->from->columns[old].primary_key > 0 && lift_primary_key(a, err) != 0)
        return -1;
    return alter_typed(a, " ALTER COLUMN ", column->name, " TYPE ", to, err);
}

/* ---- the difference */

/* What DuckDB has, and what becomes of it. */
typedef struct actual_column {
    const char *name, *type;
    int number;   /* of the source's column, as it was stored with the table; 0: not known */
    int from, to; /* places in the definitions; -1: not there, it goes */
} actual_column;

typedef struct actual {
    pgc_arena *arena;
    actual_column *columns;
    int count;
    bool exists;
} actual;

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

/* The definition before may be a later one than what DuckDB has: where numbers are known they tell which column is which. */
static int look_at_numbers(alteration *a, const pgconvoy_table *table, actual *actual, pgconvoy_error *err)
{
    size_t count = (size_t)actual->count + 1;
    const char **names = pgc_arena_alloc(actual->arena, count * sizeof *names);
    int *numbers = pgc_arena_alloc(actual->arena, count * sizeof *numbers);
    if (!names || !numbers)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < actual->count; i++)
        names[i] = actual->columns[i].name;
    if (pgc_duckdb_checkpoint_numbers(a->writer->sink, a->writer->connection, table->schema, table->name, names, actual->count,
                                      numbers, err) != 0)
        return -1;
    for (int i = 0; i < actual->count; i++) {
        actual->columns[i].number = numbers[i];
        actual->columns[i].from = numbers[i] > 0 ? find_number(a->from, numbers[i]) : find_ci(a->from, names[i]);
    }
    return 0;
}

static int look(alteration *a, const pgconvoy_table *table, actual *actual, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = a->writer->sink;
    duckdb_result found;
    if (pgc_duckdb_table_info(sink, a->writer->connection, table->schema, table->name, &found, &actual->exists, err) != 0)
        return -1;
    if (!actual->exists)
        return 0;
    actual->count = (int)sink->api.row_count(&found);
    actual->columns = pgc_arena_zalloc(actual->arena, ((size_t)actual->count + 1) * sizeof *actual->columns);
    bool failed = !actual->columns;
    for (int i = 0; i < actual->count && !failed; i++) {
        actual_column *column = &actual->columns[i];
        column->name = pgc_duckdb_cell(&sink->api, &found, (idx_t)i, PGC_DUCKDB_INFO_NAME, actual->arena);
        column->type = pgc_duckdb_cell(&sink->api, &found, (idx_t)i, PGC_DUCKDB_INFO_TYPE, actual->arena);
        failed = !column->name || !column->type;
        column->from = column->to = -1;
    }
    sink->api.destroy_result(&found);
    return failed ? pgc_error_out_of_memory(err) : look_at_numbers(a, table, actual, err);
}

static bool is_taken(const actual *actual, int to)
{
    for (int i = 0; i < actual->count; i++) {
        if (actual->columns[i].to == to)
            return true;
    }
    return false;
}

static int number_of(const alteration *a, const actual_column *column)
{
    return column->number > 0 || column->from < 0 ? column->number : a->from->columns[column->from].number;
}

/* Side by side, for columns without numbers: what goes where another of the same type comes is that one renamed. */
static int pair_by_place(const alteration *a, actual *actual, pgconvoy_error *err)
{
    for (int i = 0, t = 0; i < actual->count && t < a->to->column_count;) {
        actual_column *column = &actual->columns[i];
        const pgconvoy_column *was = column->from >= 0 ? &a->from->columns[column->from] : NULL, *to = &a->to->columns[t];
        bool numbered = was && number_of(a, column) > 0 && to->number > 0, goes = column->to < 0, comes = !is_taken(actual, t);
        if (goes && comes && was && !numbered && strcmp(was->type_sql, to->type_sql) == 0) {
            pgc_log_warning(a->writer->sink->config->log, "duckdb: column %s of %s.%s is taken to be renamed to %s", column->name,
                            a->to->schema, a->to->name, to->name);
            column->to = t;
        } else if (goes || comes) {
            i += goes;
            t += !goes;
            continue;
        } else if (column->to != t && was && was->number == 0 && to->number == 0) {
            return refuse(a, column->name, "changes places by name with another", err);
        }
        i++, t++;
    }
    return 0;
}

/*
 * By number where both definitions have it, by name, and then by place: what stands where a column of the same type is missing is taken for that
 * column renamed, as PostgreSQL puts new columns at the end.
 */
static int pair(const alteration *a, actual *actual, pgconvoy_error *err)
{
    for (int i = 0; i < actual->count; i++) {
        int number = number_of(a, &actual->columns[i]);
        if (number > 0)
            actual->columns[i].to = find_number(a->to, number);
    }
    for (int i = 0; i < actual->count; i++) {
        int to = find_ci(a->to, actual->columns[i].name);
        bool another = to >= 0 && number_of(a, &actual->columns[i]) > 0 && a->to->columns[to].number > 0; /* one that was dropped had the name, too */
        if (actual->columns[i].to < 0 && to >= 0 && !another && !is_taken(actual, to))
            actual->columns[i].to = to;
    }
    return pair_by_place(a, actual, err);
}

static int drop_columns(alteration *a, const actual *actual, pgconvoy_error *err)
{
    for (int i = 0; i < actual->count; i++) {
        /* one that the definition before did not have either is somebody else's */
        const actual_column *column = &actual->columns[i];
        if (column->to < 0 && (column->from >= 0 || column->number > 0) && drop_column(a, column->name, column->from, err) != 0)
            return -1;
    }
    return 0;
}

static bool name_is_free(const actual *actual, const char *name)
{
    for (int i = 0; i < actual->count; i++) {
        bool gone = actual->columns[i].to < 0 && (actual->columns[i].from >= 0 || actual->columns[i].number > 0);
        if (!gone && strcasecmp(actual->columns[i].name, name) == 0)
            return false;
    }
    return true;
}

/* A name may be one that another column gives up: round by round, and in a circle by way of a name of ours. */
static int rename_columns(alteration *a, actual *actual, pgconvoy_error *err)
{
    for (int rounds = 0; rounds <= 2 * actual->count; rounds++) {
        actual_column *waiting = NULL;
        bool renamed = false;
        for (int i = 0; i < actual->count; i++) {
            actual_column *column = &actual->columns[i];
            const char *name = column->to >= 0 ? a->to->columns[column->to].name : column->name;
            if (strcmp(name, column->name) == 0)
                continue;
            if (strcasecmp(name, column->name) != 0 && !name_is_free(actual, name)) {
                waiting = column;
                continue;
            }
            if (alter(a, " RENAME COLUMN ", column->name, name, err) != 0)
                return -1;
            column->name = name;
            renamed = true;
        }
        if (!waiting)
            return 0;
        if (!renamed) {
            if (alter(a, " RENAME COLUMN ", waiting->name, "pgconvoy_renamed", err) != 0)
                return -1;
            waiting->name = "pgconvoy_renamed";
        }
    }
    return 0;
}

/* Kinds whose text in PostgreSQL is read by DuckDB's cast as the same value. */
static bool reads_text(const pgc_duckdb_type *type)
{
    switch (type->kind) {
    case PGC_DUCKDB_BOOLEAN:
    case PGC_DUCKDB_SMALLINT:
    case PGC_DUCKDB_INTEGER:
    case PGC_DUCKDB_UINTEGER:
    case PGC_DUCKDB_BIGINT:
    case PGC_DUCKDB_HUGEINT:
    case PGC_DUCKDB_DECIMAL:
    case PGC_DUCKDB_FLOAT:
    case PGC_DUCKDB_DOUBLE:
    case PGC_DUCKDB_CHARACTERS:
    case PGC_DUCKDB_AS_TEXT:
    case PGC_DUCKDB_DATE:
    case PGC_DUCKDB_TIMESTAMP:
    case PGC_DUCKDB_TIMESTAMPTZ:
    case PGC_DUCKDB_UUID:
    case PGC_DUCKDB_ENUM:
    case PGC_DUCKDB_JSON:
        return true;
    default:
        return false;
    }
}

/* Rows from before have what the source's catalog keeps for them. */
static int add_column(alteration *a, int to, pgconvoy_error *err)
{
    const pgconvoy_column *column = &a->to->columns[to];
    const pgc_duckdb_type *type = a->new_layout->types[to];
    if (!column->missing)
        return alter_typed(a, " ADD COLUMN ", column->name, " ", type, err);
    if (!reads_text(type))
        return refuse(a, column->name, "was added with a default of a type whose text DuckDB does not read", err);
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
    return run(a, err);
}

static int integer_rank(const char *type)
{
    static const char *const integers[] = {"SMALLINT", "INTEGER", "BIGINT", "HUGEINT"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(integers[i], type) == 0)
            return i + 1;
    }
    return 0;
}

/*
 * What DuckDB has may be older than the definition before says, in a stream that began after both. Its texts of types are its own: those of whole
 * numbers are looked at, as they are what is widened; what else does not fit is told by the next row.
 */
static int widen_actual(alteration *a, const actual_column *column, pgconvoy_error *err)
{
    pgc_buffer wanted;
    const pgc_duckdb_type *type = a->new_layout->types[column->to];
    pgc_buffer_init(&wanted, (size_t)16 << 20);
    pgc_duckdb_type_sql(type, &wanted);
    int result = pgc_buffer_check(&wanted, err);
    if (result == 0 && integer_rank(column->type) > 0 && integer_rank(wanted.data) > integer_rank(column->type))
        result = alter_typed(a, " ALTER COLUMN ", column->name, " TYPE ", type, err);
    pgc_buffer_free(&wanted);
    return result;
}

static int change_types(alteration *a, const actual *actual, pgconvoy_error *err)
{
    for (int i = 0; i < actual->count; i++) {
        const actual_column *column = &actual->columns[i];
        if (column->to < 0)
            continue;
        bool same = true;
        int result = 0;
        if (column->from >= 0)
            result = same_sql(a->old_layout->types[column->from], a->new_layout->types[column->to], &same, err);
        if (result == 0)
            result = same ? widen_actual(a, column, err) : change_type(a, column->from, column->to, err);
        if (result == 0 && same && column->from >= 0)
            result = change_type(a, column->from, column->to, err);
        if (result != 0)
            return -1;
        /* another primary key: what the index holds to be unique need not be so any more */
        if (column->from >= 0 &&
            (a->from->columns[column->from].primary_key > 0) != (a->to->columns[column->to].primary_key > 0) && lift_primary_key(a, err) != 0)
            return -1;
    }
    return 0;
}

static int follow_columns(alteration *a, actual *actual, pgconvoy_error *err)
{
    if (pair(a, actual, err) != 0 || drop_columns(a, actual, err) != 0 || rename_columns(a, actual, err) != 0)
        return -1;
    for (int t = 0; t < a->to->column_count; t++) {
        if (!is_taken(actual, t) && add_column(a, t, err) != 0)
            return -1;
    }
    return change_types(a, actual, err);
}

static int follow(alteration *a, actual *actual, pgconvoy_error *err)
{
    if (strcmp(a->from->schema, a->to->schema) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "table %s.%s moves to schema %s, which cannot be followed in DuckDB",
                           a->from->schema, a->from->name, a->to->schema);
        pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again");
        return -1;
    }
    if (follow_columns(a, actual, err) != 0)
        return -1;
    if (strcmp(a->from->name, a->to->name) != 0 &&
        (alter(a, " RENAME TO ", a->to->name, NULL, err) != 0 ||
         pgc_duckdb_checkpoint_rename(a->writer->sink, a->writer->connection, a->from, a->to, err) != 0))
        return -1;
    if (a->lifted && pgc_duckdb_primary_key_add(a->writer->sink, a->writer->connection, a->new_layout, err) != 0)
        return -1;
    return a->writer->sink->config->tell ? 0 : pgc_duckdb_checkpoint_columns(a->writer->sink, a->writer->connection, a->from, a->to, err);
}

/*
 * DuckDB refuses, and only at the commit, to alter a table of which the same transaction has changed rows; a table that it has written anew may be
 * altered.
 */
static int make_alterable(alteration *a, bool touched, pgconvoy_error *err)
{
    if (!touched)
        return 0;
    a->lifted = a->has_primary_key;
    a->has_primary_key = false;
    return pgc_duckdb_rewrite(a->writer->sink, a->writer->connection, a->from, err);
}

static int alter_with(alteration *a, actual *actual, bool touched, pgconvoy_error *err)
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
static int find_table(alteration *a, const pgconvoy_table *old_table, actual *actual, pgconvoy_error *err)
{
    a->from = old_table;
    if (look(a, old_table, actual, err) != 0 || actual->exists)
        return actual->exists ? 0 : -1;
    return look(a, a->to, actual, err);
}

int pgc_duckdb_change_schema(void *arg, const pgconvoy_table *old_table, const pgconvoy_table *new_table, pgconvoy_error *err)
{
    pgc_duckdb_writer *writer = arg;
    pgc_duckdb_stream_table *table = pgc_duckdb_stream_table_known(writer, old_table);
    if (table && pgc_duckdb_apply_table(writer, table, err) != 0)
        return -1;
    alteration a = {.writer = writer, .to = new_table};
    actual actual = {.arena = pgc_arena_new(8192)};
    if (!actual.arena)
        return pgc_error_out_of_memory(err);
    pgc_buffer_init(&a.sql, (size_t)16 << 20);
    bool touched = table && table->touched;
    int result = find_table(&a, old_table, &actual, err);
    if (result == 0 && !actual.exists) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "table %s.%s is not there any more in %s", old_table->schema, old_table->name,
                           writer->sink->target.file);
        pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again");
        result = -1;
    }
    if (result == 0)
        result = alter_with(&a, &actual, touched, err);
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
    int looked = pgc_duckdb_checkpoint_owned(sink, &named, &how, err);
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
        if (object->dropped && strcmp(object->type, "table") == 0 && object->schema && object->name && drop_table(arg, object, err) != 0)
            return -1;
    }
    return 0;
}
