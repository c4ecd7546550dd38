/*
 * A table's columns change on the source: the difference between two definitions as ALTER TABLEs, inside the transaction that brings it.
 *
 * Definitions carry names, not column numbers, so a rename is told from a drop and an add by place and type: PostgreSQL puts new columns at the end, and one that
 * goes where another of the same type comes, between the same neighbours, is taken for renamed. What cannot be followed is refused by name.
 */
#include "sink/duckdb/duckdb_internal.h"

#include "postgres/quote.h"

typedef struct alteration {
    pgc_duckdb_writer *writer;
    const pgconvoy_table *from, *to;
    pgc_duckdb_layout *old_layout, *new_layout;
    bool has_primary_key, lifted;
    pgc_buffer sql;
} alteration;

static int find_column(const pgconvoy_table *table, const char *name)
{
    for (int i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0)
            return i;
    }
    return -1;
}

static int refuse(const alteration *a, const char *column, const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "column %s of table %s.%s %s, which cannot be followed in DuckDB", column,
                       a->from->schema, a->from->name, what);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
    return -1;
}

/* ---- statements */

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
    int result = pgc_duckdb_run(&sink->api, a->writer->connection, &a->sql, "following a change of its columns", NULL, err);
    if (result != 0)
        pgc_error_prefix(err, "table %s.%s", a->from->schema, a->from->name);
    return result;
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
    int result = pgc_duckdb_run(&sink->api, a->writer->connection, &a->sql, "following a change of its columns", NULL, err);
    if (result != 0)
        pgc_error_prefix(err, "table %s.%s", a->from->schema, a->from->name);
    return result;
}

/* The key comes back at the end, where the new definition has one. */
static int lift_primary_key(alteration *a, pgconvoy_error *err)
{
    if (!a->has_primary_key)
        return 0;
    a->has_primary_key = false;
    a->lifted = true;
    return pgc_duckdb_rewrite(a->writer->sink, a->writer->connection, a->from, err);
}

/* DuckDB drops no column that an index is on, or that stands before one such. */
static int drop_column(alteration *a, int column, pgconvoy_error *err)
{
    for (int i = column; i < a->from->column_count; i++) {
        if (a->from->columns[i].primary_key > 0 && lift_primary_key(a, err) != 0)
            return -1;
    }
    if (a->to->column_count == 0) /* a table keeps at least one column */
        return refuse(a, a->from->columns[column].name, "was the last and is dropped", err);
    return alter(a, " DROP COLUMN ", a->from->columns[column].name, NULL, err);
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

static int rename_column(alteration *a, const char *from, const char *to, pgconvoy_error *err)
{
    pgc_log_warning(a->writer->sink->config->log, "duckdb: column %s of %s.%s is taken to be renamed to %s", from, a->from->schema,
                    a->from->name, to);
    return alter(a, " RENAME COLUMN ", from, to, err);
}

/* Drops and renames come before adds: a new column may have the name of one that went. */
static int drop_and_rename(alteration *a, bool adding, pgconvoy_error *err)
{
    const pgconvoy_table *from = a->from, *to = a->to;
    int i = 0, j = 0;
    while (i < from->column_count || j < to->column_count) {
        bool stays = i < from->column_count && find_column(to, from->columns[i].name) >= 0;
        bool old_one = j < to->column_count && find_column(from, to->columns[j].name) >= 0;
        bool goes = i < from->column_count && !stays, comes = j < to->column_count && !old_one;
        int result = 0;
        if (goes && comes && strcmp(from->columns[i].type_sql, to->columns[j].type_sql) == 0) {
            if (!adding)
                result = rename_column(a, from->columns[i].name, to->columns[j].name, err);
            i++, j++;
        } else if (goes) {
            if (!adding)
                result = drop_column(a, i, err);
            i++;
        } else if (comes) {
            if (adding)
                result = alter_typed(a, " ADD COLUMN ", to->columns[j].name, " ", a->new_layout->types[j], err);
            j++;
        } else if (strcmp(from->columns[i].name, to->columns[j].name) != 0) {
            return refuse(a, from->columns[i].name, "changes places by name with another", err);
        } else {
            i++, j++;
        }
        if (result != 0)
            return -1;
    }
    return 0;
}

static int follow(alteration *a, pgconvoy_error *err)
{
    if (strcmp(a->from->schema, a->to->schema) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "table %s.%s moves to schema %s, which cannot be followed in DuckDB",
                           a->from->schema, a->from->name, a->to->schema);
        pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again");
        return -1;
    }
    if (drop_and_rename(a, false, err) != 0 || drop_and_rename(a, true, err) != 0)
        return -1;
    for (int j = 0; j < a->to->column_count; j++) {
        int i = find_column(a->from, a->to->columns[j].name);
        if (i >= 0 && change_type(a, i, j, err) != 0)
            return -1;
        /* another primary key: what the index holds to be unique need not be so any more */
        if (i >= 0 && (a->from->columns[i].primary_key > 0) != (a->to->columns[j].primary_key > 0) &&
            lift_primary_key(a, err) != 0)
            return -1;
    }
    if (strcmp(a->from->name, a->to->name) != 0 &&
        (alter(a, " RENAME TO ", a->to->name, NULL, err) != 0 ||
         pgc_duckdb_checkpoint_rename(a->writer->sink, a->writer->connection, a->from, a->to, err) != 0))
        return -1;
    return a->lifted ? pgc_duckdb_primary_key_add(a->writer->sink, a->writer->connection, a->new_layout, err) : 0;
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

int pgc_duckdb_change_schema(void *arg, const pgconvoy_table *old_table, const pgconvoy_table *new_table, pgconvoy_error *err)
{
    pgc_duckdb_writer *writer = arg;
    pgc_duckdb_stream_table *table;
    if (pgc_duckdb_stream_table_of(writer, old_table, &table, err) != 0 || pgc_duckdb_apply_table(writer, table, err) != 0)
        return -1;
    alteration a = {.writer = writer, .from = old_table, .to = new_table, .old_layout = table->layout,
                    .has_primary_key = table->has_primary_key};
    a.new_layout = pgc_duckdb_layout_new(writer->sink, new_table, err);
    if (!a.new_layout)
        return -1;
    pgc_buffer_init(&a.sql, (size_t)16 << 20);
    writer->catalog_changed = writer->wrote = true;
    int result = make_alterable(&a, table->touched, err);
    if (result == 0)
        result = follow(&a, err);
    pgc_buffer_free(&a.sql);
    pgc_duckdb_layout_free(writer->sink, a.new_layout);
    pgc_duckdb_stream_table_forget(writer, old_table);
    return result;
}
