/* The PostgreSQL source: opening it, its table of operations, and what is too small for a file of its own. */
#include "source/postgres/postgres_internal.h"
#include "source/postgres/copy_read.h"
#include "source/postgres/ddl.h"
#include "source/postgres/follow.h"
#include "source/postgres/history.h"
#include "source/postgres/publication.h"
#include "source/postgres/requirements.h"
#include "source/postgres/slot.h"
#include "source/postgres/names.h"
#include "source/postgres/snapshot.h"
#include "source/postgres/split.h"
#include "source/postgres/stream_read.h"
#include "source/postgres/tables.h"
#include "source/postgres/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define VERSION_MIN 120000
#define NAME_MAX_BYTES 63

static void close_source(void *arg)
{
    pgc_postgres_source *source = arg;
    if (!source)
        return;
    pgc_stream_end(source);
    pgc_snapshot_end(source);
    PQfinish(source->conn);
    PQfinish(source->watch_conn);
    pgc_oid_map_free(&source->passed_over);
    pgc_oid_map_free(&source->partition_files);
    PQclear(source->partitions);
    pgc_types_free(source->types);
    pgc_oid_map_free(&source->table_map);
    pgc_oid_map_free(&source->streamed);
    free(source->prepared);
    pgc_arena_free(source->arena);
    pthread_mutex_destroy(&source->catalog_lock);
    if (source->wake_fd >= 0)
        close(source->wake_fd);
    free(source);
}

static bool is_slot_name(const char *name)
{
    return strlen(name) <= NAME_MAX_BYTES && name[0] &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static int set_names(pgc_postgres_source *source, pgconvoy_error *err)
{
    const pgc_source_config *config = &source->config;
    char name[64];
    pgc_slot_name_derive(config->pipeline_name, name);
    const char *derived = pgc_arena_strdup(source->arena, name);
    source->publication_name = config->publication ? config->publication : derived;
    source->slot_name = config->slot ? config->slot : derived;
    if (!derived)
        return pgc_error_out_of_memory(err);
    if (!is_slot_name(source->slot_name)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "\"%s\" cannot be the name of a replication slot",
                           source->slot_name);
        pgconvoy_error_hint(err, "slot names have at most 63 lower case letters, digits and underscores");
        return -1;
    }
    if (!source->publication_name[0] || strlen(source->publication_name) > NAME_MAX_BYTES) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "\"%s\" cannot be the name of a publication",
                           source->publication_name);
        pgconvoy_error_hint(err, "names have at most 63 bytes");
        return -1;
    }
    return 0;
}

/* The cluster's identifier; pg_control_system may be kept from a role, then a replication connection tells. */
static PGresult *system_identifier(pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, "SELECT system_identifier FROM pg_catalog.pg_control_system()", err);
    if (result || PQstatus(conn) != CONNECTION_OK)
        return result;
    pgc_error_clear(err);
    PGconn *replication = pgc_source_connect(source, PGC_CONNECTION_REPLICATION, "identify", err);
    if (!replication)
        return NULL;
    result = pgc_query(replication, "IDENTIFY_SYSTEM", err);
    PQfinish(replication);
    return result;
}

static int identify(pgc_postgres_source *source, pgconvoy_error *err)
{
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn)
        return -1;
    source->server_version = PQserverVersion(conn);
    if (source->server_version < VERSION_MIN) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "the source is PostgreSQL %d, and 12 is the oldest that is supported",
                           source->server_version / 10000);
        pgconvoy_error_hint(err, "upgrade the source");
        return -1;
    }
    PGresult *result = pgc_query(conn,
                                 "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('block_size'), "
                                 "pg_catalog.current_database()",
                                 err);
    PGresult *system = result ? system_identifier(source, conn, err) : NULL;
    if (system) {
        char id[128];
        source->in_recovery = pgc_result_bool(result, 0, 0);
        source->block_size = (int)pgc_result_int64(result, 0, 1);
        snprintf(id, sizeof id, "%s/%s", PQgetvalue(system, 0, 0), PQgetvalue(result, 0, 2));
        source->id = pgc_arena_strdup(source->arena, id);
    }
    PQclear(result);
    PQclear(system);
    if (system && source->block_size > 0 && source->id)
        return 0;
    if (!err->code)
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "the source does not tell its block size or name");
    return -1;
}

