/* See duckdb_fixture.h. */
#include "duckdb_fixture.h"

#include <unistd.h>

static void count_warning(void *arg, pgconvoy_log_level level, const char *line)
{
    fixture *f = arg;
    (void)line;
    f->warnings += level >= PGCONVOY_LOG_WARNING;
}

int fixture_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/pgconvoy-duckdb-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->file, sizeof f->file, "%s/shop.duckdb", f->folder);
    f->arena = pgc_arena_new(1 << 16);
    f->memory_bytes = (size_t)128 << 20;
    f->next_oid = 20000;
    f->log = (pgconvoy_log){.write = count_warning, .arg = f};
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture *f = *state;
    char command[128];
    fixture_close(f);
    snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
    pgc_arena_free(f->arena);
    free(f);
    return 0;
}

void fixture_open(fixture *f, const char *options)
{
    fixture_close(f);
    snprintf(f->target, sizeof f->target, "duckdb:%s%s", f->file, options);
    f->config = (pgconvoy_sink_config){.target = f->target, .pipeline_name = "shop", .source_id = "7391/shop",
                                       .state_dir = f->folder, .memory_bytes = f->memory_bytes, .writers = 2, .log = &f->log};
    if (pgc_sink_duckdb.open(&f->config, &f->sink, &f->err) == 0)
        return;
    f->sink = NULL;
    if (strstr(f->err.message, "not installed") || strstr(f->err.message, "built without")) {
        print_message("skipped: %s\n", f->err.message);
        skip();
    }
    fail_msg("%s", f->err.message);
}

void fixture_close(fixture *f)
{
    if (f->writer)
        pgc_sink_duckdb.close_writer(f->writer);
    if (f->sink)
        pgc_sink_duckdb.close(f->sink);
    f->writer = f->sink = NULL;
}

void ok(fixture *f, int result)
{
    if (result != 0)
        fail_msg("%s (%s)", f->err.message, f->err.hint);
}

static const struct {
    const char *name;
    uint32_t oid;
} builtins[] = {
    {"bool", PGC_BOOL}, {"int2", PGC_INT2}, {"int4", PGC_INT4}, {"int8", PGC_INT8}, {"oid", PGC_OID}, {"xid8", PGC_XID8},
    {"float4", PGC_FLOAT4}, {"float8", PGC_FLOAT8}, {"numeric", PGC_NUMERIC}, {"text", PGC_TEXT_OID}, {"varchar", PGC_VARCHAR},
    {"bpchar", PGC_BPCHAR}, {"bytea", PGC_BYTEA}, {"date", PGC_DATE}, {"time", PGC_TIME}, {"timetz", PGC_TIMETZ},
    {"timestamp", PGC_TIMESTAMP}, {"timestamptz", PGC_TIMESTAMPTZ}, {"interval", PGC_INTERVAL}, {"uuid", PGC_UUID},
    {"json", PGC_JSON}, {"jsonb", PGC_JSONB}, {"bit", PGC_BIT}, {"varbit", PGC_VARBIT}, {"inet", PGC_INET}, {"money", PGC_MONEY},
    {"point", PGC_POINT}, {"xml", PGC_XML},
};

const pgconvoy_type *type_named(fixture *f, const char *name)
{
    pgconvoy_type *type = pgc_arena_zalloc(f->arena, sizeof *type);
    type->schema = "pg_catalog";
    type->name = pgc_arena_strdup(f->arena, name);
    type->typmod = -1;
    type->delimiter = ',';
    if (name[0] == '_') {
        type->kind = PGCONVOY_TYPE_ARRAY;
        type->oid = 1;
        type->element = type_named(f, name + 1);
        return type;
    }
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) {
        if (strcmp(builtins[i].name, name) == 0)
            type->oid = builtins[i].oid;
    }
    if (strcmp(name, "vector") == 0) {
        type->schema = "public";
        type->extension = "vector";
        type->oid = 90001;
    }
    if (type->oid == 0)
        fail_msg("no type %s", name);
    return type;
}

/* "numeric(10,2)" */
static void parse_type(fixture *f, pgconvoy_column *column, const char *text)
{
    char name[64];
    int first = 0, second = 0;
    int got = sscanf(text, "%63[a-z0-9_](%d,%d)", name, &first, &second);
    column->type = type_named(f, name);
    column->type_sql = pgc_arena_strdup(f->arena, text);
    column->typmod = -1;
    if (got >= 2 && strstr(name, "numeric"))
        column->typmod = ((first << 16) | (second & 0x7ff)) + 4;
    else if (got >= 2)
        column->typmod = first;
}

