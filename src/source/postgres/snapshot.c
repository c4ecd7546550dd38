/*
 * Three kinds of snapshots: that of the pipeline's slot, made once; that of a temporary slot, for copying on a resume;
 * and for a copy without a stream that of a plain transaction. Each lives in a connection that does nothing else until
 * the copy is done.
 */
#include "source/postgres/snapshot.h"
#include "source/postgres/ddl.h"
#include "source/postgres/publication.h"
#include "source/postgres/slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void pgc_snapshot_end(pgc_postgres_source *source)
{
    PQfinish(source->snapshot_conn);
    free(source->snapshot_name);
    source->snapshot_conn = NULL;
    source->snapshot_name = NULL;
}

/* A slot in a connection of its own, which then holds the snapshot. */
static int begin_with_slot(pgc_postgres_source *source, const char *slot, bool temporary, pgconvoy_error *err)
{
    pgc_snapshot_end(source);
    source->snapshot_conn = pgc_source_connect(source, PGC_CONNECTION_REPLICATION, "snapshot", err);
    if (!source->snapshot_conn)
        return -1;
    if (pgc_slot_create(source, source->snapshot_conn, slot, temporary, &source->snapshot_name, &source->snapshot_lsn,
                        err) != 0) {
        pgc_snapshot_end(source);
        return -1;
    }
    return 0;
}

int pgc_position_create(pgc_postgres_source *source, pgconvoy_lsn *consistent_lsn, pgconvoy_error *err)
{
    bool made_publication = false;
    if (!source->publication.exists) {
        /* before the slot: changes are decoded with the publications as they were then, and a missing one is an error
         */
        if (pgc_publication_create(source, err) != 0)
            return -1;
        made_publication = true;
    }
    if (pgc_ddl_install(source, err) != 0 || begin_with_slot(source, source->slot_name, false, err) != 0) {
        pgconvoy_error unused = {0};
        /* the slot may be there though its answer was lost; one that was there before us is somebody else's */
        if (strcmp(err->sqlstate, "42710") != 0 && pgc_slot_drop(source, &unused) != 0)
            pgc_log_warning(source->config.log, "slot %s may stay behind: %s", source->slot_name, unused.message);
        if (made_publication && pgc_publication_drop(source, &unused) != 0)
            pgc_log_warning(source->config.log, "publication %s stays behind: %s", source->publication_name,
                            unused.message);
        if (pgc_ddl_drop(source, &unused) != 0)
            pgc_log_warning(source->config.log, "event triggers may stay behind: %s", unused.message);
        return -1;
    }
    *consistent_lsn = source->snapshot_lsn;
    char text[PGCONVOY_LSN_TEXT_SIZE];
    pgc_log_info(source->config.log, "made slot %s at %s", source->slot_name,
                 pgconvoy_lsn_to_text(source->snapshot_lsn, text));
    return 0;
}

static int begin_plain(pgc_postgres_source *source, pgconvoy_error *err)
{
    PGconn *conn = source->snapshot_conn = pgc_source_connect(source, PGC_CONNECTION_SQL, "snapshot", err);
    if (!conn || pgc_execute(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) != 0)
        return -1;
    /* recovery may end between open and here: the server is asked again */
    PGresult *result =
        pgc_query(conn,
                  "SELECT pg_catalog.pg_export_snapshot(), CASE WHEN pg_catalog.pg_is_in_recovery() "
                  "THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END",
                  err);
    if (!result)
        return -1;
    int failed = 0;
    source->snapshot_name = strdup(PQgetvalue(result, 0, 0));
    if (!source->snapshot_name) {
        failed = pgc_error_out_of_memory(err);
    } else if (!PQgetisnull(result, 0, 1) &&
               pgconvoy_lsn_from_text(PQgetvalue(result, 0, 1), &source->snapshot_lsn) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "the server's WAL position \"%s\" is no LSN",
                           PQgetvalue(result, 0, 1));
        failed = -1;
    }
    PQclear(result);
    return failed;
}

int pgc_snapshot_begin(pgc_postgres_source *source, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    if (source->snapshot_conn && PQstatus(source->snapshot_conn) == CONNECTION_OK) {
        *lsn = source->snapshot_lsn;
        return 0;
    }
    pgc_snapshot_end(source);
    int failed;
    if (source->config.streaming) {
        char slot[64];
        snprintf(slot, sizeof slot, "%.40s_copy_%d", source->slot_name, (int)getpid());
        failed = begin_with_slot(source, slot, true, err);
    } else {
        failed = begin_plain(source, err);
    }
    if (failed) {
        pgc_snapshot_end(source);
        return -1;
    }
    *lsn = source->snapshot_lsn;
    return 0;
}
