/* The DuckDB sink: its operations and its descriptor. What they share is told in duckdb_internal.h, what users see in docs/sinks/duckdb.md. */
#include "sink/duckdb/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEGABYTE ((size_t)1 << 20)
#define LEAST_DUCKDB_BYTES (64 * MEGABYTE)
#define LEAST_GATHER_BYTES (4 * MEGABYTE)

static void close_sink(void *arg);

/* ---- open */

/* Looks at the file before DuckDB does, which would make what is not there, and whose words for the rest are less clear. */
static int check_file(pgc_duckdb_sink *sink, pgconvoy_error *err)
{
    const char *file = sink->target.file;
    struct stat status;
    if (sink->target.motherduck)
        return pgc_duckdb_motherduck_begin(err);
    if (stat(file, &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s is a folder, not a DuckDB database", file);
            pgconvoy_error_hint(err, "name a file: duckdb:%s/shop.duckdb", file);
            return -1;
        }
        if (access(file, R_OK | W_OK) == 0)
            return 0;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s cannot be written: %s", file, strerror(errno));
        pgconvoy_error_hint(err, "give yourself the right to write it, or name another file");
        return -1;
    }
    const char *slash = strrchr(file, '/');
    char *folder = slash == file ? strdup("/") : slash ? strndup(file, (size_t)(slash - file)) : strdup(".");
    if (!folder)
        return pgc_error_out_of_memory(err);
    sink->created = true;
    int result = 0;
    if (errno != ENOENT || access(folder, W_OK | X_OK) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s cannot be created: %s", file, strerror(errno));
        pgconvoy_error_hint(err, "name a file in a folder that is there and that you may write");
        sink->created = false;
        result = -1;
    }
    free(folder);
    return result;
}

static int refuse_open(const pgc_duckdb_sink *sink, const char *message, pgconvoy_error *err)
{
    const char *file = sink->target.file;
    if (sink->target.motherduck)
        return pgc_duckdb_motherduck_refuse(file, message, sink->api.library_version(), err);
    if (message && strstr(message, "not a valid DuckDB")) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s is there, but is no DuckDB database", file);
        pgconvoy_error_hint(err, "name another file, or remove this one");
        return -1;
    }
    if (message && strstr(message, "Could not set lock")) {
        const char *holder = strstr(message, "held in ");
        size_t length = holder ? strcspn(holder, ")\n") : 0;
        if (holder && holder[length] == ')')
            length++;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s is open in another process%s%.*s", file, length > 0 ? ": lock " : "",
                           (int)length, holder ? holder : "");
        pgconvoy_error_hint(err, "close it there first: DuckDB lets one process at a time write a file");
        return -1;
    }
    char doing[512];
    snprintf(doing, sizeof doing, "opening %s", file);
    pgc_duckdb_message_error(DUCKDB_ERROR_IO, message, doing, err);
    if (err->code == PGCONVOY_ERROR_SINK)
        err->code = PGCONVOY_ERROR_CONFIG;
    return -1;
}

/* Splits the sink's share of memory between DuckDB and the changes that are gathered before it gets them. */
static void divide_memory(pgc_duckdb_sink *sink)
{
    size_t share = sink->config->memory_bytes;
    sink->gather_bytes = share / 5 > LEAST_GATHER_BYTES ? share / 5 : LEAST_GATHER_BYTES;
    sink->duckdb_bytes = share / 2; /* the rest is libduckdb itself, and what it allocates past its own limit */
    sink->limit_bytes = share / 4 * 3; /* while tables are copied nothing is gathered, and a group of long rows is held for each job */
    if (sink->target.memory_limit > 0)
        sink->duckdb_bytes = sink->target.memory_limit;
    else if (sink->duckdb_bytes < LEAST_DUCKDB_BYTES)
        sink->duckdb_bytes = LEAST_DUCKDB_BYTES;
    sink->stream_limit_bytes = sink->duckdb_bytes;
    if (sink->target.memory_limit > 0 || sink->limit_bytes < sink->duckdb_bytes)
        sink->limit_bytes = sink->duckdb_bytes;
}

