/*
 * Tables without a key, whose rows are told apart by their hash and counted. Each look at such a table is a pass over
 * it: so it is compared by buckets of hashes from the beginning, and those that differ are fetched many at a time.
 */
#include "inspect/verify/verify_internal.h"

#include <stdlib.h>

#define BATCH_ROWS 50000
#define SHIFT 50 /* by the upper 14 bits: some thousand rows of a hundred million */

/* Rows are in buckets by the upper bits of their hash; each batch of buckets that differ costs one pass over the table.
 */
static void is_in_buckets(const pgc_verify *verify, const verify_table *table, int side, const void *list,
                          pgc_buffer *out)
{
    pgc_buffer_text(out, " AND ");
    verify_sql_hash(verify, table, side, out);
    pgc_buffer_format(out, " >> %d IN (%s)", SHIFT, ((const pgc_buffer *)list)->data);
}

static int fetch_buckets(verify_session *session, verify_table *table, const pgc_buffer *list, pgconvoy_error *err)
{
    return pgc_buffer_check(list, err) ? -1 : verify_leaf_compare(session, table, is_in_buckets, list, err);
}

/* OFFSET 0 keeps the server from computing each hash twice. */
static int sum_hashes(verify_session *session, const verify_table *table, PGresult *results[2], pgconvoy_error *err)
{
    for (int side = 0; side < 2; side++) {
        pgc_buffer *sql = &session->sql[side];
        pgc_buffer_reset(sql);
        pgc_buffer_format(sql, "SELECT h >> %d, count(*), sum(h) FROM (SELECT ", SHIFT);
        verify_sql_hash(session->verify, table, side, sql);
        pgc_buffer_text(sql, " AS h");
        verify_sql_from(session->verify, table, side, sql);
        pgc_buffer_text(sql, " OFFSET 0) q GROUP BY 1 ORDER BY 1");
    }
    return verify_query_both(session, results, err);
}

static int fetch_differing(verify_session *session, verify_table *table, PGresult *const results[2],
                           pgconvoy_error *err)
{
    verify_sums sums = {.results = {results[0], results[1]}};
    pgc_buffer list;
    pgc_buffer_init(&list, 1 << 20);
    long bucket;
    double within, gathered = 0;
    int status = 0;
    while (status == 0 && verify_sums_next(&sums, &bucket, &within)) {
        pgc_buffer_format(&list, "%s%ld", list.length ? ", " : "", bucket);
        gathered += within;
        if (gathered < BATCH_ROWS)
            continue;
        status = fetch_buckets(session, table, &list, err);
        pgc_buffer_reset(&list);
        gathered = 0;
    }
    if (status == 0 && list.length)
        status = fetch_buckets(session, table, &list, err);
    pgc_buffer_free(&list);
    return status;
}

int verify_keyless_compare(verify_session *session, verify_table *table, double count[2], pgconvoy_error *err)
{
    PGresult *results[2];
    if (sum_hashes(session, table, results, err))
        return -1;
    for (int side = 0; side < 2; side++) {
        count[side] = 0;
        for (int row = 0; row < PQntuples(results[side]); row++)
            count[side] += atof(PQgetvalue(results[side], row, 1));
    }
    int status = fetch_differing(session, table, results, err);
    PQclear(results[0]);
    PQclear(results[1]);
    return status;
}
