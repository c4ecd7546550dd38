/*
 * Rows that an extension keeps for its user (PostgreSQL manual, "Extension Configuration Tables"): coordinate systems,
 * jobs. Their table comes with the extension, and so do other rows of it: it is never emptied, a row that is there
 * stays, and it may be another role's. They come before the rows of all other tables, as the extension's functions
 * read them, and generated columns and checks call those.
 */
#include "clone/clone_internal.h"

#include "catalog/dependent.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdlib.h>
#include <string.h>

bool clone_extension_rows_are(const pgc_entry *entry)
{
    return pgc_entry_is(entry, "TABLE DATA") && clone_entry_of_extension(entry);
}

int clone_extension_rows_first(pgc_clone *clone, pgconvoy_error *err)
{
    for (int first = 0; first < clone->entries.count; first++) {
        const pgc_entry *rows = clone->entries.items[first];
        for (int i = 0; clone_extension_rows_are(rows) && i < clone->entries.count; i++) {
            pgc_entry *entry = clone->entries.items[i];
            if (pgc_entry_is(entry, "TABLE DATA") && !clone_entry_of_extension(entry) && clone_entry_depend(clone, entry, rows->id))
                return pgc_error_out_of_memory(err);
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ what our role may, and what is there */

/* A name in a schema that our role may not look into would be an error as regclass. */
static int may(PGconn *conn, const pgc_entry *entry, const char *privilege, bool *allowed, pgconvoy_error *err)
{
    static const char sql[] = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 "
                              "AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, $3))";
    const char *values[] = {entry->schema, entry->tag, privilege};
    return pgc_query_truth(conn, sql, 3, values, allowed, err);
}

int clone_extension_rows_readable(const pgc_clone *clone, const pgc_entry *entry, bool *readable, pgconvoy_error *err)
{
    if (may(pgc_catalog_connection(clone->catalog), entry, "SELECT", readable, err))
        return -1;
    if (!*readable && clone->options->part->snapshot)
        pgc_log_warning(clone->options->log, "the rows of %s.%s that an extension keeps for its user are not copied: our role may not read it; GRANT SELECT ON it at the source, and bring them with copy --data-only -t", entry->schema,
                        entry->tag);
    return 0;
}

int clone_extension_sequence_is_behind(const pgc_clone *clone, const pgc_entry *entry, bool *is_behind, pgconvoy_error *err)
{
    *is_behind = true;
    if (!pgc_entry_is(entry, "SEQUENCE SET") || !clone_entry_of_extension(entry) || !clone_has_relation(clone, (const pgc_relation *)entry->object))
        return 0;
    bool reads = false, writes = false;
    if (may(clone->target, entry, "SELECT", &reads, err) || may(clone->target, entry, "UPDATE", &writes, err))
        return -1;
    if (!(*is_behind = reads && writes))
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 12);
    /* the value is "5, true" */
    pgc_buffer_format(&sql, "SELECT (last_value, is_called) < (%s) FROM ", ((const pgc_relation *)entry->object)->sequence->value);
    pgc_quote_qualified(&sql, entry->schema, entry->tag);
    int result = pgc_buffer_check(&sql, err) ? -1 : pgc_query_truth(clone->target, sql.data, 0, NULL, is_behind, err);
    pgc_buffer_free(&sql);
    return result;
}

int clone_extension_rows_append_deletes(const pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err)
{
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        if (!clone_extension_rows_are(entry) || !clone_is_present(clone, entry))
            continue;
        const pgc_table_data *data = (const pgc_table_data *)entry->object;
        bool allowed = false;
        if (clone->options->part && clone_part_group(clone, data->relation) < 0)
            continue; /* nobody has named it */
        if (may(clone->target, entry, "DELETE", &allowed, err))
            return -1;
        if (!allowed)
            continue;
        pgc_buffer_text(sql, "DELETE FROM ONLY ");
        pgc_quote_qualified(sql, entry->schema, entry->tag);
        pgc_buffer_format(sql, " %s\n;", data->filter ? data->filter : ""); /* a line end, lest a comment at its end hide the semicolon */
    }
    return pgc_buffer_check(sql, err);
}

/* ------------------------------------------------------------------ at the target */

#define ROWS_TABLE "pg_temp.pgconvoy_extension_rows"

void clone_extension_rows_append_target(const clone_item *item, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "CREATE TEMPORARY TABLE pgconvoy_extension_rows (LIKE ");
    pgc_quote_qualified(sql, item->entry->schema, item->entry->tag);
    pgc_buffer_text(sql, "); COPY " ROWS_TABLE " ");
    (void)clone_rows_append_columns(item->table->relation, sql, true);
    pgc_buffer_text(sql, " FROM stdin");
}

static int insert(const clone_session *session, const clone_item *item, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 20);
    pgc_buffer_text(&sql, "INSERT INTO ");
    pgc_quote_qualified(&sql, item->entry->schema, item->entry->tag);
    pgc_buffer_byte(&sql, ' ');
    (void)clone_rows_append_columns(item->table->relation, &sql, true);
    pgc_buffer_text(&sql, " OVERRIDING SYSTEM VALUE SELECT ");
    (void)clone_rows_append_columns(item->table->relation, &sql, false);
    pgc_buffer_text(&sql, " FROM " ROWS_TABLE " ON CONFLICT DO NOTHING");
    int result = pgc_buffer_check(&sql, err) ? -1 : pgc_execute(session->target, sql.data, err);
    pgc_buffer_free(&sql);
    return result;
}

int clone_extension_rows_writable(clone_session *session, const clone_item *item, bool *writable, pgconvoy_error *err)
{
    bool has_rows = false, selects = false;
    if (may(session->target, item->entry, "INSERT", writable, err) || may(session->target, item->entry, "SELECT", &selects, err))
        return -1;
    *writable &= selects; /* for LIKE */
    if (*writable)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 20);
    pgc_buffer_text(&sql, "SELECT EXISTS (SELECT FROM ONLY ");
    pgc_quote_qualified(&sql, item->table->relation->object.schema->object.name, item->table->relation->object.name);
    pgc_buffer_format(&sql, " WHERE %s)", item->table->condition ? item->table->condition : "true");
    int result = pgc_buffer_check(&sql, err) ? -1 : pgc_query_truth(session->source, sql.data, 0, NULL, &has_rows, err);
    pgc_buffer_free(&sql);
    if (result == 0 && has_rows)
        pgc_log_warning(session->clone->options->log,
                        "the rows of %s.%s that an extension keeps for its user are not copied: our role may not write it on the target; GRANT SELECT, INSERT ON it there, and bring them with copy --data-only -t",
                        item->entry->schema, item->entry->tag);
    return result;
}

int clone_extension_rows_end(clone_session *session, const clone_item *item, pgconvoy_error *err)
{
    const pgc_entry *entry = item->entry;
    if (insert(session, item, err)) {
        pgc_error_prefix(err, "writing table %s.%s", entry->schema, entry->tag);
        return -1;
    }
    int64_t rows = atomic_load(&item->table->rows_copied);
    if (rows > 0 && session->clone->options->part && item->table->group < 0)
        pgc_log_info(session->clone->options->log,
                     "copied the rows of %s.%s that an extension keeps for its user (%lld) as they are now: changes of them are not followed, unless it is named with --table", entry->schema, entry->tag,
                     (long long)rows);
    return pgc_execute(session->target, "DROP TABLE " ROWS_TABLE, err);
}
