/*
 * A sink to start from. Copy this folder to src/sink/NAME/, put NAME into the list in src/sink/meson.build and a
 * meson.build like src/sink/stdout/'s beside it, rename `template` to NAME throughout, and fill in what each comment
 * asks for. It is compiled and driven by the tests, so it is always a whole sink, though one that throws the data away.
 *
 * The manual is the interface itself: struct pgconvoy_sink in include/pgconvoy.h says of each operation when it is
 * called, who owns what, and what must hold after. tests/contract holds every registered sink to it. A page in
 * docs/sinks/ says how types map.
 *
 * This one keeps its checkpoint in a local file, which suits a target without transactions: writes must then be such
 * that a second time does no harm, keyed by (commit_lsn, sequence). A target with transactions stores the checkpoint in
 * a table of its own, in the transaction of the data, sets PGCONVOY_SINK_TRANSACTIONAL, and needs no file;
 * src/sink/postgres is an example.
 */
#include "base/error.h"

#include <stdlib.h>

/* The sink's own state: whatever serves all writers. */
typedef struct template_sink {
    const pgconvoy_sink_config *config; /* stays valid until close */
    pgconvoy_checkpoint_file *checkpoint;
} template_sink;

/* One connection to the target. One thread uses it at a time, so it needs no lock; what it shares through the sink
 * does. */
typedef struct template_writer {
    template_sink *sink;
} template_writer;

static void close_sink(void *state)
{
    template_sink *sink = state;
    pgconvoy_checkpoint_file_close(sink->checkpoint);
    free(sink);
}

static int open_sink(const pgconvoy_sink_config *config, void **state, pgconvoy_error *err)
{
    template_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return pgc_error_out_of_memory(err);
    sink->config = config;
    /* Here: take config->target apart, load libraries, connect, and refuse now what cannot work later. Create nothing
     * yet. */
    sink->checkpoint = pgconvoy_checkpoint_file_open(config, err);
    if (!sink->checkpoint) {
        close_sink(sink);
        return -1;
    }
    *state = sink;
    return 0;
}

static int read_checkpoint(void *state, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    template_sink *sink = state;
    return pgconvoy_checkpoint_file_read(sink->checkpoint, checkpoint, err);
}

static int check_table(void *state, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    (void)state;
    (void)table;
    (void)if_exists;
    (void)err;
    /* Here: refuse a column whose type has no mapping, and a table in the way when if_exists is
     * PGCONVOY_IF_EXISTS_ERROR; both by name. */
    return 0;
}

static int prepare_table(void *state, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    template_sink *sink = state;
    (void)if_exists;
    /* Here: create the table, or empty what an interrupted copy of ours left, or do with somebody else's what if_exists
     * says. */
    const pgconvoy_table_status status = {table->schema, table->name, PGCONVOY_TABLE_COPYING, 0};
    return pgconvoy_checkpoint_file_store(sink->checkpoint, 0, &status, 1, NULL, err);
}

static int finish_table(void *state, const pgconvoy_table *table, const pgconvoy_table_status *status,
                        pgconvoy_error *err)
{
    template_sink *sink = state;
    (void)table;
    /* Here: keys and indexes, and whatever makes the rows durable. */
    return pgconvoy_checkpoint_file_store(sink->checkpoint, 0, status, 1, NULL, err);
}

static int open_writer(void *state, void **writer_out, pgconvoy_error *err)
{
    template_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return pgc_error_out_of_memory(err);
    writer->sink = state;
    *writer_out = writer;
    return 0;
}

static int begin(void *state, const pgconvoy_table *table, pgconvoy_error *err)
{
    (void)state;
    (void)table; /* the table to be copied, NULL for the stream */
    (void)err;
    return 0;
}

static int write_rows(void *state, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    (void)state;
    (void)err;
    size_t columns = (size_t)rows->table->column_count;
    for (size_t row = 0; row < rows->row_count; row++) {
        const pgconvoy_value *values = rows->values + row * columns;
        /* Here: values[0 … columns - 1], each in text or binary; src/postgres/value.h reads both. */
        (void)values;
    }
    return 0;
}

static int write_changes(void *state, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    (void)state;
    (void)err;
    for (size_t i = 0; i < changes->count; i++) {
        const pgconvoy_change *change = &changes->items[i];
        switch ((pgconvoy_operation)change->operation) {
        case PGCONVOY_INSERT:
            /* Here: change->new_. */
            break;
        case PGCONVOY_UPDATE:
            /* Here: the row with the key of change->old, or of change->new_ where old is NULL, gets change->new_; a
             * value that is PGCONVOY_UNCHANGED stays as it is in the target. */
            break;
        case PGCONVOY_DELETE:
            /* Here: the row with the key of change->old. */
            break;
        case PGCONVOY_TRUNCATE:
            break;
        default:
            break; /* BEGIN, COMMIT and MESSAGE come only with PGCONVOY_SINK_KEEPS_EVENTS */
        }
    }
    return 0;
}

static int change_schema(void *state, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                         pgconvoy_error *err)
{
    (void)state;
    (void)old_table;
    (void)new_table;
    (void)err;
    /* Here: the target's ALTER TABLE for what differs; refuse by name what it cannot follow. */
    return 0;
}

static int commit(void *state, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                  pgconvoy_error *err)
{
    template_writer *writer = state;
    /* Here: make everything since begin durable. Only then the checkpoint: what it says is never written again. */
    if (lsn == 0 && table_count == 0)
        return 0;
    return pgconvoy_checkpoint_file_store(writer->sink->checkpoint, lsn, tables, table_count, NULL, err);
}

static void abort_writer(void *state)
{
    (void)state;
    /* Here: roll back; the connection may be gone. */
}

static void close_writer(void *state)
{
    free(state);
}

static int drop(void *state, pgconvoy_error *err)
{
    template_sink *sink = state;
    return pgconvoy_checkpoint_file_remove(sink->checkpoint, err);
}

static const char *const schemes[] = {"template:", NULL};

extern const pgconvoy_sink pgc_sink_template;
const pgconvoy_sink pgc_sink_template = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "template",
    .description = "a sink to start from; throws everything away",
    .schemes = schemes,
    .target_help = "template:ANYTHING",
    .capabilities = PGCONVOY_SINK_PARALLEL,
    .open = open_sink,
    .read_checkpoint = read_checkpoint,
    .column_format = pgconvoy_sink_default_column_format_text,
    .check_table = check_table,
    .prepare_table = prepare_table,
    .finish_table = finish_table,
    .open_writer = open_writer,
    .begin = begin,
    .write_rows = write_rows,
    .write_changes = write_changes,
    .change_schema = change_schema,
    .commit = commit,
    .abort = abort_writer,
    .close_writer = close_writer,
    .drop = drop,
    .close = close_sink,
};
