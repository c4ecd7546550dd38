/*
 * Tables of a pipeline that its target does not have: the stream passes over what changes in them, since sync was told
 * to go on without them, or something stood in their way when they came. The source's publication has them, and the
 * target's state knows nothing of them.
 */
#include "inspect/cutover/cutover_internal.h"

#include "postgres/connection.h"
#include "postgres/quote.h"

#define SQL_LIMIT ((size_t)256 << 20)

/* Each with itself, and with what it is a partition of, or what its partitions are: the target may keep one for the
 * other. */
static PGresult *published(const pgc_cutover *cutover, pgconvoy_error *err)
{
    static const char tables[] =
        "SELECT n.nspname, c.relname, rn.nspname, rc.relname FROM (SELECT DISTINCT schemaname, tablename FROM "
        "pg_catalog.pg_publication_tables WHERE pubname IN (%s) AND schemaname <> 'pgconvoy') p "
        "JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname JOIN pg_catalog.pg_class c ON c.relnamespace = "
        "n.oid AND c.relname = p.tablename CROSS JOIN LATERAL (SELECT c.oid UNION SELECT relid FROM "
        "pg_catalog.pg_partition_ancestors(c.oid) UNION SELECT relid FROM pg_catalog.pg_partition_tree(c.oid)) r (oid) "
        "JOIN pg_catalog.pg_class rc ON rc.oid = r.oid JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace";
    pgc_buffer sql;
    pgc_buffer_init(&sql, 2 << 20);
    pgc_buffer_format(&sql, tables, cutover->flow.publications.data);
    PGresult *result = pgc_buffer_check(&sql, err) ? NULL : pgc_query(cutover->source, sql.data, err);
    pgc_buffer_free(&sql);
    return result;
}

/* Those of which the target's state has nothing under the name that they have there. */
static PGresult *unknown(const pgc_cutover *cutover, const PGresult *published, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, SQL_LIMIT);
    pgc_buffer_text(&sql, "SELECT v.s, v.t FROM (VALUES ");
    for (int row = 0; row < PQntuples(published); row++) {
        const char *words[4] = {PQgetvalue(published, row, 0), PQgetvalue(published, row, 1)};
        pgc_mapping_target(cutover->options->mapping, PQgetvalue(published, row, 2), PQgetvalue(published, row, 3),
                           &words[2], &words[3]);
        for (int i = 0; i < 4; i++) {
            pgc_buffer_text(&sql, i ? ", " : row ? ", (" : "(");
            pgc_quote_literal(&sql, words[i]);
        }
        pgc_buffer_byte(&sql, ')');
    }
    pgc_buffer_text(&sql, ") v (s, t, rs, rt) LEFT JOIN pgconvoy.table_state k ON k.schema_name = v.rs AND "
                          "k.table_name = v.rt AND k.pipeline = ");
    pgc_quote_literal(&sql, cutover->options->name);
    pgc_buffer_text(&sql, " GROUP BY 1, 2 HAVING count(k.pipeline) = 0 ORDER BY 1, 2");
    PGresult *result = pgc_buffer_check(&sql, err) ? NULL : pgc_query(cutover->target, sql.data, err);
    pgc_buffer_free(&sql);
    return result;
}

static int keep(pgc_cutover *cutover, const PGresult *unknown, pgconvoy_error *err)
{
    size_t count = (size_t)PQntuples(unknown);
    pgc_buffer pattern, names;
    pgc_buffer_init(&pattern, 1 << 12);
    pgc_buffer_init(&names, SQL_LIMIT);
    cutover->left_out = pgc_arena_zalloc(cutover->arena, sizeof *cutover->left_out * (count + 1));
    int status = cutover->left_out ? 0 : pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count && status == 0; i++) {
        const char *schema = PQgetvalue(unknown, (int)i, 0), *name = PQgetvalue(unknown, (int)i, 1);
        pgc_buffer_format(&names, "%s%s.%s", i ? ", " : "", schema, name);
        pgc_buffer_reset(&pattern);
        pgc_quote_qualified(&pattern, schema, name);
        status = pgc_buffer_check(&pattern, err);
        if (status == 0 && !(cutover->left_out[i] = pgc_arena_strdup(cutover->arena, pattern.data)))
            status = pgc_error_out_of_memory(err);
        if (status == 0)
            cutover->left_out_count = i + 1;
    }
    if (status == 0)
        status = pgc_buffer_check(&names, err);
    if (status == 0 && !(cutover->left_out_names = pgc_arena_strdup(cutover->arena, count ? names.data : "")))
        status = pgc_error_out_of_memory(err);
    pgc_buffer_free(&pattern);
    pgc_buffer_free(&names);
    return status ? -1 : 0;
}

static int refuse_or_say(const pgc_cutover *cutover, pgconvoy_error *err)
{
    if (cutover->options->skip_unavailable) {
        pgc_log_warning(cutover->options->log, "left out, as the target does not have them: %s",
                        cutover->left_out_names);
        return 0;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "tables of the pipeline are not at the target: %s",
                       cutover->left_out_names);
    pgconvoy_error_hint(err, "let sync copy them (its log says what stands in their way), give --map-schema and the "
                             "like as sync has them, or go on without them by --skip-unavailable");
    return -1;
}

int cutover_find_left_out(pgc_cutover *cutover, pgconvoy_error *err)
{
    if (cutover->flow.publications.length == 0)
        return 0;
    PGresult *tables = published(cutover, err);
    PGresult *left_out = tables && PQntuples(tables) ? unknown(cutover, tables, err) : NULL;
    int status = !tables || (PQntuples(tables) && !left_out) ? -1 : 0;
    if (left_out)
        status = keep(cutover, left_out, err);
    PQclear(left_out);
    PQclear(tables);
    return status == 0 && cutover->left_out_count ? refuse_or_say(cutover, err) : status;
}
