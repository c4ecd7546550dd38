/*
 * The sink for "-": every row and change a line of JSON on standard output (docs/sinks/stdout.md).
 *
 * Writers make lines in a buffer of their own and put whole lines out under one lock, so lines of several tables
 * interleave but never mix. The checkpoint is a local file. Into a regular file nothing is ever twice: the checkpoint
 * notes how long the file was, and what a crash left behind that is cut off on the next start. A pipe cannot be taken
 * back: there a crash repeats the changes since the last checkpoint, and (commit_lsn, seq) tells them.
 */
#include "apply/checkpoint_file.h"
#include "format/json_change.h"
#include "sink/stdout/output.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSH_BYTES ((size_t)256 << 10) /* stays in the processor's cache; larger writes were not faster */
#define KEEP_BYTES ((size_t)4 << 20)    /* a buffer that one huge line has grown beyond this is given back */

typedef struct stdout_sink {
    const pgconvoy_sink_config *config;
    pgconvoy_checkpoint_file *checkpoint;
    pthread_mutex_t lock; /* guards what follows, and that checkpoints are stored in the order of their offsets */
    pgc_stdout_output output;
    bool resumed;
} stdout_sink;

typedef struct stdout_writer {
    stdout_sink *sink;
    pgc_json_writer *json;
    pgc_buffer lines;     /* made, not yet put out */
    int64_t begin_offset; /* where output was when the first line of this transaction was put out */
    int64_t end_offset;   /* where it was after the last */
    bool alone;           /* nobody else has written in between */
    bool has_written;
} stdout_writer;

static void close_sink(void *state)
{
    stdout_sink *sink = state;
    pgconvoy_checkpoint_file_close(sink->checkpoint);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
}

/* Changes nothing: another process of this pipeline may still be writing into the same file. */
static int open_sink(const pgconvoy_sink_config *config, void **state, pgconvoy_error *err)
{
    stdout_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return pgc_error_out_of_memory(err);
    sink->config = config;
    pthread_mutex_init(&sink->lock, NULL);
    if (pgc_stdout_output_open(&sink->output, STDOUT_FILENO, err) != 0 ||
        !(sink->checkpoint = pgconvoy_checkpoint_file_open(config, err))) {
        close_sink(sink);
        return -1;
    }
    *state = sink;
    return 0;
}

/*
 * Cuts off what a crash left behind the checkpoint, before the first line is written: by then the pipeline has made
 * sure that it is alone. If a process that was just ending has stored a newer checkpoint since open, what is behind
 * ours is not left over: start again from that one.
 */
static int resume(stdout_sink *sink, pgconvoy_error *err)
{
    if (sink->resumed)
        return 0;
    pgconvoy_checkpoint_file *now = pgconvoy_checkpoint_file_open(sink->config, err);
    if (!now)
        return -1;
    const char *note = pgconvoy_checkpoint_file_note(sink->checkpoint), *note_now = pgconvoy_checkpoint_file_note(now);
    pgconvoy_checkpoint ours, theirs;
    int result = pgconvoy_checkpoint_file_read(sink->checkpoint, &ours, err);
    if (result == 0)
        result = pgconvoy_checkpoint_file_read(now, &theirs, err);
    if (result == 0 && (ours.lsn != theirs.lsn || strcmp(note ? note : "", note_now ? note_now : "") != 0)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "another process has moved the checkpoint of pipeline %s",
                           sink->config->pipeline_name);
        pgconvoy_error_hint(err, "run the same command again");
        pgconvoy_error_retriable(err, true);
        result = -1;
    }
    if (result == 0)
        result = pgc_stdout_output_open(&sink->output, STDOUT_FILENO, err); /* its end may have moved since */
    if (result == 0)
        result = pgc_stdout_output_resume(&sink->output, note, sink->config->log, err);
    pgconvoy_checkpoint_file_close(now);
    sink->resumed = result == 0;
    return result;
}

static int read_checkpoint(void *state, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    stdout_sink *sink = state;
    return pgconvoy_checkpoint_file_read(sink->checkpoint, checkpoint, err);
}

/* Syncs what was put out and stores the checkpoint that says so. The lock is held. */
static int store_checkpoint(stdout_sink *sink, pgconvoy_lsn lsn, const pgconvoy_table_status *tables,
                            size_t table_count, pgconvoy_error *err)
{
    char note[PGC_OUTPUT_NOTE_SIZE];
    if (pgc_stdout_output_sync(&sink->output, err) != 0)
        return -1;
    pgc_stdout_output_note(&sink->output, note);
    return pgconvoy_checkpoint_file_store(sink->checkpoint, lsn, tables, table_count, note, err);
}

/* The lines of a copy that was interrupted may be out already, between those of other tables: a truncate line takes
 * them back. */
static int write_restart(stdout_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgconvoy_checkpoint checkpoint;
    pgc_buffer line;
    pgc_buffer_init(&line, 1 << 20);
    int result = pgconvoy_checkpoint_file_read(sink->checkpoint, &checkpoint, err);
    if (result == 0)
        result = pgc_json_write_restarted_copy(table, checkpoint.lsn, &line, err);
    if (result == 0)
        result = pgc_stdout_output_write(&sink->output, line.data, line.length, err);
    pgc_buffer_free(&line);
    return result;
}

static int prepare_table(void *state, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    (void)if_exists; /* nothing can be in the way here */
    stdout_sink *sink = state;
    const pgconvoy_table_status status = {table->schema, table->name, PGCONVOY_TABLE_COPYING, 0};
    pthread_mutex_lock(&sink->lock);
    int result = resume(sink, err);
    if (result == 0 &&
        pgc_checkpoint_file_table_state(sink->checkpoint, table->schema, table->name) != PGCONVOY_TABLE_WAITING)
        result = write_restart(sink, table, err);
    if (result == 0)
        result = store_checkpoint(sink, 0, &status, 1, err);
    pthread_mutex_unlock(&sink->lock);
    return result;
}

