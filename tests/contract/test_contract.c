/*
 * The contract of a sink, held against every sink of the registry: what a checkpoint says after each step, that an aborted transaction leaves nothing,
 * that nothing is created by looking. What a sink does with the values is the scenarios' matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "postgres/value.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/pgconvoy-contract-XXXXXX";
static pgconvoy_log quiet;

static const pgconvoy_type int4_type = {.oid = PGC_INT4, .schema = "pg_catalog", .name = "int4", .typmod = -1, .delimiter = ','};
static const pgconvoy_type text_type = {.oid = PGC_TEXT_OID, .schema = "pg_catalog", .name = "text", .typmod = -1, .delimiter = ','};
static const pgconvoy_column columns[] = {
    {.name = "id", .type = &int4_type, .typmod = -1, .type_sql = "integer", .not_null = true, .in_key = true, .primary_key = 1},
    {.name = "name", .type = &text_type, .typmod = -1, .type_sql = "text"},
};
static const int key[] = {0};
static const pgconvoy_table table = {.oid = 16385, .version = 1, .schema = "contract", .name = "t", .column_count = 2, .columns = columns,
                                     .replica_identity = 'd', .key_count = 1, .key = key, .estimated_rows = 1, .estimated_bytes = 100};

/* What a sink is opened with here; NULL where it cannot be had. */
static const char *target_for(const pgconvoy_sink *sink, char *text, size_t size)
{
    if (strcmp(sink->name, "postgres") == 0)
        return getenv("PGCONVOY_TEST_URI");
    if (strcmp(sink->name, "bigquery") == 0)
        return getenv("PGCONVOY_TEST_BIGQUERY");
    if (strcmp(sink->name, "snowflake") == 0)
        return getenv("PGCONVOY_TEST_SNOWFLAKE"); /* both: tests/scenario/…_is_the_source */
    if (strcmp(sink->name, "clickhouse") == 0)
        return getenv("PGCONVOY_TEST_CLICKHOUSE"); /* tests/scenario/clickhouse_takes_all sets it */
    if (strcmp(sink->name, "stdout") == 0)
        return "-";
    snprintf(text, size, "%s%s/contract.db", sink->schemes[0], folder);
    return text;
}

typedef struct opened {
    const pgconvoy_sink *ops;
    pgconvoy_sink_config config;
    char target[256], state_dir[256];
    void *sink;
    pgconvoy_error err;
} opened;

static bool open_sink(opened *o, const pgconvoy_sink *sink)
{
    memset(o, 0, sizeof *o);
    const char *target = target_for(sink, o->target, sizeof o->target);
    if (!target)
        return false;
    snprintf(o->state_dir, sizeof o->state_dir, "%s/state-%s", folder, sink->name);
    o->ops = sink;
    o->config = (pgconvoy_sink_config){.target = target, .pipeline_name = "contract", .source_id = "1/contract", .state_dir = o->state_dir,
                                       .memory_bytes = (size_t)128 << 20, .writers = 2, .log = &quiet};
    if (sink->open(&o->config, &o->sink, &o->err) != 0)
        fail_msg("%s: open: %s", sink->name, o->err.message);
    return true;
}

