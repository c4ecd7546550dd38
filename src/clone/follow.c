/*
 * Before the copy: a table that has become a partition of one that is to be made has its rows with that one, so what
 * the pipeline made of it goes. After the copy: a partition that is new at the source is no table of the stream's,
 * whose changes name the root: the target gets one of the same bounds, with what the root's indexes and constraints
 * give it. Foreign keys between tables of different snapshots hold when the stream has brought both to the same moment.
 */
#include "clone/follow.h"

#include "clone/clone.h"
#include "postgres/connection.h"
#include "postgres/quote.h"
#include "sink/postgres/ddl_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Partitions of the tables, parents first. Foreign ones are left to those who can reach their servers. */
static const char partitions_query[] =
    "WITH RECURSIVE tree (oid, parent, level) AS (SELECT t.oid, 0::pg_catalog.oid, 0 FROM "
    "pg_catalog.unnest($1::pg_catalog.oid[]) t (oid) UNION ALL "
    "SELECT i.inhrelid, i.inhparent, t.level + 1 FROM tree t JOIN pg_catalog.pg_class p ON p.oid = t.oid AND p.relkind "
    "= 'p' JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid) "
    "SELECT n.nspname, c.relname, pn.nspname, p.relname, pg_catalog.pg_get_expr(c.relpartbound, c.oid), "
    "pg_catalog.pg_get_partkeydef(c.oid), c.oid "
    "FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_catalog.pg_class p ON p.oid = t.parent JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace "
    "WHERE c.relkind IN ('r', 'p') AND c.relispartition ORDER BY t.level, 1, 2";
/* 1: the partition is missing and its parent is there. */
static const char missing_query[] =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
    "n.nspname = $3 AND c.relname = $4 AND c.relkind = 'p') "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
    "n.nspname = $1 AND c.relname = $2)";

static PGconn *connect(const pgc_copier_work *work, const char *conninfo, pgconvoy_error *err)
{
    char program[128];
    snprintf(program, sizeof program, "pgconvoy %.60s copy", work->name);
    return pgc_connect(conninfo, PGC_CONNECTION_SQL, program, err);
}

/* ------------------------------------------------------------------ partitions */

static PGresult *read_partitions(const pgc_copier_work *work, pgconvoy_error *err)
{
    pgc_buffer oids;
    pgc_buffer_init(&oids, work->table_count * 12 + 16);
    for (size_t i = 0; i < work->table_count; i++)
        pgc_array_add_oid(&oids, work->tables[i].table->oid);
    pgc_array_end(&oids);
    const char *values[] = {oids.data};
    PGconn *source = pgc_buffer_check(&oids, err) ? NULL : connect(work, work->source, err);
    PGresult *result = source ? pgc_query_params(source, partitions_query, 1, values, err) : NULL;
    PQfinish(source);
    pgc_buffer_free(&oids);
    return result;
}

/* A partition's, and its parent's, as they are on the target. */
static void map_names(const pgc_copier_work *work, const PGresult *partitions, int row, const char **names)
{
    for (int i = 0; i < 4; i += 2)
        pgc_mapping_target(work->options->mapping, PQgetvalue(partitions, row, i), PQgetvalue(partitions, row, i + 1),
                           &names[i], &names[i + 1]);
}

static int create_partition(const pgc_copier_work *work, PGconn *target, const char *const *names, const char *bound,
                            const char *key, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 20);
    pgc_buffer_text(&sql, "CREATE TABLE ");
    pgc_quote_qualified(&sql, names[0], names[1]);
    pgc_buffer_text(&sql, " PARTITION OF ");
    pgc_quote_qualified(&sql, names[2], names[3]);
    pgc_buffer_format(&sql, " %s", bound);
    if (key)
        pgc_buffer_format(&sql, " PARTITION BY %s", key);
    int result = pgc_buffer_check(&sql, err) ? -1 : pgc_execute(target, sql.data, err);
    pgc_buffer_free(&sql);
    if (result == 0)
        pgc_log_info(work->log, "made partition %s.%s of %s.%s, which is new at the source", names[0], names[1],
                     names[2], names[3]);
    else
        pgc_error_prefix(err, "partition %s.%s of %s.%s cannot be made on the target", names[0], names[1], names[2],
                         names[3]);
    return result;
}

static int follow_one(const pgc_copier_work *work, PGconn *target, const PGresult *partitions, int row,
                      pgconvoy_error *err)
{
    const char *names[4];
    map_names(work, partitions, row, names);
    bool missing;
    if (pgc_query_truth(target, missing_query, 4, names, &missing, err) != 0)
        return -1;
    const char *key = PQgetisnull(partitions, row, 5) ? NULL : PQgetvalue(partitions, row, 5);
    return missing ? create_partition(work, target, names, PQgetvalue(partitions, row, 4), key, err) : 0;
}

/* ------------------------------------------------------------------ making room */

/* Of a table that stands alone where a partition is to be made: whether it is there, and whether it is the pipeline's.
 */
static const char standing_query[] =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
    "n.nspname = $1 AND c.relname = $2 AND NOT c.relispartition) "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
    "n.nspname = $3 AND c.relname = $4)";
static const char ours_query[] =
    "SELECT EXISTS (SELECT FROM pgconvoy.table_state WHERE pipeline = $3 AND schema_name = $1 AND table_name = $2)";
/* An interrupted run of this copy goes on with what it has made. */
static const char made_query[] = "SELECT EXISTS (SELECT FROM pgconvoy.copy_item WHERE name = $1 AND item = $2)";