static int finish_table(void *state, const pgconvoy_table *table, const pgconvoy_table_status *status,
                        pgconvoy_error *err)
{
    (void)table;
    stdout_sink *sink = state;
    pthread_mutex_lock(&sink->lock);
    int result = store_checkpoint(sink, 0, status, 1, err);
    pthread_mutex_unlock(&sink->lock);
    return result;
}

static void close_writer(void *state)
{
    stdout_writer *writer = state;
    pgc_json_writer_free(writer->json);
    pgc_buffer_free(&writer->lines);
    free(writer);
}

static int open_writer(void *state, void **writer_out, pgconvoy_error *err)
{
    stdout_sink *sink = state;
    pthread_mutex_lock(&sink->lock);
    int resumed = resume(sink, err);
    pthread_mutex_unlock(&sink->lock);
    if (resumed != 0)
        return -1;
    stdout_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return pgc_error_out_of_memory(err);
    writer->sink = sink;
    pgc_buffer_init(&writer->lines, SIZE_MAX / 2);
    writer->json = pgc_json_writer_new();
    if (!writer->json) {
        close_writer(writer);
        return pgc_error_out_of_memory(err);
    }
    *writer_out = writer;
    return 0;
}

static int begin(void *state, const pgconvoy_table *table, pgconvoy_error *err)
{
    (void)table;
    (void)err;
    stdout_writer *writer = state;
    pgc_json_writer_begin(writer->json);
    pgc_buffer_reset(&writer->lines);
    writer->has_written = false;
    writer->alone = true;
    return 0;
}

/* Puts the lines out. The lock is held. */
static int put_out(stdout_writer *writer, pgconvoy_error *err)
{
    pgc_stdout_output *output = &writer->sink->output;
    if (writer->lines.length == 0)
        return 0;
    if (!writer->has_written)
        writer->begin_offset = output->offset;
    else if (writer->end_offset != output->offset)
        writer->alone = false;
    writer->has_written = true;
    int result = pgc_stdout_output_write(output, writer->lines.data, writer->lines.length, err);
    writer->end_offset = output->offset;
    if (writer->lines.capacity > KEEP_BYTES)
        pgc_buffer_free(&writer->lines);
    else
        pgc_buffer_reset(&writer->lines);
    return result;
}

static int flush(stdout_writer *writer, pgconvoy_error *err)
{
    pthread_mutex_lock(&writer->sink->lock);
    int result = put_out(writer, err);
    pthread_mutex_unlock(&writer->sink->lock);
    return result;
}

static int write_rows(void *state, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    stdout_writer *writer = state;
    for (size_t row = 0; row < rows->row_count; row++) {
        if (pgc_json_write_row(writer->json, rows, row, &writer->lines, err) != 0)
            return -1;
        if (writer->lines.length >= FLUSH_BYTES && flush(writer, err) != 0)
            return -1;
    }
    return 0;
}

static int write_changes(void *state, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    stdout_writer *writer = state;
    for (size_t i = 0; i < changes->count; i++) {
        if (pgc_json_write_change(writer->json, &changes->items[i], &writer->lines, err) != 0)
            return -1;
        if (writer->lines.length >= FLUSH_BYTES && flush(writer, err) != 0)
            return -1;
    }
    return 0;
}

static int change_schema(void *state, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                         pgconvoy_error *err)
{
    (void)old_table;
    stdout_writer *writer = state;
    return pgc_json_write_schema(writer->json, new_table, &writer->lines, err);
}

static int commit(void *state, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                  pgconvoy_error *err)
{
    stdout_writer *writer = state;
    pthread_mutex_lock(&writer->sink->lock);
    int result = put_out(writer, err);
    if (result == 0 && (lsn != 0 || table_count > 0))
        result = store_checkpoint(writer->sink, lsn, tables, table_count, err);
    pthread_mutex_unlock(&writer->sink->lock);
    if (result == 0)
        writer->has_written = false;
    return result;
}

/* Lines that are out can be taken back from a file, as long as nobody else's stand between or behind them. */
static void abort_writer(void *state)
{
    stdout_writer *writer = state;
    stdout_sink *sink = writer->sink;
    pgc_buffer_reset(&writer->lines);
    pthread_mutex_lock(&sink->lock);
    if (writer->has_written && sink->output.is_file && writer->alone && writer->end_offset == sink->output.offset) {
        pgconvoy_error err;
        pgc_error_clear(&err);
        if (pgc_stdout_output_cut(&sink->output, writer->begin_offset, &err) != 0)
            pgc_log_warning(sink->config->log, "%s; changes of an aborted batch may come twice", err.message);
    }
    pthread_mutex_unlock(&sink->lock);
    writer->has_written = false;
}

static int drop(void *state, pgconvoy_error *err)
{
    stdout_sink *sink = state;
    return pgconvoy_checkpoint_file_remove(sink->checkpoint, err);
}

static const char *const schemes[] = {"-", NULL};

const pgconvoy_sink pgc_sink_stdout = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "stdout",
    .description = "standard output, a JSON object a line",
    .schemes = schemes,
    .target_help = "-",
    .capabilities = PGCONVOY_SINK_PARALLEL | PGCONVOY_SINK_KEEPS_EVENTS | PGCONVOY_SINK_ALL_TABLES_IN_ONE_STREAM,
    .open = open_sink,
    .read_checkpoint = read_checkpoint,
    .column_format = pgconvoy_sink_default_column_format_text,
    .check_table = pgconvoy_sink_default_check_table,
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
