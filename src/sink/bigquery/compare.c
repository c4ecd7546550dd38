/* A dataset of BigQuery as `verify` sees it. The scratch copy is a dataset of its own, whose tables expire by
 * themselves. */
#include "sink/bigquery/bigquery_internal.h"

#include "sink/comparer.h"

#include <stdio.h>
#include <stdlib.h>

#define EXPIRES ",\"defaultTableExpirationMs\":\"86400000\"" /* a day: also what a killed run has left */

typedef struct comparer {
    const pgc_comparer_config *config;
    pgc_comparer_end ends[2];
    pgc_buffer scratch; /* its TARGET */
    bool made;
} comparer;

/* ---- the scratch dataset */

static pgc_bq_sink *end_of(const comparer *comparer, int side)
{
    return comparer->ends[side].sink;
}

static int open_end(comparer *comparer, int side, const char *target, pgconvoy_error *err)
{
    return pgc_comparer_end_open(&comparer->ends[side], &pgc_sink_bigquery, comparer->config, target, err);
}

/* TARGET with another dataset, in the same location. */
static void write_scratch(comparer *comparer)
{
    const pgc_bq_sink *there = end_of(comparer, PGC_COMPARER_TARGET);
    const char *options = strchr(comparer->config->target, '?');
    pgc_buffer_format(&comparer->scratch, "bigquery://%s/%s%s", there->target.project, comparer->config->name,
                      options ? options : "");
    if (!there->target.location && there->location[0])
        pgc_buffer_format(&comparer->scratch, "%clocation=%s", options ? '&' : '?', there->location);
}

static int make_scratch(void *state, const char **target, pgconvoy_error *err)
{
    comparer *comparer = state;
    write_scratch(comparer);
    *target = comparer->scratch.data;
    if (pgc_buffer_check(&comparer->scratch, err) != 0 || open_end(comparer, PGC_COMPARER_SCRATCH, *target, err) != 0)
        return -1;
    if (pgc_bq_make_dataset(end_of(comparer, PGC_COMPARER_SCRATCH), EXPIRES, err) != 0) {
        pgconvoy_error_hint(err,
                            "verify copies the source's rows into a dataset of its own: give the account "
                            "bigquery.datasets.create and bigquery.datasets.delete (BigQuery Data Owner has them)");
        return -1;
    }
    comparer->made = true;
    return 0;
}

static int remove_scratch(comparer *comparer, pgconvoy_error *err)
{
    pgc_buffer path;
    pgc_bq_answer answer;
    pgc_bq_sink *sink = end_of(comparer, PGC_COMPARER_SCRATCH);
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    pgc_buffer_init(&path, 8192);
    pgc_bq_dataset_path(sink, &path);
    pgc_buffer_text(&path, "?deleteContents=true");
    int result = pgc_bq_ask(sink, "DELETE", &path, 404, "removing the scratch dataset", arena, &answer, err);
    pgc_buffer_free(&path);
    pgc_arena_free(arena);
    return result;
}

static void close_comparer(void *state)
{
    comparer *comparer = state;
    pgconvoy_error why = {0};
    if (comparer->made && remove_scratch(comparer, &why) != 0)
        pgc_log_warning(comparer->config->log, "%s: dataset %s is left, and its tables expire within a day",
                        why.message, comparer->config->name);
    for (int side = 0; side < 2; side++)
        pgc_comparer_end_close(&comparer->ends[side], &pgc_sink_bigquery);
    pgc_buffer_free(&comparer->scratch);
    free(comparer);
}

static int open_comparer(const pgc_comparer_config *config, void **state, pgconvoy_error *err)
{
    comparer *comparer = calloc(1, sizeof *comparer);
    if (!comparer)
        return pgc_error_out_of_memory(err);
    comparer->config = config;
    pgc_buffer_init(&comparer->scratch, 1 << 20);
    int result = open_end(comparer, PGC_COMPARER_TARGET, config->target, err);
    if (result == 0 && end_of(comparer, PGC_COMPARER_TARGET)->target.history) {
        result = pgc_comparer_refuse_history(err);
    } else if (result == 0 && !end_of(comparer, PGC_COMPARER_TARGET)->exists) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "dataset %s is not there",
                           end_of(comparer, PGC_COMPARER_TARGET)->target.dataset);
        result = -1;
    }
    if (result != 0) {
        close_comparer(comparer);
        return -1;
    }
    *state = comparer;
    return 0;
}

/* ---- tables and rows */

