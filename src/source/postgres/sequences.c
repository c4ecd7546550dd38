/*
 * Sequences behind the columns of the tables: those that a column owns (serial: dependency 'a', identity: 'i'), and
 * those that its default calls (dependency of the default on the sequence). A sequence that has given no value yet, or
 * that the role may not read, is left out; the first only where nobody asks for it.
 */
#include "source/postgres/watch.h"

#include <stdlib.h>

static const char sequences_sql[] =
    "SELECT DISTINCT ON (s.oid) tn.nspname, t.relname, a.attname, sn.nspname, s.relname, "
    "pg_catalog.pg_sequence_last_value(s.oid::pg_catalog.regclass), q.seqincrement < 0, "
    "q.seqincrement "
    "FROM (SELECT d.refobjid AS relid, d.refobjsubid AS attnum, d.objid AS seqid FROM pg_catalog.pg_depend d "
    "WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass "
    "AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') "
    "AND d.refobjid = ANY ($1::pg_catalog.oid[]) "
    "UNION ALL SELECT f.adrelid, f.adnum, d.refobjid FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_depend d "
    "ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid "
    "AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass "
    "WHERE f.adrelid = ANY ($1::pg_catalog.oid[])) o "
    "JOIN pg_catalog.pg_class s ON s.oid = o.seqid AND s.relkind = 'S' "
    "JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace "
    "JOIN pg_catalog.pg_class t ON t.oid = o.relid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = o.attnum "
    /* inside of CASE, as a plan may ask before it has looked what kind of relation it is, and the function fails then */
    "WHERE CASE WHEN s.relkind = 'S' THEN pg_catalog.has_sequence_privilege(s.oid, 'USAGE, SELECT') END "
    "ORDER BY s.oid, t.oid";

static int keep(pgc_source_sequences *sequences, const PGresult *result, bool unused, pgconvoy_error *err)
{
    size_t rows = (size_t)PQntuples(result);
    sequences->items = pgc_arena_zalloc(sequences->arena, (rows + 1) * sizeof *sequences->items);
    if (!sequences->items)
        return pgc_error_out_of_memory(err);
    for (int row = 0; row < (int)rows; row++) {
        if (PQgetisnull(result, row, 5) && !unused)
            continue;
        pgconvoy_sequence *sequence = &sequences->items[sequences->count++];
        const char **texts[] = {&sequence->table_schema, &sequence->table_name, &sequence->column, &sequence->schema,
                                &sequence->name};
        for (int i = 0; i < 5; i++)
            if (!(*texts[i] = pgc_arena_strdup(sequences->arena, PQgetvalue(result, row, i))))
                return pgc_error_out_of_memory(err);
        sequence->last_value = PQgetisnull(result, row, 5) ? 0 : pgc_result_int64(result, row, 5);
        sequence->descending = pgc_result_bool(result, row, 6);
        sequence->increment = pgc_result_int64(result, row, 7);
    }
    return 0;
}

int pgc_read_sequences(void *arg, pgc_source_sequences *sequences, pgconvoy_error *err)
{
    pgc_postgres_source *source = arg;
    memset(sequences, 0, sizeof *sequences);
    PGconn *conn = pgc_watch_conn(source, err);
    uint32_t *oids = conn ? malloc((source->table_count + 1) * sizeof *oids) : NULL;
    if (conn && !oids)
        return pgc_error_out_of_memory(err);
    if (!conn)
        return -1;
    for (size_t i = 0; i < source->table_count; i++)
        oids[i] = source->tables[i]->oid;
    PGresult *result = pgc_query_oids(conn, sequences_sql, oids, source->table_count, err);
    free(oids);
    if (!result)
        return -1;
    sequences->arena = pgc_arena_new(4096);
    int failed = sequences->arena ? keep(sequences, result, source->config.unused_sequences, err) : pgc_error_out_of_memory(err);
    PQclear(result);
    if (failed) {
        pgc_arena_free(sequences->arena);
        memset(sequences, 0, sizeof *sequences);
    }
    return failed;
}
