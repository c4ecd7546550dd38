/* Tables in BigQuery's terms: looked at, made (sink/staged_schema.c has when). */
#include "sink/bigquery/bigquery_internal.h"

#include "format/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define COPY_DAYS 7

/* ---- what is there */

/* The API calls some types by an older name. */
static bool same_type(const char *there, const char *wanted)
{
    static const char *const pairs[][2] = {{"INTEGER", "INT64"}, {"FLOAT", "FLOAT64"}, {"BOOLEAN", "BOOL"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (strcmp(there, pairs[i][0]) == 0)
            there = pairs[i][1];
    return strcmp(there, wanted) == 0;
}

/* Types that a column may have been widened to (alter.c) by a process that was killed before it committed. */
static bool wider_type(const char *there, pgc_bq_kind kind)
{
    return (kind == PGC_BQ_INT64 && (strcmp(there, "NUMERIC") == 0 || strcmp(there, "BIGNUMERIC") == 0)) ||
           (kind == PGC_BQ_NUMERIC && strcmp(there, "BIGNUMERIC") == 0);
}

static bool is_repeated(const pgc_json *field)
{
    const char *mode = pgc_json_get_text(field, "mode");
    return mode && strcmp(mode, "REPEATED") == 0;
}

bool pgc_bq_column_fits(const pgc_staged_layout *layout, int column, const pgc_staged_column *there)
{
    const pgc_bq_type *type = &pgc_bq_layout_of(layout)->types[column];
    const pgc_json *field = there ? there->more : NULL;
    const char *name = pgc_json_get_text(field, "type");
    if (!name || is_repeated(field) != type->repeated)
        return false;
    return same_type(name, pgc_bq_type_name(type)) || (!type->repeated && wider_type(name, type->kind));
}

void pgc_bq_put_type_there(const pgc_staged_column *there, pgc_buffer *out)
{
    const char *type = pgc_json_get_text(there->more, "type");
    pgc_buffer_format(out, is_repeated(there->more) ? "array of %s" : "%s", type ? type : "?");
}

void pgc_bq_put_column_type(const pgc_staged_layout *layout, int column, pgc_buffer *out)
{
    const pgc_bq_type *type = &pgc_bq_layout_of(layout)->types[column];
    pgc_buffer_format(out, type->repeated ? "array of %s" : "%s", pgc_bq_type_name(type));
}

static int get_table(pgc_bq_sink *sink, const char *table, pgc_arena *arena, pgc_bq_answer *answer, pgconvoy_error *err)
{
    char doing[700];
    pgc_buffer path;
    snprintf(doing, sizeof doing, "looking for table %.300s", table);
    pgc_buffer_init(&path, 8192);
    pgc_bq_table_path(sink, table, &path);
    int result = pgc_bq_ask(sink, "GET", &path, 404, doing, arena, answer, err);
    pgc_buffer_free(&path);
    return result;
}

static const pgc_json *fields_of(const pgc_bq_answer *answer)
{
    return pgc_json_get(pgc_json_get(answer->body, "schema"), "fields");
}

int pgc_bq_get_fields(pgc_bq_sink *sink, const char *table, pgc_arena *arena, bool *there, const pgc_json **fields,
                      pgconvoy_error *err)
{
    pgc_bq_answer answer;
    *there = false;
    *fields = NULL;
    if (get_table(sink, table, arena, &answer, err) != 0)
        return -1;
    *there = answer.status != 404;
    if (*there)
        *fields = fields_of(&answer);
    return 0;
}

/* What the table is clustered by now, whatever the source's key has become since. */
static bool is_clustered(const pgc_bq_answer *answer, const char *name)
{
    const pgc_json *fields = pgc_json_get(pgc_json_get(answer->body, "clustering"), "fields");
    for (const pgc_json *field = fields ? fields->first : NULL; field; field = field->next)
        if (field->text && strcasecmp(field->text, name) == 0)
            return true;
    return false;
}

int pgc_bq_columns(pgc_staged_sink *sink, const char *table, pgc_arena *arena, pgc_staged_columns *columns,
                   pgconvoy_error *err)
{
    pgc_bq_answer answer;
    *columns = (pgc_staged_columns){0};
    if (get_table(pgc_bq_sink_of(sink), table, arena, &answer, err) != 0)
        return -1;
    if (answer.status == 404)
        return 0;
    const pgc_json *fields = fields_of(&answer);
    const char *type = pgc_json_get_text(answer.body, "type");
    columns->there = true;
    columns->view = type && strcmp(type, "TABLE") != 0;
    columns->items = pgc_arena_zalloc(arena, (size_t)(fields ? fields->count : 0) * sizeof *columns->items + 1);
    if (!columns->items)
        return pgc_error_out_of_memory(err);
    for (const pgc_json *field = fields ? fields->first : NULL; field; field = field->next) {
        const char *name = pgc_json_get_text(field, "name");
        int number = pgc_staged_described_number(pgc_json_get_text(field, "description"));
        if (name)
            columns->items[columns->count++] = (pgc_staged_column){.name = name, .number = number, .bound = is_clustered(&answer, name), .more = field};
    }
    return 0;
}

/* ---- making */

int pgc_bq_make_table(pgc_staged_sink *base, const pgc_staged_layout *layout, const char *doing, pgconvoy_error *err)
{
    pgc_bq_sink *sink = pgc_bq_sink_of(base);
    pgc_buffer fields, clustering;
    pgc_buffer_init(&fields, PGC_BQ_FIELDS_MAX);
    pgc_buffer_init(&clustering, PGC_BQ_FIELDS_MAX);
    pgc_bq_layout_fields(sink, pgc_bq_layout_of(layout), &fields);
    pgc_bq_layout_clustering(pgc_bq_layout_of(layout), &clustering);
    int result = pgc_buffer_check(&fields, err) != 0 ? -1 : pgc_buffer_check(&clustering, err);
    if (result == 0)
        result = pgc_bq_table_make(sink, layout->name, fields.data ? fields.data : "",
                                   clustering.data ? clustering.data : "", doing, err);
    pgc_buffer_free(&fields);
    pgc_buffer_free(&clustering);
    return result;
}

int pgc_bq_make_copy(pgc_staged_sink *base, const pgc_staged_layout *layout, char *name, size_t size,
                     pgconvoy_error *err)
{
    pgc_bq_sink *sink = pgc_bq_sink_of(base);
    pgc_buffer fields;
    pgc_bq_stage *stage = pgc_bq_stage_new(sink, pgc_bq_layout_of(layout), err); /* only to ask it for its fields */
    if (!stage)
        return -1;
    snprintf(name, size, "_%s_%s_copy_%" PRIu64, sink->prefix, sink->process, pgc_staged_next_number(base));
    pgc_buffer_init(&fields, PGC_BQ_FIELDS_MAX);
    pgc_bq_stage_fields(stage, &fields);
    int result = pgc_buffer_check(&fields, err);
    if (result == 0)
        result = pgc_bq_stage_make(sink, name, fields.data, COPY_DAYS, err);
    pgc_buffer_free(&fields);
    pgc_bq_stage_free(stage);
    return result;
}
