/*
 * A ClickHouse database as `verify` sees it: the views of the current rows. The scratch copy is a database of its own
 * on the same server, never on a cluster.
 */
#include "sink/clickhouse/clickhouse_internal.h"

#include "postgres/value.h"
#include "sink/comparer.h"

#include <stdio.h>
#include <stdlib.h>

#define SQL_MAX ((size_t)64 << 20)

typedef struct comparer {
    const pgc_comparer_config *config;
    pgc_clickhouse_sink ends[2]; /* of which only target and has are used */
    pgc_clickhouse_session session;
    pgc_buffer scratch; /* its TARGET */
    bool made;
} comparer;

/* ---- the scratch database */

static bool is_left_out(const char *option, size_t length)
{
    static const char *const names[] = {"cluster=", "replicated=", "replica_path="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (length >= strlen(names[i]) && strncmp(option, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* TARGET with another database, without what makes tables on other servers. */
static void write_scratch(comparer *comparer)
{
    const char *target = comparer->config->target, *address = strstr(target, "://");
    const char *options = strchr(target, '?'), *start = address ? address + 3 : target;
    size_t length = strcspn(start, "/?");
    pgc_buffer_append(&comparer->scratch, target, (size_t)(start - target) + length);
    pgc_buffer_format(&comparer->scratch, "/%s", comparer->config->name);
    const char *separator = "?";
    for (const char *one = options ? options + 1 : NULL; one; one = strchr(one, '&')) {
        one += *one == '&';
        size_t size = strcspn(one, "&");
        if (is_left_out(one, size))
            continue;
        pgc_buffer_text(&comparer->scratch, separator);
        pgc_buffer_append(&comparer->scratch, one, size);
        separator = "&";
    }
}

static int define_scratch(comparer *comparer, const char *what, const char *doing, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, what);
    pgc_clickhouse_identifier(&sql, comparer->config->name);
    int result = pgc_clickhouse_run(&comparer->session, &sql, doing, err);
    pgc_buffer_free(&sql);
    return result;
}

static int make_scratch(void *state, const char **target, pgconvoy_error *err)
{
    comparer *comparer = state;
    if (define_scratch(comparer, "CREATE DATABASE ", "creating a scratch database", err) != 0) {
        pgconvoy_error_hint(err, "verify copies the source's rows into a database of its own on that server: grant the "
                                 "user CREATE DATABASE and DROP DATABASE on pgconvoy_verify_*");
        return -1;
    }
    comparer->made = true;
    write_scratch(comparer);
    *target = comparer->scratch.data;
    return pgc_buffer_check(&comparer->scratch, err) != 0 ||
                   pgc_clickhouse_target_parse(*target, &comparer->ends[PGC_COMPARER_SCRATCH].target, err) != 0
               ? -1
               : 0;
}

static void close_comparer(void *state)
{
    comparer *comparer = state;
    pgconvoy_error why = {0};
    if (comparer->made && define_scratch(comparer, "DROP DATABASE IF EXISTS ", "removing the scratch database", &why))
        pgc_log_warning(comparer->config->log, "%s: database %s is left", why.message, comparer->config->name);
    pgc_clickhouse_session_close(&comparer->session);
    for (int side = 0; side < 2; side++)
        pgc_clickhouse_target_free(&comparer->ends[side].target);
    pgc_buffer_free(&comparer->scratch);
    free(comparer);
}

/* A statement that names none of its tables succeeds in a database that is not there. */
static int find_database(comparer *comparer, pgconvoy_error *err)
{
    const char *name = comparer->ends[PGC_COMPARER_TARGET].target.database;
    pgc_buffer sql;
    pgc_http_response response;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "SELECT count() FROM system.databases WHERE name = ");
    pgc_clickhouse_literal(&sql, name);
    int result = pgc_clickhouse_select(&comparer->session, &sql, "looking for the database", &response, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    if (response.body.length == 0 || response.body.data[0] != '1') {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "database %s is not there", name);
        result = -1;
    }
    pgc_http_response_free(&response);
    return result;
}

static int open_comparer(const pgc_comparer_config *config, void **state, pgconvoy_error *err)
{
    comparer *comparer = calloc(1, sizeof *comparer);
    if (!comparer)
        return pgc_error_out_of_memory(err);
    pgc_clickhouse_sink *there = &comparer->ends[PGC_COMPARER_TARGET];
    comparer->config = config;
    pgc_buffer_init(&comparer->scratch, 1 << 20);
    int result = pgc_clickhouse_target_parse(config->target, &there->target, err);
    if (result == 0 && there->target.history)
        result = pgc_comparer_refuse_history(err);
    if (result == 0)
        result = pgc_clickhouse_session_open(&comparer->session, &there->target, &there->has, config->log, err);
    if (result == 0)
        result = pgc_clickhouse_read_version(&comparer->session, &there->has, err);
    if (result == 0)
        result = find_database(comparer, err);
    comparer->ends[PGC_COMPARER_SCRATCH].has = there->has;
    if (result != 0) {
        close_comparer(comparer);
        return -1;
    }
    *state = comparer;
    return 0;
}

/* ---- tables and rows */

static int describe(void *state, int side, const pgconvoy_table *table, pgc_arena *arena, pgc_compared *compared,
                    pgconvoy_error *err)
{
    comparer *comparer = state;
    pgc_clickhouse_sink *sink = &comparer->ends[side];
    pgc_clickhouse_columns columns;
    pgc_buffer name, relation;
    pgc_buffer_init(&name, 65536);
    pgc_buffer_init(&relation, 65536);
    pgc_clickhouse_target_name(table, &name);
    pgc_buffer_text(&name, sink->target.view_suffix);
    memset(compared, 0, sizeof *compared);
    int result = pgc_buffer_check(&name, err);
    if (result == 0)
        result = pgc_clickhouse_column_list(sink, &comparer->session, name.data, arena, &columns, err);
    if (result == 0) {
        pgc_clickhouse_table_name(sink, name.data, false, &relation);
        result = pgc_buffer_check(&relation, err);
    }
    if (result == 0) {
        *compared = (pgc_compared){.is_there = columns.count > 0,
                                   .relation = pgc_arena_strdup(arena, relation.data),
                                   .count = (int)columns.count,
                                   .names = columns.names,
                                   .types = columns.types};
        result = compared->relation ? 0 : pgc_error_out_of_memory(err);
    }
    pgc_buffer_free(&name);
    pgc_buffer_free(&relation);
    return result;
}

/* Without Nullable: a column that lost NOT NULL, or got it, holds the same values. */
static void bare(const char *type, const char **start, size_t *length)
{
    bool nullable = strncmp(type, "Nullable(", 9) == 0;
    *start = nullable ? type + 9 : type;
    *length = strlen(*start) - (nullable ? 1 : 0);
}

static pgc_compared_type compare_types(const char *scratch, const char *target)
{
    const char *here, *there;
    size_t here_length, there_length;
    pgc_clickhouse_type old, new_;
    bare(scratch, &here, &here_length);
    bare(target, &there, &there_length);
    if (here_length == there_length && memcmp(here, there, here_length) == 0)
        return PGC_COMPARED_SAME;
    if (strncmp(here, "Enum", 4) == 0 && strncmp(there, "Enum", 4) == 0)
        return PGC_COMPARED_SAME; /* labels have other numbers where one came later */
    pgc_clickhouse_type_read(&old, scratch);
    pgc_clickhouse_type_read(&new_, target);
    return pgc_clickhouse_type_is_wider(&old, &new_) ? PGC_COMPARED_WIDER : PGC_COMPARED_OTHER;
}

static int select_rows(void *state, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                       const char ***rows, size_t *count, pgconvoy_error *err)
{
    comparer *comparer = state;
    pgc_http_response response;
    if (pgc_clickhouse_select(&comparer->session, sql, doing, &response, err) != 0)
        return -1;
    size_t lines = 1;
    for (const char *p = response.body.length > 0 ? response.body.data : ""; *p; p++)
        lines += *p == '\n';
    char **fields = pgc_arena_alloc(arena, (size_t)columns * sizeof *fields + 1);
    bool failed = !fields || !(*rows = pgc_arena_alloc(arena, lines * (size_t)columns * sizeof **rows));
    pgc_clickhouse_rows read = pgc_clickhouse_rows_of(&response);
    *count = 0;
    while (!failed && pgc_clickhouse_rows_next(&read, fields, columns)) {
        const char **row = *rows + *count * (size_t)columns;
        for (int i = 0; i < columns && !failed; i++) {
            row[i] = fields[i] ? pgc_arena_strdup(arena, fields[i]) : NULL;
            failed = fields[i] && !row[i];
        }
        (*count)++;
    }
    pgc_http_response_free(&response);
    return failed ? pgc_error_out_of_memory(err) : 0;
}

/* ---- pieces of SQL */

/* "'a' = 1, 'b' = 2" as two lists: the labels, or the numbers. */
static void put_labels(pgc_buffer *sql, const char *type, bool numbers)
{
    const char *separator = "";
    for (const char *at = strchr(type, '\''); at; at = strchr(at, '\'')) {
        const char *label = at++;
        for (; *at && *at != '\''; at++)
            at += *at == '\\' && at[1];
        const char *number = *at ? strchr(at, '=') : NULL;
        if (!number)
            return;
        pgc_buffer_text(sql, separator);
        if (numbers)
            pgc_buffer_format(sql, "%ld", strtol(number + 1, NULL, 10));
        else
            pgc_buffer_append(sql, label, (size_t)(at + 1 - label));
        separator = ", ";
        at = number;
    }
}

/* The server of 2018 takes the text of what stands under a NULL, too, which for an Enum is no label: it gets it by
 * number. */
static void column(pgc_buffer *sql, const char *name, const char *type)
{
    if (strncmp(type, "Nullable(Enum", 13) != 0) {
        pgc_clickhouse_identifier(sql, name);
        return;
    }
    pgc_buffer_text(sql, "if(isNull(");
    pgc_clickhouse_identifier(sql, name);
    pgc_buffer_text(sql, "), NULL, transform(ifNull(CAST(");
    pgc_clickhouse_identifier(sql, name);
    pgc_buffer_text(sql, " AS Nullable(Int16)), 0), [");
    put_labels(sql, type, true);
    pgc_buffer_text(sql, "], [");
    put_labels(sql, type, false);
    pgc_buffer_text(sql, "], ''))");
}

static void text(pgc_buffer *sql, const char *value, const char *type, const pgconvoy_column *source)
{
    bool is_bytes = source && source->type && source->type->oid == PGC_BYTEA;
    (void)type;
    pgc_buffer_format(sql, is_bytes ? "substring(lower(hex(%s)), 1, %d)" : "substring(toString(%s), 1, %d)", value,
                      PGC_COMPARER_TEXT_BYTES);
}

/* NULL and an empty text are told apart by what stands before a text. */
static void hash(pgc_buffer *sql, const char *const *values, int count)
{
    for (int i = 0; i < count; i++)
        pgc_buffer_format(sql, "%sifNull(concat('=', toString(%s)), '')", i > 0 ? ", " : "cityHash64(", values[i]);
    pgc_buffer_byte(sql, ')');
}

static void bucket(pgc_buffer *sql, const char *of, long count)
{
    pgc_buffer_format(sql, "%s %% %ld", of, count);
}

static const char *const schemes[] = {"clickhouse://", "clickhouses://", NULL};

const pgc_comparer pgc_comparer_clickhouse = {
    .schemes = schemes,
    .target_help = "clickhouse://USER:PASSWORD@HOST:PORT/DATABASE",
    .is_live = true,
    .open = open_comparer,
    .scratch = make_scratch,
    .describe = describe,
    .compare_types = compare_types,
    .column = column,
    .text = text,
    .hash = hash,
    .bucket = bucket,
    .sum_begin = "sum(",
    .sum_end = ")",
    .select = select_rows,
    .close = close_comparer,
};
