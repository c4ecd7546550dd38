/*
 * Copies of linked tables, or of queries over them: materialized views, made the first time and refreshed from then on.
 * A copy of a table has its primary key as a unique index, so that it is refreshed while it is read.
 */
#include "native/link_internal.h"

#include "format/json_object.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct copy {
    char schema[64], name[64];
    const char *query; /* NULL: a table */
    const char *table;
    const char *key; /* columns of its primary key, or NULL */
} copy;

static bool is_query(const char *text)
{
    static const char *const words[] = {"select ", "with ", "table ", "values "};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncasecmp(text, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static int find_table(const link_state *link, copy *copy, pgconvoy_error *err)
{
    for (int i = 0; i < PQntuples(link->tables); i++)
        if (strcmp(PQgetvalue(link->tables, i, 1), copy->table) == 0) {
            copy->key = PQgetisnull(link->tables, i, 2) ? NULL : PQgetvalue(link->tables, i, 2);
            return 0;
        }
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--materialize: \"%s\" is none of the linked tables, and no query",
                       copy->table);
    pgconvoy_error_hint(err, "write NAME=TABLE with the table's name as it is, or NAME=SELECT …");
    return -1;
}

/* NAME=TABLE, SCHEMA.NAME=TABLE, NAME=SELECT …, or TABLE, whose copy is TABLE_local. */
static int take_apart(const link_state *link, const char *text, copy *copy, pgconvoy_error *err)
{
    const char *equal = strchr(text, '=');
    size_t length = equal ? (size_t)(equal - text) : 0;
    const char *dot = equal ? memchr(text, '.', length) : NULL;
    const char *name = dot ? dot + 1 : text;
    snprintf(copy->schema, sizeof copy->schema, "%.*s", dot ? (int)(dot - text) : 63, dot ? text : link->into);
    if (equal)
        snprintf(copy->name, sizeof copy->name, "%.*s", (int)(equal - name), name);
    else
        snprintf(copy->name, sizeof copy->name, "%.57s_local", text);
    const char *what = equal ? equal + 1 : text;
    if (!copy->name[0] || !what[0]) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--materialize cannot be \"%s\"", text);
        pgconvoy_error_hint(err, "write NAME=TABLE or NAME=SELECT …");
        return -1;
    }
    if (is_query(what)) {
        copy->query = what;
        return 0;
    }
    copy->table = what;
    return find_table(link, copy, err);
}

/* What stands under the copy's name: nothing (0), a copy of ours (1) or one that can be refreshed while it is read (2).
 */
static int state_of(const link_state *link, const copy *copy, int *state, pgconvoy_error *err)
{
    const char *values[] = {copy->schema, copy->name};
    PGresult *result =
        pgc_query_params(link->target,
                         "SELECT c.relkind = 'm' AND obj_description(c.oid, 'pg_class') = '" LINK_MARK
                         "', EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisunique AND indpred IS NULL "
                         "AND indexprs IS NULL AND indisvalid) AND c.relispopulated FROM pg_class c JOIN pg_namespace "
                         "n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
                         2, values, err);
    if (!result)
        return -1;
    bool there = PQntuples(result) == 1, ours = there && PQgetvalue(result, 0, 0)[0] == 't';
    *state = !there ? 0 : PQgetvalue(result, 0, 1)[0] == 't' ? 2 : 1;
    PQclear(result);
    if (!there || ours)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "%s.%s is in the target already, and no copy that pgconvoy link made", copy->schema, copy->name);
    pgconvoy_error_hint(err, "give the copy another name: --materialize NAME=TABLE");
    return -1;
}

static int do_text(link_state *link, pgc_buffer *sql, pgconvoy_error *err)
{
    int failed = pgc_buffer_check(sql, err) || link_do(link, sql->data, NULL, err);
    pgc_buffer_reset(sql);
    return failed;
}

static int make_copy(link_state *link, const copy *copy, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_buffer_text(sql, "SET LOCAL search_path = ");
    pgc_quote_identifier(sql, link->into);
    pgc_buffer_text(sql, ", public");
    if (copy->query && do_text(link, sql, err))
        return -1;
    pgc_buffer_reset(sql);
    pgc_buffer_text(sql, "CREATE MATERIALIZED VIEW ");
    pgc_quote_qualified(sql, copy->schema, copy->name);
    pgc_buffer_text(sql, " AS ");
    if (copy->query)
        pgc_buffer_text(sql, copy->query);
    else {
        pgc_buffer_text(sql, "SELECT * FROM ");
        pgc_quote_qualified(sql, link->into, copy->table);
    }
    if (do_text(link, sql, err))
        return -1;
    pgc_buffer_text(sql, "COMMENT ON MATERIALIZED VIEW ");
    pgc_quote_qualified(sql, copy->schema, copy->name);
    pgc_buffer_text(sql, " IS '" LINK_MARK "'");
    if (do_text(link, sql, err))
        return -1;
    pgc_buffer_text(sql, "CREATE UNIQUE INDEX ON ");
    pgc_quote_qualified(sql, copy->schema, copy->name);
    pgc_buffer_format(sql, " (%s)", copy->key ? copy->key : "");
    if (copy->key && do_text(link, sql, err))
        return -1;
    pgc_buffer_reset(sql);
    pgc_buffer_text(sql, "ANALYZE ");
    pgc_quote_qualified(sql, copy->schema, copy->name);
    return do_text(link, sql, err);
}

static void note(link_state *link, const copy *copy, bool refreshed)
{
    pgc_buffer *out = &link->copies;
    pgc_buffer_text(out, out->length ? ",{" : "{");
    pgc_json_member_text(out, "schema", copy->schema);
    pgc_json_member_text(out, "name", copy->name);
    pgc_json_member_bool(out, "refreshed", refreshed);
    pgc_buffer_byte(out, '}');
}

static int bring(link_state *link, const char *text, pgc_buffer *sql, pgconvoy_error *err)
{
    copy copy = {.query = NULL};
    int state = 0;
    if (take_apart(link, text, &copy, err) || state_of(link, &copy, &state, err))
        return -1;
    note(link, &copy, state != 0);
    if (state == 0)
        return make_copy(link, &copy, sql, err);
    pgc_buffer_format(sql, "REFRESH MATERIALIZED VIEW %s", state == 2 ? "CONCURRENTLY " : "");
    pgc_quote_qualified(sql, copy.schema, copy.name);
    return do_text(link, sql, err);
}

int link_materialize(link_state *link, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 64 << 20);
    int failed = 0;
    for (size_t i = 0; i < link->options->materialize_count && !failed; i++)
        failed = bring(link, link->options->materialize[i], &sql, err);
    pgc_buffer_free(&sql);
    return failed;
}
