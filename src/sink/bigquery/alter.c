/*
 * A table's columns change on the source. BigQuery's DDL is in no transaction, so what a change needs is told apart by
 * what it would do to a commit that fails:
 *
 *   columns that come, types that widen   at once: a column more harms nobody, and is there already when it is tried
 * again columns and tables that go or are     after the commit. What is to be done is stored with the commit, so that
 * it is done after a crash as well; until then renamed                               the rows of the transaction are
 * written under the old names
 */
#include "sink/bigquery/bigquery_internal.h"

#include <stdio.h>
#include <strings.h>

typedef struct alteration {
    pgc_bq_writer *writer;
    const pgconvoy_table *from, *to;
    const pgc_bq_layout *old_layout; /* with the names that there are */
    pgc_bq_layout *new_layout;
} alteration;

static int refuse(const alteration *a, const char *column, const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "column %s of table %s.%s %s, which cannot be followed in BigQuery",
                       column, a->from->schema, a->from->name, what);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
    return -1;
}

/* The same column in another version of the table: by its number, which a rename leaves alone, else by its name. */
static int counterpart(const pgconvoy_table *table, const pgconvoy_column *column)
{
    for (int i = 0; i < table->column_count; i++) {
        bool numbered = column->number > 0 && table->columns[i].number > 0;
        if (numbered ? table->columns[i].number == column->number : strcmp(table->columns[i].name, column->name) == 0)
            return i;
    }
    return -1;
}

static void begin_alter(const alteration *a, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "ALTER TABLE ");
    pgc_bq_quote_table(a->writer->sink, a->old_layout->name, sql);
}

static int run_now(const alteration *a, pgc_buffer *sql, pgconvoy_error *err)
{
    char key[64], doing[300];
    pgc_bq_sink *sink = a->writer->sink;
    pthread_mutex_lock(&sink->lock);
    snprintf(key, sizeof key, "%s_ddl_%llu", sink->process, (unsigned long long)++sink->counter);
    pthread_mutex_unlock(&sink->lock);
    snprintf(doing, sizeof doing, "following a change of table %.200s", a->old_layout->name);
    int result = pgc_bq_run_script(sink, key, sql, doing, err);
    pgc_buffer_free(sql);
    return result;
}

static void put_type(const pgc_bq_type *type, pgc_buffer *sql)
{
    pgc_buffer_format(sql, type->repeated ? "ARRAY<%s>" : "%s", pgc_bq_type_name(type));
}

/* What rows have in the new column that were there before it, as a statement of the commit. */
static int fill_column(const alteration *a, int column, pgconvoy_error *err)
{
    const pgconvoy_column *added = &a->to->columns[column];
    pgc_bq_encoder encoder;
    pgc_buffer json, sql;
    const char *why;
    if (!added->missing || a->writer->sink->target.history)
        return 0;
    pgc_buffer_init(&json, PGC_BQ_SQL_MAX);
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    const pgconvoy_value value = {added->missing, (int32_t)strlen(added->missing), PGCONVOY_TEXT};
    const pgc_bq_type *type = &a->new_layout->types[column];
    int result = pgc_bq_encoder_init(&encoder, err);
    if (result == 0)
        result = pgc_bq_encode(&encoder, type, &value, &json, &why, err);
    if (result == 1 || (result == 0 && (type->repeated || type->kind == PGC_BQ_BYTES || type->kind == PGC_BQ_JSON)))
        result = refuse(a, added->name, "comes with a default of its type for the rows that are there", err);
    if (result == 0) {
        pgc_buffer_text(&sql, "UPDATE ");
        pgc_bq_quote_table(a->writer->sink, a->old_layout->name, &sql);
        pgc_buffer_text(&sql, " SET ");
        pgc_bq_quote_column(&sql, a->new_layout->names[column]);
        pgc_buffer_text(&sql, " = CAST(");
        pgc_bq_quote_text(&sql, added->missing);
        pgc_buffer_text(&sql, " AS ");
        put_type(type, &sql);
        pgc_buffer_text(&sql, ") WHERE TRUE");
        result = pgc_bq_stream_statement(a->writer, &sql, err);
    }
    pgc_bq_encoder_free(&encoder);
    pgc_buffer_free(&json);
    pgc_buffer_free(&sql);
    return result;
}

static int add_column(const alteration *a, int column, pgconvoy_error *err)
{
    for (int i = 0; i < a->old_layout->column_count; i++)
        if (strcasecmp(a->old_layout->names[i], a->new_layout->names[column]) == 0)
            return refuse(a, a->to->columns[column].name, "takes the name of one that goes in the same transaction",
                          err);
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    begin_alter(a, &sql);
    pgc_buffer_text(&sql, " ADD COLUMN IF NOT EXISTS ");
    pgc_bq_quote_column(&sql, a->new_layout->names[column]);
    pgc_buffer_byte(&sql, ' ');
    put_type(&a->new_layout->types[column], &sql);
    return run_now(a, &sql, err) != 0 ? -1 : fill_column(a, column, err);
}

/* Conversions that BigQuery does to a column (docs: "ALTER COLUMN SET DATA TYPE"), of those that keep every value. */
static bool widens(const pgc_bq_type *old, const pgc_bq_type *new_)
{
    if (old->repeated || new_->repeated)
        return false;
    return (old->kind == PGC_BQ_INT64 && (new_->kind == PGC_BQ_NUMERIC || new_->kind == PGC_BQ_BIGNUMERIC)) ||
           (old->kind == PGC_BQ_NUMERIC && new_->kind == PGC_BQ_BIGNUMERIC);
}

