/*
 * Values of sequences. A column's own sequence is found by the column, whatever its name; another by the source's name
 * for it. A value is only ever raised (lowered, where the sequence descends): the target's own users may have taken
 * some.
 */
#include "sink/postgres/sink_internal.h"

#include "postgres/text_arrays.h"

#include <stdio.h>
#include <stdlib.h>

static const char carry_sql[] =
    PGSINK_SEQUENCES_MET
    ", found AS (SELECT DISTINCT ON (s.oid) s.oid, g.value, q.seqincrement < 0 AS descending, "
    "has_sequence_privilege(s.oid, 'UPDATE') AND has_sequence_privilege(s.oid, 'USAGE, SELECT') AS allowed, "
    "g.value BETWEEN q.seqmin AND q.seqmax AS fits FROM met g JOIN pg_class s ON s.oid = g.oid AND s.relkind = 'S' "
    "JOIN pg_sequence q ON q.seqrelid = s.oid ORDER BY s.oid, g.value DESC), "
    "behind AS MATERIALIZED (SELECT oid, value FROM found WHERE allowed AND fits AND CASE WHEN allowed THEN "
    "COALESCE(CASE WHEN descending THEN pg_sequence_last_value(oid::regclass) > value "
    "ELSE pg_sequence_last_value(oid::regclass) < value END, true) END) "
    "SELECT (SELECT count(setval(oid::regclass, value)) FROM behind), "
    "(SELECT string_agg(oid::regclass::text, ', ') FROM found WHERE NOT allowed), "
    "(SELECT string_agg(oid::regclass::text, ', ') FROM found WHERE NOT fits)";

static void warn_once(pgc_pgsink *sink, const PGresult *result, int column, bool *warned, const char *why)
{
    if (PQgetisnull(result, 0, column) || *warned)
        return;
    *warned = true;
    pgc_log_warning(sink->config->log, "values of sequences are not carried over, %s: %s", why,
                    PQgetvalue(result, 0, column));
}

static int carry(pgc_pgsink *sink, const char *const values[PGSINK_SEQUENCE_ARRAYS], pgconvoy_error *err)
{
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    if (!conn)
        return -1;
    if (sink->config->split_sequences) {
        int status = pgc_pgsink_split_sequences(sink, conn, values, err);
        pgc_pgsink_give_back(sink, conn);
        return status;
    }
    PGresult *result = pgc_pgsink_query(conn, carry_sql, PGSINK_SEQUENCE_ARRAYS, values, "carrying values of sequences to the target", err);
    if (result) {
        warn_once(sink, result, 1, &sink->sequences_forbidden, "since the role may not set them");
        warn_once(sink, result, 2, &sink->sequences_small, "since they are out of the target's bounds");
    }
    PQclear(result);
    pgc_pgsink_give_back(sink, conn);
    return result ? 0 : -1;
}

int pgc_pgsink_write_sequences(void *state, const pgconvoy_sequence *sequences, size_t count, pgconvoy_error *err)
{
    pgc_text_arrays arrays;
    const char *values[PGSINK_SEQUENCE_ARRAYS];
    pgc_text_arrays_init(&arrays, PGSINK_SEQUENCE_ARRAYS);
    for (size_t i = 0; i < count; i++) {
        char value[24], increment[24];
        snprintf(value, sizeof value, "%lld", (long long)sequences[i].last_value);
        snprintf(increment, sizeof increment, "%lld", (long long)sequences[i].increment);
        const char *texts[PGSINK_SEQUENCE_ARRAYS] = {
            sequences[i].table_schema, sequences[i].table_name, sequences[i].column, sequences[i].schema,
            sequences[i].name,         value,                   increment};
        pgc_text_arrays_add(&arrays, texts);
    }
    int status = 0;
    if (count > 0 && (status = pgc_text_arrays_end(&arrays, values, err)) == 0)
        status = carry(state, values, err);
    pgc_text_arrays_free(&arrays);
    return status;
}
