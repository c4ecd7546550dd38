/*
 * Tables made, checked, and filled from their copy. The rows of a table copy go into a table of their own first (free
 * of charge: they are loaded), from where one transaction brings them to the table itself, with the table's state. So
 * nobody sees half of a table, and what is left of a copy that was cut off harms nothing.
 */
#include "sink/bigquery/bigquery_internal.h"

#include "format/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define COPY_DAYS 7

static int name_error(pgconvoy_error *err, pgconvoy_error_code code, const pgc_bq_sink *sink,
                      const pgc_bq_layout *layout, const char *what, const char *hint)
{
    pgconvoy_error_set(err, code, "table %s of dataset %s %s", layout->name, sink->target.dataset, what);
    pgconvoy_error_hint(err, "%s", hint);
    return -1;
}

/* ---- what is there */

const pgc_json *pgc_bq_find_field(const pgc_json *fields, const char *name)
{
    for (const pgc_json *field = fields ? fields->first : NULL; field; field = field->next) {
        const char *text = pgc_json_get_text(field, "name");
        if (text && strcasecmp(text, name) == 0)
            return field;
    }
    return NULL;
}

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

bool pgc_bq_field_fits(const pgc_json *field, const pgc_bq_type *type, bool *same)
{
    const char *there = pgc_json_get_text(field, "type"), *mode = pgc_json_get_text(field, "mode");
    bool repeated = mode && strcmp(mode, "REPEATED") == 0;
    *same = there && repeated == type->repeated && same_type(there, pgc_bq_type_name(type));
    return *same || (there && !repeated && !type->repeated && wider_type(there, type->kind));
}

static int match_field(const pgc_bq_sink *sink, const pgc_bq_layout *layout, int i, const pgc_json *fields,
                       pgconvoy_error *err)
{
    static const char hint[] = "change the column there, or have the table made anew with --if-exists drop";
    const pgc_json *field = pgc_bq_find_field(fields, layout->names[i]);
    char what[700];
    bool same;
    if (!field) {
        snprintf(what, sizeof what, "has no column \"%s\"", layout->names[i]);
        return name_error(err, PGCONVOY_ERROR_CONFIG, sink, layout, what, hint);
    }
    if (pgc_bq_field_fits(field, &layout->types[i], &same))
        return 0;
    const char *type = pgc_json_get_text(field, "type"), *mode = pgc_json_get_text(field, "mode");
    snprintf(what, sizeof what, "has a column \"%s\" of type %s%s, and not %s%s", layout->names[i],
             mode && strcmp(mode, "REPEATED") == 0 ? "array of " : "", type ? type : "?",
             layout->types[i].repeated ? "array of " : "", pgc_bq_type_name(&layout->types[i]));
    return name_error(err, PGCONVOY_ERROR_CONFIG, sink, layout, what, hint);
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
        *fields = pgc_json_get(pgc_json_get(answer.body, "schema"), "fields");
    return 0;
}

int pgc_bq_match_table(pgc_bq_sink *sink, const pgc_bq_layout *layout, bool *there, pgconvoy_error *err)
{
    pgc_bq_answer answer;
    pgc_arena *arena = pgc_arena_new(16384);
    *there = false;
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = sink->dataset_exists ? get_table(sink, layout->name, arena, &answer, err) : 0;
    if (result == 0 && sink->dataset_exists && answer.status != 404) {
        const pgc_json *fields = pgc_json_get(pgc_json_get(answer.body, "schema"), "fields");
        const char *type = pgc_json_get_text(answer.body, "type");
        *there = true;
        if (type && strcmp(type, "TABLE") != 0)
            result = name_error(err, PGCONVOY_ERROR_CONFIG, sink, layout, "is no table but a view or the like",
                                "rename or remove it");
        for (int i = 0; result == 0 && i < layout->column_count; i++)
            result = match_field(sink, layout, i, fields, err);
        if (result == 0 && sink->target.history && !pgc_bq_find_field(fields, PGC_BQ_LSN))
            result = name_error(err, PGCONVOY_ERROR_CONFIG, sink, layout,
                                "has no column \"" PGC_BQ_LSN "\", which mode=history writes",
                                "have the table made anew with --if-exists drop");
    }
    pgc_arena_free(arena);
    return result;
}

/* ---- check_table */

