/*
 * Is there room for the copy? Known only where the target's data directory is on this machine: a server does not tell
 * how full its disk is. What the copy takes is guessed by what the tables and indexes take at the source, which is more
 * where they are bloated, and less where the target compresses worse; the WAL that is written beside it is not counted.
 */
#include "clone/clone_internal.h"

#include "base/units.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdlib.h>
#include <sys/statvfs.h>

static const char size_query[] = "SELECT coalesce(sum(pg_catalog.pg_total_relation_size(oid)), 0)::pg_catalog.int8 "
                                 "FROM pg_catalog.pg_class WHERE oid = ANY ($1::pg_catalog.oid[])";
static const char place_query[] =
    "SELECT pg_catalog.current_setting('data_directory', true) WHERE pg_catalog.inet_server_addr() IS NULL OR "
    "pg_catalog.inet_server_addr() <<= '127.0.0.0/8' OR pg_catalog.inet_server_addr() = '::1'";

/* Of the tables whose rows are copied, with their indexes. */
static int needed(pgc_clone *clone, int64_t *bytes, pgconvoy_error *err)
{
    pgc_buffer oids;
    pgc_buffer_init(&oids, (size_t)clone->table_count * 12 + 16);
    for (int i = 0; i < clone->table_count; i++)
        if (!clone->tables[i].condition)
            pgc_array_add_oid(&oids, clone->tables[i].relation->object.oid);
    pgc_array_end(&oids);
    const char *values[] = {oids.data};
    PGresult *result = pgc_buffer_check(&oids, err)
                           ? NULL
                           : pgc_query_params(pgc_catalog_connection(clone->catalog), size_query, 1, values, err);
    pgc_buffer_free(&oids);
    if (!result)
        return -1;
    *bytes = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return 0;
}

/* -1 where it cannot be known. */
static int64_t room(pgc_clone *clone)
{
    struct statvfs disk;
    pgconvoy_error ignored = {0};
    PGresult *result = pgc_query(clone->target, place_query, &ignored); /* a role may not be allowed to read it */
    int64_t bytes = -1;
    if (result && PQntuples(result) > 0 && !PQgetisnull(result, 0, 0) && statvfs(PQgetvalue(result, 0, 0), &disk) == 0)
        bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    PQclear(result);
    return bytes;
}

int clone_disk_check(pgc_clone *clone, pgconvoy_error *err)
{
    char needs[PGC_UNITS_TEXT_SIZE], has[PGC_UNITS_TEXT_SIZE];
    int64_t there = clone->resumes ? -1 : room(clone), bytes;
    if (there < 0)
        return 0;
    if (needed(clone, &bytes, err))
        return -1;
    if (bytes <= there)
        return 0;
    pgc_size_to_text(bytes, needs);
    pgc_size_to_text(there, has);
    if (clone->options->skip_disk) {
        pgc_log_warning(clone->options->log,
                        "the tables and indexes take %s at the source, and the target's disk has room for %s", needs,
                        has);
        return 0;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "the tables and indexes take %s at the source, and the target's disk has room for %s", needs,
                       has);
    pgconvoy_error_hint(
        err,
        "make room, leave tables out (-T, --where), or say --skip-check disk_space where they are known to be bloated");
    return -1;
}
