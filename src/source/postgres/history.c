/*
 * A promotion begins a new timeline, and its history file has a line for each timeline before: number, where it ended,
 * why (PostgreSQL manual, "Timelines"). The file comes by the replication protocol.
 */
#include "source/postgres/history.h"
#include "source/postgres/postgres_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* Where timeline since ended, by the text of a history file; 0 when it has no such line. */
static pgconvoy_lsn end_of(const char *text, size_t length, uint32_t since)
{
    for (const char *line = text, *end = text + length; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        char number[16], lsn[PGCONVOY_LSN_TEXT_SIZE];
        pgconvoy_lsn ended;
        char copy[128];
        snprintf(copy, sizeof copy, "%.*s", (int)((next ? next : end) - line), line);
        if (sscanf(copy, "%15s %17s", number, lsn) == 2 && strtoul(number, NULL, 10) == since &&
            pgconvoy_lsn_from_text(lsn, &ended) == 0)
            return ended;
        line = next ? next + 1 : end;
    }
    return 0;
}

int pgc_history(void *arg, uint32_t since, pgc_source_history *history, pgconvoy_error *err)
{
    pgc_postgres_source *source = arg;
    *history = (pgc_source_history){0};
    PGconn *conn = pgc_source_connect(source, PGC_CONNECTION_REPLICATION, "identify", err);
    PGresult *result = conn ? pgc_query(conn, "IDENTIFY_SYSTEM", err) : NULL;
    int failed = result ? 0 : -1;
    if (!failed) {
        history->timeline = pgc_result_oid(result, 0, 1);
        if (!source->in_recovery && pgconvoy_lsn_from_text(PQgetvalue(result, 0, 2), &history->end_of_wal) != 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "the source gives no WAL position");
            failed = -1;
        }
    }
    PQclear(result);
    if (!failed && since && history->timeline > since) {
        char sql[64];
        snprintf(sql, sizeof sql, "TIMELINE_HISTORY %u", history->timeline);
        result = pgc_query(conn, sql, err);
        failed = result ? 0 : -1;
        if (result)
            history->ended = end_of(PQgetvalue(result, 0, 1), (size_t)PQgetlength(result, 0, 1), since);
        PQclear(result);
    }
    PQfinish(conn);
    return failed;
}
