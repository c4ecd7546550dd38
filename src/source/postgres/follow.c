/*
 * A publication of somebody else's is followed as it is. To our own, which was made from patterns, we add what the
 * patterns choose by now: but never a table that somebody took out, and none that would refuse its application's
 * updates for want of a replica identity. Tables that cannot be read do not join: they would end the pipeline with the
 * next start, and are named instead.
 */
#include "source/postgres/follow.h"
#include "source/postgres/choose.h"
#include "source/postgres/ddl.h"
#include "source/postgres/publication.h"
#include "source/postgres/truncated.h"
#include "source/postgres/watch.h"
#include "postgres/identity.h"

#include <stdio.h>
#include <stdlib.h>

/* Why a table should not join, or NULL; with its name, quoted and plain. */
static const char candidates_sql[] =
    "SELECT c.oid, n.nspname, c.relname, pg_catalog.format('%%I.%%I', n.nspname, c.relname), c.relkind, "
    "CASE WHEN NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND "
    "pg_catalog.has_any_column_privilege(c.oid, 'SELECT')) THEN 'the role may not read it' "
    "WHEN pg_catalog.row_security_active(c.oid) THEN 'row-level security hides rows of it' END, "
    "CASE WHEN NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') THEN 'the role does not own it' "
    "WHEN EXISTS (SELECT FROM (SELECT c.oid UNION SELECT t.relid FROM pg_catalog.pg_partition_tree(c.oid) t WHERE "
    "t.isleaf) l (oid) JOIN pg_catalog.pg_class r ON r.oid = l.oid AND r.relkind = 'r' WHERE NOT " PGC_IDENTITY_USABLE_SQL("r", "%s") ") "
    "THEN 'it has no replica identity that can be published, and would refuse updates and deletes (with a primary key, or REPLICA IDENTITY FULL, it joins)' END "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.oid = ANY ($1::pg_catalog.oid[]) ORDER BY 4";

enum { OID, SCHEMA, NAME, QUOTED, RELKIND, UNREADABLE, UNPUBLISHABLE };

static bool list_has(const pgc_oid_list *list, uint32_t oid)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->oids[i] == oid)
            return true;
    return false;
}

/* Says it once for each table. */
static int pass_over(pgc_postgres_source *source, const PGresult *result, int row, const char *reason,
                     pgconvoy_error *err)
{
    uint32_t oid = pgc_result_oid(result, row, OID);
    if (pgc_oid_map_get(&source->passed_over, oid))
        return 0;
    pgc_log_once(source->config.log, PGCONVOY_LOG_WARNING, "table %s does not join the pipeline: %s", PQgetvalue(result, row, QUOTED),
                 reason);
    return pgc_oid_map_put(&source->passed_over, oid, source, err);
}

static bool was_left(const pgconvoy_table_status *left, size_t count, const char *schema, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (left[i].copy_lsn && strcmp(left[i].name, name) == 0 && strcmp(left[i].schema, schema) == 0)
            return true;
    return false;
}

static bool is_not_there(const pgconvoy_error *err)
{
    return strcmp(err->sqlstate, "42P01") == 0 || strcmp(err->sqlstate, "3F000") == 0;
}

static int add_table(pgc_postgres_source *source, PGconn *conn, const PGresult *result, int row, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "ALTER PUBLICATION ");
    pgc_quote_identifier(&sql, source->publication_name);
    pgc_buffer_format(&sql, " ADD TABLE %s", PQgetvalue(result, row, RELKIND)[0] == 'p' ? "" : "ONLY ");
    pgc_buffer_text(&sql, PQgetvalue(result, row, QUOTED));
    pgc_publication_append_choice(source, PQgetvalue(result, row, SCHEMA), PQgetvalue(result, row, NAME), &sql);
    int failed = pgc_buffer_check(&sql, err) != 0 || pgc_execute(conn, "BEGIN", err) != 0 || pgc_execute(conn, sql.data, err) != 0 ||
                 pgc_publication_check_choice(source, conn, err) != 0 || pgc_execute(conn, "COMMIT", err) != 0;
    if (failed)
        PQclear(PQexec(conn, "ROLLBACK"));
    pgc_buffer_free(&sql);
    if (!failed) {
        pgc_log_info(source->config.log, "added table %s to publication %s", PQgetvalue(result, row, QUOTED),
                     source->publication_name);
        return 0;
    }
    if (PQstatus(conn) != CONNECTION_OK)
        return -1;
    if (err->retriable || is_not_there(err)) { /* a lock, or it has another name by now: the next look tries again */
        pgc_error_clear(err);
        return 0;
    }
    char reason[sizeof err->message];
    snprintf(reason, sizeof reason, "%s", err->message);
    pgc_error_clear(err);
    return pass_over(source, result, row, reason, err);
}

/* The tables that oids has and without does not, as candidates_sql tells of them. */
static PGresult *candidates(PGconn *conn, const pgc_oid_list *oids, const pgc_oid_list *without,
                            const pgc_postgres_source *source, pgconvoy_error *err)
{
    uint32_t *rest = malloc((oids->count + 1) * sizeof *rest);
    if (!rest) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    size_t count = 0;
    for (size_t i = 0; i < oids->count; i++)
        if (!pgc_source_find_table(source, oids->oids[i]) && (!without || !list_has(without, oids->oids[i])))
            rest[count++] = oids->oids[i];
    char sql[sizeof candidates_sql + 16];
    snprintf(sql, sizeof sql, candidates_sql, pgc_publication_unsent(source));
    PGresult *result = pgc_query_oids(conn, sql, rest, count, err);
    free(rest);
    return result;
}

