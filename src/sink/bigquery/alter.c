/*
 * A table's columns change on the source. BigQuery's DDL is in no transaction, so what a change needs is told apart by
 * what it would do to a commit that fails:
 *
 *   columns that come, types that widen   at once: a column more harms nobody, and is there already when it is tried
 * again columns and tables that go or are     after the commit. What is to be done is stored with the commit, so that
 * it is done after a crash as well; until then renamed                               the rows of the transaction are
 * written under the old names
 *
 * What is compared is the new definition with the columns that the dataset has, not with the old definition: a stream
 * that begins before changes which the source's catalog has already goes back to an older definition first, which must
 * do nothing there; and what changed while no pipeline ran is seen when the table is met. A column's number at the
 * source stands in its description there, and stays what it is when it is renamed.
 */
#include "sink/bigquery/bigquery_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

typedef struct alteration {
    pgc_bq_writer *writer;
    const pgconvoy_table *from, *to;
    const pgc_bq_layout *old_layout;
    pgc_bq_layout *new_layout; /* gets the names that there are */
    const pgc_json *fields;    /* of the table as it is */
} alteration;

static int refuse(const alteration *a, const char *column, const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "column %s of table %s.%s %s, which cannot be followed in BigQuery",
                       column, a->to->schema, a->to->name, what);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
    return -1;
}

/* ---- what follows the commit */

static pgc_bq_later *find_later(const alteration *a, const char *column)
{
    for (size_t i = 0; i < a->writer->later_count; i++) {
        pgc_bq_later *later = &a->writer->later[i];
        if (later->column && strcmp(later->table, a->new_layout->name) == 0 && strcasecmp(later->column, column) == 0)
            return later;
    }
    return NULL;
}

/* column NULL: the table; to NULL: it goes. */
static int add_later(const alteration *a, const char *column, const char *to, pgconvoy_error *err)
{
    pgc_bq_writer *writer = a->writer;
    pgc_bq_later *grown = realloc(writer->later, (writer->later_count + 1) * sizeof *grown);
    if (!grown)
        return pgc_error_out_of_memory(err);
    writer->later = grown;
    pgc_bq_later later = {strdup(a->new_layout->name), column ? strdup(column) : NULL, to ? strdup(to) : NULL, false};
    grown[writer->later_count++] = later;
    return later.table && (later.column || !column) && (later.to || !to) ? 0 : pgc_error_out_of_memory(err);
}

static void cancel_later(pgc_bq_later *later)
{
    free(later->column);
    free(later->to);
    later->column = later->to = NULL;
    later->cancelled = true;
}

void pgc_bq_later_free(pgc_bq_writer *writer)
{
    for (size_t i = 0; i < writer->later_count; i++) {
        free(writer->later[i].table);
        free(writer->later[i].column);
        free(writer->later[i].to);
    }
    writer->later_count = 0;
}

/* Tables last, so that what comes before finds them under their old names. */
void pgc_bq_later_sql(const pgc_bq_writer *writer, pgc_buffer *sql)
{
    for (int tables = 0; tables < 2; tables++) {
        for (size_t i = 0; i < writer->later_count; i++) {
            const pgc_bq_later *later = &writer->later[i];
            if (later->cancelled || (later->column == NULL) != (tables == 1))
                continue;
            pgc_buffer_text(sql, tables ? "ALTER TABLE IF EXISTS " : "ALTER TABLE ");
            pgc_bq_quote_table(writer->sink, later->table, sql);
            pgc_buffer_text(sql, tables      ? " RENAME"
                                 : later->to ? " RENAME COLUMN IF EXISTS "
                                             : " DROP COLUMN IF EXISTS ");
            if (later->column)
                pgc_bq_quote_column(sql, later->column);
            if (later->to) {
                pgc_buffer_text(sql, " TO ");
                pgc_bq_quote_column(sql, later->to);
            }
            pgc_buffer_text(sql, ";\n");
        }
    }
}

/* ---- columns */

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
    pgc_bq_quote_table(a->writer->sink, a->new_layout->name, sql);
}

static int run_now(const alteration *a, pgc_buffer *sql, pgconvoy_error *err)
{
    char key[64], doing[300];
    pgc_bq_sink *sink = a->writer->sink;
    pthread_mutex_lock(&sink->lock);
    snprintf(key, sizeof key, "%s_ddl_%llu", sink->process, (unsigned long long)++sink->counter);
    pthread_mutex_unlock(&sink->lock);
    snprintf(doing, sizeof doing, "following a change of table %.200s", a->new_layout->name);
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
        pgc_bq_quote_table(a->writer->sink, a->new_layout->name, &sql);
        pgc_buffer_text(&sql, " SET ");
        pgc_bq_quote_column(&sql, a->new_layout->names[column]);
        pgc_buffer_text(&sql, " = CAST(");
        pgc_bq_quote_text(&sql, type->kind == PGC_BQ_BOOL ? json.data : added->missing);
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
    char description[512];
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    begin_alter(a, &sql);
    pgc_buffer_text(&sql, " ADD COLUMN IF NOT EXISTS ");
    pgc_bq_quote_column(&sql, a->new_layout->names[column]);
    pgc_buffer_byte(&sql, ' ');
    put_type(&a->new_layout->types[column], &sql);
    pgc_bq_column_description(&a->to->columns[column], description, sizeof description);
    pgc_buffer_text(&sql, " OPTIONS (description = ");
    pgc_bq_quote_text(&sql, description);
    pgc_buffer_byte(&sql, ')');
    return run_now(a, &sql, err) != 0 ? -1 : fill_column(a, column, err);
}