static int refuse_existing(const pgc_bq_sink *sink, const pgc_bq_layout *layout, pgconvoy_error *err)
{
    return name_error(err, PGCONVOY_ERROR_CONFIG, sink, layout, "is there already, and was not made by this pipeline",
                      "say what is to be done with it: --if-exists append, truncate or drop");
}

static int check_existing(pgc_bq_sink *sink, const pgc_bq_layout *layout, pgconvoy_if_exists if_exists,
                          pgconvoy_error *err)
{
    bool there;
    const char *how, *copy;
    pgconvoy_error unlike = {0};
    if (if_exists == PGCONVOY_IF_EXISTS_DROP)
        return 0;
    int matched = pgc_bq_match_table(sink, layout, &there, &unlike);
    if (!there) {
        if (matched != 0)
            pgc_error_copy(err, &unlike);
        return matched;
    }
    pgc_arena *arena = pgc_arena_new(4096);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = pgc_bq_checkpoint_owned(sink, layout->table, arena, &how, &copy, err);
    bool ours = result == 0 && how;
    pgc_arena_free(arena);
    if (result != 0)
        return -1;
    if (!ours && if_exists == PGCONVOY_IF_EXISTS_ERROR)
        return refuse_existing(sink, layout, err);
    if (!ours && matched != 0) {
        pgc_error_copy(err, &unlike);
        return -1;
    }
    return 0;
}

int pgc_bq_check_table(void *arg, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    pgc_bq_sink *sink = arg;
    pgc_bq_layout *layout = pgc_bq_layout_new(sink, table, err);
    if (!layout)
        return -1;
    pthread_mutex_lock(&sink->lock);
    int result = pgc_staged_note_name(&sink->seen, &layout->base, "BigQuery", "dataset", err);
    pthread_mutex_unlock(&sink->lock);
    if (result == 0)
        result = check_existing(sink, layout, if_exists, err);
    pgc_bq_layout_free(layout);
    return result;
}

/* ---- prepare_table */

static int make_table(pgc_bq_sink *sink, const pgc_bq_layout *layout, pgconvoy_error *err)
{
    char doing[700];
    pgc_buffer fields, clustering;
    snprintf(doing, sizeof doing, "creating table %.300s", layout->name);
    pgc_buffer_init(&fields, PGC_BQ_FIELDS_MAX);
    pgc_buffer_init(&clustering, PGC_BQ_FIELDS_MAX);
    pgc_bq_layout_fields(sink, layout, &fields);
    pgc_bq_layout_clustering(sink, layout, &clustering);
    int result = pgc_buffer_check(&fields, err) != 0 ? -1 : pgc_buffer_check(&clustering, err);
    if (result == 0)
        result = pgc_bq_table_make(sink, layout->name, fields.data ? fields.data : "",
                                   clustering.data ? clustering.data : "", doing, err);
    pgc_buffer_free(&fields);
    pgc_buffer_free(&clustering);
    return result;
}

/* plan->how comes with what the checkpoint says. */
static int decide(pgc_bq_sink *sink, const pgc_bq_layout *layout, pgconvoy_if_exists if_exists, pgc_staged_plan *plan,
                  pgconvoy_error *err)
{
    bool there;
    pgconvoy_error unlike = {0};
    bool matches = pgc_bq_match_table(sink, layout, &there, &unlike) == 0;
    switch (pgc_staged_plan_table(plan, there, matches, if_exists)) {
    case PGC_STAGED_IN_THE_WAY:
        return refuse_existing(sink, layout, err);
    case PGC_STAGED_UNLIKE:
        pgc_error_copy(err, &unlike);
        return -1;
    default:
        return 0;
    }
}

/* A new table for the rows of this copy. */
static int make_copy(pgc_bq_sink *sink, const pgc_bq_layout *layout, char *name, size_t size, pgconvoy_error *err)
{
    pgc_buffer fields;
    pgc_bq_stage *stage = pgc_bq_stage_new(sink, layout, err); /* only to ask it for its fields */
    if (!stage)
        return -1;
    pthread_mutex_lock(&sink->lock);
    snprintf(name, size, "_%s_%s_copy_%" PRIu64, sink->prefix, sink->process, ++sink->counter);
    pthread_mutex_unlock(&sink->lock);
    pgc_buffer_init(&fields, PGC_BQ_FIELDS_MAX);
    pgc_bq_stage_fields(stage, &fields);
    int result = pgc_buffer_check(&fields, err);
    if (result == 0)
        result = pgc_bq_stage_make(sink, name, fields.data, COPY_DAYS, err);
    pgc_buffer_free(&fields);
    pgc_bq_stage_free(stage);
    return result;
}

