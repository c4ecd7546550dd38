/* The DuckDB sink of a build that had no duckdb.h: listed, and says what it lacks when it is opened. */
#include "base/error.h"

static int open_sink(const pgconvoy_sink_config *config, void **sink, pgconvoy_error *err)
{
    (void)config;
    (void)sink;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "this pgconvoy was built without DuckDB");
    pgconvoy_error_hint(err, "run scripts/install-duckdb and build again");
    return -1;
}

/* None of the others is reached without a sink. */
static int unreachable(pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "the duckdb sink is not built in");
    return -1;
}

static int read_checkpoint(void *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    (void)sink, (void)checkpoint;
    return unreachable(err);
}

static int table(void *sink, const pgconvoy_table *t, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    (void)sink, (void)t, (void)if_exists;
    return unreachable(err);
}

static int finish_table(void *sink, const pgconvoy_table *t, const pgconvoy_table_status *status, pgconvoy_error *err)
{
    (void)sink, (void)t, (void)status;
    return unreachable(err);
}

static int open_writer(void *sink, void **writer, pgconvoy_error *err)
{
    (void)sink, (void)writer;
    return unreachable(err);
}

static int begin(void *writer, const pgconvoy_table *t, pgconvoy_error *err)
{
    (void)writer, (void)t;
    return unreachable(err);
}

static int write_rows(void *writer, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    (void)writer, (void)rows;
    return unreachable(err);
}

static int write_changes(void *writer, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    (void)writer, (void)changes;
    return unreachable(err);
}

static int commit(void *writer, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t count, pgconvoy_error *err)
{
    (void)writer, (void)lsn, (void)tables, (void)count;
    return unreachable(err);
}

static int drop(void *sink, pgconvoy_error *err)
{
    (void)sink;
    return unreachable(err);
}

static void nothing(void *object)
{
    (void)object;
}

static const char *const schemes[] = {"duckdb:", NULL};

const pgconvoy_sink pgc_sink_duckdb = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "duckdb",
    .description = "a DuckDB database file (not in this build)",
    .schemes = schemes,
    .target_help = "duckdb:FILE",
    .capabilities = PGCONVOY_SINK_TRANSACTIONAL | PGCONVOY_SINK_PARALLEL,
    .open = open_sink,
    .read_checkpoint = read_checkpoint,
    .column_format = pgconvoy_sink_default_column_format_text,
    .check_table = table,
    .prepare_table = table,
    .finish_table = finish_table,
    .open_writer = open_writer,
    .begin = begin,
    .write_rows = write_rows,
    .write_changes = write_changes,
    .change_schema = pgconvoy_sink_default_change_schema,
    .commit = commit,
    .abort = nothing,
    .close_writer = nothing,
    .drop = drop,
    .close = nothing,
};
