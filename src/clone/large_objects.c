/* The bytes of large objects, which were made before: read in large chunks, each a round trip, and written the same way. */
#include "clone/clone_internal.h"

#include "archive/data.h"
#include "postgres/connection.h"

#include <libpq/libpq-fs.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (256 << 10)

typedef struct writer {
    clone_session *session;
    uint32_t oid;
    int fd;
    size_t length;
    char *chunk;
} writer;

static int failed(writer *writer, const char *what, pgconvoy_error *err)
{
    char doing[80];
    snprintf(doing, sizeof doing, "%s large object %u", what, writer->oid);
    PGconn *target = writer->session->target;
    pgc_connection_error(target, NULL, doing, err);
    /* libpq keeps the answer to itself here, and takes a connection whose write failed for good until it is used again */
    if (!err->retriable && PQtransactionStatus(target) != PQTRANS_INERROR) {
        PQclear(PQexec(target, ""));
        pgconvoy_error_retriable(err, PQstatus(target) == CONNECTION_BAD);
    }
    return -1;
}

static int flush(writer *writer, pgconvoy_error *err)
{
    for (size_t at = 0; at < writer->length;) {
        int written = lo_write(writer->session->target, writer->fd, writer->chunk + at, writer->length - at);
        if (written <= 0)
            return failed(writer, "writing", err);
        at += (size_t)written;
    }
    writer->length = 0;
    return 0;
}

static int take_bytes(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    writer *writer = arg;
    if (atomic_load(&writer->session->clone->stop)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "stopped");
        return -1;
    }
    while (length > 0) {
        size_t room = CHUNK_BYTES - writer->length, part = length < room ? length : room;
        memcpy(writer->chunk + writer->length, bytes, part);
        writer->length += part;
        bytes += part;
        length -= part;
        if (writer->length == CHUNK_BYTES && flush(writer, err))
            return -1;
    }
    return 0;
}

static int take_object(void *arg, uint32_t oid, pgconvoy_error *err)
{
    writer *writer = arg;
    PGconn *conn = writer->session->target;
    if (oid == 0)
        return flush(writer, err) || (lo_close(conn, writer->fd) < 0 && failed(writer, "closing", err)) ? -1 : 0;
    writer->oid = oid;
    writer->fd = lo_open(conn, (Oid)oid, INV_WRITE);
    if (writer->fd < 0)
        return failed(writer, "opening", err);
    /* after another snapshot's bytes */
    return writer->session->clone->resumes && lo_truncate(conn, writer->fd, 0) < 0 ? failed(writer, "emptying", err) : 0;
}

int clone_large_objects(clone_session *session, clone_item *item, pgconvoy_error *err)
{
    if (clone_session_source(session, err))
        return -1;
    writer writer = {.session = session, .fd = -1, .chunk = malloc(CHUNK_BYTES)};
    if (!writer.chunk)
        return pgc_error_out_of_memory(err);
    const pgc_data_target target = {.write = take_bytes, .large_object = take_object, .arg = &writer};
    int result = pgc_data_read(session->clone->catalog, session->source, item->entry, &target, NULL, err);
    free(writer.chunk);
    return result;
}