static int configure(pgc_duckdb_sink *sink, duckdb_config config, pgconvoy_error *err)
{
    char memory[32], threads[16], folder[PATH_MAX + 32], checkpoint[32];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t fitting = sink->duckdb_bytes / (32 * MEGABYTE); /* each thread of DuckDB's wants some memory of its own */
    size_t count = cores > 0 && (size_t)cores < fitting ? (size_t)cores : fitting;
    if (sink->target.threads > 0)
        count = (size_t)sink->target.threads;
    snprintf(memory, sizeof memory, "%zuKiB", sink->limit_bytes >> 10);
    sink->threads = count > 0 ? (int)count : 1;
    snprintf(threads, sizeof threads, "%d", sink->threads);
    snprintf(folder, sizeof folder, "%s.tmp.%ld", sink->target.motherduck ? "/tmp/pgconvoy-motherduck" : sink->target.file, (long)getpid());
    const char *extensions = sink->target.motherduck ? "true" : "false";
    snprintf(checkpoint, sizeof checkpoint, "%zuKiB",
             (sink->duckdb_bytes > 256 * MEGABYTE ? 256 * MEGABYTE : sink->duckdb_bytes) >> 10);
    const char *const settings[][2] = {
        {"duckdb_api", "pgconvoy"},
        {"memory_limit", memory},
        {"threads", threads},
        {"temp_directory", folder},
        {"checkpoint_threshold", checkpoint}, /* a checkpoint writes all that was touched since the last: better seldom */
        {"preserve_insertion_order", "false"},
        /* of a file that is new. The format that DuckDB makes by default needs a multiple of memory_limit to compress long texts */
        {"storage_compatibility_version", sink->target.storage_version ? sink->target.storage_version : "v1.4.0"},
        /* joins are written with the small side, the staged rows, on the right, which is then hashed. DuckDB would choose by counts that leave
         * out the rows of the running transaction */
        {"disabled_optimizers", "join_order,build_side_probe_side"},
        {"default_block_size", sink->small_blocks ? "16384" : "262144"}, /* of a file that is new */
        /* of a file nothing is fetched from the network, nor loaded from a home folder; MotherDuck is an extension */
        {"autoinstall_known_extensions", extensions},
        {"autoload_known_extensions", extensions},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        bool of_files = strcmp(settings[i][0], "storage_compatibility_version") == 0 || strcmp(settings[i][0], "default_block_size") == 0 ||
                        strcmp(settings[i][0], "checkpoint_threshold") == 0;
        if (of_files && sink->target.motherduck)
            continue;
        if (sink->api.set_config(config, settings[i][0], settings[i][1]) == DuckDBSuccess)
            continue;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "libduckdb %s does not take %s=%s", sink->api.library_version(),
                           settings[i][0], settings[i][1]);
        return -1;
    }
    return 0;
}

static int open_database(pgc_duckdb_sink *sink, pgconvoy_error *err)
{
    duckdb_config config;
    if (sink->api.create_config(&config) != DuckDBSuccess)
        return pgc_error_out_of_memory(err);
    char *message = NULL;
    int result = configure(sink, config, err);
    if (result == 0 && pgc_duckdb_open(&sink->api, sink->target.file, config, sink->config->log, &sink->database, &message) != 0)
        result = refuse_open(sink, message, err);
    sink->api.free(message);
    sink->api.destroy_config(&config);
    if (result == 0 && sink->api.connect(sink->database, &sink->control) != DuckDBSuccess)
        result = pgc_error_out_of_memory(err);
    return result;
}

/* Removes a folder of spilled files; only what is named as DuckDB names it goes. */
static void remove_spilled(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strncmp(entry->d_name, "duckdb_temp_", 12) == 0)
            unlinkat(fd, entry->d_name, 0);
    }
    closedir(dir);
    unlinkat(parent, name, AT_REMOVEDIR); /* stays when something else is in it */
}

/*
 * A process that was killed leaves what it had spilled in FILE.tmp.PID. The file is locked by now, so that nobody else is using such a folder but we, who may have
 * spilled already while the log was replayed.
 */
static void remove_leftovers(const pgc_duckdb_sink *sink)
{
    const char *file = sink->target.file, *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    char prefix[300], own[320], folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - file + 1) : 1, slash ? file : ".");
    snprintf(prefix, sizeof prefix, "%.255s.tmp.", base);
    snprintf(own, sizeof own, "%s%ld", prefix, (long)getpid());
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *pid = entry->d_name + strlen(prefix);
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && *pid && strspn(pid, "0123456789") == strlen(pid) &&
            strcmp(entry->d_name, own) != 0)
            remove_spilled(dirfd(dir), entry->d_name);
    }
    closedir(dir);
}