pgconvoy_table *table_of(fixture *f, const char *name, const char *columns, char identity)
{
    pgconvoy_table *table = pgc_arena_zalloc(f->arena, sizeof *table);
    pgconvoy_column *made = pgc_arena_zalloc(f->arena, 64 * sizeof *made);
    int *key = pgc_arena_zalloc(f->arena, 64 * sizeof *key);
    char *text = pgc_arena_strdup(f->arena, columns), *save;
    for (char *one = strtok_r(text, ";", &save); one; one = strtok_r(NULL, ";", &save)) {
        char column[64], type[64], mark[16] = "";
        assert_true(sscanf(one, " %63s %63s %15s", column, type, mark) >= 2);
        pgconvoy_column *c = &made[table->column_count];
        c->name = pgc_arena_strdup(f->arena, column);
        parse_type(f, c, type);
        if (strcmp(mark, "key") == 0) {
            c->not_null = c->in_key = true;
            key[table->key_count++] = table->column_count;
            c->primary_key = table->key_count;
        }
        table->column_count++;
    }
    table->oid = f->next_oid++;
    table->version = 1;
    table->schema = "public";
    table->name = name;
    table->columns = made;
    table->key = key;
    table->replica_identity = identity;
    table->estimated_rows = table->estimated_bytes = -1;
    return table;
}

pgconvoy_value *values_of(fixture *f, int count, const char *const *texts)
{
    if (!texts)
        return NULL;
    pgconvoy_value *values = pgc_arena_zalloc(f->arena, (size_t)count * sizeof *values + 1);
    for (int i = 0; i < count; i++) {
        if (!texts[i] || texts[i] == UNCHANGED) {
            values[i].length = texts[i] ? PGCONVOY_UNCHANGED : PGCONVOY_NULL;
            continue;
        }
        values[i].data = pgc_arena_strdup(f->arena, texts[i]);
        values[i].length = (int32_t)strlen(texts[i]);
    }
    return values;
}

void copy_rows(fixture *f, const pgconvoy_table *table, size_t count, const char *const *values)
{
    void *writer;
    pgconvoy_rows rows = {.table = table, .row_count = count,
                          .values = values_of(f, (int)count * table->column_count, values)};
    pgconvoy_table_status status = {.schema = table->schema, .name = table->name, .state = PGCONVOY_TABLE_CATCHING_UP,
                                    .copy_lsn = 100};
    ok(f, pgc_sink_duckdb.check_table(f->sink, table, PGCONVOY_IF_EXISTS_ERROR, &f->err));
    ok(f, pgc_sink_duckdb.prepare_table(f->sink, table, PGCONVOY_IF_EXISTS_ERROR, &f->err));
    ok(f, pgc_sink_duckdb.open_writer(f->sink, &writer, &f->err));
    int result = pgc_sink_duckdb.begin(writer, table, &f->err);
    if (result == 0)
        result = pgc_sink_duckdb.write_rows(writer, &rows, &f->err);
    if (result == 0)
        result = pgc_sink_duckdb.commit(writer, 0, NULL, 0, &f->err);
    else
        pgc_sink_duckdb.abort(writer);
    pgc_sink_duckdb.close_writer(writer);
    ok(f, result);
    ok(f, pgc_sink_duckdb.finish_table(f->sink, table, &status, &f->err));
}

void begin_stream(fixture *f)
{
    if (!f->writer)
        ok(f, pgc_sink_duckdb.open_writer(f->sink, &f->writer, &f->err));
    ok(f, pgc_sink_duckdb.begin(f->writer, NULL, &f->err));
}

void change(fixture *f, pgconvoy_operation operation, const pgconvoy_table *table, char old_kind, const char *const *old,
            const char *const *new_)
{
    pgconvoy_change item = {.operation = (uint8_t)operation, .old_kind = old_kind, .table = table,
                            .old = values_of(f, table->column_count, old), .new_ = values_of(f, table->column_count, new_)};
    pgconvoy_changes changes = {.items = &item, .count = 1};
    ok(f, pgc_sink_duckdb.write_changes(f->writer, &changes, &f->err));
}

void commit_stream(fixture *f, pgconvoy_lsn lsn)
{
    ok(f, pgc_sink_duckdb.commit(f->writer, lsn, NULL, 0, &f->err));
}

const char *query(fixture *f, const char *sql)
{
    pgc_duckdb_sink *sink = f->sink;
    pgc_buffer text, out;
    duckdb_result result;
    pgc_buffer_init(&text, (size_t)1 << 24);
    pgc_buffer_init(&out, (size_t)1 << 28);
    /* all cells of a row in one text, made by DuckDB itself */
    pgc_buffer_format(&text, "SELECT concat_ws('|', *COLUMNS(*)) FROM (SELECT coalesce(COLUMNS(*)::VARCHAR, 'NULL') FROM (%s))", sql);
    ok(f, pgc_duckdb_select(&sink->api, sink->control, &text, "query", &result, &f->err));
    for (idx_t row = 0; row < sink->api.row_count(&result); row++) {
        char *line = sink->api.value_varchar(&result, 0, row);
        pgc_buffer_text(&out, row > 0 ? ";" : "");
        pgc_buffer_text(&out, line ? line : "NULL");
        sink->api.free(line);
    }
    sink->api.destroy_result(&result);
    const char *copy = pgc_arena_strdup(f->arena, out.data ? out.data : "");
    pgc_buffer_free(&text);
    pgc_buffer_free(&out);
    return copy;
}

void execute(fixture *f, const char *sql)
{
    pgc_duckdb_sink *sink = f->sink;
    ok(f, pgc_duckdb_run_text(&sink->api, sink->control, sql, "execute", &f->err));
}