/* Gives our own publication what the patterns choose by now. */
static int extend_publication(pgc_postgres_source *source, PGconn *conn, const pgc_oid_list *published,
                              const pgconvoy_table_status *left, size_t left_count, pgconvoy_error *err)
{
    pgc_oid_list wanted;
    int failed = pgc_choose_by_patterns(source, conn, &wanted, err);
    if (failed && err->code == PGCONVOY_ERROR_CONFIG) { /* a pattern matches nothing any more */
        pgc_error_clear(err);
        free(wanted.oids);
        return 0;
    }
    PGresult *result = failed ? NULL : candidates(conn, &wanted, published, source, err);
    free(wanted.oids);
    if (!result)
        return -1;
    failed = 0;
    for (int row = 0; row < PQntuples(result) && !failed; row++) {
        const char *reason = PQgetvalue(result, row, PQgetisnull(result, row, UNREADABLE) ? UNPUBLISHABLE : UNREADABLE);
        if (was_left(left, left_count, PQgetvalue(result, row, SCHEMA), PQgetvalue(result, row, NAME)))
            continue;
        failed = reason[0] ? pass_over(source, result, row, reason, err) : add_table(source, conn, result, row, err);
    }
    PQclear(result);
    return failed;
}

static int compare(pgc_postgres_source *source, PGconn *conn, const pgc_oid_list *published, bool *changed,
                   pgconvoy_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < published->count; i++)
        kept += pgc_source_find_table(source, published->oids[i]) != NULL;
    *changed = kept < source->table_count;
    PGresult *result = candidates(conn, published, NULL, source, err);
    if (!result)
        return -1;
    int failed = 0;
    for (int row = 0; row < PQntuples(result) && !failed; row++) {
        if (PQgetisnull(result, row, UNREADABLE))
            *changed = true;
        else
            failed = pass_over(source, result, row, PQgetvalue(result, row, UNREADABLE), err);
    }
    PQclear(result);
    return failed;
}

int pgc_tells_commands(void *arg, bool *tells, pgconvoy_error *err)
{
    pgc_postgres_source *source = arg;
    pgc_ddl_access access;
    if (pgc_ddl_read_access(source, &access, err) != 0)
        return -1;
    *tells = access.key != NULL;
    source->names_by_catalog = source->config.names_by_catalog && !*tells;
    return 0;
}

/* Whether one of the tables has another name than load_tables gave. */
static int compare_names(const pgc_postgres_source *source, PGconn *conn, bool *changed, pgconvoy_error *err)
{
    uint32_t *oids = malloc((source->table_count + 1) * sizeof *oids);
    if (!oids)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < source->table_count; i++)
        oids[i] = source->tables[i]->oid;
    PGresult *result = pgc_query_oids(conn,
                                      "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                                      "WHERE c.oid = ANY ($1::pg_catalog.oid[])",
                                      oids, source->table_count, err);
    free(oids);
    for (int row = 0; row < PQntuples(result); row++) {
        const pgc_source_table *table = pgc_source_find_table(source, pgc_result_oid(result, row, 0));
        *changed |= table && (strcmp(table->table.schema, PQgetvalue(result, row, 1)) != 0 || strcmp(table->table.name, PQgetvalue(result, row, 2)) != 0);
    }
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_follow_tables(void *arg, const pgconvoy_table_status *left, size_t left_count, bool *changed,
                      pgconvoy_error *err)
{
    pgc_postgres_source *source = arg;
    *changed = false;
    PGconn *conn = pgc_watch_conn(source, err);
    if (!conn)
        return -1;
    pgc_oid_list published;
    int failed = pgc_choose_published(source, conn, &published, err);
    if (!failed && source->publication.ours && !source->in_recovery) {
        failed = extend_publication(source, conn, &published, left, left_count, err);
        free(published.oids);
        published = (pgc_oid_list){0};
        if (!failed)
            failed = pgc_choose_published(source, conn, &published, err);
    }
    if (!failed)
        failed = compare(source, conn, &published, changed, err);
    if (!failed && source->names_by_catalog && !*changed)
        failed = compare_names(source, conn, changed, err);
    if (!failed) /* also before the stream begins anew, which knows nothing of the partitions there were */
        failed = pgc_truncated_look(source, conn, err);
    free(published.oids);
    return failed;
}

/*
 * Without the oid a table of that name that was made since the slot's horizon is another one: its column tableoid is never altered. A slot
 * keeps catalogs from its oldest change on, so what was made before the pipeline stopped is older.
 */
static const char exists_sql[] =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = $1 AND c.relname = $2 AND CASE $3::pg_catalog.oid WHEN 0 THEN NOT EXISTS (SELECT FROM "
    "pg_catalog.pg_attribute a, pg_catalog.pg_replication_slots s WHERE a.attrelid = c.oid AND a.attname = 'tableoid' "
    "AND a.attnum < 0 AND s.slot_name = $4 AND pg_catalog.age(a.xmin) <= pg_catalog.age(s.catalog_xmin)) "
    "ELSE c.oid = $3::pg_catalog.oid END)";

int pgc_relation_exists(void *arg, const char *schema, const char *name, uint32_t oid, bool *exists,
                        pgconvoy_error *err)
{
    PGconn *conn = pgc_source_conn(arg, err);
    if (!conn)
        return -1;
    char number[16];
    snprintf(number, sizeof number, "%u", oid);
    const char *values[] = {schema, name, number, ((const pgc_postgres_source *)arg)->slot_name};
    PGresult *result = pgc_query_params(conn, exists_sql, 4, values, err);
    if (!result)
        return -1;
    *exists = pgc_result_bool(result, 0, 0);
    PQclear(result);
    return 0;
}
