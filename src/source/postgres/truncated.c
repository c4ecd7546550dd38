/*
 * See truncated.h. A table that was just given an empty file has no statistics (pg_class.reltuples is -1 from 14 on, where VACUUM FULL
 * and CLUSTER write down what they saw). ALTER TABLE may give a new file, too, and TRUNCATE of the root is sent: both do so to all
 * partitions in one transaction. A table's first file has the table's own number.
 */
#include "source/postgres/truncated.h"

#include <stdlib.h>
#include <string.h>

enum { ROOT, LEAF, FILE_NUMBER, FRESH, RECENT, MADE, TRANSACTION, CAN_TELL, NAME, ROOT_NAME };

static int look_sql(const pgc_postgres_source *source, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_buffer_format(
        sql,
        "SELECT r.oid, c.oid, c.relfilenode, %s, c.relfilenode <> c.oid AND pg_catalog.age(c.xmin) <= pg_catalog.age(s.catalog_xmin), "
        "pg_catalog.age(a.xmin) <= pg_catalog.age(s.catalog_xmin), c.xmin, p.oid IS NOT NULL AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE'), "
        "pg_catalog.format('%%I.%%I', n.nspname, c.relname), r.oid::pg_catalog.regclass "
        "FROM pg_catalog.unnest($1::pg_catalog.oid[]) r (oid), LATERAL pg_catalog.pg_partition_tree(r.oid) t "
        "JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tableoid' AND a.attnum < 0 "
        "LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = ",
        source->server_version >= 140000 ? "c.reltuples = -1" : "c.reltuples = 0 AND c.relpages = 0");
    pgc_quote_literal(sql, source->slot_name);
    pgc_buffer_text(sql, " LEFT JOIN pg_catalog.pg_proc p ON p.oid = pg_catalog.to_regprocedure('pgconvoy.ddl_truncated(oid, oid, boolean)') "
                         "WHERE t.isleaf AND c.relkind = 'r' ORDER BY r.oid, c.oid");
    return pgc_buffer_check(sql, err);
}

static void warn(const pgc_postgres_source *source, const PGresult *result, int row, const char *why)
{
    pgc_log_warning(source->config.log, "partition %s of %s was truncated by itself, which the server does not send (%s): truncate it on the target, too",
                    PQgetvalue(result, row, NAME), PQgetvalue(result, row, ROOT_NAME), why);
}

/* 1: it is news. Also where transactions are read-only unless they say otherwise. */
static int note(PGconn *conn, const char *const *values, pgconvoy_error *err)
{
    if (pgc_execute(conn, "BEGIN READ WRITE", err) != 0)
        return -1;
    PGresult *told = pgc_query_params(
        conn, "SELECT pgconvoy.ddl_truncated($1::pg_catalog.oid, $2::pg_catalog.oid, $3::pg_catalog.bool)", 3, values, err);
    int news = told ? pgc_result_bool(told, 0, 0) : -1;
    PQclear(told);
    if (news >= 0 && pgc_execute(conn, "COMMIT", err) == 0)
        return news;
    PQclear(PQexec(conn, "ROLLBACK"));
    return -1;
}

/* is_told false: it is only noted, so that nobody takes it for such a one later. */
static int tell(const pgc_postgres_source *source, PGconn *conn, const PGresult *result, int row, bool is_told, pgconvoy_error *err)
{
    if (!pgc_result_bool(result, row, CAN_TELL)) {
        if (is_told)
            warn(source, result, row, "there are no event triggers that could tell of it");
        return 0;
    }
    const char *values[] = {PQgetvalue(result, row, ROOT), PQgetvalue(result, row, LEAF), is_told ? "true" : "false"};
    int news = note(conn, values, err);
    if (news < 0 && (err->retriable || PQstatus(conn) != CONNECTION_OK))
        return -1;
    if (news < 0 && is_told)
        warn(source, result, row, err->message);
    if (news < 0)
        pgc_error_clear(err);
    if (news > 0 && is_told)
        pgc_log_info(source->config.log, "partition %s of %s was truncated by itself, which the server does not send", PQgetvalue(result, row, NAME),
                     PQgetvalue(result, row, ROOT_NAME));
    return 0;
}

static bool has_new_file(const pgc_postgres_source *source, const PGresult *result, int row)
{
    uintptr_t before = (uintptr_t)pgc_oid_map_get(&source->partition_files, pgc_result_oid(result, row, LEAF));
    return before ? before != pgc_result_oid(result, row, FILE_NUMBER) : pgc_result_bool(result, row, RECENT) && !pgc_result_bool(result, row, MADE);
}