/* The table is this pipeline's before it is made: one that is made by a process which is killed then is not in the way
 * of the next one. */
static int prepare(pgc_bq_sink *sink, const pgc_bq_layout *layout, pgconvoy_if_exists if_exists, pgc_arena *arena,
                   pgconvoy_error *err)
{
    const char *old_copy;
    char copy[160];
    pgc_staged_plan plan = {0};
    if (pgc_bq_checkpoint_owned(sink, layout->table, arena, &plan.how, &old_copy, err) != 0 ||
        decide(sink, layout, if_exists, &plan, err) != 0 || make_copy(sink, layout, copy, sizeof copy, err) != 0)
        return -1;
    const pgconvoy_table_status status = {layout->table->schema, layout->table->name, PGCONVOY_TABLE_COPYING, 0};
    pgc_bq_commit commit = {
        .tables = &status, .table_count = 1, .how = plan.how, .copy = copy, .doing = "storing a table's state"};
    if (pgc_bq_checkpoint_commit(sink, &commit, err) != 0)
        return -1;
    if (old_copy && *old_copy)
        pgc_bq_stage_drop(sink, old_copy);
    if (plan.drop && pgc_bq_table_drop(sink, layout->name, "removing a table that is to be made anew", err) != 0)
        return -1;
    return plan.make ? make_table(sink, layout, err) : 0;
}

int pgc_bq_prepare_table(void *arg, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    pgc_bq_sink *sink = arg;
    if (pgc_bq_checkpoint_ensure(sink, err) != 0)
        return -1;
    pgc_arena *arena = pgc_arena_new(4096);
    pgc_bq_layout *layout = arena ? pgc_bq_layout_new(sink, table, err) : NULL;
    int result = layout ? prepare(sink, layout, if_exists, arena, err) : arena ? -1 : pgc_error_out_of_memory(err);
    pgc_bq_layout_free(layout);
    pgc_arena_free(arena);
    return result;
}

/* ---- finish_table */

static int fill(pgc_bq_sink *sink, const pgc_bq_layout *layout, const pgconvoy_table_status *status, pgc_arena *arena,
                pgconvoy_error *err)
{
    const char *how, *copy;
    char doing[700];
    pgc_buffer sql;
    if (pgc_bq_checkpoint_owned(sink, layout->table, arena, &how, &copy, err) != 0)
        return -1;
    if (!how || !copy || !*copy) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the copy of table %s is not in dataset %s any more",
                           layout->name, sink->target.dataset);
        return -1;
    }
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    if (strcmp(how, PGC_STAGED_APPENDED) != 0) {
        pgc_buffer_text(&sql, "TRUNCATE TABLE ");
        pgc_bq_quote_table(sink, layout->name, &sql);
        pgc_buffer_text(&sql, ";\n");
    }
    pgc_bq_fill_sql(sink, layout, copy, status->copy_lsn, &sql);
    snprintf(doing, sizeof doing, "filling table %.300s from its copy", layout->name);
    pgc_bq_commit commit = {
        .statements = &sql, .tables = status, .table_count = 1, .how = how, .copy = "", .doing = doing};
    int result = pgc_buffer_check(&sql, err);
    if (result == 0)
        result = pgc_bq_checkpoint_commit(sink, &commit, err);
    pgc_buffer_free(&sql);
    if (result == 0)
        pgc_bq_stage_drop(sink, copy);
    return result;
}

int pgc_bq_finish_table(void *arg, const pgconvoy_table *table, const pgconvoy_table_status *status,
                        pgconvoy_error *err)
{
    pgc_bq_sink *sink = arg;
    pgc_arena *arena = pgc_arena_new(4096);
    pgc_bq_layout *layout = arena ? pgc_bq_layout_new(sink, table, err) : NULL;
    int result = layout ? fill(sink, layout, status, arena, err) : arena ? -1 : pgc_error_out_of_memory(err);
    pgc_bq_layout_free(layout);
    pgc_arena_free(arena);
    return result;
}