static void *open_source(const pgc_source_config *config, pgconvoy_error *err)
{
    pgc_postgres_source *source = calloc(1, sizeof *source);
    if (!source) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    source->config = *config;
    source->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* without, the end of a stream takes some milliseconds longer */
    pthread_mutex_init(&source->catalog_lock, NULL);
    source->arena = pgc_arena_new(1 << 16);
    source->types = source->arena ? pgc_types_new(source->arena) : NULL;
    int failed = source->types ? 0 : pgc_error_out_of_memory(err);
    if (failed || set_names(source, err) != 0 || identify(source, err) != 0) {
        close_source(source);
        return NULL;
    }
    return source;
}

static const char *source_id(void *arg)
{
    return ((pgc_postgres_source *)arg)->id;
}

/* A copy alone looks at a publication only when it is named, and then it must be there. */
static int read_publication(pgc_postgres_source *source, pgconvoy_error *err)
{
    const pgc_source_config *config = &source->config;
    source->publication = (pgc_publication){0};
    if (!config->streaming && !config->publication)
        return 0;
    if (pgc_publication_read(source, err) != 0)
        return -1;
    if (!config->streaming && !source->publication.exists) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "there is no publication %s on the source", config->publication);
        pgconvoy_error_hint(err, "check its name; pg_publication lists those of a database");
        return -1;
    }
    if (config->streaming)
        pgc_publication_warn(source);
    return 0;
}

static int load_tables(void *arg, const pgconvoy_table *const **tables, size_t *count, pgconvoy_error *err)
{
    pgc_postgres_source *source = arg;
    if (read_publication(source, err) != 0 || pgc_requirements_check_server(source, err) != 0 ||
        pgc_tables_load(source, err) != 0 || pgc_requirements_check_tables(source, err) != 0)
        return -1;
    *tables = source->tables;
    *count = source->table_count;
    return 0;
}

static int position_status(void *arg, pgc_position_status *status, pgconvoy_error *err)
{
    return pgc_slot_status(arg, status, err);
}

static int create_position(void *arg, pgconvoy_lsn *consistent_lsn, pgconvoy_error *err)
{
    return pgc_position_create(arg, consistent_lsn, err);
}

static int begin_snapshot(void *arg, bool first, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    return pgc_snapshot_begin(arg, first, lsn, err);
}

static void end_snapshot(void *arg)
{
    pgc_snapshot_end(arg);
}

static const char *snapshot_name(void *arg)
{
    return ((const pgc_postgres_source *)arg)->snapshot_name;
}

static int is_whole(void *arg, const pgconvoy_table *table, bool *whole, pgconvoy_error *err)
{
    pgc_postgres_source *source = arg;
    const pgc_source_table *own = pgc_source_find_table(source, table->oid);
    *whole = own && (!own->row_filter || !source->publication.exists || source->publication.ours);
    if (!*whole || !source->publication.exists || source->publication.ours)
        return 0;
    int sent = 0;
    for (int i = 0; i < table->column_count; i++)
        sent += !table->columns[i].generated;
    PGconn *conn = pgc_source_conn(source, err);
    PGresult *result =
        conn ? pgc_query_oids(conn,
                              "SELECT count(*) FROM pg_catalog.pg_attribute WHERE attrelid = ANY ($1::pg_catalog.oid[]) "
                              "AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
                              &table->oid, 1, err)
             : NULL;
    if (result)
        *whole = pgc_result_int64(result, 0, 0) == sent;
    PQclear(result);
    return result ? 0 : -1;
}

static int split(void *arg, const pgconvoy_table *table, int64_t target_bytes, pgc_range **ranges, size_t *count,
                 pgconvoy_error *err)
{
    return pgc_split_table(arg, table, target_bytes, ranges, count, err);
}

static int open_reader(void *arg, void **reader, pgconvoy_error *err)
{
    pgc_reader *opened = NULL;
    int failed = pgc_reader_open(arg, &opened, err);
    *reader = opened;
    return failed;
}

static int reader_begin(void *reader, const pgc_range *range, const pgconvoy_format *formats, bool raw_only,
                        pgconvoy_error *err)
{
    return pgc_reader_begin(reader, range, formats, raw_only, err);
}

