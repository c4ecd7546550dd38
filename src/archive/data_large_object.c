/*
 * Large objects: all of them in order of their oids, or those of one group (servers from 17 on). They are read in large chunks, since each is a round trip, and handed on in small ones: a plain script has one command for each.
 */
#include "archive/data_internal.h"
#include "catalog/large_object.h"
#include "postgres/connection.h"

#include <libpq/libpq-fs.h>
#include <stdlib.h>

#define CHUNK_BYTES (512 << 10)
#define WRITE_BYTES (16 << 10)

static int write_chunk(pgc_data_source *source, const char *bytes, size_t length, pgconvoy_error *err)
{
    for (size_t at = 0; at < length; at += WRITE_BYTES)
        if (pgc_data_emit(source, bytes + at, length - at < WRITE_BYTES ? length - at : WRITE_BYTES, err))
            return -1;
    return 0;
}

static int copy_bytes(pgc_data_source *source, uint32_t oid, int fd, char *chunk, pgconvoy_error *err)
{
    for (;;) {
        int got = lo_read(source->conn, fd, chunk, CHUNK_BYTES);
        if (got < 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "error reading large object %u: %s", oid, PQerrorMessage(source->conn));
            return -1;
        }
        if (write_chunk(source, chunk, (size_t)got, err))
            return -1;
        if (got < CHUNK_BYTES)
            return 0;
    }
}

static int copy_large_object(pgc_data_source *source, uint32_t oid, char *chunk, pgconvoy_error *err)
{
    const pgc_data_target *target = source->target;
    int fd = lo_open(source->conn, oid, INV_READ);
    if (fd < 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "could not open large object %u: %s", oid, PQerrorMessage(source->conn));
        return -1;
    }
    int result = target->large_object(target->arg, oid, err);
    if (result == 0)
        result = copy_bytes(source, oid, fd, chunk, err);
    if (result == 0 && lo_close(source->conn, fd) != 0) {
        pgc_connection_error(source->conn, NULL, "closing a large object", err);
        result = -1;
    }
    if (result == 0)
        result = target->large_object(target->arg, 0, err);
    source->totals->rows++;
    return result;
}

static int copy_group(pgc_data_source *source, const pgc_large_object *group, char *chunk, pgconvoy_error *err)
{
    int result = 0;
    for (int i = 0; i < group->count && result == 0; i++)
        result = copy_large_object(source, group->oids[i], chunk, err);
    return result;
}

/* All that the snapshot has. */
static int copy_all(pgc_data_source *source, char *chunk, pgconvoy_error *err)
{
    if (pgc_execute(source->conn, "DECLARE pgconvoy_large_objects CURSOR FOR SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY 1", err))
        return -1;
    for (;;) {
        PGresult *oids = pgc_query(source->conn, "FETCH 1000 FROM pgconvoy_large_objects", err);
        if (!oids)
            return -1;
        int count = PQntuples(oids), result = 0;
        for (int i = 0; i < count && result == 0; i++)
            result = copy_large_object(source, (uint32_t)strtoul(PQgetvalue(oids, i, 0), NULL, 10), chunk, err);
        PQclear(oids);
        if (result || count == 0)
            return result ? result : pgc_execute(source->conn, "CLOSE pgconvoy_large_objects", err);
    }
}

int pgc_data_copy_large_objects(pgc_data_source *source, pgconvoy_error *err)
{
    if (!source->target->large_object) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "large objects have nowhere to go");
        return -1;
    }
    char *chunk = malloc(CHUNK_BYTES);
    if (!chunk)
        return pgc_error_out_of_memory(err);
    const pgc_large_object *group = ((const pgc_large_object_data *)source->entry->object)->group;
    int result = group ? copy_group(source, group, chunk, err) : copy_all(source, chunk, err);
    free(chunk);
    return result;
}
