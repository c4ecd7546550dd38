/*
 * A schema of Snowflake as `verify` sees it. The scratch copy is a schema of its own in the same database. Values are
 * compared by HASH, which Snowflake alone can compute, but of both copies: it is the same for what compares as equal,
 * whatever the precision and scale of a NUMBER (docs: "HASH").
 */
#include "sink/snowflake/snowflake_internal.h"

#include "sink/comparer.h"

#include <stdio.h>
#include <stdlib.h>

/* What is dropped is gone: Time Travel would keep it. */
#define SCRATCH_OPTIONS " DATA_RETENTION_TIME_IN_DAYS = 0"

typedef struct comparer {
    const pgc_comparer_config *config;
    pgc_comparer_end ends[2];
    pgc_buffer scratch; /* its TARGET */
    bool made;
} comparer;

static pgc_sf_sink *end_of(const comparer *comparer, int side)
{
    return comparer->ends[side].sink;
}

static int open_end(comparer *comparer, int side, const char *target, pgconvoy_error *err)
{
    return pgc_comparer_end_open(&comparer->ends[side], &pgc_sink_snowflake, comparer->config, target, err);
}

/* ---- the scratch schema */

/* TARGET with another schema. */
static void write_scratch(comparer *comparer)
{
    const char *target = comparer->config->target;
    size_t length = strcspn(target, "?"), place = length;
    while (place > 0 && target[place - 1] != '/')
        place--;
    pgc_buffer_append(&comparer->scratch, target, place);
    pgc_buffer_format(&comparer->scratch, "%s%s", comparer->config->name, target + length);
}

static int make_scratch(void *state, const char **target, pgconvoy_error *err)
{
    comparer *comparer = state;
    write_scratch(comparer);
    *target = comparer->scratch.data;
    if (pgc_buffer_check(&comparer->scratch, err) != 0 || open_end(comparer, PGC_COMPARER_SCRATCH, *target, err) != 0)
        return -1;
    if (pgc_sf_schema_make(end_of(comparer, PGC_COMPARER_SCRATCH), SCRATCH_OPTIONS, "creating a scratch schema", err) !=
        0) {
        pgconvoy_error_hint(err, "verify copies the source's rows into a schema of its own in that database: grant the "
                                 "role CREATE SCHEMA on it");
        return -1;
    }
    comparer->made = true;
    return 0;
}

static int remove_scratch(comparer *comparer, pgconvoy_error *err)
{
    pgc_sf_sink *sink = end_of(comparer, PGC_COMPARER_SCRATCH);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_format(&sql, "DROP SCHEMA IF EXISTS \"%s\".\"%s\"", sink->target.database, sink->target.schema);
    int result = pgc_sf_run(sink, &sql, false, "removing the scratch schema", err);
    pgc_buffer_free(&sql);
    return result;
}

static void close_comparer(void *state)
{
    comparer *comparer = state;
    pgconvoy_error why = {0};
    if (comparer->made && remove_scratch(comparer, &why) != 0)
        pgc_log_warning(comparer->config->log, "%s: %s is left", why.message,
                        end_of(comparer, PGC_COMPARER_SCRATCH)->place);
    for (int side = 0; side < 2; side++)
        pgc_comparer_end_close(&comparer->ends[side], &pgc_sink_snowflake);
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
    const pgc_sf_sink *there = end_of(comparer, PGC_COMPARER_TARGET);
    if (result == 0 && there->target.history) {
        result = pgc_comparer_refuse_history(err);
    } else if (result == 0 && !there->exists) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s is not there, or the role may not see it", there->place);
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

static int take_columns(const pgc_staged_columns *columns, pgc_arena *arena, pgc_compared *compared,
                        pgconvoy_error *err)
{
    compared->names = pgc_arena_zalloc(arena, (size_t)(columns->count + 1) * sizeof *compared->names);
    compared->types = pgc_arena_zalloc(arena, (size_t)(columns->count + 1) * sizeof *compared->types);
    if (!compared->names || !compared->types)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < columns->count; i++) {
        const pgc_sf_there *there = columns->items[i].more;
        const char *type = there->type ? there->type : "";
        char text[100];
        if (strcmp(type, "NUMBER") == 0)
            snprintf(text, sizeof text, "NUMBER(%d, %d)", there->precision, there->scale);
        else
            snprintf(text, sizeof text, "%.80s", type);
        compared->names[i] = columns->items[i].name;
        if (!(compared->types[i] = pgc_arena_strdup(arena, text)))
            return pgc_error_out_of_memory(err);
    }
    compared->count = columns->count;
    compared->is_there = columns->there;
    return 0;
}