/* Several partitions, and all that were there, in one transaction. */
static bool all_at_once(const pgc_postgres_source *source, const PGresult *result, int row, int end)
{
    int first = -1, count = 0;
    for (int i = row; i < end; i++) {
        if (!has_new_file(source, result, i) && pgc_result_bool(result, i, MADE))
            continue;
        if (!has_new_file(source, result, i) ||
            (first >= 0 && strcmp(PQgetvalue(result, i, TRANSACTION), PQgetvalue(result, first, TRANSACTION)) != 0))
            return false;
        first = i;
        count++;
    }
    return count > 1;
}

/* The partitions of one root. */
static int look_at_root(pgc_postgres_source *source, PGconn *conn, const PGresult *result, int row, int end, pgconvoy_error *err)
{
    bool all = all_at_once(source, result, row, end);
    for (int i = row; i < end; i++)
        if ((pgc_result_bool(result, i, FRESH) && has_new_file(source, result, i) && tell(source, conn, result, i, !all, err) != 0) ||
            pgc_oid_map_put(&source->partition_files, pgc_result_oid(result, i, LEAF), (void *)(uintptr_t)pgc_result_oid(result, i, FILE_NUMBER),
                            err) != 0)
            return -1;
    return 0;
}

/* Both are in order of root and leaf; place is where the search goes on from. */
static bool is_still_there(const PGresult *before, int row, const PGresult *now, int *place)
{
    uint64_t wanted = (uint64_t)pgc_result_oid(before, row, ROOT) << 32 | pgc_result_oid(before, row, LEAF), at = 0;
    for (; *place < PQntuples(now); (*place)++) {
        at = (uint64_t)pgc_result_oid(now, *place, ROOT) << 32 | pgc_result_oid(now, *place, LEAF);
        if (at >= wanted)
            break;
    }
    return at == wanted;
}

/* A root that was dropped, or has left, took its partitions along. */
static int is_followed(PGconn *conn, const PGresult *before, int row, const uint32_t *roots, size_t count, bool *followed, pgconvoy_error *err)
{
    *followed = false;
    for (size_t i = 0; i < count; i++)
        *followed |= roots[i] == pgc_result_oid(before, row, ROOT);
    const char *values[] = {PQgetvalue(before, row, ROOT)};
    return *followed ? pgc_query_truth(conn, "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = $1)", 1, values, followed, err) : 0;
}

/*
 * Partitions that were detached, or dropped: the server tells of none of their rows. PostgreSQL does as the command says, and a log of events
 * has the command; all others keep the rows, which may be what is wanted.
 */
static int warn_of_gone(const pgc_postgres_source *source, PGconn *conn, const PGresult *now, const uint32_t *roots, size_t root_count, pgconvoy_error *err)
{
    const PGresult *before = source->partitions, *any = PQntuples(now) > 0 ? now : before;
    bool follows = source->config.ddl && (source->config.ddl_as_text || source->config.ddl_as_events) && PQntuples(any) > 0 &&
                   pgc_result_bool(any, 0, CAN_TELL);
    for (int row = 0, place = 0; !follows && row < PQntuples(before); row++) {
        bool followed;
        if (is_still_there(before, row, now, &place))
            continue;
        if (is_followed(conn, before, row, roots, root_count, &followed, err) != 0)
            return -1;
        if (followed)
            pgc_log_warning(source->config.log, "partition %s of %s was detached or dropped: the rows that it had stay in the target; where they are not wanted, delete them there",
                            PQgetvalue(before, row, NAME), PQgetvalue(before, row, ROOT_NAME));
    }
    return 0;
}

int pgc_truncated_look(pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    uint32_t *roots = malloc((source->table_count + 1) * sizeof *roots);
    size_t count = 0;
    if (!roots)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < source->table_count && source->publication.via_root && !source->in_recovery; i++)
        if (((const pgc_source_table *)source->tables[i])->relkind == 'p')
            roots[count++] = source->tables[i]->oid;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    PGresult *result = count > 0 && look_sql(source, &sql, err) == 0 ? pgc_query_oids(conn, sql.data, roots, count, err) : NULL;
    int failed = count > 0 && !result ? -1 : 0;
    pgc_buffer_free(&sql);
    if (result && source->partitions)
        failed = warn_of_gone(source, conn, result, roots, count, err);
    free(roots);
    /* the event triggers, and what goes with them, are made when the stream begins: the next look comes after that */
    bool early = !source->partitions_seen && source->config.ddl && result && PQntuples(result) > 0 && !pgc_result_bool(result, 0, CAN_TELL);
    source->partitions_seen = true;
    for (int row = 0, end; result && row < PQntuples(result) && !failed && !early; row = end) {
        end = row;
        while (end < PQntuples(result) && pgc_result_oid(result, end, ROOT) == pgc_result_oid(result, row, ROOT))
            end++;
        failed = look_at_root(source, conn, result, row, end, err);
    }
    if (result) {
        PQclear(source->partitions);
        source->partitions = result;
    }
    return failed;
}
