/*
 * Our own publication always lists its tables, also when it is all of them: FOR ALL TABLES would publish what was
 * passed over too (tables of extensions, our own state), and a table that is added later would send changes to rows
 * that were never copied. It carries a comment by which drop knows it again.
 */
#include "source/postgres/publication.h"
#include "source/postgres/names.h"
#include "postgres/identity.h"

#include <stdio.h>

int pgc_publication_read(pgc_postgres_source *source, pgconvoy_error *err)
{
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn)
        return -1;
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, %s, "
             "pg_catalog.obj_description(oid, 'pg_publication'), %s FROM pg_catalog.pg_publication WHERE pubname = $1",
             source->server_version >= 130000 ? "pubviaroot" : "false", source->server_version >= 180000 ? "pubgencols = 's'" : "false");
    const char *values[] = {source->publication_name};
    PGresult *result = pgc_query_params(conn, sql, 1, values, err);
    if (!result)
        return -1;
    pgc_publication *publication = &source->publication;
    *publication = (pgc_publication){0};
    if (PQntuples(result) == 1) {
        char mark[256];
        pgc_publication_mark(source->config.pipeline_name, mark, sizeof mark);
        publication->exists = true;
        publication->all_tables = pgc_result_bool(result, 0, 0);
        publication->inserts = pgc_result_bool(result, 0, 1);
        publication->updates = pgc_result_bool(result, 0, 2);
        publication->deletes = pgc_result_bool(result, 0, 3);
        publication->truncates = pgc_result_bool(result, 0, 4);
        publication->via_root = pgc_result_bool(result, 0, 5);
        publication->ours = strcmp(PQgetvalue(result, 0, 6), mark) == 0;
        publication->stored_generated = pgc_result_bool(result, 0, 7);
    }
    PQclear(result);
    return 0;
}

void pgc_publication_warn(const pgc_postgres_source *source)
{
    const pgc_publication *publication = &source->publication;
    const char *missing[4];
    int count = 0;
    if (!publication->inserts)
        missing[count++] = "insert";
    if (!publication->updates)
        missing[count++] = "update";
    if (!publication->deletes)
        missing[count++] = "delete";
    if (!publication->truncates)
        missing[count++] = "truncate";
    if (!publication->exists || count == 0)
        return;
    char text[64] = "";
    for (int i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? ", " : "", missing[i]);
    pgc_log_warning(source->config.log, "publication %s does not publish %s: the target will not see them",
                    source->publication_name, text);
}

void pgc_publication_append_choice(const pgc_postgres_source *source, const char *schema, const char *name, pgc_buffer *sql)
{
    const pgc_mapped_table *mapped = pgc_mapping_table(source->config.mapping, schema, name);
    for (int i = 0; mapped && i < mapped->column_count; i++) {
        pgc_buffer_text(sql, i ? ", " : " (");
        pgc_quote_identifier(sql, mapped->columns[i]);
    }
    pgc_buffer_text(sql, mapped && mapped->column_count > 0 ? ")" : "");
    if (mapped && mapped->where)
        pgc_buffer_format(sql, " WHERE (%s\n)", mapped->where);
}

int pgc_publication_plan(pgc_postgres_source *source, PGconn *conn, const uint32_t *oids, size_t count, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT EXISTS (SELECT FROM pg_catalog.unnest($1::pg_catalog.oid[]) r (oid), "
        "LATERAL (SELECT r.oid UNION SELECT t.relid FROM pg_catalog.pg_partition_tree(r.oid) t) l (oid) "
        "JOIN pg_catalog.pg_class c ON c.oid = l.oid JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relreplident = 'f' AND a.attgenerated = 's' AND NOT a.attisdropped)";
    if (source->publication.exists || !source->config.streaming || source->server_version < 180000)
        return 0;
    PGresult *result = pgc_query_oids(conn, sql, oids, count, err);
    if (!result)
        return -1;
    source->publication.stored_generated = pgc_result_bool(result, 0, 0);
    PQclear(result);
    return 0;
}

const char *pgc_publication_unsent(const pgc_postgres_source *source)
{
    const pgc_publication *publication = &source->publication;
    bool stored = publication->stored_generated || (publication->exists && !publication->ours); /* what others send is theirs to decide */
    return source->server_version < 180000 ? PGC_UNSENT_NONE : stored ? PGC_UNSENT_VIRTUAL : PGC_UNSENT_ALL;
}

/* What the server would find out only when a row is updated, and then refuse to the application. */
static const char choice_sql[] =
    "WITH r AS (SELECT r.prrelid, r.prattrs, r.prqual, c.relreplident, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, "
    "ARRAY(SELECT k FROM pg_catalog.pg_index i, pg_catalog.unnest(i.indkey) k WHERE i.indrelid = c.oid AND "
    "CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END) AS identity "
    "FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid JOIN pg_catalog.pg_class c ON c.oid = r.prrelid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = $1), "
    "missing (name, attrelid, attnum, is_list) AS ("
    "SELECT name, prrelid, k, true FROM r, pg_catalog.unnest(identity) k WHERE prattrs IS NOT NULL AND NOT (k = ANY (prattrs::pg_catalog.int2[])) "
    "UNION ALL SELECT name, prrelid, a.attnum, true FROM r JOIN pg_catalog.pg_attribute a ON a.attrelid = prrelid AND a.attnum > 0 AND NOT a.attisdropped "
    "AND (a.attgenerated = '' OR pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 180000) WHERE prattrs IS NOT NULL AND relreplident = 'f' AND NOT (a.attnum = ANY (prattrs::pg_catalog.int2[])) "
    "UNION ALL SELECT name, prrelid, v[1]::pg_catalog.int2, false FROM r, pg_catalog.regexp_matches(prqual::pg_catalog.text, ':varattno (\\d+)', 'g') v "
    "WHERE relreplident <> 'f' AND NOT (v[1]::pg_catalog.int2 = ANY (identity))) "
    "SELECT m.name, a.attname, m.is_list FROM missing m JOIN pg_catalog.pg_attribute a USING (attrelid, attnum) ORDER BY 1, 3, 2 LIMIT 1";

int pgc_publication_check_choice(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    bool chooses = false;
    const pgc_mapped_table *tables;
    int count = pgc_mapping_tables(source->config.mapping, &tables);
    for (int i = 0; i < count; i++)
        chooses |= tables[i].column_count > 0 || tables[i].where;
    if (!chooses)
        return 0;
    const char *values[] = {source->publication_name};
    PGresult *result = pgc_query_params(conn, choice_sql, 1, values, err);
    if (!result)
        return -1;
    bool good = PQntuples(result) == 0;
    if (!good && pgc_result_bool(result, 0, 2)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "--columns leaves out column \"%s\" of %s, which updates and deletes are found by",
                           PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 0));
        pgconvoy_error_hint(err, "name it too; with REPLICA IDENTITY FULL these are all columns");
    } else if (!good) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "--where looks at column \"%s\" of %s, which is not part of the replica identity: the source would refuse updates and deletes",
                           PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 0));
        pgconvoy_error_hint(err, "use columns of the key in the condition, or on the source: ALTER TABLE %s REPLICA IDENTITY FULL", PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return good ? 0 : -1;
}