static int ask_if_there(PGconn *target, const char *relation, const char *sql, int count, const char *const *values,
                        bool *answer, pgconvoy_error *err)
{
    bool there;
    *answer = false;
    if (pgc_query_truth(target, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", 1, &relation, &there, err))
        return -1;
    return there ? pgc_query_truth(target, sql, count, values, answer, err) : 0;
}

static int drop_standing(const pgc_copier_work *work, PGconn *target, const char *const *names, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "DROP TABLE ");
    pgc_quote_qualified(&sql, names[0], names[1]);
    int result = pgc_buffer_check(&sql, err) ? -1 : pgc_execute(target, sql.data, err);
    pgc_buffer_free(&sql);
    if (result == 0)
        pgc_log_info(work->log, "table %s.%s is a partition of %s.%s now, and is copied with it", names[0], names[1],
                     names[2], names[3]);
    return result;
}

static int clear_one(const pgc_copier_work *work, PGconn *target, const PGresult *partitions, int row,
                     pgconvoy_error *err)
{
    const char *names[4];
    map_names(work, partitions, row, names);
    char key[400];
    snprintf(key, sizeof key, "TABLE %s %s.%s", PQgetvalue(partitions, row, 6), PQgetvalue(partitions, row, 0),
             PQgetvalue(partitions, row, 1));
    const char *state[] = {names[0], names[1], work->name}, *made[] = {work->name, key};
    bool is_standing, is_ours, is_made;
    if (pgc_query_truth(target, standing_query, 4, names, &is_standing, err) ||
        ask_if_there(target, "pgconvoy.copy_item", made_query, 2, made, &is_made, err) ||
        ask_if_there(target, "pgconvoy.table_state", ours_query, 3, state, &is_ours, err))
        return -1;
    if (!is_standing || is_made)
        return 0;
    if (is_ours || work->options->if_exists == PGCONVOY_IF_EXISTS_DROP)
        return work->snapshot ? drop_standing(work, target, names, err) : 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "table %s.%s on the target is in the way: at the source it is a partition of %s.%s, which is "
                       "not on the target",
                       names[0], names[1], names[2], names[3]);
    pgconvoy_error_hint(err, "drop or rename it, or say --if-exists drop");
    return -1;
}

int clone_follow_make_room(const pgc_copier_work *work, PGconn *target, pgconvoy_error *err)
{
    PGresult *partitions = read_partitions(work, err);
    int result = partitions ? 0 : -1;
    for (int i = 0; i < PQntuples(partitions) && result == 0; i++)
        result = clear_one(work, target, partitions, i, err);
    PQclear(partitions);
    return result;
}

/* ------------------------------------------------------------------ following */

int clone_follow_partitions(pgc_copier_work *work, pgconvoy_error *err)
{
    PGresult *partitions = read_partitions(work, err);
    if (!partitions)
        return -1;
    int count = PQntuples(partitions), result = 0;
    PGconn *target = count ? connect(work, work->target, err) : NULL;
    if (count && !target)
        result = -1;
    for (int i = 0; i < count && result == 0; i++)
        result = follow_one(work, target, partitions, i, err);
    PQfinish(target);
    PQclear(partitions);
    return result;
}

/* ------------------------------------------------------------------ what waited */

/* *end: another one does it, or it is done. */
static int complete_one(const pgc_copier_work *work, PGconn *target, bool *end, pgconvoy_error *err)
{
    const char *values[] = {work->name};
    *end = true;
    if (pgc_execute(target, "BEGIN", err))
        return -1;
    PGresult *result =
        pgc_query_params(target,
                         "SELECT item, substr(item, length(" CLONE_LATER
                         ") + 1) FROM pgconvoy.copy_item WHERE name = $1 AND starts_with(item, " CLONE_LATER
                         ") LIMIT 1 FOR UPDATE SKIP LOCKED",
                         1, values, err);
    if (!result)
        return -1;
    int status = 0;
    if (PQntuples(result) > 0) {
        const char *both[] = {work->name, PQgetvalue(result, 0, 0)};
        *end = false;
        if ((status = pgc_execute(target, PQgetvalue(result, 0, 1), err)) == 0) {
            PGresult *deleted =
                pgc_query_params(target, "DELETE FROM pgconvoy.copy_item WHERE name = $1 AND item = $2", 2, both, err);
            status = deleted ? 0 : -1;
            PQclear(deleted);
        }
    }
    PQclear(result);
    return status == 0 ? pgc_execute(target, "COMMIT", err) : -1;
}

static int complete_all(const pgc_copier_work *work, PGconn *target, bool *done, pgconvoy_error *err)
{
    bool any, end;
    if (pgc_query_truth(target, "SELECT pg_catalog.to_regclass('pgconvoy.copy_item') IS NOT NULL", 0, NULL, &any, err))
        return -1;
    end = !any;
    while (!end && !atomic_load(work->stop))
        if (complete_one(work, target, &end, err))
            return -1;
    if (any && end) /* unless another copy keeps its state there */
        PQclear(PQexec(target,
                       "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pgconvoy.copy) AND NOT EXISTS (SELECT FROM "
                       "pgconvoy.copy_item) THEN DROP TABLE pgconvoy.copy_item, pgconvoy.copy; END IF; END $$"));
    *done = end;
    return end ? pgc_pgsink_check_keys(target, work->name, work->state_dir, work->log, work->stop, err) : 0;
}

int clone_follow_complete(pgc_copier_work *work, bool *done, pgconvoy_error *err)
{
    PGconn *target = connect(work, work->target, err);
    int result = target ? complete_all(work, target, done, err) : -1;
    PQfinish(target);
    return result;
}
