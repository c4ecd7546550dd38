/* The sink's own functions, for a connection that is not its own. */
#include "sink/postgres/adopt.h"

#include "sink/postgres/parts.h"
#include "sink/postgres/prepared.h"

typedef struct borrowed {
    pgconvoy_sink_config config;
    pgc_pgsink sink;
} borrowed;

static pgc_pgsink *borrow(borrowed *borrowed, const char *pipeline, const char *source_id, pgconvoy_log *log)
{
    *borrowed = (struct borrowed){.config = {.pipeline_name = pipeline, .source_id = source_id, .log = log}};
    borrowed->sink.config = &borrowed->config;
    return &borrowed->sink;
}

int pgc_pgsink_adopt(PGconn *conn, const char *pipeline, const char *source_id, pgconvoy_lsn lsn,
                     const pgconvoy_table_status *tables, size_t count, pgconvoy_log *log, pgconvoy_error *err)
{
    borrowed borrowed;
    pgc_pgsink *sink = borrow(&borrowed, pipeline, source_id, log);
    pgconvoy_lsn there;
    if (pgc_pgsink_checkpoint_lsn(sink, conn, &there, err) != 0)
        return -1;
    if (there) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "there is a pipeline %s on the target already", pipeline);
        pgconvoy_error_hint(err, "remove it with pgconvoy drop, or give another --name");
        return -1;
    }
    return pgc_pgsink_checkpoint_create(sink, conn, err) != 0 ||
                   pgc_pgsink_checkpoint_tables(sink, conn, tables, count, PGSINK_CONTENT_APPENDED, err) != 0 ||
                   pgc_pgsink_checkpoint_position(sink, conn, 0, lsn, err) != 0
               ? -1
               : 0;
}

int pgc_pgsink_adopted_read(PGconn *conn, const char *pipeline, pgc_arena *arena, pgconvoy_checkpoint *checkpoint,
                            pgconvoy_log *log, pgconvoy_error *err)
{
    borrowed borrowed;
    pgc_pgsink *sink = borrow(&borrowed, pipeline, NULL, log);
    sink->checkpoint_arena = arena;
    int status = pgc_pgsink_checkpoint_read_in(sink, conn, checkpoint, err);
    bool whole = pgc_pgsink_parts_count(sink->parts) == 0;
    int prepared = 0;
    pgc_pgsink_parts_free(sink->parts);
    if (status != 0 || pgc_pgsink_prepared_count(sink, conn, &prepared, err) != 0)
        return -1;
    if (prepared > 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "pipeline %s has prepared transactions on the target that have not ended", pipeline);
        pgconvoy_error_hint(err, "end them at the source, and run the pipeline once more, with --until caught-up --two-phase");
        return -1;
    }
    if (whole)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "pipeline %s was ended while several connections applied a batch, and not all of them had committed",
                       pipeline);
    pgconvoy_error_hint(err, "run the pipeline once more, with --until caught-up");
    return -1;
}

int pgc_pgsink_adopted_remove(PGconn *conn, const char *pipeline, pgconvoy_log *log, pgconvoy_error *err)
{
    borrowed borrowed;
    bool empty;
    return pgc_pgsink_checkpoint_remove_in(borrow(&borrowed, pipeline, NULL, log), conn, &empty, err);
}

void pgc_pgsink_adopted_origin_drop(PGconn *conn, const char *pipeline, pgconvoy_log *log)
{
    borrowed borrowed;
    pgc_pgsink_origin_drop(borrow(&borrowed, pipeline, NULL, log), conn);
}
