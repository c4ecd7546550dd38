/* See undone.h. A transaction's number is told with 32 bits, and asked for with 64: it is the one nearest to those of now. */
#include "source/postgres/undone.h"

#include "postgres/text_arrays.h"

static const char undone_sql[] =
    "SELECT x FROM pg_catalog.unnest($1::pg_catalog.oid[]::pg_catalog.int8[]) x, (SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())) s (next) "
    "WHERE pg_catalog.txid_status(next + ((x - next + 2147483648) & 4294967295) - 2147483648) = 'aborted'";

int pgc_undone(void *arg, uint32_t *xids, size_t *count, pgconvoy_error *err)
{
    pgc_postgres_source *source = ((const pgc_stream_tables *)arg)->source;
    PGconn *conn = pgc_source_conn(source, err);
    PGresult *result = conn ? pgc_query_oids(conn, undone_sql, xids, *count, err) : NULL;
    if (!result) {
        pgc_error_prefix(err, "asking which subtransactions were rolled back");
        return -1;
    }
    *count = (size_t)PQntuples(result);
    for (size_t i = 0; i < *count; i++)
        xids[i] = (uint32_t)pgc_result_int64(result, (int)i, 0);
    PQclear(result);
    return 0;
}