static int create_sql(const pgc_postgres_source *source, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_buffer_text(sql, "CREATE PUBLICATION ");
    pgc_quote_identifier(sql, source->publication_name);
    for (size_t i = 0; i < source->table_count; i++) {
        const pgconvoy_table *table = source->tables[i];
        /* ONLY: inheritance children are tables of their own. A partitioned table stands for its partitions. */
        const pgc_source_table *own = pgc_source_find_table(source, table->oid);
        pgc_buffer_text(sql, i ? ", " : " FOR TABLE ");
        if (own->relkind != 'p')
            pgc_buffer_text(sql, "ONLY ");
        pgc_buffer_text(sql, own->quoted_name);
        pgc_publication_append_choice(source, table->schema, table->name, sql);
    }
    /* 18 refuses updates of a table whose identity has columns that are not published */
    if (source->publication.via_root || source->publication.stored_generated)
        pgc_buffer_format(sql, " WITH (%s%s%s)", source->publication.via_root ? "publish_via_partition_root = true" : "",
                          source->publication.via_root && source->publication.stored_generated ? ", " : "",
                          source->publication.stored_generated ? "publish_generated_columns = stored" : "");
    return pgc_buffer_check(sql, err);
}

static int create(const pgc_postgres_source *source, PGconn *conn, const char *sql, pgconvoy_error *err)
{
    char mark[256];
    pgc_publication_mark(source->config.pipeline_name, mark, sizeof mark);
    pgc_buffer comment;
    pgc_buffer_init(&comment, 4096);
    pgc_buffer_text(&comment, "COMMENT ON PUBLICATION ");
    pgc_quote_identifier(&comment, source->publication_name);
    pgc_buffer_text(&comment, " IS ");
    pgc_quote_literal(&comment, mark);
    int failed = pgc_buffer_check(&comment, err);
    if (!failed)
        failed = pgc_execute(conn, "BEGIN", err);
    if (!failed && (pgc_execute(conn, sql, err) != 0 || pgc_execute(conn, comment.data, err) != 0 || pgc_publication_check_choice(source, conn, err) != 0 ||
                    pgc_execute(conn, "COMMIT", err) != 0)) {
        pgconvoy_error unused = {0};
        if (pgc_execute(conn, "ROLLBACK", &unused) != 0)
            PQreset(conn); /* a transaction that cannot be ended goes with its connection */
        failed = -1;
    }
    pgc_buffer_free(&comment);
    return failed;
}

int pgc_publication_create(pgc_postgres_source *source, pgconvoy_error *err)
{
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn)
        return -1;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)512 << 20);
    int failed = create_sql(source, &sql, err);
    if (!failed && create(source, conn, sql.data, err) != 0) {
        failed = -1;
        pgc_error_prefix(err, "publication %s cannot be made", source->publication_name);
        if (strcmp(err->sqlstate, "42501") == 0)
            pgconvoy_error_hint(err,
                                "connect as the owner of the tables with CREATE on the database, or have a superuser "
                                "make a publication and name it by --publication");
    }
    pgc_buffer_free(&sql);
    if (failed)
        return -1;
    source->publication.exists = source->publication.ours = true;
    source->publication.inserts = source->publication.updates = true;
    source->publication.deletes = source->publication.truncates = true;
    pgc_log_info(source->config.log, "made publication %s of %zu tables", source->publication_name,
                 source->table_count);
    return 0;
}

int pgc_publication_drop(pgc_postgres_source *source, pgconvoy_error *err)
{
    if (pgc_publication_read(source, err) != 0)
        return -1;
    if (!source->publication.exists)
        return 0;
    if (!source->publication.ours) {
        pgc_log_info(source->config.log, "publication %s was not made by this pipeline and stays",
                     source->publication_name);
        return 0;
    }
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "DROP PUBLICATION IF EXISTS ");
    pgc_quote_identifier(&sql, source->publication_name);
    PGconn *conn = pgc_source_conn(source, err);
    int failed = !conn || pgc_buffer_check(&sql, err) != 0 || pgc_execute(conn, sql.data, err) != 0;
    pgc_buffer_free(&sql);
    if (failed) {
        pgc_error_prefix(err, "publication %s cannot be removed", source->publication_name);
        return -1;
    }
    source->publication.exists = source->publication.ours = false;
    return 0;
}
