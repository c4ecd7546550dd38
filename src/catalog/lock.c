/*
 * The locks of a dump: ACCESS SHARE on each table of which more than a comment or privileges are read, so that none is dropped or altered before its definition and rows are. Many tables in one command, in the
 * order of their oids.
 */
#include "catalog/lock.h"

#include "postgres/connection.h"
#include "postgres/quote.h"

#define NAMES_MAX 100000 /* bytes of one command */

static bool wants_lock(const pgc_relation *relation)
{
    return (relation->object.wanted & (PGC_PART_DEFINITION | PGC_PART_DATA | PGC_PART_POLICY)) &&
           (relation->kind == PGC_RELKIND_TABLE || relation->kind == PGC_RELKIND_PARTITIONED);
}

static int run(pgc_catalog *catalog, pgc_buffer *sql, pgconvoy_error *err)
{
    if (sql->length == 0)
        return 0;
    pgc_buffer_text(sql, " IN ACCESS SHARE MODE");
    int result = pgc_buffer_check(sql, err);
    if (result == 0)
        result = pgc_execute(catalog->conn, sql->data, err);
    pgc_buffer_reset(sql);
    return result;
}

static int limit(pgc_catalog *catalog, const char *timeout, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "SET statement_timeout = ");
    pgc_quote_literal(&sql, timeout);
    int result = pgc_execute(catalog->conn, sql.data, err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_catalog_lock(pgc_catalog *catalog, pgconvoy_error *err)
{
    const char *timeout = catalog->options->lock_wait_timeout;
    if (timeout && limit(catalog, timeout, err) != 0)
        return -1;
    pgc_buffer sql;
    pgc_buffer_init(&sql, NAMES_MAX * 2);
    int result = 0;
    for (int i = 0; i < catalog->relation_count && result == 0; i++) {
        const pgc_relation *relation = catalog->relations[i];
        if (!wants_lock(relation))
            continue;
        pgc_buffer_text(&sql, sql.length ? ", " : "LOCK TABLE ");
        pgc_quote_qualified(&sql, relation->object.schema->object.name, relation->object.name);
        if (sql.length > NAMES_MAX)
            result = run(catalog, &sql, err);
    }
    if (result == 0)
        result = run(catalog, &sql, err);
    pgc_buffer_free(&sql);
    if (result == 0 && timeout)
        result = limit(catalog, "0", err);
    return result;
}