static int change_type(const alteration *a, int old, int new_, pgconvoy_error *err)
{
    const pgc_bq_type *from = &a->old_layout->types[old], *to = &a->new_layout->types[new_];
    bool same = strcmp(pgc_bq_type_name(from), pgc_bq_type_name(to)) == 0 && from->repeated == to->repeated;
    if (same && (from->kind == to->kind || (from->kind == PGC_BQ_CHARACTERS && to->kind == PGC_BQ_CHARACTERS)))
        return from->kind != PGC_BQ_AS_TEXT || from->source == to->source || from->source->oid == to->source->oid
                   ? 0
                   : refuse(a, a->to->columns[new_].name, "changes its type", err);
    if (!widens(from, to))
        return refuse(a, a->to->columns[new_].name, "changes its type", err);
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    begin_alter(a, &sql);
    pgc_buffer_text(&sql, " ALTER COLUMN ");
    pgc_bq_quote_column(&sql, a->old_layout->names[old]);
    pgc_buffer_text(&sql, " SET DATA TYPE ");
    put_type(to, &sql);
    return run_now(a, &sql, err);
}

/* Docs: a column that the table is clustered by is neither dropped nor renamed. */
static bool is_clustered(const pgc_bq_layout *layout, int column)
{
    for (int i = 0; i < layout->table->key_count && i < 4; i++) {
        if (!pgc_bq_type_clusters(&layout->types[layout->table->key[i]]))
            return false;
        if (layout->table->key[i] == column)
            return true;
    }
    return false;
}

static int drop_column(const alteration *a, int column, pgconvoy_error *err)
{
    const char *name = a->from->columns[column].name;
    if (is_clustered(a->old_layout, column))
        return refuse(a, name, "is of the key and is dropped", err);
    if (a->to->column_count == 0)
        return refuse(a, name, "was the last and is dropped", err);
    if (a->writer->sink->target.history) /* what it held stays to be read */
        return 0;
    pgc_buffer *later = &a->writer->pending;
    begin_alter(a, later);
    pgc_buffer_text(later, " DROP COLUMN IF EXISTS ");
    pgc_bq_quote_column(later, a->old_layout->names[column]);
    pgc_buffer_text(later, ";\n");
    return 0;
}

static int rename_column(const alteration *a, int old, int new_, pgconvoy_error *err)
{
    if (is_clustered(a->old_layout, old))
        return refuse(a, a->from->columns[old].name, "is of the key and is renamed", err);
    pgc_log_info(a->writer->sink->config->log, "bigquery: column %s of %s is renamed to %s", a->old_layout->names[old],
                 a->old_layout->name, a->new_layout->names[new_]);
    pgc_buffer *later = &a->writer->pending;
    begin_alter(a, later);
    pgc_buffer_text(later, " RENAME COLUMN IF EXISTS ");
    pgc_bq_quote_column(later, a->old_layout->names[old]);
    pgc_buffer_text(later, " TO ");
    pgc_bq_quote_column(later, a->new_layout->names[new_]);
    pgc_buffer_text(later, ";\n");
    return 0;
}

/* Last of all, so that what comes before it finds the table under its old name. */
static void rename_table(const alteration *a)
{
    pgc_buffer *later = &a->writer->pending;
    pgc_buffer_text(later, "ALTER TABLE IF EXISTS ");
    pgc_bq_quote_table(a->writer->sink, a->old_layout->name, later);
    pgc_buffer_text(later, " RENAME TO ");
    pgc_bq_quote_column(later, a->new_layout->name);
    pgc_buffer_text(later, ";\n");
    a->writer->renamed_from = a->from;
    a->writer->renamed_to = a->to;
}

static int follow(const alteration *a, pgconvoy_error *err)
{
    for (int j = 0; j < a->to->column_count; j++) {
        int i = counterpart(a->from, &a->to->columns[j]);
        int result = i < 0 ? add_column(a, j, err) : change_type(a, i, j, err);
        if (result == 0 && i >= 0 && strcmp(a->old_layout->names[i], a->new_layout->names[j]) != 0) {
            result = rename_column(a, i, j, err);
            a->new_layout->names[j] = pgc_arena_strdup(a->new_layout->arena, a->old_layout->names[i]); /* until then */
            if (result == 0 && !a->new_layout->names[j])
                result = pgc_error_out_of_memory(err);
        }
        if (result != 0)
            return -1;
    }
    for (int i = 0; i < a->from->column_count; i++)
        if (counterpart(a->to, &a->from->columns[i]) < 0 && drop_column(a, i, err) != 0)
            return -1;
    if (strcmp(a->old_layout->name, a->new_layout->name) != 0) {
        if (a->writer->renamed_from) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SINK,
                               "two tables are renamed in one transaction, which cannot be followed in BigQuery");
            return -1;
        }
        rename_table(a);
        a->new_layout->name = pgc_arena_strdup(a->new_layout->arena, a->old_layout->name);
        if (!a->new_layout->name)
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

int pgc_bq_change_schema(void *arg, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                         pgconvoy_error *err)
{
    pgc_bq_writer *writer = arg;
    pgc_bq_stream_table *old, *new_;
    if (pgc_bq_stream_table_of(writer, old_table, &old, err) != 0 || pgc_bq_stream_flush(writer, old, err) != 0)
        return -1;
    const pgc_bq_layout *old_layout = old->layout;
    if (pgc_bq_stream_table_of(writer, new_table, &new_, err) != 0)
        return -1;
    const alteration a = {writer, old_table, new_table, old_layout, new_->layout};
    writer->schema_changed = true;
    return follow(&a, err);
}