static int reader_next(void *reader, pgconvoy_rows *rows, pgconvoy_error *err)
{
    return pgc_reader_next(reader, rows, err);
}

static void close_reader(void *reader)
{
    pgc_reader_close(reader);
}

static int stream_begin(void *arg, pgconvoy_lsn from_lsn, const pgc_stream_wishes *wishes, pgconvoy_error *err)
{
    return pgc_stream_begin(arg, from_lsn, wishes, err);
}

static int stream_next(void *arg, int timeout_ms, pgc_change_batch **batch, pgconvoy_error *err)
{
    return pgc_stream_next(arg, timeout_ms, batch, err);
}

static void stream_wake(void *arg)
{
    pgc_stream_wake(arg);
}

static int stream_heartbeat(void *arg, pgconvoy_error *err)
{
    return pgc_stream_heartbeat(arg, err);
}

static int spool(void *arg, bool (*done)(void *arg), void *done_arg, pgconvoy_error *err)
{
    return pgc_stream_spool(arg, done, done_arg, err);
}

static void stream_confirm(void *arg, pgconvoy_lsn lsn)
{
    pgc_stream_confirm(arg, lsn);
}

static void stream_set_copy_lsn(void *arg, const pgconvoy_table *table, pgconvoy_lsn copy_lsn)
{
    pgc_postgres_source *source = arg;
    pgc_source_table *own = pgc_source_find_table(source, table->oid);
    if (!own)
        return;
    own->copy_lsn = copy_lsn;
    /* a stream before this one may have been read further than it was written */
    pgc_oid_map_replace(&source->streamed, table->oid, table == &own->table ? NULL : (void *)table);
}

static int stream_set_prepared(void *arg, const pgconvoy_prepared *prepared, size_t count, pgconvoy_lsn from_lsn, pgconvoy_error *err)
{
    pgc_postgres_source *source = arg;
    pgconvoy_prepared *copy = malloc((count + 1) * sizeof *copy);
    if (!copy)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++)
        copy[i] = prepared[i];
    free(source->prepared);
    source->prepared = copy;
    source->prepared_count = count;
    source->prepared_from = from_lsn;
    return 0;
}

static void stream_end(void *arg)
{
    pgc_stream_end(arg);
}

static int try_ddl(void *arg, const char *text, pgc_ddl_tried seen, void *seen_arg, pgconvoy_error *err)
{
    return pgc_ddl_try(arg, text, seen, seen_arg, err);
}

static int drop(void *arg, pgconvoy_error *err)
{
    pgc_postgres_source *source = arg;
    pgc_stream_end(source);
    pgc_snapshot_end(source);
    if (pgc_slot_drop(source, err) != 0 || pgc_publication_drop(source, err) != 0)
        return -1;
    return pgc_ddl_drop(source, err);
}

const pgc_source_ops pgc_source_postgres = {
    .name = "postgres",
    .open = open_source,
    .id = source_id,
    .load_tables = load_tables,
    .position_status = position_status,
    .create_position = create_position,
    .begin_snapshot = begin_snapshot,
    .end_snapshot = end_snapshot,
    .snapshot_name = snapshot_name,
    .is_whole = is_whole,
    .split = split,
    .open_reader = open_reader,
    .reader_begin = reader_begin,
    .reader_next = reader_next,
    .close_reader = close_reader,
    .stream_set_copy_lsn = stream_set_copy_lsn,
    .stream_set_prepared = stream_set_prepared,
    .stream_begin = stream_begin,
    .stream_next = stream_next,
    .stream_wake = stream_wake,
    .stream_heartbeat = stream_heartbeat,
    .spool = spool,
    .stream_confirm = stream_confirm,
    .health = pgc_watch_health,
    .heartbeat = pgc_watch_heartbeat,
    .follow_tables = pgc_follow_tables,
    .read_sequences = pgc_read_sequences,
    .tells_commands = pgc_tells_commands,
    .history = pgc_history,
    .relation_exists = pgc_relation_exists,
    .stream_end = stream_end,
    .mark_position = pgc_watch_mark_position,
    .try_ddl = try_ddl,
    .drop = drop,
    .close = close_source,
};