/* Conversions that BigQuery does to a column (docs: "ALTER COLUMN SET DATA TYPE"), of those that keep every value. */
static int change_type(const alteration *a, int old, int column, pgconvoy_error *err)
{
    const pgc_bq_type *to = &a->new_layout->types[column];
    const char *name = a->new_layout->names[column], *wanted = pgc_bq_type_name(to);
    bool same;
    if (!pgc_bq_field_fits(a->fields, name, to, &same)) {
        static const char *const wider[][2] = {{"INT64", "NUMERIC"},
                                               {"INTEGER", "NUMERIC"},
                                               {"INT64", "BIGNUMERIC"},
                                               {"INTEGER", "BIGNUMERIC"},
                                               {"NUMERIC", "BIGNUMERIC"}};
        const char *there = pgc_json_get_text(pgc_bq_find_field(a->fields, name), "type");
        bool widens = false;
        for (size_t i = 0; there && !to->repeated && i < sizeof wider / sizeof *wider; i++)
            widens = widens || (strcmp(there, wider[i][0]) == 0 && strcmp(wanted, wider[i][1]) == 0);
        if (!widens)
            return refuse(a, a->to->columns[column].name, "changes its type", err);
        pgc_buffer sql;
        pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
        begin_alter(a, &sql);
        pgc_buffer_text(&sql, " ALTER COLUMN ");
        pgc_bq_quote_column(&sql, name);
        pgc_buffer_text(&sql, " SET DATA TYPE ");
        put_type(to, &sql);
        return run_now(a, &sql, err);
    }
    /* the same type of BigQuery's, but another text form of PostgreSQL's in the rows that are there */
    const pgc_bq_type *from = old >= 0 ? &a->old_layout->types[old] : to;
    if (from->kind == PGC_BQ_AS_TEXT && to->kind == PGC_BQ_AS_TEXT && from->source->oid != to->source->oid)
        return refuse(a, a->to->columns[column].name, "changes its type", err);
    return 0;
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

static bool has_column(const alteration *a, const char *name)
{
    return pgc_bq_find_field(a->fields, name) != NULL;
}

static int number_of(const pgc_json *field)
{
    int number = 0;
    const char *description = pgc_json_get_text(field, "description");
    return description && sscanf(description, PGC_BQ_NUMBERED, &number) == 1 ? number : 0;
}

static const char *name_of_number(const alteration *a, int number)
{
    for (const pgc_json *field = a->fields ? a->fields->first : NULL; field && number > 0; field = field->next)
        if (number_of(field) == number)
            return pgc_json_get_text(field, "name");
    return NULL;
}

static int rename_column(const alteration *a, const char *from, int column, pgconvoy_error *err)
{
    const char *to = a->new_layout->names[column];
    if (is_clustered(a->new_layout, column))
        return refuse(a, a->to->columns[column].name, "is of the key and is renamed", err);
    pgc_bq_later *later = find_later(a, from);
    if (!later || !later->to || strcasecmp(later->to, to) != 0) {
        pgc_log_info(a->writer->sink->config->log, "bigquery: column %s of %s is renamed to %s", from,
                     a->new_layout->name, to);
        if (later)
            cancel_later(later);
        if (add_later(a, from, to, err) != 0)
            return -1;
    }
    a->new_layout->names[column] = pgc_arena_strdup(a->new_layout->arena, from); /* until then */
    return a->new_layout->names[column] ? 0 : pgc_error_out_of_memory(err);
}

/* A column by the name that it had in the definition before, where numbers are not known. */
static const char *name_before(const alteration *a, int column)
{
    int old = counterpart(a->from, &a->to->columns[column]);
    const char *before = old >= 0 ? a->old_layout->names[old] : NULL;
    return before && has_column(a, before) ? before : NULL;
}

static int follow_column(const alteration *a, int column, pgconvoy_error *err)
{
    const pgconvoy_column *source = &a->to->columns[column];
    const char *name = a->new_layout->names[column], *there = name_of_number(a, source->number);
    const pgc_json *same_name = pgc_bq_find_field(a->fields, name);
    bool anothers =
        same_name && source->number > 0 && number_of(same_name) > 0 && number_of(same_name) != source->number;
    if (anothers)
        return refuse(a, source->name, "takes the name of another that goes", err);
    if (!there)
        there = same_name ? name : name_before(a, column);
    if (there && strcasecmp(there, name) != 0) {
        if (rename_column(a, there, column, err) != 0)
            return -1;
    } else {
        pgc_bq_later *later = find_later(a, name);
        if (later) /* it is here again, or still */
            cancel_later(later);
    }
    int old = counterpart(a->from, source);
    /* that came with this definition: also when it is there already, made by a process that could not commit */
    if (!there || (old < 0 && a->from != a->to))
        return add_column(a, column, err);
    return change_type(a, old, column, err);
}

/* Columns of the source's that the definition does not have any more. */
static int follow_drops(const alteration *a, pgconvoy_error *err)
{
    bool numbered = true;
    for (int j = 0; j < a->to->column_count; j++)
        numbered = numbered && a->to->columns[j].number > 0;
    for (const pgc_json *field = a->fields ? a->fields->first : NULL; field; field = field->next) {
        const char *name = pgc_json_get_text(field, "name");
        int number = number_of(field), old = -1;
        bool stays = number == 0;
        for (int j = 0; name && j < a->to->column_count; j++)
            stays = stays || strcasecmp(a->new_layout->names[j], name) == 0 || a->to->columns[j].number == number;
        for (int i = 0; name && i < a->from->column_count; i++)
            old = strcasecmp(a->old_layout->names[i], name) == 0 ? i : old;
        if (stays || !name || (!numbered && old < 0) ||
            a->writer->sink->target.history) /* what history holds stays to be read */
            continue;
        if (old >= 0 && is_clustered(a->old_layout, old))
            return refuse(a, name, "is of the key and is dropped", err);
        if (a->to->column_count == 0)
            return refuse(a, name, "was the last and is dropped", err);
        if (!find_later(a, name) && add_later(a, name, NULL, err) != 0)
            return -1;
    }
    return 0;
}

static int follow(const alteration *a, pgconvoy_error *err)
{
    for (int j = 0; j < a->to->column_count; j++)
        if (follow_column(a, j, err) != 0)
            return -1;
    return follow_drops(a, err);
}

/* Forgets that the table was to be renamed; gives the definition that it had before, NULL when it was not. */
static const pgconvoy_table *cancel_rename(const alteration *a, const char *table)
{
    for (size_t i = 0; i < a->writer->later_count; i++) {
        pgc_bq_later *later = &a->writer->later[i];
        if (later->cancelled || later->column || strcmp(later->table, table) != 0)
            continue;
        const pgconvoy_table *first = a->writer->renamed_from;
        cancel_later(later);
        a->writer->renamed_from = a->writer->renamed_to = NULL;
        return first;
    }
    return NULL;
}

/* Under which name the table is in the dataset: that of the new definition, or else that of the old one, which changes
 * after the commit. */
static int find_table(alteration *a, pgc_arena *arena, pgconvoy_error *err)
{
    bool there;
    pgc_bq_sink *sink = a->writer->sink;
    if (pgc_bq_get_fields(sink, a->new_layout->name, arena, &there, &a->fields, err) != 0)
        return -1;
    if (there) { /* it is that still, or again */
        cancel_rename(a, a->new_layout->name);
        return 0;
    }
    const char *wanted = a->new_layout->name;
    if (pgc_bq_get_fields(sink, a->old_layout->name, arena, &there, &a->fields, err) != 0)
        return -1;
    if (!there) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "table %s is not in dataset %s any more", wanted,
                           sink->target.dataset);
        pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again");
        return -1;
    }
    a->new_layout->name = pgc_arena_strdup(a->new_layout->arena, a->old_layout->name);
    if (!a->new_layout->name)
        return pgc_error_out_of_memory(err);
    const pgconvoy_table *first = cancel_rename(a, a->old_layout->name);
    if (a->writer->renamed_from) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK,
                           "two tables are renamed at once, which cannot be followed in BigQuery");
        pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again");
        return -1;
    }
    if (add_later(a, NULL, wanted, err) != 0)
        return -1;
    a->writer->renamed_from = first ? first : a->from;
    a->writer->renamed_to = a->to;
    return 0;
}

static int bring_about(alteration *a, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = find_table(a, arena, err);
    if (result == 0)
        result = follow(a, err);
    a->writer->schema_changed = a->writer->schema_changed || a->writer->later_count > 0;
    pgc_arena_free(arena);
    return result;
}

int pgc_bq_adapt_table(pgc_bq_writer *writer, pgc_bq_stream_table *table, pgconvoy_error *err)
{
    alteration a = {.writer = writer,
                    .from = table->table,
                    .to = table->table,
                    .old_layout = table->layout,
                    .new_layout = table->layout};
    return bring_about(&a, err);
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
    alteration a = {
        .writer = writer, .from = old_table, .to = new_table, .old_layout = old_layout, .new_layout = new_->layout};
    writer->schema_changed = new_->looked_at = true;
    return bring_about(&a, err);
}