static int describe(void *state, int side, const pgconvoy_table *table, pgc_arena *arena, pgc_compared *compared,
                    pgconvoy_error *err)
{
    comparer *comparer = state;
    pgc_sf_sink *sink = end_of(comparer, side);
    pgc_staged_columns columns;
    pgc_buffer relation;
    memset(compared, 0, sizeof *compared);
    pgc_sf_layout *layout = pgc_sf_layout_new(sink, table, err);
    if (!layout)
        return -1;
    pgc_buffer_init(&relation, 8192);
    pgc_sf_quote_table(sink, layout->name, &relation);
    int result = pgc_buffer_check(&relation, err);
    if (result == 0)
        result = pgc_sf_columns(&sink->base, layout->name, arena, &columns, err);
    if (result == 0)
        result = take_columns(&columns, arena, compared, err);
    if (result == 0 && !(compared->relation = pgc_arena_strdup(arena, relation.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_free(&relation);
    pgc_sf_layout_free(layout);
    return result;
}

/* A NUMBER that holds more has the same values, and they have the same hashes. */
static pgc_compared_type compare_types(const char *scratch, const char *target)
{
    int precision[2], scale[2];
    if (strcmp(scratch, target) == 0)
        return PGC_COMPARED_SAME;
    if (sscanf(scratch, "NUMBER(%d, %d)", &precision[0], &scale[0]) != 2 ||
        sscanf(target, "NUMBER(%d, %d)", &precision[1], &scale[1]) != 2)
        return PGC_COMPARED_OTHER;
    bool holds = scale[1] >= scale[0] && precision[1] - scale[1] >= precision[0] - scale[0];
    return holds ? PGC_COMPARED_SAME : PGC_COMPARED_OTHER;
}

static int select_rows(void *state, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                       const char ***rows, size_t *count, pgconvoy_error *err)
{
    comparer *comparer = state;
    return pgc_sf_select(end_of(comparer, PGC_COMPARER_TARGET), sql, doing, columns, arena, rows, count, NULL, err);
}

/* ---- pieces of SQL */

static void column(pgc_buffer *sql, const char *name, const char *type)
{
    (void)type;
    pgc_sf_quote_column(sql, name);
}

/* Texts that do not depend on the session's or the account's formats, and have all of the value. */
static const struct shown {
    const char *type, *before, *behind;
} shown[] = {
    {"DATE", "TO_VARCHAR(", ", 'YYYY-MM-DD')"},
    {"TIME", "TO_VARCHAR(", ", 'HH24:MI:SS.FF6')"},
    {"TIMESTAMP_NTZ", "TO_VARCHAR(", ", 'YYYY-MM-DD HH24:MI:SS.FF6')"},
    {"TIMESTAMP_LTZ", "TO_VARCHAR(", ", 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM')"},
    {"TIMESTAMP_TZ", "TO_VARCHAR(", ", 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM')"},
    {"BINARY", "LOWER(TO_VARCHAR(", ", 'HEX'))"},
    {"VARIANT", "TO_JSON(", ")"},
    {"ARRAY", "TO_JSON(", ")"},
    {"OBJECT", "TO_JSON(", ")"},
};

static void text(pgc_buffer *sql, const char *value, const char *type, const pgconvoy_column *source)
{
    const char *before = "TO_VARCHAR(", *behind = ")";
    (void)source;
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (strcmp(shown[i].type, type) == 0) {
            before = shown[i].before;
            behind = shown[i].behind;
        }
    pgc_buffer_format(sql, "SUBSTR(%s%s%s, 1, %d)", before, value, behind, PGC_COMPARER_TEXT_BYTES);
}

/* Whether the null of a VARIANT's JSON hashes as NULL does is not written anywhere: so that is told beside it. */
static void hash(pgc_buffer *sql, const char *const *values, int count)
{
    for (int i = 0; i < count; i++)
        pgc_buffer_format(sql, "%s%s, %s IS NULL", i > 0 ? ", " : "HASH(", values[i], values[i]);
    pgc_buffer_byte(sql, ')');
}

/* HASH may be below 0. */
static void bucket(pgc_buffer *sql, const char *of, long count)
{
    pgc_buffer_format(sql, "ABS(MOD(%s, %ld))", of, count);
}

static const char *const schemes[] = {"snowflake://", NULL};

const pgc_comparer pgc_comparer_snowflake = {
    .schemes = schemes,
    .target_help = "snowflake://USER@ACCOUNT/DATABASE/SCHEMA",
    .is_live = true,
    .open = open_comparer,
    .scratch = make_scratch,
    .describe = describe,
    .compare_types = compare_types,
    .column = column,
    .text = text,
    .hash = hash,
    .bucket = bucket,
    .sum_begin = "SUM(", /* of NUMBER(19, 0) has 38 digits */
    .sum_end = ")",
    .select = select_rows,
    .close = close_comparer,
};