#define OK(o, call)                                                                                                    \
    do {                                                                                                               \
        if ((call) != 0)                                                                                               \
            fail_msg("%s: %s: %s", (o)->ops->name, #call, (o)->err.message);                                           \
    } while (0)

static pgconvoy_checkpoint checkpoint_of(opened *o)
{
    pgconvoy_checkpoint checkpoint;
    OK(o, o->ops->read_checkpoint(o->sink, &checkpoint, &o->err));
    return checkpoint;
}

static void assert_source(opened *o, const pgconvoy_checkpoint *checkpoint, int line)
{
    if (!checkpoint->source_id || strcmp(checkpoint->source_id, "1/contract") != 0)
        fail_msg("%s: line %d: the checkpoint's source is %s", o->ops->name, line,
                 checkpoint->source_id ? checkpoint->source_id : "none");
}

static void copy_one_row(opened *o)
{
    static const char id[] = {0, 0, 0, 1};
    static const char raw_binary[] = "\0\2\0\0\0\4\0\0\0\1\0\0\0\3one";
    static const char raw_text[] = "1\tone\n";
    pgconvoy_value values[2] = {{"1", 1, PGCONVOY_TEXT}, {"one", 3, PGCONVOY_TEXT}};
    bool binary = true;
    for (int i = 0; i < 2; i++)
        binary &= o->ops->column_format(o->sink, &columns[i]) == PGCONVOY_BINARY;
    if (binary) {
        values[0] = (pgconvoy_value){id, 4, PGCONVOY_BINARY};
        values[1].format = PGCONVOY_BINARY;
    }
    pgconvoy_rows rows = {.table = &table, .row_count = 1, .values = values, .raw = binary ? raw_binary : raw_text,
                          .raw_length = binary ? sizeof raw_binary - 1 : sizeof raw_text - 1, .raw_format = binary, .snapshot_lsn = 100};
    void *writer;
    OK(o, o->ops->open_writer(o->sink, &writer, &o->err));
    OK(o, o->ops->begin(writer, &table, &o->err));
    OK(o, o->ops->write_rows(writer, &rows, &o->err));
    OK(o, o->ops->commit(writer, 0, NULL, 0, &o->err));
    o->ops->close_writer(writer);
}

static void write_insert(opened *o, void *writer, const char *id, pgconvoy_lsn lsn)
{
    pgconvoy_transaction transaction = {.xid = 7, .commit_lsn = lsn - 8, .end_lsn = lsn, .commit_time = 0};
    pgconvoy_value values[2] = {{id, (int32_t)strlen(id), PGCONVOY_TEXT}, {NULL, PGCONVOY_NULL, PGCONVOY_TEXT}};
    pgconvoy_change change = {.operation = PGCONVOY_INSERT, .lsn = lsn - 16, .transaction = &transaction, .table = &table, .new_ = values};
    pgconvoy_changes changes = {.items = &change, .count = 1};
    OK(o, o->ops->begin(writer, NULL, &o->err));
    OK(o, o->ops->write_changes(writer, &changes, &o->err));
}

static void hold_contract(const pgconvoy_sink *sink)
{
    opened o;
    if (!open_sink(&o, sink)) {
        print_message("%s: no server to test with (PGCONVOY_TEST_URI)\n", sink->name);
        return;
    }
    OK(&o, sink->drop(o.sink, &o.err)); /* of an earlier run that failed */

    /* looking creates nothing */
    pgconvoy_checkpoint checkpoint = checkpoint_of(&o);
    assert_null(checkpoint.source_id);
    assert_true(checkpoint.lsn == 0);
    assert_int_equal(checkpoint.table_count, 0);
    OK(&o, sink->check_table(o.sink, &table, PGCONVOY_IF_EXISTS_DROP, &o.err));

    /* a table is COPYING from prepare to finish */
    OK(&o, sink->prepare_table(o.sink, &table, PGCONVOY_IF_EXISTS_DROP, &o.err));
    copy_one_row(&o);
    checkpoint = checkpoint_of(&o);
    assert_source(&o, &checkpoint, __LINE__);
    assert_int_equal(checkpoint.table_count, 1);
    assert_string_equal(checkpoint.tables[0].schema, "contract");
    assert_string_equal(checkpoint.tables[0].name, "t");
    assert_int_equal(checkpoint.tables[0].state, PGCONVOY_TABLE_COPYING);

    /* an interrupted copy starts again, in a new process */
    sink->close(o.sink);
    open_sink(&o, sink);
    OK(&o, sink->prepare_table(o.sink, &table, PGCONVOY_IF_EXISTS_ERROR, &o.err));
    copy_one_row(&o);
    pgconvoy_table_status status = {"contract", "t", PGCONVOY_TABLE_CATCHING_UP, 100};
    OK(&o, sink->finish_table(o.sink, &table, &status, &o.err));
    checkpoint = checkpoint_of(&o);
    assert_int_equal(checkpoint.tables[0].state, PGCONVOY_TABLE_CATCHING_UP);
    assert_true(checkpoint.tables[0].copy_lsn == 100);
    assert_true(checkpoint.lsn == 0);

    /* an aborted transaction leaves nothing, a committed one its position and states */
    void *writer;
    OK(&o, sink->open_writer(o.sink, &writer, &o.err));
    write_insert(&o, writer, "2", 200);
    sink->abort(writer);
    checkpoint = checkpoint_of(&o);
    assert_true(checkpoint.lsn == 0);
    write_insert(&o, writer, "2", 200); /* with a primary key this fails when the abort left the row */
    status.state = PGCONVOY_TABLE_LIVE;
    OK(&o, sink->commit(writer, 200, &status, 1, &o.err));
    OK(&o, sink->begin(writer, NULL, &o.err));
    OK(&o, sink->commit(writer, 300, NULL, 0, &o.err)); /* an idle position */
    sink->close_writer(writer);
    sink->close(o.sink);

    /* and a new process finds them */
    open_sink(&o, sink);
    checkpoint = checkpoint_of(&o);
    assert_source(&o, &checkpoint, __LINE__);
    assert_true(checkpoint.lsn == 300);
    assert_int_equal(checkpoint.table_count, 1);
    assert_int_equal(checkpoint.tables[0].state, PGCONVOY_TABLE_LIVE);
    assert_true(checkpoint.tables[0].copy_lsn == 100);

    /* drop forgets the pipeline */
    OK(&o, sink->drop(o.sink, &o.err));
    sink->close(o.sink);
    open_sink(&o, sink);
    checkpoint = checkpoint_of(&o);
    assert_null(checkpoint.source_id);
    assert_int_equal(checkpoint.table_count, 0);
    OK(&o, sink->check_table(o.sink, &table, PGCONVOY_IF_EXISTS_DROP, &o.err));
    /* the table stays, and is now nobody's: in the way of a pipeline that asks for "error" */
    if (!(sink->capabilities & PGCONVOY_SINK_ALL_TABLES_IN_ONE_STREAM)) {
        assert_int_equal(sink->check_table(o.sink, &table, PGCONVOY_IF_EXISTS_ERROR, &o.err), -1);
        assert_non_null(strstr(o.err.hint, "--if-exists"));
        OK(&o, sink->prepare_table(o.sink, &table, PGCONVOY_IF_EXISTS_DROP, &o.err));
        OK(&o, sink->drop(o.sink, &o.err));
    }
    sink->close(o.sink);
}

static void every_sink_of_the_registry_holds_the_contract(void **state)
{
    (void)state;
    int held = 0;
    for (const pgconvoy_sink *const *sink = pgconvoy_sinks(); *sink; sink++, held++) {
        assert_int_equal((*sink)->version, PGCONVOY_SINK_VERSION);
        assert_non_null((*sink)->description);
        assert_non_null((*sink)->target_help);
        hold_contract(*sink);
    }
    assert_true(held >= 3);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    /* the stdout sink writes to a file here; cmocka's own lines go to standard error */
    char path[300];
    snprintf(path, sizeof path, "%s/stdout", folder);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    if (fd < 0 || dup2(fd, 1) < 0)
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_sink_of_the_registry_holds_the_contract)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fprintf(stderr, "contract: %d passed, %d failed\n", 1 - failed, failed);
    snprintf(path, sizeof path, "rm -rf %s", folder);
    return failed + (system(path) != 0);
}
