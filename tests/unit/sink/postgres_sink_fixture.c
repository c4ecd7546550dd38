/* See postgres_sink_fixture.h. */
#include "postgres_sink_fixture.h"

#include <unistd.h>

static char database[64], target[1024];
static PGconn *admin;
static PGresult *asked;
static pgconvoy_log test_log;
static pgconvoy_sink_config config;

void *sink, *writer;
pgconvoy_error err;
int warnings, fallbacks, apply_jobs = 1;
char last_warning[2048];

#define BUILT_IN(o, n)                                                                                                 \
    {                                                                                                                  \
        .oid = (o), .schema = "pg_catalog", .name = (n), .typmod = -1, .delimiter = ','                                \
    }
const pgconvoy_type int4_type = BUILT_IN(PGC_INT4, "int4"), int8_type = BUILT_IN(PGC_INT8, "int8"),
                    text_type = BUILT_IN(PGC_TEXT_OID, "text"), numeric_type = BUILT_IN(PGC_NUMERIC, "numeric"),
                    json_type = BUILT_IN(PGC_JSON, "json"), point_type = BUILT_IN(PGC_POINT, "point"),
                    bool_type = BUILT_IN(PGC_BOOL, "bool");
const pgconvoy_type int4_array_type = {.oid = 1007,
                                       .kind = PGCONVOY_TYPE_ARRAY,
                                       .schema = "pg_catalog",
                                       .name = "_int4",
                                       .element = &int4_type,
                                       .typmod = -1,
                                       .delimiter = ','};
static const char *const moods[] = {"sad", "it's ok", "happy"};
const pgconvoy_type mood_type = {.oid = 90001,
                                 .kind = PGCONVOY_TYPE_ENUM,
                                 .schema = "my types",
                                 .name = "Mood",
                                 .typmod = -1,
                                 .delimiter = ',',
                                 .label_count = 3,
                                 .labels = moods};
const pgconvoy_type mood_array_type = {.oid = 90002,
                                       .kind = PGCONVOY_TYPE_ARRAY,
                                       .schema = "my types",
                                       .name = "_Mood",
                                       .element = &mood_type,
                                       .typmod = -1,
                                       .delimiter = ','};
static const pgconvoy_column address_fields[] = {{COLUMN("street", text_type, "text")},
                                                 {COLUMN("mood", mood_type, "\"my types\".\"Mood\"")}};
const pgconvoy_type address_type = {.oid = 90003,
                                    .kind = PGCONVOY_TYPE_COMPOSITE,
                                    .schema = "public",
                                    .name = "address",
                                    .typmod = -1,
                                    .delimiter = ',',
                                    .field_count = 2,
                                    .fields = address_fields};
const pgconvoy_type email_type = {.oid = 90004,
                                  .kind = PGCONVOY_TYPE_DOMAIN,
                                  .schema = "public",
                                  .name = "email",
                                  .element = &numeric_type,
                                  .typmod = ((7 << 16) | 2) + 4,
                                  .delimiter = ','};
const pgconvoy_type span_type = {.oid = 90005,
                                 .kind = PGCONVOY_TYPE_RANGE,
                                 .schema = "public",
                                 .name = "span",
                                 .element = &text_type,
                                 .typmod = -1,
                                 .delimiter = ','};

static void note(void *arg, pgconvoy_log_level level, const char *line)
{
    (void)arg;
    if (strstr(line, "one by one in commit order"))
        fallbacks++;
    if (level < PGCONVOY_LOG_WARNING)
        return;
    warnings++;
    snprintf(last_warning, sizeof last_warning, "%s", line);
}

/* The URI with another database, as key=value. */
static void name_target(const char *uri)
{
    PQconninfoOption *options = PQconninfoParse(uri, NULL);
    size_t length = (size_t)snprintf(target, sizeof target, "dbname=%s", database);
    for (PQconninfoOption *option = options; option && option->keyword; option++)
        if (option->val && strcmp(option->keyword, "dbname") != 0)
            length +=
                (size_t)snprintf(target + length, sizeof target - length, " %s='%s'", option->keyword, option->val);
    PQconninfoFree(options);
}

static void create_or_drop(const char *verb)
{
    char text[160];
    PGconn *conn = PQconnectdb(getenv("PGCONVOY_TEST_URI"));
    snprintf(text, sizeof text, "%s DATABASE %s", verb, database);
    PQclear(PQexec(conn, text));
    PQfinish(conn);
}

bool fixture_open(void)
{
    const char *uri = getenv("PGCONVOY_TEST_URI");
    if (!uri || !uri[0]) {
        fprintf(stderr,
                "skipped: PGCONVOY_TEST_URI does not name a PostgreSQL server (scripts/with-server starts one)\n");
        return false;
    }
    snprintf(database, sizeof database, "pgconvoy_sink_%d", (int)getpid());
    name_target(uri);
    create_or_drop("CREATE");
    admin = pgc_connect(target, PGC_CONNECTION_SQL, "admin of the test", &err);
    if (!admin)
        fprintf(stderr, "%s\n", err.message);
    else
        PQclear(PQexec(admin, "SET client_min_messages = warning"));
    return admin != NULL;
}

void fixture_close(void)
{
    PQclear(asked);
    PQfinish(admin);
    create_or_drop("DROP");
}

const char *fixture_target(void)
{
    return target;
}

void ok(int result)
{
    if (result != 0)
        print_error("%s (%s)\n", err.message, err.hint);
    assert_int_equal(result, 0);
}

void sql(const char *text)
{
    PGresult *result = PQexec(admin, text);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", text, PQerrorMessage(admin));
    PQclear(result);
}