static int take_fields(const pgc_json *fields, pgc_arena *arena, pgc_compared *compared, pgconvoy_error *err)
{
    int count = fields ? fields->count : 0;
    compared->names = pgc_arena_zalloc(arena, (size_t)(count + 1) * sizeof *compared->names);
    compared->types = pgc_arena_zalloc(arena, (size_t)(count + 1) * sizeof *compared->types);
    if (!compared->names || !compared->types)
        return pgc_error_out_of_memory(err);
    for (const pgc_json *field = fields ? fields->first : NULL; field; field = field->next) {
        const char *name = pgc_json_get_text(field, "name"), *type = pgc_json_get_text(field, "type"),
                   *mode = pgc_json_get_text(field, "mode");
        char text[80];
        bool repeated = mode && strcmp(mode, "REPEATED") == 0;
        snprintf(text, sizeof text, repeated ? "ARRAY<%.60s>" : "%.60s", type ? type : "");
        compared->names[compared->count] = name ? name : "";
        compared->types[compared->count] = pgc_arena_strdup(arena, text);
        if (!compared->types[compared->count++])
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

static int describe(void *state, int side, const pgconvoy_table *table, pgc_arena *arena, pgc_compared *compared,
                    pgconvoy_error *err)
{
    comparer *comparer = state;
    pgc_bq_sink *sink = end_of(comparer, side);
    const pgc_json *fields;
    pgc_buffer relation;
    pgc_bq_layout *layout = pgc_bq_layout_new(sink, table, err);
    if (!layout)
        return -1;
    memset(compared, 0, sizeof *compared);
    pgc_buffer_init(&relation, 8192);
    pgc_bq_quote_table(sink, layout->name, &relation);
    int result = pgc_buffer_check(&relation, err);
    if (result == 0)
        result = pgc_bq_get_fields(sink, layout->name, arena, &compared->is_there, &fields, err);
    if (result == 0)
        result = take_fields(fields, arena, compared, err);
    if (result == 0 && !(compared->relation = pgc_arena_strdup(arena, relation.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_free(&relation);
    pgc_bq_layout_free(layout);
    return result;
}

/* Both ends are told by the same service, so that names that mean the same are the same. */
static pgc_compared_type compare_types(const char *scratch, const char *target)
{
    static const char *const wider[][2] = {{"INTEGER", "NUMERIC"},
                                           {"INTEGER", "BIGNUMERIC"},
                                           {"INT64", "NUMERIC"},
                                           {"INT64", "BIGNUMERIC"},
                                           {"NUMERIC", "BIGNUMERIC"}};
    if (strcmp(scratch, target) == 0)
        return PGC_COMPARED_SAME;
    for (size_t i = 0; i < sizeof wider / sizeof *wider; i++)
        if (strcmp(wider[i][0], scratch) == 0 && strcmp(wider[i][1], target) == 0)
            return PGC_COMPARED_WIDER;
    return PGC_COMPARED_OTHER;
}

static int select_rows(void *state, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                       const char ***rows, size_t *count, pgconvoy_error *err)
{
    comparer *comparer = state;
    bool missing;
    return pgc_bq_select(end_of(comparer, PGC_COMPARER_TARGET), sql, doing, columns, arena, rows, count, &missing, err);
}

/* ---- pieces of SQL */

static void column(pgc_buffer *sql, const char *name, const char *type)
{
    (void)type;
    pgc_bq_quote_column(sql, name);
}

static void text(pgc_buffer *sql, const char *value, const char *type, const pgconvoy_column *source)
{
    bool no_cast = strncmp(type, "ARRAY<", 6) == 0 || strcmp(type, "JSON") == 0 || strcmp(type, "BYTES") == 0;
    (void)source;
    if (no_cast)
        pgc_buffer_format(sql, "IF(%s IS NULL, NULL, SUBSTR(TO_JSON_STRING(%s), 1, %d))", value, value,
                          PGC_COMPARER_TEXT_BYTES);
    else
        pgc_buffer_format(sql, "SUBSTR(CAST(%s AS STRING), 1, %d)", value, PGC_COMPARER_TEXT_BYTES);
}

/* The text of a whole row has quotes and commas in their place, and null for NULL. */
static void hash(pgc_buffer *sql, const char *const *values, int count)
{
    for (int i = 0; i < count; i++) {
        pgc_buffer_text(sql, i > 0 ? ", " : "FARM_FINGERPRINT(TO_JSON_STRING(STRUCT(");
        pgc_buffer_text(sql, values[i]);
    }
    pgc_buffer_text(sql, ")))");
}

/* FARM_FINGERPRINT may be below 0. */
static void bucket(pgc_buffer *sql, const char *of, long count)
{
    pgc_buffer_format(sql, "ABS(MOD(%s, %ld))", of, count);
}

static const char *const schemes[] = {"bigquery://", NULL};

const pgc_comparer pgc_comparer_bigquery = {
    .schemes = schemes,
    .target_help = "bigquery://PROJECT/DATASET",
    .is_live = true,
    .open = open_comparer,
    .scratch = make_scratch,
    .describe = describe,
    .compare_types = compare_types,
    .column = column,
    .text = text,
    .hash = hash,
    .bucket = bucket,
    .sum_begin = "SUM(CAST(", /* of INT64 it would overflow */
    .sum_end = " AS NUMERIC))",
    .select = select_rows,
    .close = close_comparer,
};
