/*
 * One query. wal_status and safe_wal_size came with 13; safe_wal_size is NULL where there is no limit. A standby's end
 * of WAL is what it has replayed.
 */
#include "source/postgres/slot_health.h"

#include <stdio.h>
#include <stdlib.h>

#define END_OF_WAL                                                                                                     \
    "CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() "                               \
    "ELSE pg_catalog.pg_current_wal_flush_lsn() END"

static int64_t number_or_none(const PGresult *result, int column)
{
    return PQgetisnull(result, 0, column) ? -1 : strtoll(PQgetvalue(result, 0, column), NULL, 10);
}

/* NULL leaves 0 there. */
static int read_lsn(const PGresult *result, int column, pgconvoy_lsn *lsn)
{
    *lsn = 0;
    return PQgetisnull(result, 0, column) ? 0 : pgconvoy_lsn_from_text(PQgetvalue(result, 0, column), lsn);
}

int pgc_slot_health_read(PGconn *conn, const char *slot, pgc_source_health *health, pgconvoy_error *err)
{
    memset(health, 0, sizeof *health);
    char sql[768];
    bool from_13 = PQserverVersion(conn) >= 130000;
    snprintf(sql, sizeof sql,
             "SELECT e.lsn, s.slot_name IS NOT NULL, COALESCE(s.active, false), %s, s.restart_lsn, "
             "s.confirmed_flush_lsn, pg_catalog.pg_wal_lsn_diff(e.lsn, s.restart_lsn)::pg_catalog.int8, %s "
             "FROM (SELECT " END_OF_WAL ") e (lsn) LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = $1",
             from_13 ? "COALESCE(s.wal_status, '')" : "''", from_13 ? "s.safe_wal_size" : "NULL");
    const char *values[] = {slot};
    PGresult *result = pgc_query_params(conn, sql, 1, values, err);
    if (!result)
        return -1;
    int failed = read_lsn(result, 0, &health->end_of_wal) || read_lsn(result, 4, &health->restart_lsn) ||
                 read_lsn(result, 5, &health->confirmed_lsn);
    health->exists = PQgetvalue(result, 0, 1)[0] == 't';
    health->active = PQgetvalue(result, 0, 2)[0] == 't';
    snprintf(health->wal_status, sizeof health->wal_status, "%s", PQgetvalue(result, 0, 3));
    health->retained_bytes = number_or_none(result, 6);
    health->left_bytes = number_or_none(result, 7);
    PQclear(result);
    if (failed)
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "slot %s has a position that is no LSN", slot);
    return failed ? -1 : 0;
}

/* Other characters than a slot may have become underscores, and a number made from the name keeps two such names apart.
 */