const char *ask(const char *text)
{
    PQclear(asked);
    asked = PQexec(admin, text);
    if (PQresultStatus(asked) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", text, PQerrorMessage(admin));
    return PQntuples(asked) == 0 ? "no row" : PQgetisnull(asked, 0, 0) ? "null" : PQgetvalue(asked, 0, 0);
}

static void open_sink(void)
{
    pgconvoy_checkpoint checkpoint;
    config = (pgconvoy_sink_config){.target = target,
                                    .pipeline_name = "pipe 'line'",
                                    .source_id = "7/source",
                                    .state_dir = "/nonexistent",
                                    .memory_bytes = 1 << 20,
                                    .writers = 2,
                                    .log = &test_log,
                                    .apply_jobs = apply_jobs};
    ok(pgc_sink_postgres.open(&config, &sink, &err));
    ok(pgc_sink_postgres.read_checkpoint(sink, &checkpoint, &err));
}

int setup(void **state)
{
    (void)state;
    test_log.write = note;
    warnings = fallbacks = 0;
    apply_jobs = 1;
    sql("DO $$ DECLARE s text; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ "
        "'^pg_|^information_schema$' LOOP "
        "EXECUTE format('DROP SCHEMA %I CASCADE', s); END LOOP; END $$; CREATE SCHEMA public");
    memset(&err, 0, sizeof err);
    open_sink();
    return 0;
}

int teardown(void **state)
{
    (void)state;
    pgc_sink_postgres.close_writer(writer);
    pgc_sink_postgres.close(sink);
    sink = writer = NULL;
    return 0;
}

void reopen_sink(void)
{
    teardown(NULL);
    open_sink();
}

/* ---- stream */

void stream_begin(void)
{
    if (!writer)
        ok(pgc_sink_postgres.open_writer(sink, &writer, &err));
    ok(pgc_sink_postgres.begin(writer, NULL, &err));
}

int write_one(const pgconvoy_table *table, pgconvoy_operation operation, const pgconvoy_value *old, char old_kind,
              const pgconvoy_value *new_)
{
    pgconvoy_transaction transaction = {.xid = 7, .commit_lsn = 100};
    pgconvoy_change change = {.operation = (uint8_t)operation,
                              .old_kind = old_kind,
                              .lsn = 50,
                              .transaction = &transaction,
                              .table = table,
                              .old = old,
                              .new_ = new_};
    pgconvoy_changes changes = {.items = &change, .count = 1};
    return pgc_sink_postgres.write_changes(writer, &changes, &err);
}

int commit(pgconvoy_lsn lsn)
{
    int result = pgc_sink_postgres.commit(writer, lsn, NULL, 0, &err);
    return result == 1 ? pgc_sink_postgres.make_durable(writer, &err) : result;
}

int finish(const pgconvoy_table *table)
{
    pgconvoy_table_status status = {table->schema, table->name, PGCONVOY_TABLE_CATCHING_UP, 77};
    return pgc_sink_postgres.finish_table(sink, table, &status, &err);
}

void make_table(const pgconvoy_table *table)
{
    ok(pgc_sink_postgres.check_table(sink, table, PGCONVOY_IF_EXISTS_ERROR, &err));
    ok(pgc_sink_postgres.prepare_table(sink, table, PGCONVOY_IF_EXISTS_ERROR, &err));
    ok(finish(table));
}

/* ---- copy */

/* COPY's messages for the query, each a row, without header and trailer. */
static void collect(const char *query, pgconvoy_format format, pgc_buffer *raw, size_t *rows)
{
    char text[4000];
    PGconn *conn = pgc_connect(target, PGC_CONNECTION_SQL, "source of the test", &err);
    snprintf(text, sizeof text, "COPY (%s) TO STDOUT (FORMAT %s)", query,
             format == PGCONVOY_BINARY ? "binary" : "text");
    PGresult *result = pgc_query(conn, text, &err);
    ok(result ? 0 : -1);
    PQclear(result);
    char *message;
    int length;
    *rows = 0;
    while ((length = PQgetCopyData(conn, &message, 0)) > 0) {
        size_t skip = format == PGCONVOY_BINARY && raw->length == 0 && *rows == 0 && length >= 19 ? 19 : 0;
        bool trailer = format == PGCONVOY_BINARY && length == 2 && memcmp(message, "\377\377", 2) == 0;
        if (!trailer && (size_t)length > skip) {
            pgc_buffer_append(raw, message + skip, (size_t)length - skip);
            (*rows)++;
        }
        PQfreemem(message);
    }
    PQfinish(conn);
}

void copy_rows(const pgconvoy_table *table, const char *query, pgconvoy_format format)
{
    void *copier;
    pgc_buffer raw;
    pgconvoy_rows rows = {.table = table, .raw_format = format};
    pgc_buffer_init(&raw, 1u << 30);
    collect(query, format, &raw, &rows.row_count);
    rows.raw = raw.data;
    rows.raw_length = raw.length;
    ok(pgc_sink_postgres.open_writer(sink, &copier, &err));
    ok(pgc_sink_postgres.begin(copier, table, &err));
    ok(pgc_sink_postgres.write_rows(copier, &rows, &err));
    ok(pgc_sink_postgres.commit(copier, 0, NULL, 0, &err));
    pgc_sink_postgres.close_writer(copier);
    pgc_buffer_free(&raw);
}

void copy_query(const pgconvoy_table *table, const char *query, pgconvoy_format format)
{
    ok(pgc_sink_postgres.check_table(sink, table, PGCONVOY_IF_EXISTS_ERROR, &err));
    ok(pgc_sink_postgres.prepare_table(sink, table, PGCONVOY_IF_EXISTS_ERROR, &err));
    copy_rows(table, query, format);
    ok(finish(table));
}