static int read_catalog_name(pgc_duckdb_sink *sink, pgconvoy_error *err)
{
    pgc_buffer sql;
    duckdb_result found;
    pgc_buffer_init(&sql, 256);
    pgc_buffer_text(&sql, "SELECT current_database()");
    int result = pgc_duckdb_select(&sink->api, sink->control, &sql, "opening the file", &found, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    char *name = sink->api.value_varchar(&found, 0, 0);
    sink->catalog = name ? strdup(name) : NULL;
    sink->api.free(name);
    sink->api.destroy_result(&found);
    return sink->catalog ? 0 : pgc_error_out_of_memory(err);
}

static int open_all(pgc_duckdb_sink *sink, pgconvoy_error *err)
{
    if (open_database(sink, err) != 0)
        return -1;
    if (!sink->target.motherduck)
        remove_leftovers(sink);
    if (read_catalog_name(sink, err) != 0)
        return -1;
    sink->stage = pgc_duckdb_stage_new(sink, err);
    return sink->stage ? pgc_duckdb_feed_register(sink, err) : -1;
}

static void close_all(pgc_duckdb_sink *sink)
{
    if (sink->control)
        sink->api.disconnect(&sink->control);
    if (sink->database)
        sink->api.close(&sink->database);
    pgc_duckdb_stage_free(sink->stage);
    free(sink->catalog);
    sink->stage = NULL;
    sink->catalog = NULL;
}

int pgc_duckdb_make_room(pgc_duckdb_sink *sink, int column_count, pgconvoy_error *err)
{
    if (!sink->created || sink->checkpoint_ready || sink->small_blocks ||
        (size_t)column_count * PGC_DUCKDB_COLUMN_BYTES <= sink->duckdb_bytes)
        return 0;
    close_all(sink);
    unlink(sink->target.file); /* ours, and nothing is in it */
    sink->small_blocks = true;
    return open_all(sink, err);
}

static int open_sink(const pgconvoy_sink_config *config, void **out, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return pgc_error_out_of_memory(err);
    sink->config = config;
    pthread_mutex_init(&sink->lock, NULL);
    pthread_mutex_init(&sink->stage_lock, NULL);
    pthread_mutex_init(&sink->load_lock, NULL);
    int result = pgc_duckdb_target_parse(config->target, &sink->target, err);
    if (result == 0)
        result = pgc_duckdb_library_load(&sink->api, err);
    if (result == 0)
        result = check_file(sink, err);
    if (result == 0) {
        divide_memory(sink);
        sink->checkpoint_arena = pgc_arena_new(16384);
        result = sink->checkpoint_arena ? open_all(sink, err) : pgc_error_out_of_memory(err);
    }
    if (result != 0) {
        close_sink(sink);
        return -1;
    }
    *out = sink;
    return 0;
}

static void close_sink(void *arg)
{
    pgc_duckdb_sink *sink = arg;
    bool opened = sink->database != NULL;
    pgconvoy_error ignored; /* it is only for the checkpoint that DuckDB writes now to be faster */
    pgc_duckdb_load_drop(sink, NULL);
    if (sink->control && pgc_duckdb_load_none(sink, sink->control, &ignored) != 0)
        pgc_log_debug(sink->config->log, "duckdb: %s", ignored.message);
    close_all(sink);
    /* Nothing was prepared: leave no empty file; nor one without the three blocks that every database begins with, for which there was no room. */
    struct stat status;
    if (sink->created && !sink->checkpoint_ready &&
        (opened || (stat(sink->target.file, &status) == 0 && status.st_size < (off_t)3 * 4096)))
        unlink(sink->target.file);
    for (size_t i = 0; i < sink->seen_count; i++) {
        free(sink->seen[i].schema);
        free(sink->seen[i].name);
    }
    free(sink->seen);
    pgc_arena_free(sink->checkpoint_arena);
    pgc_duckdb_target_free(&sink->target);
    pthread_mutex_destroy(&sink->lock);
    pthread_mutex_destroy(&sink->stage_lock);
    pthread_mutex_destroy(&sink->load_lock);
    free(sink);
}

static pgconvoy_format column_format(void *arg, const pgconvoy_column *column)
{
    pgc_duckdb_sink *sink = arg;
    pgc_arena *arena = pgc_arena_new(1024);
    if (!arena)
        return PGCONVOY_TEXT;
    const pgc_duckdb_type *type = pgc_duckdb_type_of(column->type, column->typmod, column->primary_key > 0 || column->in_key,
                                                     &sink->target.types, arena);
    pgconvoy_format format = type ? pgc_duckdb_type_format(type) : PGCONVOY_TEXT;
    pgc_arena_free(arena);
    return format;
}

/* ---- writers */

static void close_writer(void *arg)
{
    pgc_duckdb_writer *writer = arg;
    pgc_duckdb_sink *sink = writer->sink;
    pgc_duckdb_load_abort(writer);
    pgc_duckdb_apply_forget(writer, true);
    if (writer->connection)
        sink->api.disconnect(&writer->connection); /* rolls an open transaction back */
    pgc_duckdb_encoder_free(&writer->encoder);
    free(writer->tables);
    free(writer);
}

static int open_writer(void *arg, void **out, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = arg;
    if (pgc_duckdb_checkpoint_ensure(sink, err) != 0)
        return -1;
    pgc_duckdb_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return pgc_error_out_of_memory(err);
    writer->sink = sink;
    int result = pgc_duckdb_encoder_init(&writer->encoder, &sink->api, err);
    if (result == 0 && sink->api.connect(sink->database, &writer->connection) != DuckDBSuccess)
        result = pgc_error_out_of_memory(err);
    if (result != 0) {
        close_writer(writer);
        return -1;
    }
    *out = writer;
    return 0;
}

static void abort_writer(void *arg)
{
    pgc_duckdb_writer *writer = arg;
    pgc_duckdb_load_abort(writer);
    pgc_duckdb_apply_forget(writer, writer->catalog_changed);
    if (writer->in_transaction)
        pgc_duckdb_rollback(&writer->sink->api, writer->connection);
    writer->in_transaction = false;
    writer->catalog_changed = false;
    writer->keyed_bytes = 0;
}

static int begin(void *arg, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_duckdb_writer *writer = arg;
    if (table)
        return pgc_duckdb_load_begin(writer, table, err);
    if (pgc_duckdb_load_none(writer->sink, writer->connection, err) != 0 ||
        pgc_duckdb_run_text(&writer->sink->api, writer->connection, "BEGIN", "starting a transaction", err) != 0)
        return -1;
    writer->in_transaction = true;
    writer->catalog_changed = writer->wrote = false;
    writer->keyed_bytes = 0;
    for (size_t i = 0; i < writer->table_count; i++) {
        writer->tables[i]->touched = false;
        pgc_duckdb_key_set_clear(&writer->tables[i]->deleted);
    }
    return 0;
}

static int commit(void *arg, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count, pgconvoy_error *err)
{
    pgc_duckdb_writer *writer = arg;
    pgc_duckdb_sink *sink = writer->sink;
    if (writer->load) { /* of the table copy: made durable by finish_table, with all of the table */
        pgc_duckdb_load_park(writer);
        return 0;
    }
    if (pgc_duckdb_apply_all(writer, err) != 0)
        return -1;
    for (size_t i = 0; i < table_count; i++) {
        if (pgc_duckdb_checkpoint_table(sink, writer->connection, &tables[i], NULL, err) != 0)
            return -1;
    }
    if (lsn != 0 && pgc_duckdb_checkpoint_position(sink, writer->connection, lsn, err) != 0)
        return -1;
    if (pgc_duckdb_commit(sink, writer->connection, "committing", err) != 0)
        return -1;
    writer->in_transaction = false;
    pgc_duckdb_apply_relieve(writer);
    return 0;
}

static const char *const schemes[] = {"duckdb:", "md:", NULL};

const pgconvoy_sink pgc_sink_duckdb = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "duckdb",
    .description = "a DuckDB database file, or a database of MotherDuck",
    .schemes = schemes,
    .target_help = "duckdb:FILE[?option=value&...] or md:DATABASE",
    .capabilities = PGCONVOY_SINK_TRANSACTIONAL | PGCONVOY_SINK_PARALLEL | PGCONVOY_SINK_DDL | PGCONVOY_SINK_DDL_TRIAL | PGCONVOY_SINK_NOTES_COLUMNS,
    .open = open_sink,
    .read_checkpoint = pgc_duckdb_read_checkpoint,
    .column_format = column_format,
    .check_table = pgc_duckdb_check_table,
    .prepare_table = pgc_duckdb_prepare_table,
    .finish_table = pgc_duckdb_finish_table,
    .open_writer = open_writer,
    .begin = begin,
    .write_rows = pgc_duckdb_write_rows,
    .write_changes = pgc_duckdb_write_changes,
    .change_schema = pgc_duckdb_change_schema,
    .commit = commit,
    .abort = abort_writer,
    .close_writer = close_writer,
    .apply_ddl = pgc_duckdb_apply_ddl,
    .drop = pgc_duckdb_drop,
    .close = close_sink,
};
