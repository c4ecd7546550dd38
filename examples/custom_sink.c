/* A sink of one's own: counts the rows and changes of each table, and prints the counts at the end.
 *
 *     custom_sink postgres://localhost/shop
 *
 * What a sink must do stands above each operation in pgconvoy.h. This one keeps its checkpoint in a local file and its
 * counts in memory; a real one writes its data in write_rows and write_changes, and makes them durable in commit before
 * it stores the checkpoint. */
#include <pgconvoy.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MOST_TABLES 1000

typedef struct counts {
    pthread_mutex_t lock; /* several writers copy at once */
    pgconvoy_checkpoint_file *checkpoint;
    int table_count;
    struct {
        char name[200];
        long long copied, inserted, updated, deleted;
    } tables[MOST_TABLES];
} counts;

/* Where a table's counts are; the last place serves all that do not fit. The lock is held. */
static int find(counts *counts, const pgconvoy_table *table)
{
    char name[200];
    int i = 0;
    snprintf(name, sizeof name, "%s.%s", table->schema, table->name);
    while (i < counts->table_count && strcmp(counts->tables[i].name, name) != 0)
        i++;
    if (i == counts->table_count && i < MOST_TABLES - 1)
        counts->table_count++;
    strcpy(counts->tables[i].name, name);
    return i;
}

static int open_sink(const pgconvoy_sink_config *config, void **sink, pgconvoy_error *err)
{
    counts *counts = config->user_data;
    *sink = counts;
    counts->checkpoint = pgconvoy_checkpoint_file_open(config, err);
    return counts->checkpoint ? 0 : -1;
}

static int read_checkpoint(void *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    return pgconvoy_checkpoint_file_read(((counts *)sink)->checkpoint, checkpoint, err);
}

static int prepare_table(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    (void)if_exists;
    const pgconvoy_table_status status = {table->schema, table->name, PGCONVOY_TABLE_COPYING, 0};
    return pgconvoy_checkpoint_file_store(((counts *)sink)->checkpoint, 0, &status, 1, NULL, err);
}

static int finish_table(void *sink, const pgconvoy_table *table, const pgconvoy_table_status *status,
                        pgconvoy_error *err)
{
    (void)table;
    return pgconvoy_checkpoint_file_store(((counts *)sink)->checkpoint, 0, status, 1, NULL, err);
}

static int open_writer(void *sink, void **writer, pgconvoy_error *err)
{
    (void)err;
    *writer = sink; /* all writers count into the same place */
    return 0;
}

static int begin(void *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    (void)writer, (void)table, (void)err;
    return 0;
}

static int write_rows(void *writer, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    (void)err;
    counts *counts = writer;
    pthread_mutex_lock(&counts->lock);
    counts->tables[find(counts, rows->table)].copied += (long long)rows->row_count;
    pthread_mutex_unlock(&counts->lock);
    return 0;
}

static int write_changes(void *writer, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    (void)err;
    counts *counts = writer;
    pthread_mutex_lock(&counts->lock);
    for (size_t i = 0; i < changes->count; i++) {
        const pgconvoy_change *change = &changes->items[i];
        int table = find(counts, change->table);
        counts->tables[table].inserted += change->operation == PGCONVOY_INSERT;
        counts->tables[table].updated += change->operation == PGCONVOY_UPDATE;
        counts->tables[table].deleted += change->operation == PGCONVOY_DELETE;
    }
    pthread_mutex_unlock(&counts->lock);
    return 0;
}

static int commit(void *writer, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                  pgconvoy_error *err)
{
    return pgconvoy_checkpoint_file_store(((counts *)writer)->checkpoint, lsn, tables, table_count, NULL, err);
}

static void nothing(void *writer)
{
    (void)writer;
}

static int drop(void *sink, pgconvoy_error *err)
{
    return pgconvoy_checkpoint_file_remove(((counts *)sink)->checkpoint, err);
}

static void close_sink(void *sink)
{
    pgconvoy_checkpoint_file_close(((counts *)sink)->checkpoint);
}

static const char *const schemes[] = {NULL}; /* it is handed over, not found by a TARGET */

static const pgconvoy_sink counting_sink = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "counts",
    .description = "counts changes",
    .schemes = schemes,
    .target_help = "",
    .capabilities = PGCONVOY_SINK_PARALLEL | PGCONVOY_SINK_ALL_TABLES_IN_ONE_STREAM,
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
    .change_schema = pgconvoy_sink_default_change_schema,
    .commit = commit,
    .abort = nothing,
    .close_writer = nothing,
    .drop = drop,
    .close = close_sink,
};

int main(int argc, char **argv)
{
    static counts counts = {.lock = PTHREAD_MUTEX_INITIALIZER};
    if (argc < 2) {
        fprintf(stderr, "usage: %s SOURCE\n", argv[0]);
        return 2;
    }
    pgconvoy_error *err = pgconvoy_error_new();
    pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new_with_sink(argv[1], &counting_sink, &counts, err);
    int failed = !pipeline || pgconvoy_pipeline_set(pipeline, "until", "caught-up", err) != 0 ||
                 pgconvoy_pipeline_run(pipeline, PGCONVOY_SYNC, err) != 0;
    if (failed)
        fprintf(stderr, "%s\n%s\n", pgconvoy_error_message(err), pgconvoy_error_get_hint(err));
    for (int i = 0; i < counts.table_count && !failed; i++)
        printf("%s: %lld copied, %lld inserted, %lld updated, %lld deleted\n", counts.tables[i].name,
               counts.tables[i].copied, counts.tables[i].inserted, counts.tables[i].updated, counts.tables[i].deleted);
    pgconvoy_pipeline_free(pipeline);
    pgconvoy_error_free(err);
    return failed;
}
