/*
 * Two pipelines that face each other. Nothing goes in circles as each one's session has a replication origin (origin.c)
 * and each one's source leaves out what has one. Rows that both ends change come out equal as a conflict is seen, and
 * decided the same way, at both: for that the row as it was before has to come with each change, the table needs a key,
 * and last-write needs the times of the target's own commits, and who made them.
 */
#include "sink/postgres/sink_internal.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLDEST_FOR_LAST_WRITE 140000 /* pg_xact_commit_timestamp_origin */

bool pgc_pgsink_decides(const pgc_pgsink *sink)
{
    return sink->config->two_way || sink->on_conflict >= PGSINK_LAST_WRITE;
}

/* One of two ends has the greater identity, whichever way round they are asked. */
static void choose_tie(pgc_pgsink *sink, PGconn *conn)
{
    PGresult *result = PQexec(conn, "SELECT system_identifier || '/' || current_database() FROM pg_control_system()");
    if (PQresultStatus(result) == PGRES_TUPLES_OK && sink->config->source_id)
        sink->wins_ties = strcmp(sink->config->source_id, PQgetvalue(result, 0, 0)) > 0;
    PQclear(result);
}

int pgc_pgsink_two_way_check(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    if (sink->on_conflict != PGSINK_LAST_WRITE)
        return 0;
    if (sink->server_version < OLDEST_FOR_LAST_WRITE) {
        pgconvoy_error_set(
            err, PGCONVOY_ERROR_CONFIG,
            "--on-conflict last-write cannot be had on the target: PostgreSQL %d does not say whose a commit is",
            sink->server_version / 10000);
        pgconvoy_error_hint(
            err, "use a target of version 14 or later, or --on-conflict source one way and target the other");
        return -1;
    }
    PGresult *result = pgc_pgsink_query(conn, "SELECT current_setting('track_commit_timestamp')", 0, NULL,
                                        "looking at the target", err);
    bool tracked = result && strcmp(PQgetvalue(result, 0, 0), "on") == 0;
    PQclear(result);
    if (result && !tracked) {
        pgconvoy_error_set(
            err, PGCONVOY_ERROR_CONFIG,
            "--on-conflict last-write cannot be had on the target: it does not keep the times of commits");
        pgconvoy_error_hint(err, "on the target: ALTER SYSTEM SET track_commit_timestamp = on, then restart it");
    }
    if (tracked)
        choose_tie(sink, conn);
    return tracked ? 0 : -1;
}

int pgc_pgsink_two_way_table(const pgc_pgsink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    bool facing = sink->config->two_way && sink->on_conflict != PGSINK_SOURCE_WINS;
    if (!facing && sink->on_conflict < PGSINK_LAST_WRITE)
        return 0;
    if (table->key_count == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "%s.%s has no key, so conflicts about its rows cannot be decided", table->schema,
                           table->name);
        pgconvoy_error_hint(err, "add a primary key at both ends, or leave the table out with -T");
        return -1;
    }
    if (table->replica_identity == 'f')
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "changes of %s.%s come without the row as it was, so conflicts about it cannot be seen",
                       table->schema, table->name);
    char name[PGC_QUOTED_NAME_SIZE];
    pgconvoy_error_hint(err, "at both ends: ALTER TABLE %s REPLICA IDENTITY FULL", pgc_quoted_name(table->schema, table->name, name));
    return -1;
}

/* ---- sequences */

/*
 * $8: 0 or 1, what remains of a value by two, or NULL; $9: the first value, or NULL. A half is kept ahead of the other
 * end's last value until that end gives a half too. ALTER SEQUENCE keeps others from taking values until the new value
 * is set, in one transaction; what they have taken before that is looked at once more.
 */
static const char split_sql[] =
    PGSINK_SEQUENCES_MET
    ", found AS (SELECT DISTINCT ON (s.oid) s.oid, g.value, g.increment, q.seqincrement, q.seqmax, "
    "coalesce(pg_sequence_last_value(s.oid::regclass), q.seqmin - 1) AS last FROM met g "
    "JOIN pg_class s ON s.oid = g.oid AND s.relkind = 'S' "
    "JOIN pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0 ORDER BY s.oid, g.value DESC), "
    "wanted AS (SELECT oid, seqmax, CASE WHEN $8::int IS NULL THEN CASE WHEN last < $9::int8 - 1 THEN $9::int8 - 1 END "
    "WHEN seqincrement <> 2 OR last % 2 <> $8::int OR (last < value AND increment <> 2) "
    "THEN greatest(last, value) + 1 + abs((greatest(last, value) + 1 - $8::int) % 2) END AS next, "
    "CASE WHEN $8::int IS NULL THEN seqincrement ELSE 2 END AS step FROM found) "
    "SELECT format('ALTER SEQUENCE %s INCREMENT BY %s; SELECT setval(%L, greatest(%s, last_value + 1 + abs((last_value "
    "+ 1 - %s) "
    "%% %s))) FROM %s', oid::regclass, step, oid::regclass, next, coalesce($8::int, 0), step, oid::regclass), "
    "oid::regclass, "
    "next > seqmax FROM wanted WHERE next IS NOT NULL";

static int split_one(PGconn *conn, const PGresult *result, int row, pgconvoy_error *err)
{
    const char *name = PQgetvalue(result, row, 1);
    if (PQgetvalue(result, row, 2)[0] == 't') {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "the values that sequence %s of the target is to give are beyond its last", name);
        pgconvoy_error_hint(
            err, "on the target: ALTER SEQUENCE %s AS bigint NO MAXVALUE, and the column's type with it", name);
        return -1;
    }
    char doing[200];
    snprintf(doing, sizeof doing, "giving sequence %.100s of the target values of its own", name);
    return pgc_pgsink_execute(conn, PQgetvalue(result, row, 0), doing, err);
}

int pgc_pgsink_split_sequences(pgc_pgsink *sink, PGconn *conn, const char *const arrays[PGSINK_SEQUENCE_ARRAYS],
                               pgconvoy_error *err)
{
    const char *how = sink->config->split_sequences;
    const char *values[PGSINK_SEQUENCE_ARRAYS + 2] = {NULL};
    memcpy(values, arrays, PGSINK_SEQUENCE_ARRAYS * sizeof *values);
    if (strncmp(how, "from:", 5) == 0)
        values[PGSINK_SEQUENCE_ARRAYS + 1] = how + 5;
    else
        values[PGSINK_SEQUENCE_ARRAYS] = strcmp(how, "odd") == 0 ? "1" : "0";
    PGresult *result =
        pgc_pgsink_query(conn, split_sql, PGSINK_SEQUENCE_ARRAYS + 2, values, "looking at the target's sequences", err);
    int status = result ? 0 : -1;
    for (int row = 0; status == 0 && row < PQntuples(result); row++)
        status = split_one(conn, result, row, err);
    if (status == 0 && !sink->sequences_told)
        pgc_log_info(sink->config->log, "the target's sequences give values of their own: %s", how);
    sink->sequences_told = sink->sequences_told || status == 0;
    PQclear(result);
    return status;
}
